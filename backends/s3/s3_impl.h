/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 dialect: s3, gs, swift and tos.  One call is one exchange:
 * s3_prepare() builds and signs an attempt, s3_judge() says what its answer
 * means, and both keep what they learn in struct s3_call (for this call) or
 * struct s3_backend (for all: the region, the clock's offset, list-v1).
 *
 * Google's XML API is a flavour of it (struct s3_flavour): another signer,
 * x-goog-* in place of x-amz-* (never both: 400 ExcessHeaderValues), and
 * generations.  It is spoken to gs:// locations at Google's own hosts, and
 * elsewhere with a credential that can only be Google's: a bearer token, or a
 * key id that begins with GOOG.  Any other server behind gs:// (Ceph) gets the
 * S3 dialect as it is.
 *
 * Repairs, each at most once a call: the region (a redirect, or a refusal that
 * names another one; where it names none, HEAD of the bucket); the clock (the
 * Date of a refusal); the credential (read again).  A redirect is never
 * followed.
 *
 * A lost answer.  A put is sent again after a time-out or a reset, so a
 * conditional one may meet its own earlier success as -EEXIST or -ESTALE: the
 * caller reads back (backend.h).  A completed upload that is not known any
 * more is looked for under its key, and is a success if the etag is the one
 * that its parts give.
 */
#ifndef DATASETFS_BACKENDS_S3_IMPL_H
#define DATASETFS_BACKENDS_S3_IMPL_H

#include "backends/base/lock.h"
#include "backends/object/answer.h"
#include "backends/object/object_backend.h"
#include "backends/s3/s3_endpoint.h"
#include "backends/s3/s3_xml.h"

#define S3_LIST_KEYS_MAX 1000
#define S3_PARTS_MAX 10000

/* lock guards region; the rest is fixed, or atomic. */
struct s3_backend {
	struct object_backend object;
	struct s3_endpoint endpoint;
	bool requester_pays;
	char *expected_owner;	/* NULL: not checked */
	char *sse_kms_key;	/* NULL: as the bucket has it */
	struct lock lock;
	char region[S3_REGION_SIZE];
	atomic_bool is_list_v1;
};

/* How an attempt is spoken. */
struct s3_flavour {
	const struct sigv4_scheme *scheme;
	const char *service;
	const char *region;	/* of the scope; NULL: the bucket's own */
	/*
	 * Writes know no condition but x-goog-if-generation-match (0: there is
	 * none), completed uploads none at all; If-None-Match and If-Match
	 * would be ignored under a 200.
	 */
	bool has_generations;
};

enum s3_stage {
	S3_STAGE_CALL,		/* the operation itself */
	S3_STAGE_REGION,	/* HEAD of the bucket, for its region */
	S3_STAGE_COMPLETED,	/* HEAD of the key: did our upload win? */
};

struct s3_call {
	struct backend_op *op;
	struct s3_backend *sb;
	enum s3_stage stage;
	struct buf reply;	/* a body that is parsed or may be large */
	struct buf body;	/* of a request that we make up */
	char sha256[65];	/* of the body; "" until needed */

	/* How the latest attempt was sent. */
	unsigned attempt;	/* from 0 */
	const struct s3_flavour *flavour;
	char region[S3_REGION_SIZE];
	bool is_list_v1;
	struct identity_use use;

	bool is_region_done, is_region_asked;

	struct err refusal;	/* what a stage beside the call is about */
};

int s3_prepare(void *ctx, unsigned attempt, struct http_request *rq,
	       struct err *err);
enum exchange_verdict s3_judge(void *ctx, int r, struct http_response *rs,
			       int *out, struct err *err);

/*
 * A refusal, under whatever status: describes it, repairs what can be.  The
 * other two are the answers of the stages beside the call.
 */
enum exchange_verdict s3_refused(struct s3_call *call,
				 const struct http_response *rs,
				 const struct xml_error *error, int *out,
				 struct err *err);
enum exchange_verdict s3_region_told(struct s3_call *call,
				     const struct http_response *rs, int *out,
				     struct err *err);
enum exchange_verdict s3_completed(struct s3_call *call,
				   const struct http_response *rs, int *out,
				   struct err *err);

/* Takes over *list, a page as parsed; fills op->page. */
int s3_list_page(struct backend_op *op, struct s3_list *list, struct err *err)
	MUST_CHECK;

/*
 * What a refusal means, a pure function.  code: the error's, "" where the body
 * had none.
 */
struct ruling s3_rule(const struct backend_op *op, int status,
			 const char *code);

#endif
