/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed number of threads with one bounded queue: for work that blocks on
 * the local disk or on the CPU (never on a store: that is http's).  Jobs start
 * in the order they were queued.  Any thread may call.
 */
#ifndef DATASETFS_BASE_POOL_H
#define DATASETFS_BASE_POOL_H

#include "backends/base/err.h"

struct pool;
typedef void (*pool_job_fn)(void *arg);

/* name: at most 10 bytes, shown as the threads' name. */
int pool_new(struct pool **out, const char *name, unsigned threads,
	     unsigned queue_max, struct err *err) MUST_CHECK;

/* Runs what is queued, then joins the threads.  Not from a pool thread. */
void pool_free(struct pool *pool);

/* -EAGAIN (ERR_RETRY) when queue_max jobs wait already. */
int pool_submit(struct pool *pool, pool_job_fn fn, void *arg, struct err *err)
	MUST_CHECK;

#endif
