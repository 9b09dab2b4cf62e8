/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/endpoint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/http/http_impl.h"
#include "backends/http/latency.h"

/* Reads of less than so many bytes are alike; the last have no end. */
static const size_t size_classes[] = { 64 << 10, HTTP_HEDGE_BYTES_MAX, 0 };

struct endpoint {
	struct endpoint *next;	/* of the same hash */
	struct endpoints *set;
	double limit;
	uint64_t epoch;		/* decreases so far */
	bool is_swept;		/* a sweep is due */
	int64_t calm_at_ms;	/* no more hedges before */
	unsigned hedge_credit;	/* ENDPOINT_HEDGE_EVERY pay for one */
	struct latency latency[ARRAY_SIZE(size_classes)];
	struct endpoint_slot *first;
	struct endpoint_slot **last;
	struct http_endpoint_stats stats;
};

static struct endpoint *endpoint_new(struct endpoints *set, const char *name,
				     size_t len)
{
	struct endpoint *e = http_alloc(sizeof(*e));

	e->set = set;
	e->limit = ENDPOINT_LIMIT_MAX;
	e->last = &e->first;
	memcpy(e->stats.name, name, len);
	return e;
}

void endpoints_init(struct endpoints *set, struct http_engine *engine)
{
	set->engine = engine;
	lock_init(&set->lock);
	set->others = endpoint_new(set, "others", strlen("others"));
}

void endpoints_release(struct endpoints *set)
{
	for (size_t i = 0; i < ARRAY_SIZE(set->by_hash); i++) {
		struct endpoint *next;

		for (struct endpoint *e = set->by_hash[i]; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(set->others);
	lock_release(&set->lock);
}

/*
 * Finding one.
 */

/* "https://host:port"; 0 where it is none that could be sent to. */
static size_t origin_len(const char *url)
{
	const char *host = strstr(url, "://");
	size_t len;

	if (!host || strncmp(url, "http", 4))
		return 0;
	host += 3;
	for (len = 0; host[len] && host[len] != '/'; len++)
		if (!isalnum((unsigned char)host[len]) &&
		    !strchr("-._:[]", host[len]))
			return 0;
	len += (size_t)(host - url);
	return len < HTTP_ENDPOINT_NAME_MAX ? len : 0;
}

static unsigned hash_of(const char *name, size_t len)
{
	uint32_t h = 2166136261u;	/* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h % HTTP_ENDPOINTS_MAX;
}

static struct endpoint *find_locked(struct endpoints *set, const char *url)
{
	size_t len = origin_len(url);
	struct endpoint **at;
	struct endpoint *e;

	if (!len)
		return set->others;
	at = &set->by_hash[hash_of(url, len)];
	for (e = *at; e; e = e->next)
		if (!strncmp(e->stats.name, url, len) && !e->stats.name[len])
			return e;
	if (set->n == HTTP_ENDPOINTS_MAX)
		return set->others;
	set->n++;
	e = endpoint_new(set, url, len);
	e->next = *at;
	*at = e;
	return e;
}

/*
 * Coming and going.
 */

static bool has_place(const struct endpoint *e)
{
	return e->stats.in_flight < (unsigned)e->limit;
}

static struct latency *latency_of(struct endpoint *e, size_t read_len)
{
	size_t i = 0;

	while (size_classes[i] && read_len > size_classes[i])
		i++;
	return &e->latency[i];
}

static unsigned patience_ms(struct endpoint *e, size_t read_len)
{
	unsigned ms;

	if (!read_len)
		return 0;
	ms = latency_percentile(latency_of(e, read_len),
				ENDPOINT_HEDGE_PERCENTILE);
	return ms && ms < ENDPOINT_HEDGE_MS_MIN ? ENDPOINT_HEDGE_MS_MIN : ms;
}

static void let_in(struct endpoint *e, struct endpoint_slot *slot)
{
	slot->is_in = true;
	slot->epoch = e->epoch;
	slot->patience_ms = patience_ms(e, slot->read_len);
	e->stats.in_flight++;
	e->stats.requests++;
	if (e->hedge_credit < ENDPOINT_HEDGE_EVERY * ENDPOINT_HEDGE_SAVED_MAX)
		e->hedge_credit++;
}

static struct endpoint_slot *take_first(struct endpoint *e)
{
	struct endpoint_slot *slot = e->first;

	e->first = slot->next;
	if (!e->first)
		e->last = &e->first;
	e->stats.waiting--;
	return slot;
}

/* Those that have a place now, in their order. */
static struct endpoint_slot *let_in_waiters(struct endpoint *e)
{
	struct endpoint_slot *let = NULL;
	struct endpoint_slot **end = &let;

	while (e->first && has_place(e)) {
		struct endpoint_slot *slot = take_first(e);

		let_in(e, slot);
		slot->next = NULL;
		*end = slot;
		end = &slot->next;
	}
	return let;
}

/* Those whose time is over. */
static struct endpoint_slot *take_late(struct endpoint *e, int64_t now_ms,
				       bool is_stopping)
{
	struct endpoint_slot **at = &e->first;
	struct endpoint_slot *late = NULL;
	struct endpoint_slot **late_end = &late;

	while (*at) {
		struct endpoint_slot *slot = *at;

		if (!is_stopping && slot->deadline_ms > now_ms) {
			at = &slot->next;
			continue;
		}
		*at = slot->next;
		slot->next = NULL;
		*late_end = slot;
		late_end = &slot->next;
		e->stats.waiting--;
	}
	e->last = at;
	return late;
}

static void sweep(void *arg)
{
	struct endpoint *e = arg;
	struct endpoints *set = e->set;
	int64_t now_ms = clock_ms();
	struct endpoint_slot *late;
	bool is_again;

	lock_take(&set->lock);
	late = take_late(e, now_ms, atomic_load(&set->engine->is_stopping));
	is_again = e->is_swept = e->first;
	lock_drop(&set->lock);
	if (is_again)
		http_engine_after(set->engine, now_ms + ENDPOINT_SWEEP_MS,
				  sweep, e);
	while (late) {
		struct endpoint_slot *slot = late;

		late = slot->next;
		slot->fn(slot->arg);
	}
}

/* True where a sweep must be started. */
static bool enqueue(struct endpoint *e, struct endpoint_slot *slot)
{
	bool is_first = !e->is_swept;

	slot->next = NULL;
	*e->last = slot;
	e->last = &slot->next;
	e->stats.waiting++;
	e->is_swept = true;
	return is_first;
}

enum endpoint_entry endpoint_enter(struct endpoints *set, const char *url,
				   struct endpoint_slot *slot)
{
	enum endpoint_entry entry = ENDPOINT_FULL;
	bool is_sweep_due = false;
	struct endpoint *e;

	lock_take(&set->lock);
	e = find_locked(set, url);
	slot->endpoint = e;
	slot->is_in = false;
	if (!e->first && has_place(e)) {
		let_in(e, slot);
		entry = ENDPOINT_IN;
	} else if (e->stats.waiting < ENDPOINT_WAITERS_MAX) {
		is_sweep_due = enqueue(e, slot);
		entry = ENDPOINT_QUEUED;
	}
	lock_drop(&set->lock);
	if (is_sweep_due)
		http_engine_after(set->engine, clock_ms() + ENDPOINT_SWEEP_MS,
				  sweep, e);
	return entry;
}

/* Only what was used shows that more would do. */
static void increase(struct endpoint *e)
{
	if (e->stats.in_flight * 2 < (unsigned)e->limit)
		return;
	e->limit += 1 / e->limit;
	if (e->limit > ENDPOINT_LIMIT_MAX)
		e->limit = ENDPOINT_LIMIT_MAX;
}

/* Once for all that were under way together. */
static void decrease(struct endpoint *e, const struct endpoint_slot *slot)
{
	e->stats.throttled++;
	e->calm_at_ms = clock_ms() + ENDPOINT_CALM_MS;
	if (slot->epoch != e->epoch)
		return;
	e->epoch++;
	if (e->stats.in_flight < e->limit)
		e->limit = e->stats.in_flight;
	e->limit *= ENDPOINT_DECREASE;
	if (e->limit < ENDPOINT_LIMIT_MIN)
		e->limit = ENDPOINT_LIMIT_MIN;
}

void endpoint_leave(struct endpoints *set, struct endpoint_slot *slot,
		    enum endpoint_outcome outcome)
{
	struct endpoint *e = slot->endpoint;
	struct endpoint_slot *next;

	lock_take(&set->lock);
	if (outcome == ENDPOINT_SERVED)
		increase(e);
	else if (outcome == ENDPOINT_THROTTLED)
		decrease(e, slot);
	e->stats.in_flight--;
	slot->is_in = false;
	next = let_in_waiters(e);
	lock_drop(&set->lock);
	while (next) {
		slot = next;
		next = slot->next;	/* its own again behind this */
		http_engine_after(set->engine, 0, slot->fn, slot->arg);
	}
}

/*
 * How long reads take.
 */

void endpoint_took(struct endpoint *e, size_t read_len, int64_t ms)
{
	struct endpoints *set = e->set;

	lock_take(&set->lock);
	latency_add(latency_of(e, read_len), ms);
	lock_drop(&set->lock);
}

bool endpoint_may_ask_again(struct endpoint *e, enum endpoint_again how)
{
	struct endpoints *set = e->set;
	bool may;

	lock_take(&set->lock);
	may = e->hedge_credit >= ENDPOINT_HEDGE_EVERY && has_place(e) &&
	      clock_ms() >= e->calm_at_ms;
	if (may) {
		e->hedge_credit -= ENDPOINT_HEDGE_EVERY;
		e->stats.hedged += how == ENDPOINT_HEDGE;
		e->stats.replaced += how == ENDPOINT_REPLACE;
	}
	lock_drop(&set->lock);
	return may;
}

void endpoint_hedge_won(struct endpoint *e)
{
	struct endpoints *set = e->set;

	lock_take(&set->lock);
	e->stats.hedges_won++;
	lock_drop(&set->lock);
}

static void show(const struct endpoint *e, struct http_endpoint_stats *out)
{
	*out = e->stats;
	out->limit = (unsigned)e->limit;
}

size_t http_engine_endpoints(struct http_engine *engine,
			     struct http_endpoint_stats *out, size_t max)
{
	struct endpoints *set = &engine->endpoints;
	size_t n = 0;

	lock_take(&set->lock);
	for (size_t i = 0; i < ARRAY_SIZE(set->by_hash); i++)
		for (struct endpoint *e = set->by_hash[i]; e && n < max;
		     e = e->next)
			show(e, &out[n++]);
	if (set->others->stats.requests && n < max)
		show(set->others, &out[n++]);
	lock_drop(&set->lock);
	return n;
}
