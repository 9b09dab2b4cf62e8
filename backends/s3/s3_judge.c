/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>

#include "backends/object/answer.h"

/*
 * A document; *error holds what a store put in its place.  One that is there
 * is no document of the kind asked for, so nothing else was filled in.
 */
static int read_document(struct s3_call *call, struct xml_error *error,
			 struct err *err)
{
	struct backend_op *op = call->op;
	const void *xml = call->reply.data;
	size_t len = call->reply.len;
	cleanup_s3_list struct s3_list list = { .token = NULL };
	int r;

	switch (op->kind) {
	case BACKEND_OP_LIST:
		r = s3_xml_list(&list, xml, len, err);
		*error = list.error;
		return r == 0 && !error->code[0] ?
			       s3_list_page(op, &list, err) :
			       r;
	case BACKEND_OP_MULTIPART_CREATE:
		return s3_xml_upload(error, op->upload_id_out, xml, len, err);
	case BACKEND_OP_MULTIPART_COMPLETE:
		return s3_xml_complete(error, op->info.etag, xml, len, err);
	default:
		if (len)
			xml_parse_error(error, xml, len);
		return 0;
	}
}

static enum exchange_verdict judge_success(struct s3_call *call,
					   struct http_response *rs, int *out,
					   struct err *err)
{
	struct xml_error error = { .code = "" };
	int r;

	switch (call->op->kind) {
	case BACKEND_OP_GET:
		return answer_range(call->op, rs, out, err);
	case BACKEND_OP_GET_ALL:
		return answer_whole(call->op, rs, out, err);
	case BACKEND_OP_HEAD:
		return answer_head(call->op, rs, out);
	default:
		break;
	}
	r = read_document(call, &error, err);
	if (r < 0)
		return answer_malformed(call->op, r, out);
	/* The status was sent before the store knew. */
	if (error.code[0])
		return s3_refused(call, rs, &error, out, err);
	if (call->op->kind == BACKEND_OP_PUT ||
	    call->op->kind == BACKEND_OP_MULTIPART_PUT)
		return answer_put(call->op, rs, out, err);
	return answer_end(out, 0);
}

enum exchange_verdict s3_judge(void *ctx, int r, struct http_response *rs,
			       int *out, struct err *err)
{
	struct s3_call *call = ctx;
	struct xml_error error = { .code = "" };

	/* A refusal with a body of any size is a refusal. */
	if (r < 0 && !(r == -EBADMSG && rs->status >= 300))
		return answer_broken(call->op, call->stage != S3_STAGE_CALL, r,
				     rs, out, err);
	answer_note_clock(&call->sb->object.base, rs);
	if (call->stage == S3_STAGE_REGION)
		return s3_region_told(call, rs, out, err);
	if (call->stage == S3_STAGE_COMPLETED && rs->status / 100 != 5)
		return s3_completed(call, rs, out, err);
	if (rs->status / 100 == 2)
		return judge_success(call, rs, out, err);
	if (rs->error_body.len)
		xml_parse_error(&error, rs->error_body.data,
				rs->error_body.len);
	return s3_refused(call, rs, &error, out, err);
}
