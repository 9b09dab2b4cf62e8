/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read that takes longer than nearly all of its kind.
 *
 * A small one is asked for once more on another connection, as its twin: into
 * a buffer of its own, for two transfers must never write to the caller's.
 * Whoever answers first is the answer, and if it is the twin its bytes are
 * copied.  An attempt that breaks is no answer as long as the other one is
 * under way.  The loser, when little is missing of it, is read to its end, so
 * that its connection stays.  Both are one thread's: there are no locks.
 *
 * A large one is ended when its rate says that what is left would take several
 * times as long as all of it should, and others are faster; the exchange asks
 * again on a new connection.
 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"

static bool is_small(const struct http_transfer *x)
{
	return x->rq.dst_len <= HTTP_HEDGE_BYTES_MAX;
}

void http_hedge_plan(struct http_transfer *x, int64_t now_ms)
{
	x->started_ms = now_ms;
	x->hedge_at_ms = -1;
	if (x->scratch || !x->rq.endpoint || !x->rq.patience_ms ||
	    !x->rq.dst || x->rq.method != HTTP_GET)
		return;
	x->hedge_at_ms = now_ms + x->rq.patience_ms;
	if (!is_small(x) && x->rq.patience_ms < HTTP_SLOW_MS_MIN)
		x->hedge_at_ms = now_ms + HTTP_SLOW_MS_MIN;
	if (x->hedge_at_ms < x->thread->scan_at_ms)
		x->thread->scan_at_ms = x->hedge_at_ms;
}

/*
 * Two of one.
 */

static struct http_transfer *new_twin(struct http_transfer *x)
{
	void *scratch = malloc(x->rq.dst_len);
	struct http_transfer *twin;

	if (!scratch)
		return NULL;
	twin = http_alloc(sizeof(*twin));
	twin->message = x->message;	/* one number for both: http_cancel() */
	twin->thread = x->thread;
	twin->done = x->done;
	twin->arg = x->arg;
	twin->scratch = scratch;
	twin->copy_to = x->rq.dst;
	twin->rq = x->rq;
	twin->rq.url = (struct buf)BUF_INIT;
	twin->rq.headers = (struct buf)BUF_INIT;
	buf_bytes(&twin->rq.url, x->rq.url.data, x->rq.url.len);
	buf_bytes(&twin->rq.headers, x->rq.headers.data, x->rq.headers.len);
	twin->rq.dst = scratch;
	twin->twin = x;
	return twin;
}

void http_hedge_look(struct http_transfer *x, int64_t now_ms)
{
	struct http_thread *t = x->thread;
	struct http_transfer *twin;

	if (x->hedge_at_ms < 0 || !is_small(x))
		return;
	if (now_ms < x->hedge_at_ms) {
		if (x->hedge_at_ms < t->scan_at_ms)
			t->scan_at_ms = x->hedge_at_ms;
		return;
	}
	x->hedge_at_ms = -1;
	if (t->n_active >= HTTP_ACTIVE_MAX || t->n_hedges >= HTTP_HEDGES_MAX ||
	    !endpoint_may_ask_again(x->rq.endpoint, ENDPOINT_HEDGE))
		return;
	twin = new_twin(x);
	if (!twin)
		return;
	x->twin = twin;
	t->n_hedges++;
	atomic_fetch_add(&t->engine->pending, 1);
	atomic_fetch_add(&t->engine->in_flight, 1);
	atomic_fetch_add(&t->load, 1);
	http_queue_begin(twin);
}

/* Nothing of it is wanted any more; the next scan ends what is not worth it. */
static void lose(struct http_transfer *x)
{
	struct http_thread *t = x->thread;
	int64_t end_ms = clock_ms();

	if (x->rq.dst_len - x->rs.body_len <= HTTP_DRAIN_BYTES_MAX)
		end_ms += HTTP_DRAIN_MS;
	else
		t->scan_at_ms = end_ms;
	if (end_ms < x->rq.deadline_ms)
		x->rq.deadline_ms = end_ms;
	x->is_loser = true;
	x->hedge_at_ms = -1;
	x->rq.dst = NULL;
}

/* What judge() has to hear, rather than that the twin is still under way. */
static bool is_answer(const struct http_transfer *x, int r)
{
	if (r < 0)
		return r == -ECANCELED;
	return x->rs.status < 500 && x->rs.status != 429;
}

static bool is_success(const struct http_transfer *x, int r)
{
	return r == 0 && x->rs.status / 100 == 2;
}

static void deliver(struct http_transfer *x, int r)
{
	if (!x->scratch)
		return;
	if (is_success(x, r))
		memcpy(x->copy_to, x->scratch, x->rs.body_len);
	if (is_success(x, r) && x->twin)
		endpoint_hedge_won(x->rq.endpoint);
}

bool http_hedge_settle(struct http_transfer *x, int r)
{
	struct http_transfer *twin = x->twin;

	if (x->rq.endpoint && x->rq.method == HTTP_GET && x->rq.dst_len &&
	    is_success(x, r))
		endpoint_took(x->rq.endpoint, x->rq.dst_len,
			      clock_ms() - x->started_ms);
	if (x->scratch)
		x->thread->n_hedges--;
	if (x->is_loser)
		return false;
	if (twin)
		twin->twin = NULL;
	if (twin && !is_answer(x, r))
		return false;
	if (twin)
		lose(twin);
	deliver(x, r);
	return true;
}

/*
 * Slow connections.
 */

static double rate_of(const struct http_transfer *x, int64_t now_ms)
{
	int64_t ms = now_ms - x->started_ms;

	return (double)x->rs.body_len / (double)(ms > 0 ? ms : 1);
}

/* Where others are slow, too, no other connection is any better. */
static bool is_slower_than_peers(const struct http_transfer *x, int64_t now_ms)
{
	double sum = 0;
	unsigned n = 0;

	for (struct http_transfer *y = x->thread->active; y; y = y->next) {
		if (y == x || y->rq.endpoint != x->rq.endpoint || is_small(y) ||
		    now_ms - y->started_ms < HTTP_SCAN_MS)
			continue;
		sum += rate_of(y, now_ms);
		n++;
	}
	return n == 0 || rate_of(x, now_ms) * HTTP_SLOW_FACTOR < sum / n;
}

int http_hedge_slow(struct http_transfer *x, int64_t now_ms, struct err *err)
{
	size_t got = x->rs.body_len;
	double left_ms;

	if (x->hedge_at_ms < 0 || is_small(x) || now_ms < x->hedge_at_ms)
		return 0;
	/* Without any byte, it may be one a millisecond. */
	left_ms = (double)(x->rq.dst_len - got) /
		  (got ? rate_of(x, now_ms) : 1);
	if (left_ms < (double)x->rq.patience_ms * HTTP_SLOW_FACTOR ||
	    left_ms < HTTP_SLOW_MS_MIN || !is_slower_than_peers(x, now_ms))
		return 0;
	x->hedge_at_ms = -1;
	if (!endpoint_may_ask_again(x->rq.endpoint, ENDPOINT_REPLACE))
		return 0;
	x->rs.was_slow = true;
	return err_set(err, ERR_RETRY, ETIMEDOUT,
		       "%s: %zu of %zu bytes after %lld ms, much slower than others",
		       x->host, got, x->rq.dst_len,
		       (long long)(now_ms - x->started_ms));
}
