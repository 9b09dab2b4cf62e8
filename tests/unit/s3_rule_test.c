/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <criterion/criterion.h>

enum wanted {
	NOTHING,
	CREATE,
	MATCH,
};

Test(s3_rule, a_generation_that_is_gone_is_a_change_to_who_reads_it)
{
	char generation[] = "1732156539000123", etag[] = "e1";
	struct backend_op op = { .kind = BACKEND_OP_GET,
				 .if_match = generation };

	cr_expect_eq(s3_rule(&op, 404, "NoSuchKey").code, ESTALE);
	cr_expect_eq(s3_rule(&op, 404, "").code, ESTALE);
	cr_expect_eq(s3_rule(&op, 404, "NoSuchBucket").code, ENOENT);
	op.if_match = etag;
	cr_expect_eq(s3_rule(&op, 404, "NoSuchKey").code, ENOENT);
	op.kind = BACKEND_OP_DELETE;
	op.if_match = generation;
	cr_expect_eq(s3_rule(&op, 404, "NoSuchKey").action, RULING_SUCCEED);
}

static struct ruling rule(enum backend_op_kind kind, enum wanted wanted,
			  int status, const char *code)
{
	char etag[] = "e";
	struct backend_op op = {
		.kind = kind,
		.create_only = wanted == CREATE,
		.if_match = wanted == MATCH ? etag : NULL,
	};

	return s3_rule(&op, status, code);
}

static void check(enum backend_op_kind kind, enum wanted wanted, int status,
		  const char *code, enum ruling_action action,
		  enum err_class class, int no)
{
	struct ruling got = rule(kind, wanted, status, code);

	cr_expect_eq(got.action, action, "%d %d %s: action %d", kind, status,
		     code, got.action);
	cr_expect_eq(got.class, class, "%d %d %s: class %d", kind, status, code,
		     got.class);
	cr_expect_eq(got.code, no, "%d %d %s: errno %d", kind, status, code,
		     got.code);
}

Test(s3_rule, throttling_and_failures_never_become_missing)
{
	static const int statuses[] = {408, 429, 500, 502, 503, 504, 509, 599};
	static const char *const codes[] = {
		"SlowDown",
		"SlowDownRead",
		"ThrottlingException",
		"Throttling",
		"TooManyRequests",
		"TooManyRequestsException",
		"InternalError",
		"RequestTimeout",
		"ServiceUnavailable",
		"BandwidthLimitExceeded",
		"RequestLimitExceeded",
		"PriorRequestNotComplete",
	};

	for (int kind = 0; kind < BACKEND_OP_KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
			struct ruling r = rule(kind, NOTHING, statuses[i], "");

			cr_expect(r.action == RULING_RETRY ||
				  r.action == RULING_THROTTLED);
			cr_expect_eq(r.class, ERR_RETRY);
		}
		for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
			/* Whatever the status, 404 and 400 too. */
			struct ruling r = rule(kind, NOTHING, 404, codes[i]);

			cr_expect(r.action == RULING_RETRY ||
				  r.action == RULING_THROTTLED);
			cr_expect_eq(r.class, ERR_RETRY);
		}
	}
}

Test(s3_rule, a_missing_key_is_no_missing_bucket)
{
	check(BACKEND_OP_GET, NOTHING, 404, "NoSuchKey", RULING_FAIL,
	      ERR_MISSING, ENOENT);
	check(BACKEND_OP_HEAD, NOTHING, 404, "", RULING_FAIL, ERR_MISSING,
	      ENOENT);
	check(BACKEND_OP_DELETE, NOTHING, 404, "NoSuchKey", RULING_SUCCEED,
	      ERR_NONE, 0);
	check(BACKEND_OP_DELETE, MATCH, 404, "NoSuchKey", RULING_SUCCEED,
	      ERR_NONE, 0);
	check(BACKEND_OP_DELETE, NOTHING, 404, "NoSuchBucket", RULING_FAIL,
	      ERR_MISSING, ENOENT);
	check(BACKEND_OP_MULTIPART_ABORT, NOTHING, 404, "NoSuchUpload",
	      RULING_SUCCEED, ERR_NONE, 0);
	check(BACKEND_OP_MULTIPART_COMPLETE, NOTHING, 404, "NoSuchUpload",
	      RULING_FAIL, ERR_MISSING, ENOENT);
}

Test(s3_rule, a_condition_that_does_not_hold_is_told_by_what_was_asked)
{
	check(BACKEND_OP_PUT, CREATE, 412, "PreconditionFailed", RULING_FAIL,
	      ERR_CONFLICT, EEXIST);
	check(BACKEND_OP_PUT, CREATE, 304, "", RULING_FAIL, ERR_CONFLICT,
	      EEXIST);
	check(BACKEND_OP_PUT, MATCH, 412, "PreconditionFailed", RULING_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_PUT, MATCH, 404, "NoSuchKey", RULING_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_GET, MATCH, 412, "PreconditionFailed", RULING_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_GET, MATCH, 404, "NoSuchKey", RULING_FAIL, ERR_MISSING,
	      ENOENT);
	check(BACKEND_OP_DELETE, MATCH, 412, "", RULING_FAIL, ERR_CONFLICT,
	      ESTALE);
	check(BACKEND_OP_MULTIPART_COMPLETE, CREATE, 412, "", RULING_FAIL,
	      ERR_CONFLICT, EEXIST);
	/* Not asked for a condition: whatever it is, it is no lost race. */
	check(BACKEND_OP_GET, NOTHING, 412, "", RULING_FAIL, ERR_CORRUPT,
	      EBADMSG);
}

Test(s3_rule, writers_that_met_try_again_but_an_upload_must_begin_again)
{
	check(BACKEND_OP_PUT, CREATE, 409, "ConditionalRequestConflict",
	      RULING_RETRY, ERR_RETRY, EIO);
	check(BACKEND_OP_PUT, MATCH, 409, "OperationAborted", RULING_RETRY,
	      ERR_RETRY, EIO);
	check(BACKEND_OP_MULTIPART_COMPLETE, CREATE, 409,
	      "ConditionalRequestConflict", RULING_FAIL, ERR_RETRY, EIO);
}

Test(s3_rule, another_region_clock_or_credential_can_be_repaired)
{
	static const int redirects[] = {301, 302, 307, 308};

	for (size_t i = 0; i < ARRAY_SIZE(redirects); i++)
		check(BACKEND_OP_GET, NOTHING, redirects[i], "",
		      RULING_FIX_REGION, ERR_USAGE, EIO);
	check(BACKEND_OP_GET, NOTHING, 400, "AuthorizationHeaderMalformed",
	      RULING_FIX_REGION, ERR_AUTH, EACCES);
	check(BACKEND_OP_HEAD, NOTHING, 400, "", RULING_FIX_REGION, ERR_AUTH,
	      EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "RequestTimeTooSkewed",
	      RULING_FIX_CLOCK, ERR_AUTH, EACCES);
	check(BACKEND_OP_HEAD, NOTHING, 403, "", RULING_FIX_CLOCK, ERR_AUTH,
	      EACCES);
	check(BACKEND_OP_GET, NOTHING, 400, "ExpiredToken",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "InvalidAccessKeyId",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "SignatureDoesNotMatch",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 401, "", RULING_FIX_CREDENTIAL, ERR_AUTH,
	      EACCES);
	/* Ceph says so of a key that was replaced; under a 200, too. */
	check(BACKEND_OP_GET, NOTHING, 403, "AccessDenied",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_LIST, NOTHING, 200, "AccessDenied",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "InvalidObjectState", RULING_FAIL,
	      ERR_AUTH, EACCES);
}

Test(s3_rule, what_a_store_cannot_do_is_told_apart)
{
	check(BACKEND_OP_PUT, MATCH, 501, "NotImplemented", RULING_FAIL,
	      ERR_USAGE, ENOTSUP);
	check(BACKEND_OP_LIST, NOTHING, 501, "NotImplemented",
	      RULING_USE_LIST_V1, ERR_USAGE, ENOTSUP);
	check(BACKEND_OP_LIST, NOTHING, 400, "InvalidArgument",
	      RULING_USE_LIST_V1, ERR_USAGE, EIO);
	check(BACKEND_OP_GET, NOTHING, 416, "InvalidRange", RULING_FAIL,
	      ERR_CORRUPT, EBADMSG);
	check(BACKEND_OP_PUT, NOTHING, 507, "", RULING_FAIL, ERR_USAGE, ENOSPC);
}
