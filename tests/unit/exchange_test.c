/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/exchange.h"

#include <criterion/criterion.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "backends/http/endpoint.h"
#include "tests/loopback.h"

static struct http_engine *engine;
static struct loopback server;

/* lock guards what happened. */
struct call {
	struct lock lock;
	struct cond cond;
	const char *path;
	enum exchange_verdict bad;	/* what a status that is not 200 is */
	bool says_nothing;		/* judge leaves *out as it was */
	int prepare_r;
	unsigned n_awaited;	/* looks that find no credential yet */
	unsigned n_prepared;
	unsigned n_judged;
	unsigned n_done;
	int r;
	int64_t rq_deadline_ms;
	struct err err;
	struct buf body;
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct call *c = ctx;

	cr_assert(attempt == c->n_prepared);
	if (c->n_awaited > 0) {
		c->n_awaited--;
		return err_set(err, ERR_RETRY, EAGAIN, "asking for a key");
	}
	c->n_prepared++;
	buf_printf(&rq->url, "http://127.0.0.1:%d%s", server.port, c->path);
	buf_str(&rq->headers, "x-secret: 1\n");
	if (c->prepare_r)
		return err_set(err, ERR_AUTH, -c->prepare_r, "no key");
	buf_clear(&c->body);
	rq->grow = &c->body;
	rq->grow_limit = 4096;
	rq->deadline_ms = c->rq_deadline_ms;
	return 0;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct call *c = ctx;

	c->n_judged++;
	cr_assert(r == 0 || (*out == r && err->code == -r));
	if (r == 0 && rs->status == 200)
		return EXCHANGE_DONE;
	if (r == 0 && !c->says_nothing)
		*out = err_set(err, ERR_RETRY, EIO, "status %d", rs->status);
	return c->bad;
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

static void call_init(struct call *c, const char *path,
		      enum exchange_verdict bad)
{
	memset(c, 0, sizeof(*c));
	lock_init(&c->lock);
	cond_init(&c->cond);
	c->path = path;
	c->bad = bad;
}

static void wait_for(struct call *c)
{
	lock_take(&c->lock);
	while (!c->n_done)
		cond_wait(&c->cond, &c->lock);
	lock_drop(&c->lock);
	buf_release(&c->body);
}

static void run(struct call *c, int for_ms)
{
	exchange_start(engine, &ops, c, clock_ms() + for_ms);
	wait_for(c);
}

static void start(loopback_fn serve)
{
	struct http_options opt = { .threads = 2 };
	struct err err = ERR_INIT;

	loopback_start(&server, serve);
	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
}

static void stop(void)
{
	http_engine_free(engine);
	loopback_stop(&server);
}

/* "/N": 503 for the first N requests; "/after": with Retry-After first. */
static int serve(struct loopback *lb, struct loopback_call *call)
{
	unsigned n = atomic_load(&lb->requests);

	if (!strcmp(call->path, "/after") && n == 1)
		return loopback_answer(call, 503, "Retry-After: 1\r\n", "", 0);
	if (!strcmp(call->path, "/after-long"))
		return loopback_answer(call, 503, "Retry-After: 9999999\r\n",
				       "", 0);
	if (!strcmp(call->path, "/after-aws") && n == 1)
		return loopback_answer(call, 503, "x-amz-retry-after: 400\r\n",
				       "", 0);
	if (!strcmp(call->path, "/after-azure") && n == 1)
		return loopback_answer(call, 429,
				       "x-ms-retry-after-ms: 400\r\n", "", 0);
	if (!strcmp(call->path, "/after-date") && n == 1)
		return loopback_answer(
			call, 503,
			"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
			"Retry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n",
			"", 0);
	if (!strcmp(call->path, "/after-date-long"))
		return loopback_answer(
			call, 503,
			"Retry-After: Fri, 06 Nov 2099 08:49:38 GMT\r\n", "",
			0);
	if (!strcmp(call->path, "/after-odd"))
		return loopback_answer(call, n == 1 ? 503 : 200,
				       "Retry-After: -5x\r\n", "", 0);
	if (!strcmp(call->path, "/cut") && n == 1) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Content-Length: 100\r\n\r\nx");
		return LOOPBACK_CLOSE;
	}
	if (n <= strtoul(call->path + 1, NULL, 10) ||
	    atomic_load(&lb->is_faulty))
		return loopback_answer(call, 503, "", "", 0);
	return loopback_answer(call, 200, "", "hello", 5);
}

Test(exchange, an_answer_ends_it_at_once)
{
	struct http_stats stats;
	struct call c;

	start(serve);
	call_init(&c, "/0", EXCHANGE_RETRY);
	run(&c, 5000);
	cr_assert(c.r == 0 && c.n_prepared == 1 && c.n_judged == 1);
	http_engine_stats(engine, &stats);
	cr_assert(stats.requests == 1 && stats.retries == 0);
	stop();
}

Test(exchange, a_transient_failure_is_tried_again_and_prepared_anew)
{
	struct http_stats stats;
	struct call c;

	start(serve);
	call_init(&c, "/3", EXCHANGE_RETRY);
	run(&c, 10000);
	cr_assert(c.r == 0, "%s", c.err.text);
	cr_assert(c.n_prepared == 4 && server.requests == 4);
	http_engine_stats(engine, &stats);
	cr_assert(stats.requests == 4 && stats.retries == 3);
	stop();
}

Test(exchange, a_cut_body_is_tried_again)
{
	struct call c;

	start(serve);
	call_init(&c, "/cut", EXCHANGE_RETRY);
	run(&c, 10000);
	cr_assert(c.r == 0 && c.n_prepared == 2, "%s", c.err.text);
	stop();
}

Test(exchange, the_deadline_ends_it_with_what_the_store_said)
{
	int64_t start_ms = clock_ms();
	struct call c;

	start(serve);
	call_init(&c, "/99999", EXCHANGE_RETRY);
	run(&c, 700);
	cr_assert(c.r == -EIO && c.err.class == ERR_RETRY);
	cr_assert(strcmp(c.err.text, "status 503") == 0, "%s", c.err.text);
	cr_assert(clock_ms() - start_ms < 5000);
	cr_assert(c.n_prepared >= 2 && c.n_prepared < 60, "%u", c.n_prepared);
	cr_assert(c.n_done == 1);
	stop();
}

Test(exchange, what_takes_long_is_told_while_it_is_tried)
{
	char line[512];
	struct call c;

	start(serve);
	call_init(&c, "/99999", EXCHANGE_RETRY);
	run(&c, EXCHANGE_TELL_MS / 3);
	log_last_problem(line, sizeof(line));
	cr_expect_str_empty(line);
	call_init(&c, "/after-long", EXCHANGE_RETRY);
	run(&c, EXCHANGE_RETRY_AFTER_MAX_MS + 500);
	log_last_problem(line, sizeof(line));
	cr_expect(strstr(line, "error=\"status 503\" trying_for_s=0"), "%s",
		  line);
	stop();
}

Test(exchange, a_deadline_that_has_passed_asks_nobody)
{
	struct call c;

	start(serve);
	call_init(&c, "/0", EXCHANGE_RETRY);
	run(&c, -1);
	cr_assert(c.r == -ETIMEDOUT && c.err.class == ERR_RETRY);
	cr_assert(c.n_prepared == 0 && server.requests == 0);
	stop();
}

Test(exchange, an_attempt_may_end_earlier_and_never_later)
{
	int64_t start_ms = clock_ms();
	struct call c;

	start(serve);
	call_init(&c, "/0", EXCHANGE_DONE);
	c.rq_deadline_ms = start_ms - 1;
	run(&c, 10000);
	cr_assert(c.r == -ETIMEDOUT && server.requests == 0);
	stop();
}

Test(exchange, what_cannot_be_prepared_is_not_tried_again)
{
	struct call c;

	start(serve);
	call_init(&c, "/0", EXCHANGE_RETRY);
	c.prepare_r = -EACCES;
	run(&c, 10000);
	cr_assert(c.r == -EACCES && c.err.class == ERR_AUTH);
	cr_assert(c.n_prepared == 1 && server.requests == 0);
	stop();
}

Test(exchange, a_credential_that_is_asked_for_is_awaited_and_costs_no_attempt)
{
	struct call c;

	start(serve);
	call_init(&c, "/0", EXCHANGE_RETRY);
	c.n_awaited = 3;
	run(&c, 10000);
	cr_assert(c.r == 0 && c.n_awaited == 0 && c.n_prepared == 1);
	cr_assert(server.requests == 1);
	stop();
}

Test(exchange, a_credential_that_never_comes_ends_with_the_deadline)
{
	struct call c;

	start(serve);
	call_init(&c, "/0", EXCHANGE_RETRY);
	c.n_awaited = 1u << 20;
	run(&c, 200);
	cr_assert(c.r == -ETIMEDOUT && c.err.class == ERR_RETRY);
	cr_assert(strstr(c.err.text, "asking for a key"), "%s", c.err.text);
	cr_assert(c.n_prepared == 0 && server.requests == 0);
	stop();
}

Test(exchange, a_final_verdict_is_not_tried_again)
{
	struct call c;

	start(serve);
	call_init(&c, "/99", EXCHANGE_DONE);
	run(&c, 10000);
	cr_assert(c.r == -EIO && c.n_prepared == 1);
	stop();
}

Test(exchange, corrections_are_counted)
{
	struct http_stats stats;
	struct call c;

	start(serve);
	call_init(&c, "/99999", EXCHANGE_AGAIN);
	run(&c, 10000);
	cr_assert(c.r == -EIO);
	cr_assert(c.n_prepared == 1 + EXCHANGE_AGAIN_MAX, "%u", c.n_prepared);

	/* A verdict without a reason must not become a success. */
	call_init(&c, "/99999", EXCHANGE_AGAIN);
	c.says_nothing = true;
	run(&c, 10000);
	cr_assert(c.r == -EIO && c.err.class == ERR_RETRY);
	http_engine_stats(engine, &stats);
	cr_assert(stats.retries == 2 * EXCHANGE_AGAIN_MAX);
	stop();
}

Test(exchange, retry_after_is_honoured_up_to_its_limit)
{
	int64_t start_ms = clock_ms();
	struct call c;

	start(serve);
	call_init(&c, "/after", EXCHANGE_THROTTLED);
	run(&c, 10000);
	cr_assert(c.r == 0 && clock_ms() - start_ms >= 1000);
	stop();

	/* It would be over only behind the deadline: no use in waiting. */
	start_ms = clock_ms();
	memset(&server, 0, sizeof(server));
	start(serve);
	call_init(&c, "/after-long", EXCHANGE_THROTTLED);
	run(&c, EXCHANGE_RETRY_AFTER_MAX_MS - 500);
	cr_assert(c.r == -EIO && c.n_prepared == 1);
	cr_assert(clock_ms() - start_ms < 1000);
	stop();

	memset(&server, 0, sizeof(server));
	start(serve);
	call_init(&c, "/after-odd", EXCHANGE_THROTTLED);
	run(&c, 10000);
	cr_assert(c.r == 0 && c.n_prepared == 2);
	stop();
}

/* Each of them at once after so many milliseconds, in whatever spelling. */
Test(exchange, retry_after_is_understood_in_each_spelling)
{
	static const struct {
		const char *path;
		int least_ms;
	} cases[] = {
		{ "/after-aws", 400 },
		{ "/after-azure", 400 },
		{ "/after-date", 1000 },
	};
	int64_t start_ms;
	struct call c;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(&server, 0, sizeof(server));
		start(serve);
		start_ms = clock_ms();
		call_init(&c, cases[i].path, EXCHANGE_THROTTLED);
		run(&c, 10000);
		cr_assert(c.r == 0 && c.n_prepared == 2, "%s", cases[i].path);
		cr_assert(clock_ms() - start_ms >= cases[i].least_ms, "%s",
			  cases[i].path);
		stop();
	}
	memset(&server, 0, sizeof(server));
	start(serve);
	start_ms = clock_ms();
	call_init(&c, "/after-date-long", EXCHANGE_THROTTLED);
	run(&c, EXCHANGE_RETRY_AFTER_MAX_MS - 500);
	cr_assert(c.r == -EIO && c.n_prepared == 1);
	stop();
}

#define MANY 150
#define OUTAGE_MS 2000

static void storm(enum exchange_verdict verdict, unsigned cost)
{
	static struct call calls[MANY];
	int64_t start_ms = clock_ms();
	unsigned most;
	unsigned seen;

	memset(&server, 0, sizeof(server));
	server.is_faulty = 1;
	start(serve);
	for (int i = 0; i < MANY; i++) {
		call_init(&calls[i], "/0", verdict);
		exchange_start(engine, &ops, &calls[i], clock_ms() + 60000);
	}
	(void)usleep(OUTAGE_MS * 1000);
	seen = atomic_load(&server.requests);
	most = MANY + EXCHANGE_TOKENS / cost + 2 +
	       EXCHANGE_REFILL_PER_S * (unsigned)(clock_ms() - start_ms) /
		       1000 / cost;
	cr_assert(seen > MANY + EXCHANGE_TOKENS / cost / 2, "%u", seen);
	cr_assert(seen <= most, "%u requests, at most %u", seen, most);

	atomic_store(&server.is_faulty, 0);
	for (int i = 0; i < MANY; i++) {
		wait_for(&calls[i]);
		cr_assert(calls[i].r == 0, "%s", calls[i].err.text);
		cr_assert(calls[i].n_done == 1);
	}
	stop();
}

Test(exchange, case_31_an_outage_is_not_multiplied_and_everybody_recovers)
{
	storm(EXCHANGE_RETRY, EXCHANGE_COST_TRANSIENT);
}

Test(exchange, case_31_throttling_is_not_multiplied_and_everybody_recovers)
{
	storm(EXCHANGE_THROTTLED, EXCHANGE_COST_THROTTLE);
}

Test(exchange, freeing_the_engine_ends_all_of_them_once)
{
	static struct call calls[MANY];

	server.is_faulty = 1;
	start(serve);
	for (int i = 0; i < MANY; i++) {
		call_init(&calls[i], "/0", EXCHANGE_RETRY);
		exchange_start(engine, &ops, &calls[i], clock_ms() + 3600000);
	}
	(void)usleep(500000);
	stop();
	for (int i = 0; i < MANY; i++) {
		cr_assert(calls[i].n_done == 1 && calls[i].r == -ECANCELED,
			  "%u %d", calls[i].n_done, calls[i].r);
		buf_release(&calls[i].body);
	}
}

/* A store that takes CAPACITY requests at once and refuses the rest. */
#define CAPACITY 4
#define JOBS 300

static atomic_uint at_once;
static atomic_uint refused;

static int serve_few(struct loopback *lb, struct loopback_call *call)
{
	unsigned n = atomic_fetch_add(&at_once, 1) + 1;
	int what;

	(void)lb;
	(void)usleep(2000);
	atomic_fetch_sub(&at_once, 1);
	if (n > CAPACITY) {
		atomic_fetch_add(&refused, 1);
		what = loopback_answer(call, 503, "", "SlowDown", 8);
	} else {
		what = loopback_answer(call, 200, "", "hello", 5);
	}
	return what;
}

Test(exchange, a_store_that_takes_few_at_once_is_asked_for_few)
{
	static struct call calls[JOBS];
	struct http_endpoint_stats seen[HTTP_ENDPOINTS_MAX + 1];
	char name[64];

	start(serve_few);
	for (int i = 0; i < JOBS; i++) {
		call_init(&calls[i], "/", EXCHANGE_THROTTLED);
		exchange_start(engine, &ops, &calls[i], clock_ms() + 60000);
	}
	for (int i = 0; i < JOBS; i++) {
		wait_for(&calls[i]);
		cr_assert(calls[i].r == 0, "%s", calls[i].err.text);
	}
	cr_assert(http_engine_endpoints(engine, seen, ARRAY_SIZE(seen)) == 1);
	(void)snprintf(name, sizeof(name), "http://127.0.0.1:%d", server.port);
	cr_assert(strcmp(seen[0].name, name) == 0, "%s", seen[0].name);
	cr_assert(seen[0].in_flight == 0 && seen[0].waiting == 0);
	/* Of those that came at first, and then one here and there. */
	cr_assert(seen[0].throttled == refused);
	cr_assert(refused >= ENDPOINT_LIMIT_MAX - CAPACITY, "%u", refused);
	cr_assert(refused < ENDPOINT_LIMIT_MAX + JOBS, "%u", refused);
	cr_assert(seen[0].requests == JOBS + refused);
	cr_assert(seen[0].limit <= 4 * CAPACITY, "%u", seen[0].limit);
	stop();
}
