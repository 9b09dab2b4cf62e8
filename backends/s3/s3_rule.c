/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define RULING(action, class, code) { action, class, code }

static const struct s3_ruling ask_again =
	RULING(S3_RETRY, ERR_RETRY, EIO);
static const struct s3_ruling slow_down =
	RULING(S3_THROTTLED, ERR_RETRY, EIO);

/*
 * What a code means whatever the operation and the status.  "Throttling" and
 * "TooManyRequests" are families: a '*' ends what must agree.
 */
static const struct {
	const char *code;
	struct s3_ruling ruling;
} by_code[] = {
	{ "SlowDown*", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "Throttl*", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "TooManyRequests*", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "RequestLimitExceeded", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "BandwidthLimitExceeded", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "PriorRequestNotComplete", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "ServiceUnavailable", RULING(S3_THROTTLED, ERR_RETRY, EIO) },
	{ "InternalError", RULING(S3_RETRY, ERR_RETRY, EIO) },
	{ "RequestTimeout", RULING(S3_RETRY, ERR_RETRY, EIO) },
	{ "IncompleteBody", RULING(S3_RETRY, ERR_RETRY, EIO) },
	{ "BadDigest", RULING(S3_RETRY, ERR_RETRY, EIO) },
	{ "XAmzContentSHA256Mismatch", RULING(S3_RETRY, ERR_RETRY, EIO) },
	{ "OperationAborted", RULING(S3_RETRY, ERR_RETRY, EIO) },
	{ "RequestTimeTooSkewed", RULING(S3_FIX_CLOCK, ERR_AUTH, EACCES) },
	{ "RequestExpired", RULING(S3_FIX_CLOCK, ERR_AUTH, EACCES) },
	{ "ExpiredToken*", RULING(S3_FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "InvalidToken", RULING(S3_FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "TokenRefreshRequired",
	  RULING(S3_FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "InvalidAccessKeyId", RULING(S3_FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "SignatureDoesNotMatch",
	  RULING(S3_FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "AuthorizationHeaderMalformed",
	  RULING(S3_FIX_REGION, ERR_AUTH, EACCES) },
	{ "PermanentRedirect", RULING(S3_FIX_REGION, ERR_USAGE, EIO) },
	{ "TemporaryRedirect", RULING(S3_FIX_REGION, ERR_USAGE, EIO) },
	{ "IllegalLocationConstraintException",
	  RULING(S3_FIX_REGION, ERR_USAGE, EIO) },
	/* Ceph has no other word for a key that was replaced. */
	{ "AccessDenied", RULING(S3_FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "AllAccessDisabled", RULING(S3_FAIL, ERR_AUTH, EACCES) },
	{ "AccountProblem", RULING(S3_FAIL, ERR_AUTH, EACCES) },
	{ "InvalidObjectState", RULING(S3_FAIL, ERR_AUTH, EACCES) },
	{ "NoSuchBucket", RULING(S3_FAIL, ERR_MISSING, ENOENT) },
	{ "NotImplemented", RULING(S3_FAIL, ERR_USAGE, ENOTSUP) },
	{ "InvalidRange", RULING(S3_FAIL, ERR_CORRUPT, EBADMSG) },
	{ "KeyTooLongError", RULING(S3_FAIL, ERR_USAGE, ENAMETOOLONG) },
	{ "EntityTooLarge", RULING(S3_FAIL, ERR_USAGE, EFBIG) },
	{ "EntityTooSmall", RULING(S3_FAIL, ERR_USAGE, EINVAL) },
	{ "InvalidPart*", RULING(S3_FAIL, ERR_USAGE, EINVAL) },
	{ "QuotaExceeded", RULING(S3_FAIL, ERR_USAGE, EDQUOT) },
};

static bool is_code(const char *pattern, const char *code)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(pattern, code, len - 1);
	return !strcmp(pattern, code);
}

static bool is_conditional_write(const struct backend_op *op)
{
	return op->create_only ||
	       (op->if_match && op->kind != BACKEND_OP_GET);
}

static struct s3_ruling condition_failed(const struct backend_op *op)
{
	if (op->create_only)
		return (struct s3_ruling)RULING(S3_FAIL, ERR_CONFLICT, EEXIST);
	return (struct s3_ruling)RULING(S3_FAIL, ERR_CONFLICT, ESTALE);
}

/* The object, or the upload, is not there; the bucket is another matter. */
static struct s3_ruling missing(const struct backend_op *op)
{
	if (op->kind == BACKEND_OP_DELETE ||
	    op->kind == BACKEND_OP_MULTIPART_ABORT)
		return (struct s3_ruling)RULING(S3_SUCCEED, ERR_NONE, 0);
	/* AWS: If-Match on a key that is gone. */
	if (op->kind == BACKEND_OP_PUT && op->if_match)
		return condition_failed(op);
	return (struct s3_ruling)RULING(S3_FAIL, ERR_MISSING, ENOENT);
}

/*
 * Two conditional writers met: the store did not look at the condition.  AWS
 * wants a put sent again, but the parts of an upload uploaded again.
 */
static struct s3_ruling conflict(const struct backend_op *op)
{
	if (op->kind == BACKEND_OP_MULTIPART_COMPLETE)
		return (struct s3_ruling)RULING(S3_FAIL, ERR_RETRY, EIO);
	return ask_again;
}

static struct s3_ruling bad_request(const struct backend_op *op,
				    const char *code)
{
	/* Stores older than list-v2 refuse its arguments. */
	if (op->kind == BACKEND_OP_LIST && !strcmp(code, "InvalidArgument"))
		return (struct s3_ruling)RULING(S3_USE_LIST_V1, ERR_USAGE, EIO);
	/* A HEAD of a bucket in another region has no body to say so in. */
	if (!*code)
		return (struct s3_ruling)RULING(S3_FIX_REGION, ERR_AUTH,
						EACCES);
	return (struct s3_ruling)RULING(S3_FAIL, ERR_USAGE, EIO);
}

static struct s3_ruling by_status(const struct backend_op *op, int status,
				  const char *code)
{
	switch (status) {
	case 301:
	case 302:
	case 307:
	case 308:
		return (struct s3_ruling)RULING(S3_FIX_REGION, ERR_USAGE, EIO);
	case 304: /* what some answer a conditional put */
	case 412:
		if (op->if_match || op->create_only)
			return condition_failed(op);
		return (struct s3_ruling)RULING(S3_FAIL, ERR_CORRUPT, EBADMSG);
	case 400:
		return bad_request(op, code);
	case 401:
		return (struct s3_ruling)RULING(S3_FIX_CREDENTIAL, ERR_AUTH,
						EACCES);
	case 403:
		/* A HEAD's has no code: its Date shows whether it is that. */
		return (struct s3_ruling)RULING(*code ? S3_FAIL : S3_FIX_CLOCK,
						ERR_AUTH, EACCES);
	case 404:
	case 410:
		return missing(op);
	case 409:
		return is_conditional_write(op) ?
			       conflict(op) :
			       (struct s3_ruling)RULING(S3_FAIL, ERR_USAGE,
							EIO);
	case 416:
		return (struct s3_ruling)RULING(S3_FAIL, ERR_CORRUPT, EBADMSG);
	case 429:
	case 503:
		return slow_down;
	case 501:
		return (struct s3_ruling)RULING(op->kind == BACKEND_OP_LIST ?
							S3_USE_LIST_V1 :
							S3_FAIL,
						ERR_USAGE, ENOTSUP);
	case 507:
		return (struct s3_ruling)RULING(S3_FAIL, ERR_USAGE, ENOSPC);
	case 408:
		return ask_again;
	default:
		if (status >= 500 || status < 300)
			return ask_again;
		return (struct s3_ruling)RULING(S3_FAIL, ERR_USAGE, EIO);
	}
}

struct s3_ruling s3_rule(const struct backend_op *op, int status,
			 const char *code)
{
	if (op->kind == BACKEND_OP_LIST && !strcmp(code, "NotImplemented"))
		return by_status(op, 501, code);
	for (size_t i = 0; i < ARRAY_SIZE(by_code); i++)
		if (is_code(by_code[i].code, code))
			return by_code[i].ruling;
	if (!strcmp(code, "PreconditionFailed"))
		return by_status(op, 412, code);
	if (!strcmp(code, "ConditionalRequestConflict"))
		return conflict(op);
	if (!strcmp(code, "NoSuchKey") || !strcmp(code, "NoSuchUpload"))
		return missing(op);
	return by_status(op, status, code);
}

static bool take_number(const char **p, unsigned n_digits, int *out)
{
	*out = 0;
	for (unsigned i = 0; i < n_digits; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

static bool take_char(const char **p, char c)
{
	return *(*p)++ == c;
}

bool s3_parse_date(int64_t *s, const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = { .tm_isdst = 0 };
	const char *p = text, *month;
	char name[4];

	if (strlen(text) != strlen("Sun, 06 Nov 1994 08:49:37 GMT") ||
	    memcmp(p + 3, ", ", 2) != 0)
		return false;
	p += 5;
	if (!take_number(&p, 2, &tm.tm_mday) || !take_char(&p, ' '))
		return false;
	memcpy(name, p, 3);
	name[3] = '\0';
	month = strstr(months, name);
	if (!month || (month - months) % 3 != 0)
		return false;
	tm.tm_mon = (int)(month - months) / 3;
	p += 3;
	if (!take_char(&p, ' ') || !take_number(&p, 4, &tm.tm_year) ||
	    !take_char(&p, ' ') || !take_number(&p, 2, &tm.tm_hour) ||
	    !take_char(&p, ':') || !take_number(&p, 2, &tm.tm_min) ||
	    !take_char(&p, ':') || !take_number(&p, 2, &tm.tm_sec) ||
	    strcmp(p, " GMT") != 0)
		return false;
	if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_year < 1970 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	*s = timegm(&tm);
	return true;
}

static bool take_u64(const char **p, uint64_t *out)
{
	if (!isdigit((unsigned char)**p))
		return false;
	*out = 0;
	for (; isdigit((unsigned char)**p); (*p)++)
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(**p - '0'), out) ||
		    *out > INT64_MAX)
			return false;
	return true;
}

bool s3_parse_content_range(uint64_t *first, uint64_t *last, uint64_t *total,
			    const char *text)
{
	const char *p = text;

	if (strncasecmp(p, "bytes ", 6) != 0)
		return false;
	p += 6;
	return take_u64(&p, first) && take_char(&p, '-') &&
	       take_u64(&p, last) && take_char(&p, '/') &&
	       take_u64(&p, total) && !*p && *first <= *last && *last < *total;
}

bool s3_parse_length(uint64_t *out, const char *text)
{
	return take_u64(&text, out) && !*text;
}
