/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/base/random.h"
#include "backends/http/http_impl.h"

struct exchange {
	struct http_engine *engine;
	const struct exchange_ops *ops;
	void *ctx;
	int64_t start_ms, deadline_ms;
	unsigned n_attempts;
	unsigned n_backoffs;
	unsigned n_again;
	unsigned n_slow;
	unsigned n_looks;	/* at a credential, since the last attempt */
	bool is_reuse_forgiven;
	bool is_broken;		/* the latest attempt: no whole answer */
	bool is_told;		/* that it takes long */
	double paid;		/* for the attempt under way */
	double price;		/* of the next one, not yet paid */
	struct http_request rq;	/* the attempt that waits for its turn */
	struct endpoint_slot slot;

	/* What the caller will see if there is no time for better. */
	int out;
	struct err err;
};

static void attempt(void *arg);

static void finish(struct exchange *ex, int r, const struct err *err)
{
	ex->ops->done(ex->ctx, r, err);
	free(ex);
}

/*
 * Tokens.
 */

/*
 * Whoever finds a token may go on credit, so that the dear retries are not
 * starved by cheap ones that come more often.
 */
static bool take_tokens(struct http_engine *engine, double n)
{
	int64_t now_ms = clock_ms();
	bool is_paid;

	lock_take(&engine->tokens_lock);
	/* Time fills the bucket only as far as one retry needs it. */
	if (engine->tokens < 1) {
		engine->tokens += (double)(now_ms - engine->tokens_ms) *
				  EXCHANGE_REFILL_PER_S / 1000;
		if (engine->tokens > 1)
			engine->tokens = 1;
	}
	engine->tokens_ms = now_ms;
	is_paid = engine->tokens >= 1;
	if (is_paid)
		engine->tokens -= n;
	lock_drop(&engine->tokens_lock);
	return is_paid;
}

static void give_tokens(struct http_engine *engine, double n)
{
	lock_take(&engine->tokens_lock);
	engine->tokens += n;
	if (engine->tokens > EXCHANGE_TOKENS)
		engine->tokens = EXCHANGE_TOKENS;
	lock_drop(&engine->tokens_lock);
}

/*
 * Back-off.
 */

static int64_t backoff_ms(unsigned n)
{
	int64_t most_ms = EXCHANGE_BACKOFF_MAX_MS;

	if (n < 16 && EXCHANGE_BACKOFF_BASE_MS << n < most_ms)
		most_ms = EXCHANGE_BACKOFF_BASE_MS << n;
	return random_below(most_ms + 1);
}

/* A header's number, and more than the maximum as that; 0 where it is none. */
static int64_t read_delay(const char *text, int64_t unit_ms)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0)
		return 0;
	return n < EXCHANGE_RETRY_AFTER_MAX_MS / unit_ms ?
		       n * unit_ms :
		       EXCHANGE_RETRY_AFTER_MAX_MS;
}

/* Until a date, by the store's own clock where it shows it. */
static int64_t read_date(const struct http_response *rs, const char *text)
{
	char date[64];
	time_t at_s = curl_getdate(text, NULL);
	time_t now_s = clock_wall_s();
	int64_t delay_ms;

	if (at_s < 0)
		return 0;
	if (http_response_header(rs, "date", date, sizeof(date)) &&
	    curl_getdate(date, NULL) > 0)
		now_s = curl_getdate(date, NULL);
	if (at_s <= now_s)
		return 0;
	delay_ms = at_s - now_s < EXCHANGE_RETRY_AFTER_MAX_MS / 1000 ?
			   (at_s - now_s) * 1000 :
			   EXCHANGE_RETRY_AFTER_MAX_MS;
	return delay_ms;
}

/* Seconds or a date (RFC 9110 10.2.3), or what AWS and Azure have of it. */
static int64_t retry_after_ms(const struct http_response *rs)
{
	static const char *const in_ms[] = { "x-amz-retry-after",
					     "x-ms-retry-after-ms",
					     "retry-after-ms" };
	char text[64];

	for (size_t i = 0; i < ARRAY_SIZE(in_ms); i++)
		if (http_response_header(rs, in_ms[i], text, sizeof(text)))
			return read_delay(text, 1);
	if (!http_response_header(rs, "retry-after", text, sizeof(text)))
		return 0;
	return strchr(text, ':') ? read_date(rs, text) :
				   read_delay(text, 1000);
}

/* Or, where the deadline comes first, ends the exchange. */
static void retry_in(struct exchange *ex, int64_t delay_ms)
{
	int64_t now_ms = clock_ms();

	if (ex->deadline_ms - now_ms <= delay_ms)
		finish(ex, ex->out, &ex->err);
	else
		http_engine_after(ex->engine, now_ms + delay_ms, attempt, ex);
}

/* Whoever waits should see why before the deadline. */
static void tell_once(struct exchange *ex)
{
	static struct log_limit limit;
	int64_t now_ms = clock_ms();
	unsigned dropped;

	if (ex->is_told || now_ms - ex->start_ms < EXCHANGE_TELL_MS)
		return;
	ex->is_told = true;
	if (log_limit_ok(&limit, &dropped))
		log_warn("store", "no success yet: error=\"%s\" trying_for_s=%lld unlogged=%u",
			 ex->err.text,
			 (long long)(ex->deadline_ms - now_ms) / 1000, dropped);
}

/* Its connection was to blame: neither the store nor the request. */
static bool is_forgiven(struct exchange *ex, const struct http_response *rs)
{
	if (rs->reused && !ex->is_reuse_forgiven) {
		ex->is_reuse_forgiven = true;
		return true;
	}
	return rs->was_slow && ex->n_slow++ < EXCHANGE_SLOW_MAX;
}

static void retry(struct exchange *ex, const struct http_response *rs)
{
	int64_t delay_ms = backoff_ms(ex->n_backoffs++);
	int64_t least_ms = retry_after_ms(rs);

	if (is_forgiven(ex, rs)) {
		ex->price = 0;
		delay_ms = 0;
	}
	retry_in(ex, delay_ms > least_ms ? delay_ms : least_ms);
}

static enum endpoint_outcome outcome_of(int r, const struct http_response *rs,
					enum exchange_verdict verdict)
{
	if (verdict == EXCHANGE_THROTTLED || rs->status == 429 ||
	    rs->status == 503)
		return ENDPOINT_THROTTLED;
	return r == 0 && rs->status < 500 ? ENDPOINT_SERVED : ENDPOINT_BROKEN;
}

static void answered(struct exchange *ex, int r, struct http_response *rs,
		     struct err *err)
{
	enum exchange_verdict verdict;
	int out = r;

	ex->is_broken = r < 0;
	verdict = ex->ops->judge(ex->ctx, r, rs, &out, err);
	endpoint_leave(&ex->engine->endpoints, &ex->slot,
		       outcome_of(r, rs, verdict));
	if (verdict == EXCHANGE_DONE) {
		if (out == 0)
			give_tokens(ex->engine, ex->paid > 0 ? ex->paid : 1);
		finish(ex, out, err);
		return;
	}
	ex->paid = 0;
	if (out >= 0)
		out = err_set(err, ERR_RETRY, EIO,
			      "the store gave no useful answer");
	ex->out = out;
	err_copy(&ex->err, err);
	if (verdict == EXCHANGE_AGAIN) {
		ex->price = 0;
		if (ex->n_again++ < EXCHANGE_AGAIN_MAX)
			retry_in(ex, 0);
		else
			finish(ex, out, err);
		return;
	}
	ex->price = verdict == EXCHANGE_THROTTLED ? EXCHANGE_COST_THROTTLE :
						    EXCHANGE_COST_TRANSIENT;
	tell_once(ex);
	retry(ex, rs);
}

static void on_reply(void *arg, int r, struct http_response *rs,
		     const struct err *http_err)
{
	struct exchange *ex = arg;
	struct err err = ERR_INIT;

	if (r < 0)
		err_copy(&err, http_err);
	if (r == -ECANCELED) {
		endpoint_leave(&ex->engine->endpoints, &ex->slot,
			       ENDPOINT_BROKEN);
		finish(ex, r, &err);
	} else {
		answered(ex, r, rs, &err);
	}
}

static void send_attempt(struct exchange *ex)
{
	ex->n_looks = 0;
	if (ex->n_attempts++)
		atomic_fetch_add(&ex->engine->retries, 1);
	ex->rq.is_fresh = ex->is_broken;
	ex->rq.endpoint = ex->slot.endpoint;
	ex->rq.patience_ms = ex->slot.patience_ms;
	http_submit(ex->engine, &ex->rq, on_reply, ex);
}

static void finish_canceled(struct exchange *ex)
{
	struct err err = ERR_INIT;
	int r = err_set(&err, ERR_RETRY, ECANCELED, "canceled");

	finish(ex, r, &err);
}

/* An attempt that was waiting has its place, or has waited too long. */
static void on_turn(void *arg)
{
	struct exchange *ex = arg;
	bool is_stopping = atomic_load(&ex->engine->is_stopping);

	if (ex->slot.is_in && !is_stopping && clock_ms() < ex->deadline_ms) {
		send_attempt(ex);
		return;
	}
	if (ex->slot.is_in)
		endpoint_leave(&ex->engine->endpoints, &ex->slot,
			       ENDPOINT_BROKEN);
	if (!ex->n_attempts)
		ex->out = err_set(&ex->err, ERR_RETRY, ETIMEDOUT,
				  "the deadline came before its turn");
	http_request_release(&ex->rq);
	give_tokens(ex->engine, ex->paid);
	if (is_stopping)
		finish_canceled(ex);
	else
		finish(ex, ex->out, &ex->err);
}

/* Sends what is prepared, when its endpoint has a place for it. */
static void take_turn(struct exchange *ex)
{
	ex->slot.deadline_ms = ex->deadline_ms;
	ex->slot.fn = on_turn;
	ex->slot.arg = ex;
	ex->slot.read_len = ex->rq.method == HTTP_GET ? ex->rq.dst_len : 0;
	switch (endpoint_enter(&ex->engine->endpoints,
			       ex->rq.url.data ? ex->rq.url.data : "",
			       &ex->slot)) {
	case ENDPOINT_IN:
		send_attempt(ex);
		return;
	case ENDPOINT_QUEUED:
		return;
	case ENDPOINT_FULL:
		break;
	}
	http_request_release(&ex->rq);
	give_tokens(ex->engine, ex->paid);
	ex->out = err_set(&ex->err, ERR_RETRY, EIO,
			  "%d requests wait for this store already",
			  ENDPOINT_WAITERS_MAX);
	retry_in(ex, backoff_ms(ex->n_backoffs++));
}

static void await_credential(struct exchange *ex, const struct err *err)
{
	int64_t wait_ms = EXCHANGE_CRED_WAIT_MS;

	ex->out = err_set(&ex->err, ERR_RETRY, ETIMEDOUT, "%s", err->text);
	tell_once(ex);
	if (ex->n_looks < 8 && 1 << ex->n_looks < EXCHANGE_CRED_WAIT_MS)
		wait_ms = 1 << ex->n_looks;
	ex->n_looks++;
	retry_in(ex, wait_ms);
}

/* Runs on an I/O thread, at first and after each pause. */
static void attempt(void *arg)
{
	struct exchange *ex = arg;
	struct http_request *rq = &ex->rq;
	struct err err = ERR_INIT;
	int r;

	if (atomic_load(&ex->engine->is_stopping)) {
		finish_canceled(ex);
		return;
	}
	if (clock_ms() >= ex->deadline_ms) {
		finish(ex, ex->out, &ex->err);
		return;
	}
	if (ex->price > 0 && !take_tokens(ex->engine, ex->price)) {
		retry_in(ex, 1 + random_below(EXCHANGE_TOKEN_WAIT_MS));
		return;
	}
	ex->paid = ex->price;
	*rq = (struct http_request){ .method = HTTP_GET };
	r = ex->ops->prepare(ex->ctx, ex->n_attempts, rq, &err);
	if (r < 0) {
		http_request_release(rq);
		give_tokens(ex->engine, ex->paid);
		if (r == -EAGAIN)
			await_credential(ex, &err);
		else
			finish(ex, r, &err);
		return;
	}
	if (!rq->deadline_ms || rq->deadline_ms > ex->deadline_ms)
		rq->deadline_ms = ex->deadline_ms;
	take_turn(ex);
}

void exchange_start(struct http_engine *engine, const struct exchange_ops *ops,
		    void *ctx, int64_t deadline_ms)
{
	struct exchange *ex = http_alloc(sizeof(*ex));

	ex->engine = engine;
	ex->ops = ops;
	ex->ctx = ctx;
	ex->start_ms = clock_ms();
	ex->deadline_ms = deadline_ms;
	ex->out = err_set(&ex->err, ERR_RETRY, ETIMEDOUT,
			  "the deadline came before the first attempt");
	http_engine_after(engine, ex->start_ms, attempt, ex);
}
