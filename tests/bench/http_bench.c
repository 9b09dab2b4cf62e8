/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP engine alone: exchanges that read ranges into buffers, N under way
 * at any time, each of which starts the next.  For comparison with limit, whose
 * list and line of JSON it has.
 *
 *	http_bench [--in-flight N] [--seconds S] [--threads T] [--ca FILE] < LIST
 */
#include <config.h>
#include "backends/http/exchange.h"

#include <errno.h>
#include <getopt.h>

#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "tests/bench/request_list.h"

#define IN_FLIGHT_MAX 128
#define DEADLINE_MS 60000

struct slot {
	struct bench *bench;
	const struct item *item;
	char *dst;
	size_t room;
};

/* lock guards all but the list and the slots, which are each its own. */
struct bench {
	struct http_engine *engine;
	struct request_list list;
	struct slot slots[IN_FLIGHT_MAX];
	unsigned n_slots;
	double stop_at;
	struct lock lock;
	struct cond cond;
	bool is_warming;
	unsigned n_running;
	size_t next;
	uint64_t requests, bytes;
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct slot *s = ctx;

	(void)attempt;
	(void)err;
	buf_str(&rq->url, s->item->url);
	buf_str(&rq->headers, "range: bytes=");
	buf_str(&rq->headers, s->item->range);
	buf_char(&rq->headers, '\n');
	rq->dst = s->dst;
	rq->dst_len = s->item->want;
	rq->stall_ms = DEADLINE_MS;
	return 0;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct slot *s = ctx;

	(void)out;
	if (r < 0)
		die(s->item->url, err->text);
	if (rs->status != 206 || rs->body_len != s->item->want)
		die(s->item->url, "no such range");
	return EXCHANGE_DONE;
}

static bool begin(struct slot *s);

static void done(void *ctx, int r, const struct err *err)
{
	struct slot *s = ctx;
	struct bench *b = s->bench;
	bool is_warming;

	if (r < 0)
		die(s->item->url, err->text);
	lock_take(&b->lock);
	b->requests++;
	b->bytes += s->item->want;
	is_warming = b->is_warming;
	lock_drop(&b->lock);
	if (!is_warming && begin(s))
		return;
	lock_take(&b->lock);
	b->n_running--;
	cond_signal(&b->cond);
	lock_drop(&b->lock);
}

/* False where nothing more is to be started. */
static bool begin(struct slot *s)
{
	static const struct exchange_ops ops = { prepare, judge, done };
	struct bench *b = s->bench;
	size_t i;

	lock_take(&b->lock);
	i = b->next++;
	lock_drop(&b->lock);
	if (i >= b->list.n || seconds(CLOCK_MONOTONIC) > b->stop_at)
		return false;
	s->item = &b->list.items[i];
	exchange_start(b->engine, &ops, s, clock_ms() + DEADLINE_MS);
	return true;
}

/* All slots at once, until none goes on. */
static void run(struct bench *b, bool is_warming)
{
	b->next = b->requests = b->bytes = 0;
	b->is_warming = is_warming;
	b->n_running = b->n_slots;
	for (unsigned i = 0; i < b->n_slots; i++)
		if (!begin(&b->slots[i]))
			die("list", "shorter than what is to be in flight");
	lock_take(&b->lock);
	while (b->n_running)
		cond_wait(&b->cond, &b->lock);
	lock_drop(&b->lock);
}

static void open_bench(struct bench *b, const struct http_options *opt)
{
	struct err err = ERR_INIT;
	size_t room = 0;

	lock_init(&b->lock);
	cond_init(&b->cond);
	request_list_read(&b->list);
	for (size_t i = 0; i < b->list.n; i++) {
		if (!b->list.items[i].range)
			die(b->list.items[i].url, "has no range");
		if (b->list.items[i].want > room)
			room = b->list.items[i].want;
	}
	for (unsigned i = 0; i < b->n_slots; i++) {
		b->slots[i].bench = b;
		b->slots[i].dst = malloc(room);
		if (!b->slots[i].dst)
			die("buffers", "no memory");
	}
	if (http_engine_new(&b->engine, opt, &err) < 0)
		die("engine", err.text);
}

static void close_bench(struct bench *b)
{
	http_engine_free(b->engine);
	for (unsigned i = 0; i < b->n_slots; i++)
		free(b->slots[i].dst);
	request_list_free(&b->list);
	cond_release(&b->cond);
	lock_release(&b->lock);
}

static void measure(struct bench *b, double for_seconds)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	double wall = seconds(CLOCK_MONOTONIC);

	b->stop_at = for_seconds > 0 ? wall + for_seconds : 1e18;
	run(b, false);
	print_result(b->n_slots, b->requests, b->bytes, wall, cpu);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "in-flight", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "threads", required_argument, NULL, 't' },
		{ "ca", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	static struct bench b = { .n_slots = 16, .stop_at = 1e18 };
	struct http_options opt = { .threads = 0 };
	double for_seconds = 0;
	int c;

	while ((c = getopt_long(argc, argv, "n:s:t:c:", options, NULL)) != -1)
		switch (c) {
		case 'n':
			b.n_slots = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			for_seconds = strtod(optarg, NULL);
			break;
		case 't':
			opt.threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'c':
			opt.ca_file = optarg;
			break;
		default:
			return 2;
		}
	if (!b.n_slots || b.n_slots > IN_FLIGHT_MAX) {
		fprintf(stderr, "http_bench: in-flight 1 to %d\n",
			IN_FLIGHT_MAX);
		return 2;
	}
	open_bench(&b, &opt);
	run(&b, true);
	measure(&b, for_seconds);
	close_bench(&b);
	return 0;
}
