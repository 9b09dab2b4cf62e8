/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>

#include "backends/base/clock.h"

#define HEADER_MAX 512

static enum exchange_verdict end(int *out, int r)
{
	*out = r;
	return EXCHANGE_DONE;
}

static bool header(const struct http_response *rs, const char *name,
		   char value[HEADER_MAX])
{
	return http_response_header(rs, name, value, HEADER_MAX);
}

static bool content_length(const struct http_response *rs, uint64_t *len)
{
	char value[HEADER_MAX];

	return header(rs, "content-length", value) &&
	       s3_parse_length(len, value);
}

static void take_info(struct object_info *info, const struct http_response *rs)
{
	char value[HEADER_MAX];

	info->etag[0] = '\0';
	if (header(rs, "etag", value))
		s3_etag_take(info->etag, value);
	if (!header(rs, "last-modified", value) ||
	    !s3_parse_date(&info->mtime_s, value))
		info->mtime_s = 0;
}

/* An answer that makes no sense may do so when asked again, or may not. */
static enum exchange_verdict malformed(struct s3_call *call, int r, int *out)
{
	*out = r;
	if (r != -EBADMSG)
		return EXCHANGE_DONE;
	return ++call->n_malformed < S3_MALFORMED_MAX ? EXCHANGE_RETRY :
							EXCHANGE_DONE;
}

static int check_size(const struct backend_op *op, uint64_t total,
		      struct err *err)
{
	if (op->expect_size != BACKEND_SIZE_UNKNOWN && total != op->expect_size)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the object has %llu bytes, not %llu",
			       (unsigned long long)total,
			       (unsigned long long)op->expect_size);
	if (op->offset + op->len > total)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the object has %llu bytes, the range ends at "
			       "%llu",
			       (unsigned long long)total,
			       (unsigned long long)(op->offset + op->len));
	return 0;
}

/* Whoever ignores If-Match shows the other etag. */
static int check_validator(const struct backend_op *op,
			   const struct object_info *info, struct err *err)
{
	const char *want = op->if_match;

	if (want && info->etag[0] && strcmp(want, info->etag) != 0)
		return err_set(err, ERR_CONFLICT, ESTALE,
			       "the object has changed");
	return 0;
}

static int check_range_head(const struct backend_op *op,
			    const struct http_response *rs, uint64_t *total,
			    struct err *err)
{
	uint64_t first, last;
	char value[HEADER_MAX];
	int r;

	if (!header(rs, "content-range", value) ||
	    !s3_parse_content_range(&first, &last, total, value))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "a partial answer without an exact "
			       "Content-Range");
	r = check_size(op, *total, err);
	if (r < 0)
		return r;
	if (first != op->offset || last != op->offset + op->len - 1)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "asked for bytes %llu-%llu, the store answered "
			       "%llu-%llu",
			       (unsigned long long)op->offset,
			       (unsigned long long)(op->offset + op->len - 1),
			       (unsigned long long)first,
			       (unsigned long long)last);
	return 0;
}

/* A 200: the whole object, which serves a range only where it is the whole. */
static int check_whole_head(const struct backend_op *op,
			    const struct http_response *rs, uint64_t *total,
			    struct err *err)
{
	int r;

	if (content_length(rs, total)) {
		r = check_size(op, *total, err);
		if (r < 0)
			return r;
	} else {
		*total = rs->body_len;
	}
	if (op->offset || *total != op->len)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the store ignores ranges");
	return 0;
}

static int check_get_head(const struct backend_op *op,
			  const struct http_response *rs,
			  struct object_info *info, struct err *err)
{
	uint64_t total = 0;
	int r;

	take_info(info, rs);
	r = check_validator(op, info, err);
	if (r < 0)
		return r;
	if (rs->status == 206)
		r = check_range_head(op, rs, &total, err);
	else if (rs->status == 200)
		r = check_whole_head(op, rs, &total, err);
	else
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    "status %d for a range", rs->status);
	info->size = total;
	return r;
}

static enum exchange_verdict judge_get(struct s3_call *call,
				       struct http_response *rs, int *out,
				       struct err *err)
{
	struct backend_op *op = call->op;
	int r = check_get_head(op, rs, &op->info, err);

	if (r < 0)
		return end(out, r);
	if (rs->body_len != op->len)
		return malformed(call,
				 err_set(err, ERR_CORRUPT, EBADMSG,
					 "%zu of %zu bytes arrived",
					 rs->body_len, op->len),
				 out);
	return end(out, 0);
}

static bool is_over_limit(const struct s3_call *call,
			  const struct http_response *rs)
{
	uint64_t len;

	if (call->op->kind != BACKEND_OP_GET_ALL || rs->status != 200)
		return false;
	return !content_length(rs, &len) || len > call->op->limit;
}

static enum exchange_verdict judge_bad_body(struct s3_call *call, int r,
					    struct http_response *rs, int *out,
					    struct err *err)
{
	struct object_info info;

	if (call->stage != S3_STAGE_CALL)
		return malformed(call, r, out);
	if (is_over_limit(call, rs))
		return end(out, err_set(err, ERR_CORRUPT, EFBIG,
					 "longer than the limit of %zu bytes",
					 call->op->limit));
	/* More than the range: its head says why, and better. */
	if (call->op->kind == BACKEND_OP_GET && rs->status / 100 == 2) {
		struct err why = ERR_INIT;

		if (check_get_head(call->op, rs, &info, &why) < 0) {
			err_copy(err, &why);
			return end(out, -why.code);
		}
	}
	return malformed(call, r, out);
}

static enum exchange_verdict judge_all(struct s3_call *call,
				       struct http_response *rs, int *out,
				       struct err *err)
{
	struct backend_op *op = call->op;

	if (rs->status != 200)
		return end(out, err_set(err, ERR_CORRUPT, EBADMSG,
					 "status %d for a whole object",
					 rs->status));
	take_info(&op->info, rs);
	op->info.size = rs->body_len;
	return end(out, 0);
}

static enum exchange_verdict judge_head(struct s3_call *call,
					struct http_response *rs, int *out)
{
	struct object_info *info = &call->op->info;

	take_info(info, rs);
	if (!content_length(rs, &info->size))
		info->size = BACKEND_SIZE_UNKNOWN;
	return end(out, 0);
}

static enum exchange_verdict judge_put(struct s3_call *call,
				       struct http_response *rs, int *out,
				       struct err *err)
{
	struct backend_op *op = call->op;

	take_info(&op->info, rs);
	op->info.size = op->len;
	if (op->kind == BACKEND_OP_MULTIPART_PUT && !op->info.etag[0])
		return malformed(call,
				 err_set(err, ERR_CORRUPT, EBADMSG,
					 "a part without a usable etag"),
				 out);
	return end(out, 0);
}

/*
 * A document; *error holds what a store put in its place.  One that is there
 * is no document of the kind asked for, so nothing else was filled in.
 */
static int read_document(struct s3_call *call, struct s3_error *error,
			 struct err *err)
{
	struct backend_op *op = call->op;
	const void *xml = call->reply.data;
	size_t len = call->reply.len;
	cleanup_s3_list struct s3_list list = { .n_entries = 0 };
	int r;

	switch (op->kind) {
	case BACKEND_OP_LIST:
		r = s3_xml_list(&list, xml, len, err);
		*error = list.error;
		return r == 0 && !error->code[0] ?
			       s3_list_page(call, &list, err) :
			       r;
	case BACKEND_OP_MULTIPART_CREATE:
		return s3_xml_upload(error, op->upload_id_out, xml, len, err);
	case BACKEND_OP_MULTIPART_COMPLETE:
		return s3_xml_complete(error, op->info.etag, xml, len, err);
	default:
		if (len)
			s3_xml_error(error, xml, len);
		return 0;
	}
}

static enum exchange_verdict judge_success(struct s3_call *call,
					   struct http_response *rs, int *out,
					   struct err *err)
{
	struct s3_error error = { .code = "" };
	int r;

	switch (call->op->kind) {
	case BACKEND_OP_GET:
		return judge_get(call, rs, out, err);
	case BACKEND_OP_GET_ALL:
		return judge_all(call, rs, out, err);
	case BACKEND_OP_HEAD:
		return judge_head(call, rs, out);
	default:
		break;
	}
	r = read_document(call, &error, err);
	if (r < 0)
		return malformed(call, r, out);
	/* The status was sent before the store knew. */
	if (error.code[0])
		return s3_refused(call, rs, &error, out, err);
	if (call->op->kind == BACKEND_OP_PUT ||
	    call->op->kind == BACKEND_OP_MULTIPART_PUT)
		return judge_put(call, rs, out, err);
	return end(out, 0);
}

static enum exchange_verdict judge_broken(struct s3_call *call, int r,
					  struct http_response *rs, int *out,
					  struct err *err)
{
	*out = r;
	switch (r) {
	case -ETIMEDOUT:
	case -ECONNRESET:
	case -EAGAIN:
		/* The caller sees a time-out or an error of I/O. */
		if (r != -ETIMEDOUT) {
			err->class = ERR_RETRY;
			err->code = EIO;
			*out = -EIO;
		}
		return EXCHANGE_RETRY;
	case -EBADMSG:
		return judge_bad_body(call, r, rs, out, err);
	default:
		return EXCHANGE_DONE;
	}
}

/* The first answer tells; it is for people only. */
static void note_clock(struct backend *b, const struct http_response *rs)
{
	char value[HEADER_MAX];
	int64_t date_s;

	if (atomic_load(&b->has_clock) || !header(rs, "date", value) ||
	    !s3_parse_date(&date_s, value))
		return;
	atomic_store(&b->clock_skew_s, date_s - clock_wall_s());
	atomic_store(&b->has_clock, true);
}

enum exchange_verdict s3_judge(void *ctx, int r, struct http_response *rs,
			       int *out, struct err *err)
{
	struct s3_call *call = ctx;
	struct s3_error error = { .code = "" };

	/* A refusal with a body of any size is a refusal. */
	if (r < 0 && !(r == -EBADMSG && rs->status >= 300))
		return judge_broken(call, r, rs, out, err);
	note_clock(&call->sb->base, rs);
	if (call->stage == S3_STAGE_REGION)
		return s3_region_told(call, rs, out, err);
	if (call->stage == S3_STAGE_COMPLETED && rs->status / 100 != 5)
		return s3_completed(call, rs, out, err);
	if (rs->status / 100 == 2)
		return judge_success(call, rs, out, err);
	if (rs->error_body.len)
		s3_xml_error(&error, rs->error_body.data, rs->error_body.len);
	return s3_refused(call, rs, &error, out, err);
}
