/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One endpoint (scheme, host and port): how many requests it may be asked at
 * once, and who waits for a turn.  The limit starts at ENDPOINT_LIMIT_MAX and
 * learns from the answers: by additive increase, one more for as many answers
 * as the limit has, and by multiplicative decrease, ENDPOINT_DECREASE of what
 * was under way, once for all that were refused together.  Whoever finds no
 * place waits in order, until its deadline.
 *
 * It also knows how long its reads take, by size, and so when one takes too
 * long and may be asked for once more (http_hedge.c): at most one of
 * ENDPOINT_HEDGE_EVERY requests, none while it complains.
 *
 * Any thread may call; what waits is called on an I/O thread, never from
 * inside.  Private to http/; struct http_endpoint_stats shows it to others.
 */
#ifndef DATASETFS_HTTP_ENDPOINT_H
#define DATASETFS_HTTP_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include "backends/base/lock.h"
#include "backends/http/http.h"

/* More than the 96 of the fetcher: no bound, until an endpoint complains. */
#define ENDPOINT_LIMIT_MAX 128
#define ENDPOINT_LIMIT_MIN 1
#define ENDPOINT_DECREASE 0.7
#define ENDPOINT_WAITERS_MAX 4096
/* Deadlines of those that wait are looked at so often. */
#define ENDPOINT_SWEEP_MS 50

/* A read that takes longer than so many of its size may be asked twice. */
#define ENDPOINT_HEDGE_PERCENTILE 95
#define ENDPOINT_HEDGE_MS_MIN 50
#define ENDPOINT_HEDGE_EVERY 20
#define ENDPOINT_HEDGE_SAVED_MAX 10	/* of those that were not used */
/* So long after a refusal it is not asked twice. */
#define ENDPOINT_CALM_MS 10000

struct endpoint;

/* The caller's, from enter to leave, or until fn is called without a place. */
struct endpoint_slot {
	int64_t deadline_ms;
	size_t read_len;	/* of a read; else 0 */
	void (*fn)(void *arg);	/* it has a place now, or will never get one */
	void *arg;

	bool is_in;
	struct endpoint *endpoint;
	unsigned patience_ms;	/* how long a read should take; 0: unknown */
	uint64_t epoch;		/* the decrease that it came after */
	struct endpoint_slot *next;
};

enum endpoint_entry {
	ENDPOINT_IN,		/* has a place: fn is not called */
	ENDPOINT_QUEUED,	/* fn will be called */
	ENDPOINT_FULL,		/* ENDPOINT_WAITERS_MAX wait already */
};

/* What an attempt says of the endpoint. */
enum endpoint_outcome {
	ENDPOINT_SERVED,	/* it answered */
	ENDPOINT_THROTTLED,	/* ... that it is asked too much */
	ENDPOINT_BROKEN,	/* nothing: no answer, or never sent */
};

/* lock guards everything below it, and what it points to. */
struct endpoints {
	struct http_engine *engine;
	struct lock lock;
	struct endpoint *by_hash[HTTP_ENDPOINTS_MAX];
	unsigned n;
	struct endpoint *others;	/* one for all beyond the maximum */
};

void endpoints_init(struct endpoints *set, struct http_engine *engine);
/* Nothing waits and nothing has a place any more. */
void endpoints_release(struct endpoints *set);

/* url as of an http_request; slot's deadline, fn and arg are set. */
enum endpoint_entry endpoint_enter(struct endpoints *set, const char *url,
				   struct endpoint_slot *slot);
void endpoint_leave(struct endpoints *set, struct endpoint_slot *slot,
		    enum endpoint_outcome outcome);

/* A read of so many bytes was answered. */
void endpoint_took(struct endpoint *e, size_t read_len, int64_t ms);

/* Whether a read that takes too long may be asked for once more; counts it. */
enum endpoint_again {
	ENDPOINT_HEDGE,		/* beside the first one */
	ENDPOINT_REPLACE,	/* in place of it */
};
bool endpoint_may_ask_again(struct endpoint *e, enum endpoint_again how);
/* The second one was the first to answer. */
void endpoint_hedge_won(struct endpoint *e);

#endif
