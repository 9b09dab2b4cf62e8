/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/object/header.h"

/* What to do about it, where somebody can do something. */
static const struct {
	const char *code;	/* a '*' at its end: whatever follows */
	const char *advice;
} advices[] = {
	{ "Container*", ": there is no such bucket (container)" },
	{ "AuthenticationFailed",
	  ": the key, the SAS or this machine's clock is wrong" },
	{ "AuthorizationFailure",
	  ": the account's network rules or the SAS do not allow it" },
	{ "AuthorizationPermissionMismatch",
	  ": the identity lacks a role such as Storage Blob Data Reader (a new "
	  "one takes some minutes)" },
	{ "KeyBasedAuthenticationNotPermitted",
	  ": the account takes no keys, only identities" },
	{ "BlobArchived", ": the object is archived, rehydrate it first" },
	{ "BlobBeingRehydrated", ": the object is being rehydrated, wait" },
	{ "Lease*", ": somebody holds a lease on it" },
	{ "SnapshotsPresent", ": it has snapshots" },
};

static const char *advice(const struct azure_call *call,
			  const struct ruling *ruling, int status,
			  const char *code)
{
	if (ruling->code == EACCES && !call->use.is_signed)
		return ": the request was not signed, as there is no "
		       "credential";
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (ruling_is_code(advices[i].code, code))
			return advices[i].advice;
	return status / 100 == 3 ? ": redirects are not followed" : "";
}

/* True: the call may be sent again, at once. */
static bool repair(struct azure_call *call, const struct http_response *rs,
		   const struct ruling *ruling, const char *code)
{
	struct identity *id = &call->ab->object.identity;

	if (ruling->action == RULING_FIX_CLOCK &&
	    identity_fix_clock(id, &call->use, rs, call->ab->object.base.name))
		return true;
	if (ruling->action != RULING_FIX_CLOCK &&
	    ruling->action != RULING_FIX_CREDENTIAL)
		return false;
	/* 403 is also said of what nobody may read, in other words. */
	return rs->status == 401 || !strncmp(code, "Authentication", 14) ?
		       identity_fix_credential(id, &call->use) :
		       identity_doubt_credential(id, &call->use);
}

/* A private container does not show itself to who is nobody. */
static bool is_hidden(const struct azure_call *call, const char *code)
{
	return !call->use.is_signed && !strcmp(code, "ResourceNotFound");
}

static bool may_be_deleted(const struct azure_call *call,
			   const struct ruling *ruling)
{
	return call->op->kind == BACKEND_OP_DELETE && ruling->code == ESTALE &&
	       call->stage == AZURE_STAGE_CALL;
}

/* The answer of the stage beside the call. */
static enum exchange_verdict looked(struct azure_call *call,
				    const struct http_response *rs, int *out,
				    struct err *err)
{
	if (rs->status == 404)
		return answer_end(out, 0);
	err_copy(err, &call->refusal);
	return answer_end(out, -err->code);
}

static enum exchange_verdict refused(struct azure_call *call,
				     const struct http_response *rs,
				     const char *code, int *out,
				     struct err *err)
{
	struct ruling ruling = azure_rule(call->op, rs->status, code);

	if (is_hidden(call, code))
		ruling = (struct ruling)RULING(FAIL, ERR_AUTH, EACCES);
	if (ruling.action == RULING_SUCCEED)
		return answer_end(out, 0);
	*out = answer_refused(&ruling, rs, code,
			      advice(call, &ruling, rs->status, code), err);
	if (may_be_deleted(call, &ruling)) {
		err_copy(&call->refusal, err);
		call->stage = AZURE_STAGE_DELETED;
		return EXCHANGE_AGAIN;
	}
	if (ruling.action == RULING_RETRY)
		return EXCHANGE_RETRY;
	if (ruling.action == RULING_THROTTLED)
		return EXCHANGE_THROTTLED;
	return repair(call, rs, &ruling, code) ? EXCHANGE_AGAIN : EXCHANGE_DONE;
}

static bool is_header(const struct http_response *rs, const char *name,
		      const char *wanted)
{
	char value[HEADER_MAX];

	return header_get(rs, name, value) && !strcasecmp(value, wanted);
}

/* A blob of no bytes that stands for a directory. */
static bool is_directory(const struct http_response *rs)
{
	return is_header(rs, "x-ms-resource-type", "directory") ||
	       is_header(rs, "x-ms-meta-hdi_isfolder", "true");
}

static enum exchange_verdict judge_read(struct azure_call *call,
					struct http_response *rs, int *out,
					struct err *err)
{
	struct backend_op *op = call->op;

	if (is_directory(rs))
		return answer_end(out, err_set(err, ERR_MISSING, ENOENT,
					       "it is a directory, not an "
					       "object"));
	switch (op->kind) {
	case BACKEND_OP_GET:
		return answer_range(op, rs, out, err);
	case BACKEND_OP_GET_ALL:
		return answer_whole(op, rs, out, err);
	default:
		return answer_head(op, rs, out);
	}
}

static enum exchange_verdict judge_list(struct azure_call *call,
					const struct http_response *rs,
					int *out, struct err *err)
{
	struct backend_op *op = call->op;
	cleanup_azure_list struct azure_list list;
	int r = azure_xml_list(&list, call->reply.data, call->reply.len, err);

	if (r == 0 && list.error.code[0])
		return refused(call, rs, list.error.code, out, err);
	if (r == 0 && list.marker && op->token &&
	    !strcmp(list.marker, op->token))
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    "the store repeats its marker");
	if (r == 0)
		r = listing_give(op, &list.names, steal_pointer(&list.marker),
				 err);
	return r < 0 ? answer_malformed(op, r, out) : answer_end(out, 0);
}

static enum exchange_verdict judge_success(struct azure_call *call,
					   struct http_response *rs, int *out,
					   struct err *err)
{
	struct backend_op *op = call->op;

	switch (op->kind) {
	case BACKEND_OP_GET:
	case BACKEND_OP_GET_ALL:
	case BACKEND_OP_HEAD:
		return judge_read(call, rs, out, err);
	case BACKEND_OP_LIST:
		return judge_list(call, rs, out, err);
	case BACKEND_OP_PUT:
		return answer_put(op, rs, out, err);
	case BACKEND_OP_MULTIPART_PUT:
		azure_block_id(op->info.etag, op->upload_id, op->part_number);
		op->info.size = op->len;
		break;
	case BACKEND_OP_MULTIPART_COMPLETE:
		answer_take_etag(op, rs);
		break;
	default:
		break;
	}
	return answer_end(out, 0);
}

/* From the header; an answer to HEAD has no body that would say it. */
static void take_code(struct xml_error *error, const struct http_response *rs)
{
	char value[HEADER_MAX];

	memset(error, 0, sizeof(*error));
	if (header_get(rs, "x-ms-error-code", value) &&
	    xml_word(error->code, sizeof(error->code), value))
		return;
	if (rs->error_body.len)
		xml_parse_error(error, rs->error_body.data,
				rs->error_body.len);
}

enum exchange_verdict azure_judge(void *ctx, int r, struct http_response *rs,
				  int *out, struct err *err)
{
	struct azure_call *call = ctx;
	struct xml_error error;

	/* A refusal with a body of any size is a refusal. */
	if (r < 0 && !(r == -EBADMSG && rs->status >= 300))
		return answer_broken(call->op, call->stage != AZURE_STAGE_CALL,
				     r, rs, out, err);
	answer_note_clock(&call->ab->object.base, rs);
	if (call->stage == AZURE_STAGE_DELETED && rs->status < 500)
		return looked(call, rs, out, err);
	if (rs->status / 100 == 2)
		return judge_success(call, rs, out, err);
	take_code(&error, rs);
	return refused(call, rs, error.code, out, err);
}
