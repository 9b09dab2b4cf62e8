/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_impl.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum wanted {
	NOTHING,
	CREATE,
	MATCH,
};

static void check(enum backend_op_kind kind, enum wanted wanted, int status,
		  const char *code, enum ruling_action action,
		  enum err_class class, int no)
{
	char etag[] = "0x8D1";
	struct backend_op op = {
		.kind = kind,
		.create_only = wanted == CREATE,
		.if_match = wanted == MATCH ? etag : NULL,
	};
	struct ruling got = azure_rule(&op, status, code);

	cr_expect(got.action == action && got.class == class && got.code == no,
		  "%d %d %s: action %d, class %d, errno %d", kind, status,
		  code, got.action, got.class, got.code);
}

Test(azure_rule, throttling_and_failures_never_become_missing)
{
	for (int kind = 0; kind < BACKEND_OP_KINDS; kind++) {
		check(kind, NOTHING, 503, "ServerBusy", RULING_THROTTLED,
		      ERR_RETRY, EIO);
		check(kind, NOTHING, 503, "", RULING_THROTTLED, ERR_RETRY, EIO);
		check(kind, NOTHING, 429, "", RULING_THROTTLED, ERR_RETRY, EIO);
		check(kind, NOTHING, 500, "OperationTimedOut", RULING_RETRY,
		      ERR_RETRY, EIO);
		check(kind, NOTHING, 500, "InternalError", RULING_RETRY,
		      ERR_RETRY, EIO);
		check(kind, NOTHING, 408, "", RULING_RETRY, ERR_RETRY, EIO);
		check(kind, NOTHING, 502, "", RULING_RETRY, ERR_RETRY, EIO);
		check(kind, NOTHING, 504, "", RULING_RETRY, ERR_RETRY, EIO);
	}
}

Test(azure_rule, a_missing_blob_is_no_missing_container)
{
	check(BACKEND_OP_GET, NOTHING, 404, "BlobNotFound", RULING_FAIL,
	      ERR_MISSING, ENOENT);
	check(BACKEND_OP_DELETE, NOTHING, 404, "BlobNotFound", RULING_SUCCEED,
	      ERR_NONE, 0);
	check(BACKEND_OP_DELETE, NOTHING, 404, "ContainerNotFound",
	      RULING_FAIL, ERR_MISSING, ENOENT);
	check(BACKEND_OP_LIST, NOTHING, 409, "ContainerBeingDeleted",
	      RULING_FAIL, ERR_MISSING, ENOENT);
	check(BACKEND_OP_MULTIPART_COMPLETE, NOTHING, 400, "InvalidBlockList",
	      RULING_FAIL, ERR_MISSING, ENOENT);
}

Test(azure_rule, a_condition_that_does_not_hold_is_told_by_what_was_asked)
{
	check(BACKEND_OP_PUT, CREATE, 409, "BlobAlreadyExists", RULING_FAIL,
	      ERR_CONFLICT, EEXIST);
	check(BACKEND_OP_PUT, CREATE, 412, "ConditionNotMet", RULING_FAIL,
	      ERR_CONFLICT, EEXIST);
	check(BACKEND_OP_MULTIPART_COMPLETE, CREATE, 409, "BlobAlreadyExists",
	      RULING_FAIL, ERR_CONFLICT, EEXIST);
	check(BACKEND_OP_PUT, CREATE, 409, "", RULING_FAIL, ERR_CONFLICT,
	      EEXIST);
	check(BACKEND_OP_PUT, MATCH, 412, "ConditionNotMet", RULING_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_PUT, MATCH, 404, "BlobNotFound", RULING_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_GET, MATCH, 412, "ConditionNotMet", RULING_FAIL,
	      ERR_CONFLICT, ESTALE);
	check(BACKEND_OP_GET, MATCH, 404, "BlobNotFound", RULING_FAIL,
	      ERR_MISSING, ENOENT);
	check(BACKEND_OP_GET, NOTHING, 412, "", RULING_FAIL, ERR_CORRUPT,
	      EBADMSG);
}

Test(azure_rule, what_409_and_412_mean_beside_is_no_lost_race)
{
	check(BACKEND_OP_PUT, CREATE, 412, "LeaseIdMissing", RULING_FAIL,
	      ERR_USAGE, EBUSY);
	check(BACKEND_OP_DELETE, MATCH, 409, "SnapshotsPresent", RULING_FAIL,
	      ERR_USAGE, EBUSY);
	check(BACKEND_OP_PUT, CREATE, 409, "InvalidBlobType", RULING_FAIL,
	      ERR_USAGE, EIO);
	check(BACKEND_OP_PUT, NOTHING, 409, "BlobAlreadyExists", RULING_FAIL,
	      ERR_USAGE, EIO);
	check(BACKEND_OP_GET, NOTHING, 409, "BlobArchived", RULING_FAIL,
	      ERR_AUTH, EACCES);
	check(BACKEND_OP_PUT, NOTHING, 409, "BlobImmutableDueToPolicy",
	      RULING_FAIL, ERR_AUTH, EACCES);
}

Test(azure_rule, a_clock_and_a_credential_can_be_repaired)
{
	check(BACKEND_OP_GET, NOTHING, 403, "AuthenticationFailed",
	      RULING_FIX_CLOCK, ERR_AUTH, EACCES);
	check(BACKEND_OP_HEAD, NOTHING, 403, "", RULING_FIX_CLOCK, ERR_AUTH,
	      EACCES);
	check(BACKEND_OP_GET, NOTHING, 401, "InvalidAuthenticationInfo",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "AuthorizationFailure",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "AuthorizationPermissionMismatch",
	      RULING_FIX_CREDENTIAL, ERR_AUTH, EACCES);
	check(BACKEND_OP_GET, NOTHING, 403, "InsufficientAccountPermissions",
	      RULING_FAIL, ERR_AUTH, EACCES);
}

Test(azure_rule, ranges_and_sizes_have_their_own_errors)
{
	check(BACKEND_OP_GET, NOTHING, 416, "InvalidRange", RULING_FAIL,
	      ERR_CORRUPT, EBADMSG);
	check(BACKEND_OP_PUT, NOTHING, 413, "RequestBodyTooLarge", RULING_FAIL,
	      ERR_USAGE, EFBIG);
	check(BACKEND_OP_PUT, NOTHING, 400, "Md5Mismatch", RULING_RETRY,
	      ERR_RETRY, EIO);
	check(BACKEND_OP_GET, NOTHING, 302, "", RULING_FAIL, ERR_USAGE, EIO);
}

Test(azure_rule, block_ids_are_of_one_length_and_name_upload_and_part)
{
	char id[AZURE_BLOCK_ID_SIZE];

	azure_block_id(id, "0123456789abcdef", 1);
	cr_expect_str_eq(id, "MDEyMzQ1Njc4OWFiY2RlZi0wMDAwMQ==");
	azure_block_id(id, "0123456789abcdef", AZURE_PARTS_MAX);
	cr_expect_str_eq(id, "MDEyMzQ1Njc4OWFiY2RlZi01MDAwMA==");
}
