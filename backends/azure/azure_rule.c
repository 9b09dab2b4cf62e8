/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_impl.h"

#include <errno.h>
#include <string.h>

/* What a code means whatever the operation and the status. */
static const struct ruling_of_code by_code[] = {
	{ "ServerBusy", RULING(THROTTLED, ERR_RETRY, EIO) },
	{ "OperationTimedOut", RULING(RETRY, ERR_RETRY, EIO) },
	{ "InternalError", RULING(RETRY, ERR_RETRY, EIO) },
	{ "Md5Mismatch", RULING(RETRY, ERR_RETRY, EIO) },
	/* Also what a clock that is off by 15 minutes gets. */
	{ "AuthenticationFailed", RULING(FIX_CLOCK, ERR_AUTH, EACCES) },
	{ "InvalidAuthenticationInfo",
	  RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "NoAuthenticationInformation",
	  RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	/* "...Failure", "...PermissionMismatch", "...ProtocolMismatch" */
	{ "Authorization*", RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES) },
	{ "InsufficientAccountPermissions",
	  RULING(FAIL, ERR_AUTH, EACCES) },
	{ "KeyBasedAuthenticationNotPermitted",
	  RULING(FAIL, ERR_AUTH, EACCES) },
	{ "PublicAccessNotPermitted", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "AccountIsDisabled", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "BlobArchived", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "BlobBeingRehydrated", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "BlobImmutableDueToPolicy", RULING(FAIL, ERR_AUTH, EACCES) },
	{ "ContainerNotFound", RULING(FAIL, ERR_MISSING, ENOENT) },
	{ "ContainerBeingDeleted", RULING(FAIL, ERR_MISSING, ENOENT) },
	{ "ContainerDisabled", RULING(FAIL, ERR_AUTH, EACCES) },
	/* The blocks are gone: somebody else has written the blob. */
	{ "InvalidBlockList", RULING(FAIL, ERR_MISSING, ENOENT) },
	{ "InvalidRange", RULING(FAIL, ERR_CORRUPT, EBADMSG) },
	{ "RequestBodyTooLarge", RULING(FAIL, ERR_USAGE, EFBIG) },
	{ "BlockCountExceedsLimit", RULING(FAIL, ERR_USAGE, EFBIG) },
	/* "LeaseIdMissing" and others are no condition of ours. */
	{ "Lease*", RULING(FAIL, ERR_USAGE, EBUSY) },
	{ "SnapshotsPresent", RULING(FAIL, ERR_USAGE, EBUSY) },
};

static struct ruling by_status(const struct backend_op *op, int status,
			       const char *code)
{
	switch (status) {
	case 304:
	case 412:
		return ruling_condition_failed(op);
	case 401:
		return (struct ruling)RULING(FIX_CREDENTIAL, ERR_AUTH, EACCES);
	case 403:
		if (!*code)
			return (struct ruling)RULING(FIX_CLOCK, ERR_AUTH,
						     EACCES);
		return (struct ruling)RULING(FAIL, ERR_AUTH, EACCES);
	case 404:
	case 410:
		return ruling_missing(op);
	case 409:
		if (!*code && op->create_only)
			return ruling_condition_failed(op);
		return (struct ruling)RULING(FAIL, ERR_USAGE, EIO);
	case 416:
		return (struct ruling)RULING(FAIL, ERR_CORRUPT, EBADMSG);
	case 429:
	case 503:
		return (struct ruling)RULING(THROTTLED, ERR_RETRY, EIO);
	case 408:
		return (struct ruling)RULING(RETRY, ERR_RETRY, EIO);
	case 501:
		return (struct ruling)RULING(FAIL, ERR_USAGE, ENOTSUP);
	default:
		if (status >= 500 || status < 300)
			return (struct ruling)RULING(RETRY, ERR_RETRY, EIO);
		return (struct ruling)RULING(FAIL, ERR_USAGE, EIO);
	}
}

struct ruling azure_rule(const struct backend_op *op, int status,
			 const char *code)
{
	static const struct ruling spoiled =
		RULING(FAIL, ERR_CORRUPT, EBADMSG);
	const struct ruling *known =
		ruling_find(by_code, ARRAY_SIZE(by_code), code);

	if (op->is_spoiled && !strcmp(code, "Md5Mismatch"))
		return spoiled;

	if (known)
		return *known;
	/* A conditional create that lost: 409, where others say 412. */
	if (!strcmp(code, "BlobAlreadyExists") && op->create_only)
		return ruling_condition_failed(op);
	if (!strcmp(code, "BlobNotFound") || !strcmp(code, "ResourceNotFound"))
		return ruling_missing(op);
	return by_status(op, status, code);
}
