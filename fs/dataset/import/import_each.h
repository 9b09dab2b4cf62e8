/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many tasks that each wait for a store, some of them at once, on threads that
 * live as long as the call.  It must not know what the tasks are.
 */
#ifndef DATASETFS_DATASET_IMPORT_EACH_H
#define DATASETFS_DATASET_IMPORT_EACH_H

#include "backends/base/err.h"

#define IMPORT_EACH_MAX 64u

/* Task i of n; called by several threads at once, each i once. */
typedef int (*import_each_fn)(void *arg, size_t i, struct err *err);

/*
 * Runs all tasks, at most at_once (IMPORT_EACH_MAX) together, in their order
 * as far as they begin.  After one has failed (a negative result) no other is
 * begun; that one's error is returned, of several any.  Where threads are
 * short it takes longer.
 */
int import_each(size_t n, unsigned at_once, import_each_fn run, void *arg,
		struct err *err) MUST_CHECK;

#endif
