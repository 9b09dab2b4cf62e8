/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A location looked at from outside, for "bucket check": how far a request to
 * its store comes, as whom, for which region, and what a refused operation
 * would need.  Synchronous: never from a FUSE thread or a callback.
 */
#ifndef DATASETFS_BACKENDS_LOOK_H
#define DATASETFS_BACKENDS_LOOK_H

#include "backends/backend.h"
#include "backends/http/http.h"

struct backend_reach {
	char origin[320];	/* "https://s3.eu-west-1.amazonaws.com/" */
	struct http_timing timing;
	int status;		/* of an unsigned GET of "/"; any is an answer */
};
/*
 * One unsigned request on a connection of its own, not repeated.  -ENOTSUP
 * (ERR_USAGE) for file://.  After another failure *out says how far it came.
 */
int backend_reach(struct backend *b, int64_t deadline_ms,
		  struct backend_reach *out, struct err *err) MUST_CHECK;

/* Appends the origin alone; nothing for file://. */
void backend_origin(struct backend *b, struct buf *out);

struct backend_identity {
	char name[256];		/* of the source that counts */
	bool is_anonymous;
	int64_t expires_s;	/* wall clock; INT64_MAX: never */
};
/*
 * As whom the next request will be signed; waits while that is being asked
 * for.  -EACCES (ERR_AUTH) where there is none, -ETIMEDOUT (ERR_RETRY).
 */
int backend_identity(struct backend *b, int64_t deadline_ms,
		     struct backend_identity *out, struct err *err) MUST_CHECK;

/*
 * The region that requests are signed for now: the configured one, or the one
 * that the store has named.  False where the scheme has none.
 */
bool backend_region(struct backend *b, char out[BACKEND_REGION_MAX]);

enum backend_need {
	BACKEND_NEED_LIST,
	BACKEND_NEED_READ,
	BACKEND_NEED_WRITE,
	BACKEND_NEED_DELETE,
};
/*
 * Appends what must be allowed for it, in the provider's own words:
 * "s3:ListBucket on arn:aws:s3:::bucket".
 */
void backend_need_text(const struct backend *b, enum backend_need need,
		       struct buf *out);

#endif
