/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/answer.h"

#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/object/header.h"

#define REQUEST_ID_MAX 64

void answer_cut(struct buf *buf, size_t len)
{
	buf->len = len;
	if (buf->data)
		buf->data[len] = '\0';
}

static unsigned stall_ms(enum backend_op_kind kind)
{
	switch (kind) {
	case BACKEND_OP_PUT:
	case BACKEND_OP_MULTIPART_PUT:
		return ANSWER_STALL_PUT_MS;
	case BACKEND_OP_MULTIPART_COMPLETE:
		return ANSWER_STALL_COMPLETE_MS;
	default:
		return ANSWER_STALL_MS;
	}
}

void answer_route(struct http_request *rq, struct backend_op *op,
		  struct buf *reply)
{
	rq->stall_ms = stall_ms(op->kind);
	switch (op->kind) {
	case BACKEND_OP_GET:
		rq->dst = op->dst;
		rq->dst_len = op->len;
		break;
	case BACKEND_OP_GET_ALL:
		answer_cut(op->out, op->out_start);
		rq->grow = op->out;
		rq->grow_limit = op->limit;
		break;
	default:
		rq->grow = reply;
		rq->grow_limit = op->kind == BACKEND_OP_LIST ? ANSWER_LIST_MAX
							     : ANSWER_REPLY_MAX;
	}
}

enum exchange_verdict answer_end(int *out, int r)
{
	*out = r;
	return EXCHANGE_DONE;
}

static bool content_length(const struct http_response *rs, uint64_t *len)
{
	char value[HEADER_MAX];

	return header_get(rs, "content-length", value) &&
	       header_length(len, value);
}

static void take_info(struct object_info *info, const struct backend_op *op,
		      const struct http_response *rs)
{
	char value[HEADER_MAX];

	info->etag[0] = '\0';
	info->generation[0] = '\0';
	if (header_get(rs, "etag", value))
		header_etag(info->etag, value);
	if (backend_has_generations(op->backend) &&
	    header_get(rs, "x-goog-generation", value))
		header_generation(info->generation, value);
	if (!header_get(rs, "last-modified", value) ||
	    !header_date(&info->mtime_s, value))
		info->mtime_s = 0;
}

void answer_take_etag(struct backend_op *op, const struct http_response *rs)
{
	char value[HEADER_MAX];

	if (header_get(rs, "etag", value))
		header_etag(op->info.etag, value);
}

/* An answer that makes no sense may do so when asked again, or may not. */
enum exchange_verdict answer_malformed(struct backend_op *op, int r, int *out)
{
	*out = r;
	if (r != -EBADMSG)
		return EXCHANGE_DONE;
	return ++op->n_malformed < ANSWER_MALFORMED_MAX ? EXCHANGE_RETRY
							: EXCHANGE_DONE;
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

/* Whoever ignores the condition shows the other validator. */
static int check_validator(const struct backend_op *op,
			   const struct object_info *info, struct err *err)
{
	const char *want = op->if_match;

	if (!want)
		return 0;
	/* Who keeps If-Match shows what it has kept: RFC 9110 15.3.7.1. */
	if (!*object_validator(info))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the answer does not show which content it is "
			       "of");
	if (!object_is(info, want))
		return err_set(err, ERR_CONFLICT, ESTALE,
			       "the object has changed");
	return 0;
}

/*
 * Google's front end unpacks a gzip object, or packs a plain one, for whom it
 * takes to want it: that is another stream than the one that ranges count in.
 * What comes must be encoded as it is stored.
 */
static int check_encoding(const struct backend_op *op,
			  const struct http_response *rs, struct err *err)
{
	char stored[HEADER_MAX], sent[HEADER_MAX];
	bool is_known, is_sent;

	if (!backend_has_generations(op->backend))
		return 0;
	is_known = header_get(rs, "x-goog-stored-content-encoding", stored);
	is_sent = header_get(rs, "content-encoding", sent);
	if ((!is_known && !is_sent) ||
	    !strcasecmp(is_known ? stored : "gzip",
			is_sent ? sent : "identity"))
		return 0;
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "not sent as it is stored: the store, or a proxy before "
		       "it, packs or unpacks");
}

static int check_range_head(const struct backend_op *op,
			    const struct http_response *rs, uint64_t *total,
			    struct err *err)
{
	uint64_t first, last;
	char value[HEADER_MAX];
	int r;

	if (!header_get(rs, "content-range", value) ||
	    !header_content_range(&first, &last, total, value))
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

	take_info(info, op, rs);
	r = check_encoding(op, rs, err);
	if (r == 0)
		r = check_validator(op, info, err);
	if (r < 0)
		return r;
	if (rs->status == 206)
		r = check_range_head(op, rs, &total, err);
	else if (rs->status == 200)
		r = check_whole_head(op, rs, &total, err);
	else
		r = err_set(err, ERR_CORRUPT, EBADMSG, "status %d for a range",
			    rs->status);
	info->size = total;
	return r;
}

enum exchange_verdict answer_range(struct backend_op *op,
				   struct http_response *rs, int *out,
				   struct err *err)
{
	int r = check_get_head(op, rs, &op->info, err);

	if (r < 0)
		return answer_end(out, r);
	if (rs->body_len != op->len)
		return answer_malformed(op,
					err_set(err, ERR_CORRUPT, EBADMSG,
						"%zu of %zu bytes arrived",
						rs->body_len, op->len),
					out);
	return answer_end(out, 0);
}

static bool is_over_limit(const struct backend_op *op,
			  const struct http_response *rs)
{
	uint64_t len;

	if (op->kind != BACKEND_OP_GET_ALL || rs->status != 200)
		return false;
	return !content_length(rs, &len) || len > op->limit;
}

static enum exchange_verdict judge_bad_body(struct backend_op *op, int r,
					    struct http_response *rs, int *out,
					    struct err *err)
{
	struct object_info info;

	if (is_over_limit(op, rs))
		return answer_end(out,
				  err_set(err, ERR_CORRUPT, EFBIG,
					  "longer than the limit of %zu bytes",
					  op->limit));
	/* More than the range: its head says why, and better. */
	if (op->kind == BACKEND_OP_GET && rs->status / 100 == 2) {
		struct err why = ERR_INIT;

		if (check_get_head(op, rs, &info, &why) < 0) {
			err_copy(err, &why);
			return answer_end(out, -why.code);
		}
	}
	return answer_malformed(op, r, out);
}

enum exchange_verdict answer_whole(struct backend_op *op,
				   struct http_response *rs, int *out,
				   struct err *err)
{
	int r;

	if (rs->status != 200)
		return answer_end(out, err_set(err, ERR_CORRUPT, EBADMSG,
					       "status %d for a whole object",
					       rs->status));
	r = check_encoding(op, rs, err);
	if (r < 0)
		return answer_end(out, r);
	take_info(&op->info, op, rs);
	op->info.size = rs->body_len;
	return answer_end(out, 0);
}

enum exchange_verdict answer_head(struct backend_op *op,
				  struct http_response *rs, int *out)
{
	struct object_info *info = &op->info;

	take_info(info, op, rs);
	if (!content_length(rs, &info->size))
		info->size = BACKEND_SIZE_UNKNOWN;
	return answer_end(out, 0);
}

enum exchange_verdict answer_put(struct backend_op *op,
				 struct http_response *rs, int *out,
				 struct err *err)
{
	take_info(&op->info, op, rs);
	op->info.size = op->len;
	if (op->kind == BACKEND_OP_MULTIPART_PUT && !op->info.etag[0])
		return answer_malformed(op,
					err_set(err, ERR_CORRUPT, EBADMSG,
						"a part without a usable etag"),
					out);
	return answer_end(out, 0);
}

enum exchange_verdict answer_broken(struct backend_op *op, bool is_beside,
				    int r, struct http_response *rs, int *out,
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
		return is_beside ? answer_malformed(op, r, out)
				 : judge_bad_body(op, r, rs, out, err);
	default:
		return EXCHANGE_DONE;
	}
}

/* The first answer tells; it is for people only. */
void answer_note_clock(struct backend *b, const struct http_response *rs)
{
	char value[HEADER_MAX];
	int64_t date_s;

	if (atomic_load(&b->has_clock) || !header_get(rs, "date", value) ||
	    !header_date(&date_s, value))
		return;
	atomic_store(&b->clock_skew_s, date_s - clock_wall_s());
	atomic_store(&b->has_clock, true);
}

/*
 * Refusals.
 */

/* What the store's support may be asked about: no secret. */
static void take_request_id(const struct http_response *rs,
			    char out[REQUEST_ID_MAX])
{
	static const char *const names[] = {"x-amz-request-id",
					    "x-tos-request-id", "x-trans-id",
					    "x-guploader-uploadid"};
	char value[HEADER_MAX] = "";
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (header_get(rs, names[i], value))
			break;
	for (const char *p = value; *p && n < REQUEST_ID_MAX - 1; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= 'a' && *p <= 'z') || *p == '-' || *p == '_')
			out[n++] = *p;
	out[n] = '\0';
}

/* A word for those that answer without a body. */
static const char *status_word(int status)
{
	switch (status) {
	case 301:
	case 302:
	case 307:
	case 308:
		return "redirect";
	case 400:
		return "bad request";
	case 401:
	case 403:
		return "access denied";
	case 404:
		return "not found";
	case 412:
		return "the condition does not hold";
	case 416:
		return "no such range";
	default:
		return status >= 500 ? "the store failed" : "refused";
	}
}

int answer_refused(const struct ruling *ruling, const struct http_response *rs,
		   const char *code, const char *advice, struct err *err)
{
	char id[REQUEST_ID_MAX];

	take_request_id(rs, id);
	return err_set(err, ruling->class, ruling->code, "%d %s%s%s%s%s",
		       rs->status, *code ? code : status_word(rs->status),
		       advice, id[0] ? " (request " : "", id, id[0] ? ")" : "");
}
