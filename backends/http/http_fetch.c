/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http_fetch.h"

#include <errno.h>
#include "backends/http/exchange.h"

struct call {
	const struct http_fetch *fetch;
	struct buf *body;
	int status;
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct call *call = ctx;
	const struct buf *headers = call->fetch->headers;

	(void)attempt;
	buf_clear(call->body);
	rq->method = HTTP_GET;
	buf_str(&rq->url, call->fetch->url);
	if (headers && headers->data)
		buf_bytes(&rq->headers, headers->data, headers->len);
	rq->grow = call->body;
	rq->grow_limit = call->fetch->limit;
	rq->deadline_ms = call->fetch->deadline_ms;
	rq->stall_ms = HTTP_FETCH_STALL_MS;
	return buf_failed(&rq->url) || buf_failed(&rq->headers) ?
		       err_nomem(err) :
		       0;
}

static enum exchange_verdict judge_broken(int r, int *out, struct err *err)
{
	*out = r;
	if (r == -EBADMSG)	/* too long, or not HTTP: no better next time */
		return EXCHANGE_DONE;
	if (err->class != ERR_RETRY)
		return EXCHANGE_DONE;
	if (r != -ETIMEDOUT) {
		err->code = EIO;
		*out = -EIO;
	}
	return EXCHANGE_RETRY;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct call *call = ctx;

	if (r < 0)
		return judge_broken(r, out, err);
	call->status = rs->status;
	if (rs->status == 408 || rs->status == 429 || rs->status >= 500) {
		*out = err_set(err, ERR_RETRY, EIO, "%s answers status %d",
			       call->fetch->url, rs->status);
		return rs->status == 429 || rs->status == 503 ?
			       EXCHANGE_THROTTLED :
			       EXCHANGE_RETRY;
	}
	if (rs->status >= 300 && rs->error_body.data) {
		buf_clear(call->body);
		buf_bytes(call->body, rs->error_body.data,
			  rs->error_body.len);
	}
	*out = buf_failed(call->body) ? err_nomem(err) : 0;
	return EXCHANGE_DONE;
}

int http_fetch(struct http_engine *engine, const struct http_fetch *fetch,
	       struct buf *body, int *status, struct err *err)
{
	static const struct exchange_ops ops = {
		.prepare = prepare,
		.judge = judge,
	};
	struct call call = { .fetch = fetch, .body = body };
	int r = exchange_run(engine, &ops, &call, fetch->deadline_ms, err);

	*status = call.status;
	return r;
}
