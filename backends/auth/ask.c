/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/ask.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/json.h"
#include "backends/http/exchange.h"

struct asking {
	const struct ask *question;
	struct ask_reply *reply;
	unsigned n_attempts;
};

void ask_wipe(struct buf *buf)
{
	if (buf->data)
		explicit_bzero(buf->data, buf->cap);
	buf_release(buf);
}

void ask_reply_release(struct ask_reply *reply)
{
	ask_wipe(&reply->body);
	buf_release(&reply->headers);
	reply->status = 0;
}

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct asking *a = ctx;
	const struct ask *q = a->question;
	int r;

	a->n_attempts = attempt + 1;
	ask_reply_release(a->reply);
	/* All of it at once, so that growing leaves no copies behind. */
	r = buf_reserve(&a->reply->body, ASK_BYTES_MAX, err);
	if (r < 0)
		return r;
	rq->method = q->method;
	rq->is_metadata = q->is_near;
	buf_str(&rq->url, q->url);
	if (q->headers)
		buf_str(&rq->headers, q->headers);
	if (q->body) {
		rq->body = q->body;
		rq->body_len = strlen(q->body);
	}
	rq->grow = &a->reply->body;
	rq->grow_limit = ASK_BYTES_MAX;
	rq->deadline_ms = clock_ms() +
			  (q->attempt_ms ? q->attempt_ms : ASK_ATTEMPT_MS);
	return 0;
}

bool ask_is_transient(const struct ask_reply *reply)
{
	return reply->status == 408 || reply->status == 429 ||
	       reply->status >= 500;
}

/* What is in rs outlives this call only as a copy. */
static void take_reply(struct asking *a, struct http_response *rs)
{
	a->reply->status = rs->status;
	buf_bytes(&a->reply->headers, rs->headers.data, rs->headers.len);
	if (rs->status >= 300)
		buf_bytes(&a->reply->body, rs->error_body.data,
			  rs->error_body.len);
	if (rs->error_body.data)
		explicit_bzero(rs->error_body.data, rs->error_body.cap);
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct asking *a = ctx;
	const struct ask *q = a->question;
	bool is_transient;

	if (r == 0) {
		take_reply(a, rs);
		if (buf_failed(&a->reply->headers) ||
		    buf_failed(&a->reply->body)) {
			*out = err_nomem(err);
			return EXCHANGE_DONE;
		}
		is_transient = q->is_transient ? q->is_transient(a->reply) :
						 ask_is_transient(a->reply);
	} else {
		is_transient = err->class == ERR_RETRY;
	}
	if (!is_transient ||
	    a->n_attempts >= (q->attempts ? q->attempts : ASK_ATTEMPTS))
		return EXCHANGE_DONE;
	if (r == 0)
		*out = err_set(err, ERR_RETRY, EIO, "status %d", rs->status);
	return EXCHANGE_RETRY;
}

int ask(struct http_engine *engine, const struct ask *question,
	struct ask_reply *out, struct err *err)
{
	static const struct exchange_ops ops = {
		.prepare = prepare,
		.judge = judge,
	};
	struct asking a = { .question = question, .reply = out };
	unsigned total_ms = question->total_ms ? question->total_ms :
						 ASK_TOTAL_MS;
	int r = exchange_run(engine, &ops, &a, clock_ms() + total_ms, err);

	return r < 0 ? err_wrap(err, "%s", question->who) : 0;
}

int ask_file(struct buf *out, const char *what, const char *path,
	     struct err *err)
{
	/* All of it at once, so that growing leaves no copies behind. */
	int r = buf_reserve(out, 2 * ASK_FILE_MAX, err);

	if (r == 0)
		r = io_read_file(path, ASK_FILE_MAX, out, err);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return err_set(err, ERR_AUTH, EACCES, "%s: %s", what,
			       strdupa(err->text));
	if (out->len == 0 || strlen(out->data) != out->len)
		return err_set(err, ERR_AUTH, EACCES, "%s: %s %s", what, path,
			       out->len ? "has a NUL" : "is empty");
	return 0;
}

/* jansson's own text may quote what it met. */
int ask_json(struct json_t **out, const char *who, const char *text, size_t len,
	     struct err *err)
{
	int r = json_parse(out, text, len, ASK_DEPTH, err);

	if (r < 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "%s: the answer is no JSON (%zu bytes)", who,
			       len);
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "%s: the answer is no JSON object", who);
}

const char *ask_json_string(const struct json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}
