/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>

static const struct ruling ask_again =
	RULING(RETRY, ERR_RETRY, EIO);
static const struct ruling spoiled =
	RULING(FAIL, ERR_CORRUPT, EBADMSG);
static const struct ruling slow_down =
	RULING(THROTTLED, ERR_RETRY, EIO);

/*
 * What a code means whatever the operation and the status.  "Throttling" and
 * "TooManyRequests" are families: a '*' ends what must agree.
 */
static const struct ruling_of_code by_code[] = {
	{ "SlowDown*", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "Throttl*", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "TooManyRequests*", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "RequestLimitExceeded", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "BandwidthLimitExceeded", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "PriorRequestNotComplete", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "ServiceUnavailable", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "InternalError", RULING(RETRY, ERR_RETRY, EIO) },
	{ "RequestTimeout", RULING(RETRY, ERR_RETRY, EIO) },
	{ "IncompleteBody", RULING(RETRY, ERR_RETRY, EIO) },
	{ "BadDigest", RULING(RETRY, ERR_RETRY, EIO) },
	{ "XAmzContentSHA256Mismatch", RULING(RETRY, ERR_RETRY, EIO) },
	{ "OperationAborted", RULING(RETRY, ERR_RETRY, EIO) },
	{ "RequestTimeTooSkewed", RULING(FIX_CLOCK, ERR_AUTH, EACCES) },
	{ "RequestExpired", RULING(FIX_CLOCK, ERR_AUTH, EACCES) },
	{ "ExpiredToken*", RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "InvalidToken", RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "TokenRefreshRequired",
	  RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "InvalidAccessKeyId", RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "SignatureDoesNotMatch",
	  RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "AuthorizationHeaderMalformed",
	  RULING(FIX_REGION, ERR_AUTH, EACCES) },
	{ "PermanentRedirect", RULING(FIX_REGION, ERR_USAGE, EIO) },
	{ "TemporaryRedirect", RULING(FIX_REGION, ERR_USAGE, EIO) },
	{ "IllegalLocationConstraintException",
	  RULING(FIX_REGION, ERR_USAGE, EIO) },
	/* Ceph has no other word for a key that was replaced. */
	{ "AccessDenied", RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "AllAccessDisabled", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "AccountProblem", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "InvalidObjectState", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "NoSuchBucket", RULING(FAIL, ERR_MISSING, ENOENT) },
	{ "NotImplemented", RULING(FAIL, ERR_USAGE, ENOTSUP) },
	{ "InvalidRange", RULING(FAIL, ERR_CORRUPT, EBADMSG) },
	{ "KeyTooLongError", RULING(FAIL, ERR_USAGE, ENAMETOOLONG) },
	{ "EntityTooLarge", RULING(FAIL, ERR_USAGE, EFBIG) },
	{ "EntityTooSmall", RULING(FAIL, ERR_USAGE, EINVAL) },
	{ "InvalidPart*", RULING(FAIL, ERR_USAGE, EINVAL) },
	{ "QuotaExceeded", RULING(FAIL, ERR_USAGE, EDQUOT) },
};

static bool is_conditional_write(const struct backend_op *op)
{
	return op->create_only ||
	       (op->if_match && op->kind != BACKEND_OP_GET);
}

/*
 * Two conditional writers met: the store did not look at the condition.  AWS
 * wants a put sent again, but the parts of an upload uploaded again.
 */
static struct ruling conflict(const struct backend_op *op)
{
	if (op->kind == BACKEND_OP_MULTIPART_COMPLETE)
		return (struct ruling)RULING(FAIL, ERR_RETRY, EIO);
	return ask_again;
}

static struct ruling bad_request(const struct backend_op *op,
				    const char *code)
{
	/* Stores older than list-v2 refuse its arguments. */
	if (op->kind == BACKEND_OP_LIST && !strcmp(code, "InvalidArgument"))
		return (struct ruling)RULING(USE_LIST_V1, ERR_USAGE, EIO);
	/* A HEAD of a bucket in another region has no body to say so in. */
	if (!*code)
		return (struct ruling)RULING(FIX_REGION, ERR_AUTH,
						EACCES);
	return (struct ruling)RULING(FAIL, ERR_USAGE, EIO);
}

static struct ruling by_status(const struct backend_op *op, int status,
				  const char *code)
{
	switch (status) {
	case 301:
	case 302:
	case 307:
	case 308:
		return (struct ruling)RULING(FIX_REGION, ERR_USAGE, EIO);
	case 304: /* what some answer a conditional put */
	case 412:
		return ruling_condition_failed(op);
	case 400:
		return bad_request(op, code);
	case 401:
		return (struct ruling)RULING(FIX_CREDENTIAL, ERR_AUTH,
						EACCES);
	case 403:
		/* A HEAD's has no code: its Date shows whether it is that. */
		if (!*code)
			return (struct ruling)RULING(FIX_CLOCK, ERR_AUTH,
						     EACCES);
		return (struct ruling)RULING(FAIL, ERR_AUTH, EACCES);
	case 404:
	case 410:
		return ruling_missing(op);
	case 409:
		return is_conditional_write(op) ?
			       conflict(op) :
			       (struct ruling)RULING(FAIL, ERR_USAGE,
							EIO);
	case 416:
		return (struct ruling)RULING(FAIL, ERR_CORRUPT, EBADMSG);
	case 429:
	case 503:
		return slow_down;
	case 501:
		if (op->kind == BACKEND_OP_LIST)
			return (struct ruling)RULING(USE_LIST_V1, ERR_USAGE,
						     ENOTSUP);
		return (struct ruling)RULING(FAIL, ERR_USAGE, ENOTSUP);
	case 507:
		return (struct ruling)RULING(FAIL, ERR_USAGE, ENOSPC);
	case 408:
		return ask_again;
	default:
		if (status >= 500 || status < 300)
			return ask_again;
		return (struct ruling)RULING(FAIL, ERR_USAGE, EIO);
	}
}

struct ruling s3_rule(const struct backend_op *op, int status,
			 const char *code)
{
	const struct ruling *known;

	if (op->kind == BACKEND_OP_LIST && !strcmp(code, "NotImplemented"))
		return by_status(op, 501, code);
	if (op->is_spoiled && !strcmp(code, "BadDigest"))
		return spoiled;
	known = ruling_find(by_code, ARRAY_SIZE(by_code), code);
	if (known)
		return *known;
	if (!strcmp(code, "PreconditionFailed"))
		return by_status(op, 412, code);
	if (!strcmp(code, "ConditionalRequestConflict"))
		return conflict(op);
	if (!strcmp(code, "NoSuchKey") || !strcmp(code, "NoSuchUpload"))
		return ruling_missing(op);
	return by_status(op, status, code);
}
