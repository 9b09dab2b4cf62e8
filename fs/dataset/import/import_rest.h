/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's own service as a source, on releases up to 6.3: the datasets of one
 * bucket by pages, then all about each of them.  Synchronous; the requests run
 * several at once.
 */
#ifndef DATASETFS_DATASET_IMPORT_REST_H
#define DATASETFS_DATASET_IMPORT_REST_H

#include "backends/http/http.h"
#include "fs/dataset/import/import_source.h"

#define IMPORT_REST_PAGE 1000u		/* the most that the service shows */
#define IMPORT_REST_DATASETS_MAX 1000000u
#define IMPORT_REST_REQUESTS 8u		/* under way at once */
#define IMPORT_REST_BATCH 64u		/* answers that are held at once */
#define IMPORT_REST_BODY_MAX ((size_t)64 << 20)	/* some 100,000 versions */

struct import_rest_options {
	const char *url;	/* "https://osmo.example.com" */
	const char *bucket;	/* OSMO's name for it */
	const char *token;	/* secret; NULL: none */
	const char *user;	/* of a development installation, or NULL */
	int64_t timeout_ms;	/* of each request, its retries in it */
	/* NULL, or called by the caller's thread now and then. */
	void (*tell)(void *arg, size_t done, size_t all);
	void *arg;
};

/*
 * ERR_AUTH: the service wants another token (it is never sent in plain text
 * but to this machine); ERR_MISSING: it has no such interface, as from 6.4 on;
 * ERR_RETRY: it did not answer; ERR_CORRUPT: with something else.  A dataset
 * that it will not tell about is a note.
 */
int import_rest_read(struct import_source *src, struct http_engine *engine,
		     const struct import_rest_options *opt, struct err *err)
	MUST_CHECK;

#endif
