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

static struct s3_ruling rule(enum backend_op_kind kind, enum wanted wanted,
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
		  const char *code, enum s3_action action,
		  enum err_class class, int no)
{
	struct s3_ruling got = rule(kind, wanted, status, code);

	cr_expect_eq(got.action, action, "%d %d %s: action %d", kind, status,
		     code, got.action);
	cr_expect_eq(got.class, class, "%d %d %s: class %d", kind, status,
		     code, got.class);
	cr_expect_eq(got.code, no, "%d %d %s: errno %d", kind, status, code,
		     got.code);
}

Test(s3_rule, throttling_and_failures_never_become_missing)
{
	static const int statuses[] = { 408, 429, 500, 502, 503, 504, 509,
					599 };
	static const char *const codes[] = {
		"SlowDown",	     "SlowDownRead",
		"ThrottlingException", "Throttling",
		"TooManyRequests",   "TooManyRequestsException",
		"InternalError",     "RequestTimeout",
		"ServiceUnavailable", "BandwidthLimitExceeded",
		"RequestLimitExceeded", "PriorRequestNotComplete",
	};

	for (int kind = 0; kind < BACKEND_OP_KINDS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
			struct s3_ruling r =
				rule(kind, NOTHING, statuses[i], "");

			cr_expect(r.action == S3_RETRY ||
				  r.action == S3_THROTTLED);
			cr_expect_eq(r.class, ERR_RETRY);
		}
		for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
			/* Whatever the status, 404 and 400 too. */
			struct s3_ruling r = rule(kind, NOTHING, 404, codes[i]);

			cr_expect(r.action == S3_RETRY ||
				  r.action == S3_THROTTLED);
			cr_expect_eq(r.class, ERR_RETRY);
		}
	}
}

Test(s3_rule, a_missing_key_is_no_missing_bucket)
{
	check(BACKEND_OP_GET, NOTHING, 404, "NoSuchKey", S3_FAIL, ERR_MISSING,
	      ENOENT);
	check(BACKEND_OP_HEAD, NOTHING, 404, "", S3_FAIL, ERR_MISSING, ENOENT);
	check(BACKEND_OP_DELETE, NOTHING, 404, "NoSuchKey", S3_SUCCEED,
	      ERR_NONE, 0);
	check(BACKEND_OP_DELETE, MATCH, 404, "NoSuchKey", S3_SUCCEED, ERR_NONE,
	      0);
	check(BACKEND_OP_DELETE, NOTHING, 404, "NoSuchBucket", S3_FAIL,
	      ERR_MISSING, ENOENT);
	check(BACKEND_OP_MULTIPART_ABORT, NOTHING, 404, "NoSuchUpload",
	      S3_SUCCEED, ERR_NONE, 0);
	check(BACKEND_OP_MULTIPART_COMPLETE, NOTHING, 404, "NoSuchUpload",
	      S3_FAIL, ERR_MISSING, ENOENT);
}

Test(s3_rule, a_condition_that_does_not_hold_is_told_by_what_was_asked)
{
	check(BACKEND_OP_PUT, CREATE, 412, "PreconditionFailed", S3_FAIL,
	      ERR_CONFLICT, EEXIST);
	check(BACKEND_OP_PUT, CREATE, 304, "", S3_FAIL, ERR_CONFLICT, EEXIST);
	check(BACKEND_OP_PUT, MATCH, 412, "PreconditionFailed", S3_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_PUT, MATCH, 404, "NoSuchKey", S3_FAIL, ERR_CONFLICT,
	      ESTALE);
	check(BACKEND_OP_GET, MATCH, 412, "PreconditionFailed", S3_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_GET, MATCH, 404, "NoSuchKey", S3_FAIL, ERR_MISSING,
	      ENOENT);
	check(BACKEND_OP_DELETE, MATCH, 412, "", S3_FAIL, ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_MULTIPART_COMPLETE, CREATE, 412, "", S3_FAIL,
	      ERR_CONFLICT, EEXIST);
	/* Not asked for a condition: whatever it is, it is no lost race. */
	check(BACKEND_OP_GET, NOTHING, 412, "", S3_FAIL, ERR_CORRUPT, EBADMSG);
}

Test(s3_rule, writers_that_met_try_again_but_an_upload_must_begin_again)
{
	check(BACKEND_OP_PUT, CREATE, 409, "ConditionalRequestConflict",
	      S3_RETRY, ERR_RETRY, EIO);
	check(BACKEND_OP_PUT, MATCH, 409, "OperationAborted", S3_RETRY,
	      ERR_RETRY, EIO);
	check(BACKEND_OP_MULTIPART_COMPLETE, CREATE, 409,
	      "ConditionalRequestConflict", S3_FAIL, ERR_RETRY, EIO);
}

Test(s3_rule, another_region_clock_or_credential_can_be_repaired)
{
	static const int redirects[] = { 301, 302, 307, 308 };

	for (size_t i = 0; i < ARRAY_SIZE(redirects); i++)
		check(BACKEND_OP_GET, NOTHING, redirects[i], "", S3_FIX_REGION,
		      ERR_USAGE, EIO);
	check(BACKEND_OP_GET, NOTHING, 400, "AuthorizationHeaderMalformed",
	      S3_FIX_REGION, ERR_AUTH, EACCES);
	check(BACKEND_OP_HEAD, NOTHING, 400, "", S3_FIX_REGION, ERR_AUTH,
	      EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "RequestTimeTooSkewed",
	      S3_FIX_CLOCK, ERR_AUTH, EACCES);
	check(BACKEND_OP_HEAD, NOTHING, 403, "", S3_FIX_CLOCK, ERR_AUTH,
	      EACCES);
	check(BACKEND_OP_GET, NOTHING, 400, "ExpiredToken", S3_FIX_CREDENTIAL,
	      ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "InvalidAccessKeyId",
	      S3_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "SignatureDoesNotMatch",
	      S3_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 401, "", S3_FIX_CREDENTIAL, ERR_AUTH,
	      EACCES);
	/* Ceph says so of a key that was replaced; under a 200, too. */
	check(BACKEND_OP_GET, NOTHING, 403, "AccessDenied", S3_FIX_CREDENTIAL,
	      ERR_AUTH, EACCES);
	check(BACKEND_OP_LIST, NOTHING, 200, "AccessDenied",
	      S3_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "InvalidObjectState", S3_FAIL,
	      ERR_AUTH, EACCES);
}

Test(s3_rule, what_a_store_cannot_do_is_told_apart)
{
	check(BACKEND_OP_PUT, MATCH, 501, "NotImplemented", S3_FAIL, ERR_USAGE,
	      ENOTSUP);
	check(BACKEND_OP_LIST, NOTHING, 501, "NotImplemented", S3_USE_LIST_V1,
	      ERR_USAGE, ENOTSUP);
	check(BACKEND_OP_LIST, NOTHING, 400, "InvalidArgument", S3_USE_LIST_V1,
	      ERR_USAGE, EIO);
	check(BACKEND_OP_GET, NOTHING, 416, "InvalidRange", S3_FAIL,
	      ERR_CORRUPT, EBADMSG);
	check(BACKEND_OP_PUT, NOTHING, 507, "", S3_FAIL, ERR_USAGE, ENOSPC);
}

Test(s3_rule, dates_are_read_exactly_or_not_at_all)
{
	static const char *const bad[] = {
		"",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 ovD 1994 08:49:37 GMT",
		"Sun, 06 xxx 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 6  Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun, 06 Nov 1494 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
	};
	int64_t s = 0;

	cr_expect(s3_parse_date(&s, "Sun, 06 Nov 1994 08:49:37 GMT"));
	cr_expect_eq(s, 784111777);
	cr_expect(s3_parse_date(&s, "Thu, 01 Jan 1970 00:00:00 GMT"));
	cr_expect_eq(s, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(s3_parse_date(&s, bad[i]), "%s", bad[i]);
}

Test(s3_rule, content_ranges_are_exact_or_not_at_all)
{
	static const char *const bad[] = {
		"",		    "bytes",
		"bytes 0-9",	    "bytes 0-9/*",
		"bytes */10",	    "bytes 9-0/10",
		"bytes 0-10/10",    "bytes -1-9/10",
		"bytes 0-9/10 ",    "bytes 0 -9/10",
		"items 0-9/10",	    "bytes 0-9/99999999999999999999",
		"bytes 0-+9/10",    "bytes 0-9223372036854775808/1",
	};
	uint64_t first, last, total;

	cr_expect(s3_parse_content_range(&first, &last, &total,
					 "bytes 5-9/9223372036854775807"));
	cr_expect_eq(first, 5);
	cr_expect_eq(last, 9);
	cr_expect_eq(total, INT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(s3_parse_content_range(&first, &last, &total,
						     bad[i]),
			      "%s", bad[i]);
}
