/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads that are asked twice by an engine of two threads: whoever wins, the
 * caller gets the bytes once, and nothing is written to its buffer later.
 */
#include <config.h>
#include "backends/http/exchange.h"

#include "backends/base/clock.h"
#include "tests/loopback.h"
#include "tests/tap.h"

#define RACERS 16
#define EACH 60
#define LEN 3000
#define SLOW_EVERY 25
#define SLOW_MS 120

static struct http_engine *engine;
static struct loopback server;
static atomic_uint n_running;
static atomic_bool is_over;

/* One after the other, each into the same buffer. */
struct racer {
	unsigned index, n_started, n_done, n_ok, n_bad;
	char dst[LEN];
};

static char letter(unsigned racer, unsigned read)
{
	return (char)('a' + (racer * 7 + read) % 26);
}

static int serve(struct loopback *lb, struct loopback_call *call)
{
	unsigned n = atomic_load(&lb->requests);
	char body[LEN];

	memset(body, call->path[1], sizeof(body));
	if (n % SLOW_EVERY == 0)
		(void)usleep(SLOW_MS * 1000);
	if (n % 37 == 0)
		return LOOPBACK_CLOSE;
	return loopback_answer(call, 200, "", body, sizeof(body));
}

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct racer *rd = ctx;

	(void)attempt;
	(void)err;
	buf_printf(&rq->url, "http://127.0.0.1:%d/%c", server.port,
		   letter(rd->index, rd->n_started));
	rq->dst = rd->dst;
	rq->dst_len = sizeof(rd->dst);
	return 0;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	(void)ctx;
	(void)out;
	(void)err;
	return r == 0 && rs->body_len == LEN ? EXCHANGE_DONE : EXCHANGE_RETRY;
}

static void start_next(struct racer *rd);

static void done(void *ctx, int r, const struct err *err)
{
	struct racer *rd = ctx;

	(void)err;
	rd->n_done++;
	rd->n_ok += r == 0;
	for (size_t i = 0; r == 0 && i < LEN; i++)
		if (rd->dst[i] != letter(rd->index, rd->n_started)) {
			rd->n_bad++;
			break;
		}
	/* Ours again: a late write of the engine's would be a race. */
	memset(rd->dst, 0, sizeof(rd->dst));
	if (rd->n_done == EACH || atomic_load(&is_over))
		atomic_fetch_sub(&n_running, 1);
	else
		start_next(rd);
}

static void start_next(struct racer *rd)
{
	static const struct exchange_ops ops = { prepare, judge, done };

	rd->n_started++;
	exchange_start(engine, &ops, rd, clock_ms() + 60000);
}

static void run(bool waits)
{
	struct racer *racers = calloc(RACERS, sizeof(*racers));
	struct http_options opt = { .threads = 2 };
	struct http_endpoint_stats stats = { .limit = 0 };
	struct err err = ERR_INIT;
	unsigned n_done = 0, n_ok = 0, n_bad = 0, n_started = 0;

	if (!racers)
		abort();
	memset(&server, 0, sizeof(server));
	loopback_start(&server, serve);
	tap_ok(http_engine_new(&engine, &opt, &err) == 0, "an engine");
	atomic_store(&n_running, RACERS);
	for (unsigned i = 0; i < RACERS; i++) {
		racers[i].index = i;
		start_next(&racers[i]);
	}
	for (int i = 0; atomic_load(&n_running) && (waits || i < 60); i++)
		(void)usleep(10000);
	(void)http_engine_endpoints(engine, &stats, 1);
	atomic_store(&is_over, true);
	http_engine_free(engine);
	loopback_stop(&server);
	for (unsigned i = 0; i < RACERS; i++) {
		n_started += racers[i].n_started;
		n_done += racers[i].n_done;
		n_ok += racers[i].n_ok;
		n_bad += racers[i].n_bad;
	}
	tap_ok(n_done == n_started, "each read ended once: %u", n_done);
	tap_ok(n_bad == 0, "none had other bytes: %u of %u", n_bad, n_ok);
	if (waits)
		tap_ok(n_ok == RACERS * EACH, "all succeeded: %u", n_ok);
	tap_ok(stats.hedged > 0 && stats.hedged * 20 <= stats.requests,
	       "asked twice: %llu of %llu, %llu won",
	       (unsigned long long)stats.hedged,
	       (unsigned long long)stats.requests,
	       (unsigned long long)stats.hedges_won);
	free(racers);
}

int main(void)
{
	run(true);
	atomic_store(&is_over, false);
	/* The engine ends while some are under way. */
	run(false);
	return tap_done();
}
