/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "cache/extent_memory.h"

struct source *source_get(struct fetcher *f, struct backend *backend)
{
	struct source *s = f->sources;

	while (s && s->backend != backend)
		s = s->next;
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->backend = backend ? backend_get_ref(backend) : NULL;
	s->next = f->sources;
	f->sources = s;
	return s;
}

void source_free_all(struct fetcher *f)
{
	while (f->sources) {
		struct source *s = f->sources;

		f->sources = s->next;
		if (s->backend)
			backend_put_ref(s->backend);
		free(s);
	}
}

static void dequeue(struct fetch *fetch)
{
	struct source *s = fetch->source;
	struct fetch **head = &s->head[fetch->rank];
	struct fetch **tail = &s->tail[fetch->rank];

	if (fetch->queue_prev)
		fetch->queue_prev->queue_next = fetch->queue_next;
	else
		*head = fetch->queue_next;
	if (fetch->queue_next)
		fetch->queue_next->queue_prev = fetch->queue_prev;
	else
		*tail = fetch->queue_prev;
	fetch->queue_prev = fetch->queue_next = NULL;
	fetch->is_queued = false;
}

void fetch_enqueue(struct fetcher *f, struct fetch *fetch)
{
	struct source *s = fetch->source;
	struct fetch **head = &s->head[fetch->rank];
	struct fetch **tail = &s->tail[fetch->rank];

	(void)f;
	fetch->queue_prev = *tail;
	if (*tail)
		(*tail)->queue_next = fetch;
	else
		*head = fetch;
	*tail = fetch;
	fetch->is_queued = true;
}

void fetch_end_ahead(struct fetcher *f, struct fetch *fetch)
{
	if (fetch->rank == RANK_AHEAD)
		f->ahead_bytes -= fetch->len;
	fetch->rank = RANK_DEMAND;
}

void fetch_landed(struct fetcher *f, struct fetch *fetch)
{
	f->in_flight--;
	f->n_rank[fetch->rank]--;
	fetch->source->in_flight--;
	fetch_end_ahead(f, fetch);
}

void fetch_promote(struct fetcher *f, struct fetch *fetch)
{
	if (fetch->rank == RANK_DEMAND)
		return;
	if (fetch->is_queued) {
		dequeue(fetch);
		fetch_end_ahead(f, fetch);
		fetch_enqueue(f, fetch);
	} else {
		f->n_rank[fetch->rank]--;
		f->n_rank[RANK_DEMAND]++;
		fetch_end_ahead(f, fetch);
	}
}

void fetch_unlist(struct fetch *fetch)
{
	struct fetch **at = &fetch->state->fetches;

	while (*at && *at != fetch)
		at = &(*at)->state_next;
	if (*at)
		*at = fetch->state_next;
}

void fetch_list_hashing(struct fetch *fetch)
{
	struct blob_state *st = fetch->state;

	fetch->is_hashing = true;
	fetch->state_next = st->fetches;
	st->fetches = fetch;
}

void fetch_uncount(struct fetcher *f, struct fetch *fetch)
{
	if (!fetch->is_counted)
		return;
	fetch->is_counted = false;
	f->bytes -= cache_cost(fetch->len);
}

void fetch_free(struct fetcher *f, struct fetch *fetch)
{
	struct blob_state *st = fetch->state;

	fetch_unlist(fetch);
	if (fetch->is_from_disk)
		disk_cache_release(&fetch->record);
	if (fetch->data)
		extent_memory_free(fetch->data, fetch->len,
				   extent_memory_is_mapped(fetch->len));
	if (fetch->is_charged)
		memory_budget_give(f->opt.budget, cache_cost(fetch->len));
	fetch_uncount(f, fetch);
	free(fetch->if_match);
	free(fetch->jobs);
	free(fetch);
	state_put(f, st);
}

void fetch_abandon(struct fetcher *f, struct fetch *fetch)
{
	dequeue(fetch);
	fetch_end_ahead(f, fetch);
	fetch_free(f, fetch);
}

static struct fetch *next_of(struct fetcher *f, enum fetch_rank rank)
	REQUIRES(&f->lock)
{
	struct source *first = f->turn ? f->turn : f->sources;
	struct source *s = first;

	if (!s)
		return NULL;
	do {
		struct fetch *fetch = s->head[rank];

		if (fetch && s->in_flight < FETCH_SOURCE_MAX) {
			f->turn = s->next;
			return fetch;
		}
		s = s->next ? s->next : f->sources;
	} while (s != first);
	return NULL;
}

/* Who waits first; then the others, as long as there is room for them. */
static struct fetch *next(struct fetcher *f) REQUIRES(&f->lock)
{
	unsigned others = f->n_rank[RANK_DEMAND] + f->n_rank[RANK_AHEAD];
	unsigned fill_max = others ? FETCH_FILL_BESIDE : FETCH_FILL_MAX;
	struct fetch *fetch;

	/* More would push out what is not hashed yet. */
	if (f->hashing_bytes > f->memory / FETCH_HASHING_SHARE)
		return NULL;
	fetch = next_of(f, RANK_DEMAND);
	if (fetch ||
	    (f->opt.disk && disk_cache_is_behind(f->opt.disk, f->bytes)))
		return fetch;
	if (f->n_rank[RANK_AHEAD] < FETCH_AHEAD_MAX)
		fetch = next_of(f, RANK_AHEAD);
	if (!fetch && f->n_rank[RANK_FILL] < fill_max)
		fetch = next_of(f, RANK_FILL);
	return fetch;
}

/* The next one, out of the queue and with its memory; NULL: none may start. */
static struct fetch *take_next(struct fetcher *f) REQUIRES(&f->lock)
{
	struct fetch *fetch;
	uint64_t cost, share;
	bool is_alone;

	if (f->stopping || f->in_flight >= FETCHER_IN_FLIGHT_MAX)
		return NULL;
	fetch = next(f);
	if (!fetch)
		return NULL;
	is_alone = !f->in_flight && !f->finishing;
	cost = cache_cost(fetch->len);
	/* Each rank leaves half of it to the one before. */
	share = (f->memory / FETCH_BYTES_SHARE) >> fetch->rank;
	if (!is_alone && f->bytes + cost > share)
		return NULL;
	if (cache_make_room(f->cache, cost))
		fetch->is_charged = true;
	else if (fetch->rank != RANK_DEMAND || !is_alone)
		return NULL;	/* what is under way gives its memory back */
	/* Else one at a time goes on beyond the budget, or nothing would. */
	fetch->is_counted = true;
	f->bytes += cost;
	dequeue(fetch);
	f->in_flight++;
	fetch->source->in_flight++;
	f->n_rank[fetch->rank]++;
	return fetch;
}

static void send(struct fetch *fetch, bool has_if_match)
{
	const struct blob_state *st = fetch->state;
	struct backend_get get = {
		.key = st->key,
		.offset = fetch->offset,
		.len = fetch->len,
		.if_match = fetch->if_match,
		.expect_size = st->size,
		.deadline_ms = fetch->deadline_ms,
	};
	struct err err = ERR_INIT;

	/* Touches all of it: not under the lock. */
	fetch->data = extent_memory_alloc(fetch->len);
	if (!fetch->data || (has_if_match && !fetch->if_match)) {
		err_nomem(&err);
		fetch_arrived(fetch, -ENOMEM, NULL, &err);
		return;
	}
	if (fetch->is_from_disk) {
		if (fetch_read_disk_now(fetch))
			return;
		/* The queue takes all that may be in flight. */
		if (pool_submit(fetch->fetcher->readers, fetch_read_disk,
				fetch, &err) < 0)
			fetch_read_disk(fetch);
		return;
	}
	get.dst = fetch->data;
	backend_get(st->source->backend, &get, fetch_arrived, fetch);
}

bool fetcher_is_idle(const struct fetcher *f)
{
	return !f->in_flight && !f->finishing && !f->pumping;
}

/* What it ends on the way would pump too: one call of a thread does it all. */
static __thread bool is_pumping;

void fetch_pump(struct fetcher *f)
{
	struct fetch *fetch;

	if (is_pumping)
		return;
	is_pumping = true;
	lock_take(&f->lock);
	f->pumping++;
	while ((fetch = take_next(f))) {
		const char *validator = fetch->state->validator;

		/* A store that gives none is believed by the size alone. */
		if (fetch->is_from_disk || (validator && !*validator))
			validator = NULL;
		if (validator)
			fetch->if_match = strdup(validator);
		/* A record is of the generation that it was found for. */
		if (!fetch->is_from_disk)
			fetch->generation = fetch->state->generation;
		lock_drop(&f->lock);
		send(fetch, validator != NULL);
		lock_take(&f->lock);
	}
	f->pumping--;
	if (f->stopping && fetcher_is_idle(f))
		cond_broadcast(&f->idle);
	lock_drop(&f->lock);
	is_pumping = false;
}
