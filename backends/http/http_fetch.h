/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One GET for threads that may wait, tried again as exchange.h does: for a
 * service that is no store.  Never from an I/O thread.
 */
#ifndef DATASETFS_HTTP_FETCH_H
#define DATASETFS_HTTP_FETCH_H

#include "backends/http/http.h"

#define HTTP_FETCH_STALL_MS 30000	/* no byte for so long ends an attempt */

struct http_fetch {
	const char *url;
	const struct buf *headers;	/* "name: value\n" lines, may be NULL */
	size_t limit;			/* bytes of the body */
	int64_t deadline_ms;
};

/*
 * 0 when there was an answer to believe, whatever it says: *status, and in
 * *body (which is emptied first) its body, of an error at most
 * HTTP_ERROR_BODY_MAX.  408, 429 and 5xx are tried until the deadline:
 * ERR_RETRY -EIO names the last one.  Other errors: http.h.
 */
int http_fetch(struct http_engine *engine, const struct http_fetch *fetch,
	       struct buf *body, int *status, struct err *err) MUST_CHECK;

#endif
