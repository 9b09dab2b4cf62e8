/* SPDX-License-Identifier: Apache-2.0 */
/* Reads that take too long: what is asked twice, and whose bytes are given. */
#include <config.h>
#include "backends/http/exchange.h"

#include <criterion/criterion.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/http/endpoint.h"
#include "backends/http/http_impl.h"
#include "tests/loopback.h"

#define SMALL 1000
#define LARGE ((size_t)HTTP_HEDGE_BYTES_MAX + 1000)
/* So many are answered at once, so that 50 ms are too long; two hedges. */
#define WARM 40

static struct http_engine *engine;
static struct loopback server;

/* What the server does with the first and the second asked for "/x". */
enum act {
	ANSWER,
	HOLD,		/* until gate is opened */
	DRIP,		/* a little of it, and then as HOLD */
	REFUSE,		/* 503 */
	HANG_UP,
};
static enum act acts[2];
static atomic_uint n_asked;
static atomic_bool gate;
static char bytes[LARGE];

/* lock guards what happened. */
struct call {
	struct lock lock;
	struct cond cond;
	const char *path;
	size_t len;
	unsigned n_prepared, n_judged, n_done;
	int r;
	struct err err;
	char dst[LARGE];
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct call *c = ctx;

	(void)attempt;
	(void)err;
	c->n_prepared++;
	buf_printf(&rq->url, "http://127.0.0.1:%d%s", server.port, c->path);
	buf_printf(&rq->headers, "x-len: %zu\n", c->len);
	rq->dst = c->dst;
	rq->dst_len = c->len;
	return 0;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct call *c = ctx;

	c->n_judged++;
	if (r == 0 && rs->status == 200 && rs->body_len == c->len)
		return EXCHANGE_DONE;
	if (r == 0)
		*out = err_set(err, ERR_RETRY, EIO, "status %d", rs->status);
	return r == 0 ? EXCHANGE_THROTTLED : EXCHANGE_RETRY;
}

static void done(void *ctx, int r, const struct err *err)
{
	struct call *c = ctx;

	lock_take(&c->lock);
	c->n_done++;
	c->r = r;
	if (r < 0)
		err_copy(&c->err, err);
	cond_signal(&c->cond);
	lock_drop(&c->lock);
}

static const struct exchange_ops ops = { prepare, judge, done };

static void call_start(struct call *c, const char *path, size_t len, int for_ms)
{
	memset(c, 0, sizeof(*c));
	lock_init(&c->lock);
	cond_init(&c->cond);
	c->path = path;
	c->len = len;
	exchange_start(engine, &ops, c, clock_ms() + for_ms);
}

static void call_wait(struct call *c)
{
	lock_take(&c->lock);
	while (!c->n_done)
		cond_wait(&c->cond, &c->lock);
	lock_drop(&c->lock);
}

static void run(struct call *c, const char *path, size_t len)
{
	call_start(c, path, len, 20000);
	call_wait(c);
}

static struct http_endpoint_stats stats(void)
{
	struct http_endpoint_stats s;

	cr_assert(http_engine_endpoints(engine, &s, 1) == 1);
	return s;
}

static void hold(void)
{
	while (!atomic_load(&gate) && !atomic_load(&server.is_stopping))
		(void)usleep(1000);
}

/* Each answer is of one letter: 'A' for the first, 'B' for the second. */
static int serve(struct loopback *lb, struct loopback_call *call)
{
	const char *header = strcasestr(call->head, "\r\nx-len: ");
	size_t len = header ? strtoul(header + 9, NULL, 10) : 0;
	enum act act = ANSWER;
	unsigned n = 0;

	(void)lb;
	if (!strcmp(call->path, "/refused"))
		return loopback_answer(call, atomic_fetch_add(&n_asked, 1) ?
					       200 : 503, "", bytes, len);
	if (!strcmp(call->path, "/x")) {
		n = atomic_fetch_add(&n_asked, 1);
		act = n < 2 ? acts[n] : ANSWER;
	}
	if (!strcmp(call->path, "/held")) {
		n = 1 + atomic_fetch_add(&n_asked, 1);
		act = HOLD;
	}
	if (act == HANG_UP)
		return LOOPBACK_CLOSE;
	if (act == REFUSE)
		return loopback_answer(call, 503, "", "", 0);
	if (act == HOLD)
		hold();
	if (act == DRIP) {
		(void)loopback_send(call, "HTTP/1.1 200 OK\r\nContent-Length: "
					  "9999999\r\n\r\nAAAA");
		hold();
		return LOOPBACK_CLOSE;
	}
	if (len) {
		char *body = malloc(len);
		int what;

		memset(body, n == 0 ? 'A' : 'B', len);
		what = loopback_answer(call, 200, "", body, len);
		free(body);
		return what;
	}
	return loopback_answer(call, 200, "", "", 0);
}

static void start(enum act first, enum act second, size_t len)
{
	struct http_options opt = { .threads = 1 };
	struct err err = ERR_INIT;
	static struct call c;

	acts[0] = first;
	acts[1] = second;
	loopback_start(&server, serve);
	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
	for (int i = 0; i < WARM; i++) {
		run(&c, "/warm", len);
		cr_assert(c.r == 0, "%s", c.err.text);
	}
}

static void stop(void)
{
	http_engine_free(engine);
	loopback_stop(&server);
}

static bool is_all(const struct call *c, char letter)
{
	for (size_t i = 0; i < c->len; i++)
		if (c->dst[i] != letter)
			return false;
	return true;
}

static void wait_asked(unsigned n)
{
	int64_t end_ms = clock_ms() + 10000;

	while (atomic_load(&n_asked) < n && clock_ms() < end_ms)
		(void)usleep(1000);
	cr_assert(atomic_load(&n_asked) >= n, "%u", atomic_load(&n_asked));
}

Test(hedge, a_read_that_takes_too_long_is_asked_twice_and_the_first_answer_wins)
{
	static struct call c;

	start(HOLD, ANSWER, SMALL);
	run(&c, "/x", SMALL);
	cr_assert(c.r == 0 && is_all(&c, 'B'), "%s", c.err.text);
	cr_assert(c.n_prepared == 1 && c.n_judged == 1 && c.n_done == 1);
	cr_assert(n_asked == 2 && stats().hedged == 1);
	cr_assert(stats().hedges_won == 1 && stats().replaced == 0);
	/* The buffer is the caller's: what the loser gets goes nowhere. */
	memset(c.dst, 'z', sizeof(c.dst));
	atomic_store(&gate, true);
	stop();
	cr_assert(is_all(&c, 'z') && c.n_done == 1);
}

Test(hedge, the_losers_connection_is_kept)
{
	static struct call calls[2];
	unsigned n;

	start(HOLD, ANSWER, SMALL);
	run(&calls[0], "/x", SMALL);
	cr_assert(calls[0].r == 0 && n_asked == 2);
	n = server.connections;
	atomic_store(&gate, true);
	(void)usleep(200000);
	for (int i = 0; i < 2; i++)
		call_start(&calls[i], "/warm", SMALL, 20000);
	for (int i = 0; i < 2; i++)
		call_wait(&calls[i]);
	cr_assert(n == 2 && server.connections == 2, "%u, then %u", n,
		  server.connections);
	stop();
}

Test(hedge, the_first_one_may_still_win)
{
	static struct call c;

	start(HOLD, DRIP, SMALL);
	call_start(&c, "/x", SMALL, 20000);
	wait_asked(2);
	atomic_store(&gate, true);
	call_wait(&c);
	cr_assert(c.r == 0 && is_all(&c, 'A'), "%s", c.err.text);
	cr_assert(c.n_judged == 1 && n_asked == 2);
	cr_assert(stats().hedged == 1 && stats().hedges_won == 0);
	stop();
}

Test(hedge, one_that_breaks_leaves_the_answer_to_the_other)
{
	static const enum act second[] = { HANG_UP, REFUSE };
	static struct call c;

	for (size_t i = 0; i < ARRAY_SIZE(second); i++) {
		atomic_store(&gate, false);
		atomic_store(&n_asked, 0);
		memset(&server, 0, sizeof(server));
		start(HOLD, second[i], SMALL);
		call_start(&c, "/x", SMALL, 20000);
		wait_asked(2);
		(void)usleep(20000);
		atomic_store(&gate, true);
		call_wait(&c);
		cr_assert(c.r == 0 && is_all(&c, 'A'), "%s", c.err.text);
		cr_assert(c.n_prepared == 1 && c.n_judged == 1);
		cr_assert(n_asked == 2 && stats().hedges_won == 0);
		stop();
	}
}

Test(hedge, two_that_get_no_answer_are_one_failure)
{
	static struct call c;

	start(HOLD, HOLD, SMALL);
	call_start(&c, "/x", SMALL, 400);
	call_wait(&c);
	cr_assert(c.r == -ETIMEDOUT && c.err.class == ERR_RETRY, "%d", c.r);
	cr_assert(c.n_judged == 1 && n_asked == 2 && stats().hedged == 1);
	atomic_store(&gate, true);
	stop();
	cr_assert(c.n_done == 1);
}

Test(hedge, an_engine_that_ends_ends_both_and_calls_once)
{
	static struct call c;

	start(HOLD, HOLD, SMALL);
	call_start(&c, "/x", SMALL, 20000);
	wait_asked(2);
	http_engine_free(engine);
	cr_assert(c.n_done == 1 && c.r == -ECANCELED);
	atomic_store(&gate, true);
	loopback_stop(&server);
}

Test(hedge, before_anything_is_known_nothing_is_asked_twice)
{
	struct http_options opt = { .threads = 1 };
	struct err err = ERR_INIT;
	static struct call c;

	loopback_start(&server, serve);
	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
	acts[0] = HOLD;
	call_start(&c, "/x", SMALL, 20000);
	(void)usleep(300000);
	cr_assert(n_asked == 1);
	atomic_store(&gate, true);
	call_wait(&c);
	cr_assert(c.r == 0 && is_all(&c, 'A') && stats().hedged == 0);
	stop();
}

Test(hedge, case_35_nothing_is_asked_twice_of_a_store_that_is_asked_too_much)
{
	static struct call c;

	start(HOLD, ANSWER, SMALL);
	run(&c, "/refused", SMALL);
	cr_assert(c.r == 0 && stats().throttled == 1);
	atomic_store(&n_asked, 0);
	call_start(&c, "/x", SMALL, 20000);
	(void)usleep(300000);
	cr_assert(n_asked == 1);
	atomic_store(&gate, true);
	call_wait(&c);
	cr_assert(c.r == 0 && is_all(&c, 'A') && stats().hedged == 0);
	stop();
}

#define SLOW 10

/* All at once are held: no more are asked twice than were paid for. */
Test(hedge, case_35_at_most_one_of_twenty_requests_is_asked_twice)
{
	static struct call calls[SLOW];

	start(ANSWER, ANSWER, SMALL);
	for (int i = 0; i < SLOW; i++)
		call_start(&calls[i], "/held", SMALL, 20000);
	(void)usleep(400000);
	cr_assert(stats().requests == 50 && stats().hedged == 2, "%llu %llu",
		  (unsigned long long)stats().requests,
		  (unsigned long long)stats().hedged);
	cr_assert(n_asked == SLOW + 2, "%u", n_asked);
	atomic_store(&gate, true);
	for (int i = 0; i < SLOW; i++) {
		call_wait(&calls[i]);
		cr_assert(calls[i].r == 0 && is_all(&calls[i], 'B'), "%s",
			  calls[i].err.text);
	}
	stop();
}

Test(hedge, a_large_read_that_is_much_slower_than_others_has_a_new_connection)
{
	static struct call c;
	unsigned n;

	start(DRIP, ANSWER, LARGE);
	n = server.connections;
	run(&c, "/x", LARGE);
	cr_assert(c.r == 0 && is_all(&c, 'B'), "%s", c.err.text);
	cr_assert(c.n_prepared == 2 && n_asked == 2);
	cr_assert(stats().replaced == 1 && stats().hedged == 0);
	cr_assert(server.connections == n + 1, "%u then %u", n,
		  server.connections);
	atomic_store(&gate, true);
	stop();
}

Test(hedge, where_all_are_slow_it_is_not_the_connection)
{
	static struct call calls[2];

	start(DRIP, DRIP, LARGE);
	for (int i = 0; i < 2; i++)
		call_start(&calls[i], "/x", LARGE, 20000);
	(void)usleep(2 * HTTP_SLOW_MS_MIN * 1000);
	cr_assert(n_asked == 2 && stats().replaced == 0);
	atomic_store(&gate, true);
	for (int i = 0; i < 2; i++) {
		call_wait(&calls[i]);
		cr_assert(calls[i].r == 0 && is_all(&calls[i], 'B'), "%s",
			  calls[i].err.text);
	}
	stop();
}
