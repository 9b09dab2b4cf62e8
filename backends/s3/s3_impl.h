/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 dialect: s3, gs (HMAC), swift and tos.  One call is one exchange:
 * s3_prepare() builds and signs an attempt, s3_judge() says what its answer
 * means, and both keep what they learn in struct s3_call (for this call) or
 * struct s3_backend (for all: the region, the clock's offset, list-v1).
 *
 * Each attempt asks for the whole of what is wanted: no byte of one that
 * failed is in what a later one returns, since nobody knows what broke it.
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

#include "backends/auth/cred.h"
#include "backends/backend_impl.h"
#include "backends/base/lock.h"
#include "backends/http/exchange.h"
#include "backends/s3/s3_endpoint.h"
#include "backends/s3/s3_xml.h"

/* No byte for so long ends an attempt, not the call. */
#define S3_STALL_MS 5000
#define S3_STALL_PUT_MS 20000
/* Completing may take a store minutes, though it should send white space. */
#define S3_STALL_COMPLETE_MS 60000

#define S3_LIST_KEYS_MAX 1000
#define S3_REPLY_MAX (64 << 10)	/* of everything that is no list */
#define S3_PARTS_MAX 10000
/* An unreadable page again and again is what the store has to say. */
#define S3_MALFORMED_MAX 3
/* Stores refuse from 300 s (Swift) or 900 s (AWS) of difference. */
#define S3_SKEW_MIN_S 240

/* lock guards region; the rest is fixed, or atomic. */
struct s3_backend {
	struct backend base;
	struct http_engine *engine;
	struct cred_source *creds;	/* NULL: anonymous */
	struct s3_endpoint endpoint;
	struct lock lock;
	char region[S3_REGION_SIZE];
	atomic_llong skew_s;		/* the store's clock less ours */
	atomic_bool is_list_v1;
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
	char region[S3_REGION_SIZE];
	bool is_signed;
	bool is_list_v1;
	int64_t skew_s;
	uint64_t cred_generation;

	bool is_region_done, is_clock_done, is_cred_done, is_region_asked;
	unsigned n_malformed;

	size_t out_len;		/* of a whole object's buf, before this call */
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
				 const struct s3_error *error, int *out,
				 struct err *err);
enum exchange_verdict s3_region_told(struct s3_call *call,
				     const struct http_response *rs, int *out,
				     struct err *err);
enum exchange_verdict s3_completed(struct s3_call *call,
				   const struct http_response *rs, int *out,
				   struct err *err);

/* Back to len bytes: what an attempt has left behind is no answer. */
void s3_buf_cut(struct buf *buf, size_t len);

/* "p/" or "": what stands in front of each relative key. */
void s3_key_prefix(const struct s3_backend *sb, struct buf *out);

/* Takes over *list, a page as parsed; fills op->page. */
int s3_list_page(struct s3_call *call, struct s3_list *list, struct err *err)
	MUST_CHECK;

/*
 * What a refusal means, a pure function: the action, and the class and errno
 * where the action does not help.
 */
enum s3_action {
	S3_FAIL,
	S3_SUCCEED,		/* what was to be deleted is not there */
	S3_RETRY,
	S3_THROTTLED,
	S3_FIX_REGION,
	S3_FIX_CLOCK,
	S3_FIX_CREDENTIAL,
	S3_USE_LIST_V1,
};
struct s3_ruling {
	enum s3_action action;
	enum err_class class;
	int code;
};
/* code: the error's, "" where the body had none. */
struct s3_ruling s3_rule(const struct backend_op *op, int status,
			 const char *code);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7); false for another. */
bool s3_parse_date(int64_t *s, const char *text);

/* "bytes 0-9/100" (RFC 9110 14.4); false for anything less exact. */
bool s3_parse_content_range(uint64_t *first, uint64_t *last, uint64_t *total,
			    const char *text);

/* A Content-Length or a list's Size, below 2^63. */
bool s3_parse_length(uint64_t *out, const char *text);

#endif
