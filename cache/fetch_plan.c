/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which ranges of a blob are asked for: all of a small one; of a large one the
 * grains that a read covers, and, for a reader that goes on from where it was,
 * a window ahead that doubles whenever the reader had to wait.
 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"

#define AHEAD_LIFE_MS 30000

static uint64_t grain_floor(uint64_t n)
{
	return n / FETCHER_GRAIN * FETCHER_GRAIN;
}

static uint64_t grain_ceil(const struct blob_state *st, uint64_t n)
{
	uint64_t up = (n + FETCHER_GRAIN - 1) / FETCHER_GRAIN * FETCHER_GRAIN;

	return up < st->size ? up : st->size;
}

static struct fetch *find(struct blob_state *st, uint64_t offset)
{
	struct fetch *fetch = st->fetches;

	while (fetch && (fetch->generation != st->generation ||
			 offset < fetch->offset ||
			 offset >= fetch->offset + fetch->len))
		fetch = fetch->state_next;
	return fetch;
}

/* to, or where the next range begins that is on its way. */
static uint64_t clip(const struct blob_state *st, uint64_t from, uint64_t to)
{
	for (const struct fetch *x = st->fetches; x; x = x->state_next)
		if (x->generation == st->generation && x->offset > from &&
		    x->offset < to)
			to = x->offset;
	return to;
}

struct start {
	uint64_t from, to;
	int64_t deadline_ms;
	enum fetch_rank rank;
	bool is_private;
	const struct disk_record *record;	/* NULL: from the store */
};

static struct fetch *start(struct fetcher *f, struct blob_state *st,
			   const struct start *how) REQUIRES(&f->lock)
{
	struct fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch)
		return NULL;
	fetch->fetcher = f;
	fetch->state = st;
	st->refs++;
	fetch->source = how->record ? f->disk : st->source;
	fetch->offset = how->from;
	fetch->len = (size_t)(how->to - how->from);
	fetch->generation = st->generation;
	fetch->deadline_ms = how->deadline_ms;
	fetch->rank = how->rank;
	if (how->rank == RANK_AHEAD)
		f->ahead_bytes += fetch->len;
	fetch->is_private = how->is_private;
	if (how->record) {
		fetch->is_from_disk = true;
		fetch->record = *how->record;
	}
	if (!how->is_private) {
		fetch->state_next = st->fetches;
		st->fetches = fetch;
	}
	fetch_enqueue(f, fetch);
	return fetch;
}

/* The record at offset, if the disk has one.  NULL: it has not. */
static struct fetch *start_from_disk(struct fetcher *f, struct blob_state *st,
				     uint64_t offset, enum fetch_rank rank)
	REQUIRES(&f->lock)
{
	struct disk_record record;
	struct start how = { .rank = rank, .record = &record };
	struct fetch *fetch;

	if (!st->is_on_disk ||
	    !disk_cache_find(f->opt.disk, &st->disk_key, offset, &record))
		return NULL;
	how.from = record.offset;
	how.to = record.offset + record.entry.len;
	/* The memory's extents end at grains, or at the blob's end. */
	fetch = how.to == st->size ||
		(how.to < st->size && how.to % FETCHER_GRAIN == 0) ?
			start(f, st, &how) : NULL;
	if (!fetch)
		disk_cache_release(&record);
	return fetch;
}

/*
 * Where that ends at offset which is on its way (*fetch), held (NULL), or on
 * the disk, from where it is on its way then; offset itself: the store's turn.
 */
static uint64_t covered_until(struct fetcher *f, struct blob_state *st,
			      uint64_t offset, enum fetch_rank rank,
			      struct fetch **fetch) REQUIRES(&f->lock)
{
	uint64_t held;

	*fetch = find(st, offset);
	if (!*fetch) {
		held = cache_held_until(f->cache, &st->id, offset);
		if (held > offset)
			return held;
		*fetch = start_from_disk(f, st, offset, rank);
	}
	return *fetch ? (*fetch)->offset + (*fetch)->len : offset;
}

/* All that the disk has of [from, to), up to the first byte that it has not. */
static struct fetch *start_all_from_disk(struct fetcher *f,
					 struct blob_state *st, uint64_t from,
					 uint64_t to, enum fetch_rank rank)
	REQUIRES(&f->lock)
{
	struct fetch *first = NULL, *fetch;
	uint64_t end;

	while (from < to &&
	       (end = covered_until(f, st, from, rank, &fetch)) > from) {
		if (!first)
			first = fetch;
		from = end;
	}
	return first;
}

static struct fetch *start_for(struct fetcher *f, struct fetch_waiter *w,
			       uint64_t missing) REQUIRES(&f->lock)
{
	struct blob_state *st = w->state;
	int64_t life = clock_ms() + FETCH_LIFE_MS;
	int64_t deadline = w->deadline_ms > life ? w->deadline_ms : life;
	bool is_private = w->starts > FETCH_STARTS_SHARED && !st->is_whole;
	uint64_t from = grain_floor(missing);
	uint64_t to = grain_ceil(st, w->offset + w->len);
	struct fetch *fetch;

	if (!is_private) {
		fetch = start_all_from_disk(f, st, missing, w->offset + w->len,
					    w->rank);
		if (fetch)
			return fetch;
	}
	if (st->is_whole) {
		from = 0;
		to = st->size;
	} else if (is_private) {
		/* Memory is so short that parts vanish between its fetches. */
		from = grain_floor(w->offset);
	} else {
		to = clip(st, from, to);
	}
	if (to - from > FETCH_RANGE_MAX)
		to = from + FETCH_RANGE_MAX;
	return start(f, st, &(struct start){ .from = from, .to = to,
					     .deadline_ms = deadline,
					     .rank = w->rank,
					     .is_private = is_private });
}

/*
 * Every part is known or being hashed: the fetch that will tell whether the
 * blob is right.  NULL: that is known, or not near.
 */
static struct fetch *verdict_of(const struct blob_state *st)
{
	struct fetch *fetch = st->fetches;

	if (!parts_are_all_here(st))
		return NULL;
	while (fetch && !fetch->is_hashing)
		fetch = fetch->state_next;
	return fetch;
}

/*
 * Parts whose bytes left the memory before the last of them came were not
 * hashed.  Who has read all of the blob must not end with success before they
 * were: each comes again, in one piece, which is hashed whatever the memory.
 * 0: nothing is missing; 1: it is parked.
 */
static int await_verdict(struct fetcher *f, struct fetch_waiter *w)
	REQUIRES(&f->lock)
{
	struct blob_state *st = w->state;
	struct fetch *fetch;
	uint64_t from, to;

	if (st->is_verified || st->rule != RULE_PARTS)
		return 0;
	fetch = verdict_of(st);
	if (!fetch && w->needs_verdict) {
		w->next_part = parts_next_unknown(st, w->next_part);
		if (w->next_part >= st->parts)
			return -ENOMEM;	/* not even their digests have room */
		from = w->next_part++ * BLOB_PART;
		to = from + BLOB_PART < st->size ? from + BLOB_PART : st->size;
		fetch = start(f, st, &(struct start){
				.from = from, .to = to,
				.deadline_ms = w->deadline_ms,
				.is_private = true });
		if (!fetch)
			return -ENOMEM;
	}
	if (!fetch)
		return 0;
	waiter_park(w, fetch);
	return 1;
}

/* Its reader was given bytes that are not the object's any more. */
static bool is_stale(const struct blob_state *st, const struct stream *s)
{
	return s->is_answered && s->generation < st->valid_from;
}

/*
 * No read continues it any more; until its place is taken, a read that is on
 * its way still finds what it was.
 */
static void stream_end(struct stream *s)
{
	s->used = 0;
}

/* The stream that the read was found to continue or begin, or NULL. */
static struct stream *stream_of(const struct fetch_waiter *w)
{
	struct blob_state *st = w->state;

	for (size_t i = 0; i < FETCH_STREAMS && w->stream; i++)
		if (st->streams[i].born == w->stream)
			return &st->streams[i];
	return NULL;
}

/* The object changed while the read was on its way. */
static bool is_waiter_stale(const struct fetch_waiter *w)
{
	const struct stream *s = stream_of(w);

	return s && is_stale(w->state, s);
}

/* What it is given is of the present generation. */
static void stream_answered(struct blob_state *st, struct stream *s)
{
	if (!s->is_answered)
		s->generation = st->generation;
	s->is_answered = true;
}

static void waiter_answered(struct fetch_waiter *w)
{
	struct stream *s = stream_of(w);

	w->state->was_served = true;
	if (s)
		stream_answered(w->state, s);
}

int fetch_try(struct fetcher *f, struct fetch_waiter *w, struct extent **pins)
{
	struct blob_state *st = w->state;
	struct fetch *fetch;
	uint64_t missing;
	int n, r;

	n = cache_pin(f->cache, &st->id, w->offset, w->len, pins,
		      FETCH_PINS_MAX, &missing);
	w->generation = st->generation;
	if (n > 0) {
		r = is_waiter_stale(w) ? -ESTALE : await_verdict(f, w);
		if (r) {
			cache_unpin(f->cache, pins, n);
			return r < 0 ? r : 0;
		}
		waiter_answered(w);
		return n;
	}
	if (st->bad_until_ms && clock_ms() < st->bad_until_ms)
		return -EBADMSG;
	fetch = w->starts > FETCH_STARTS_SHARED ? NULL : find(st, missing);
	if (!fetch) {
		if (++w->starts > FETCH_STARTS_MAX)
			return -EIO;
		fetch = start_for(f, w, missing);
	} else if (w->rank == RANK_DEMAND) {
		fetch_promote(f, fetch);
	}
	if (!fetch)
		return -ENOMEM;
	waiter_park(w, fetch);
	return 0;
}

/* ---- ahead of sequential readers ---- */

static bool continues(const struct stream *s, uint64_t offset)
{
	uint64_t slack = s->window ? FETCH_STREAM_SLACK : FETCHER_GRAIN;
	uint64_t low = s->next > slack && s->window ? s->next - slack : s->next;

	return s->used && offset >= low && offset <= s->next + slack;
}

static uint64_t distance(const struct stream *s, uint64_t offset)
{
	return offset > s->next ? offset - s->next : s->next - offset;
}

/*
 * Is a rather than b what a read at offset continues?  A stale one last: its
 * reader may be gone, and others pass where it was.
 */
static bool is_better(const struct blob_state *st, const struct stream *a,
		      const struct stream *b, uint64_t offset)
{
	if (is_stale(st, a) != is_stale(st, b))
		return is_stale(st, b);
	if (distance(a, offset) != distance(b, offset))
		return distance(a, offset) < distance(b, offset);
	return a->used > b->used;
}

/* The stream that a read continues, or NULL. */
static struct stream *stream_find(struct blob_state *st, uint64_t offset)
{
	struct stream *best = NULL;

	for (size_t i = 0; i < FETCH_STREAMS; i++) {
		struct stream *s = &st->streams[i];

		if (continues(s, offset) &&
		    (!best || is_better(st, s, best, offset)))
			best = s;
	}
	return best;
}

/* Whoever begins anew must not meet them. */
static void drop_stale_streams(struct blob_state *st)
{
	for (size_t i = 0; i < FETCH_STREAMS; i++)
		if (is_stale(st, &st->streams[i]))
			stream_end(&st->streams[i]);
}

static struct stream *stream_oldest(struct blob_state *st)
{
	struct stream *oldest = &st->streams[0];

	for (size_t i = 1; i < FETCH_STREAMS; i++)
		if (st->streams[i].used < oldest->used)
			oldest = &st->streams[i];
	return oldest;
}

/* The window that the stream gets, as long as others want memory too. */
static uint64_t stream_window(struct fetcher *f, struct stream *s)
	REQUIRES(&f->lock)
{
	int64_t second = clock_ms() / 1000;
	uint64_t share;
	unsigned n;

	if (second != f->second) {
		f->streams_before = second == f->second + 1 ? f->streams_now : 0;
		f->streams_now = 0;
		f->second = second;
	}
	if (s->second != second) {
		s->second = second;
		f->streams_now++;
	}
	n = f->streams_now > f->streams_before ? f->streams_now :
						 f->streams_before;
	share = memory_budget_limit(f->opt.budget) / 4 / n;
	share = share / FETCHER_EXTENT * FETCHER_EXTENT;
	return share < s->window ? share : s->window;
}

static void stream_start(struct fetcher *f, struct blob_state *st,
			 struct stream *s) REQUIRES(&f->lock)
{
	uint64_t window = stream_window(f, s);
	uint64_t unit = window / FETCH_WINDOW_RANGES / FETCHER_EXTENT *
			FETCHER_EXTENT;
	uint64_t end = s->next + window;

	if (unit < FETCHER_EXTENT)
		unit = FETCHER_EXTENT;
	if (unit > FETCH_RANGE_MAX)
		unit = FETCH_RANGE_MAX;
	if (end > st->size)
		end = st->size;
	if (s->ahead < s->next)
		s->ahead = grain_ceil(st, s->next);
	while (window && s->ahead < end) {
		struct fetch *fetch;
		uint64_t from = s->ahead, to;

		s->ahead = covered_until(f, st, from, RANK_AHEAD, &fetch);
		if (s->ahead > from)
			continue;
		/* Ranges end where extents and parts do. */
		to = (from / unit + 1) * unit;
		to = clip(st, from, to < st->size ? to : st->size);
		/* Not in dribbles: wait till a good part of it is due. */
		if (to > end && to - from > FETCHER_EXTENT && to < st->size)
			break;
		if (!start(f, st, &(struct start){
				   .from = from, .to = to,
				   .deadline_ms = clock_ms() + AHEAD_LIFE_MS,
				   .rank = RANK_AHEAD }))
			break;
		s->ahead = to;
	}
}

int fetch_join_stream(struct fetcher *f, struct fetch_waiter *w)
{
	struct blob_state *st = w->state;
	struct stream *s = stream_find(st, w->offset);

	(void)f;
	if (!s)
		return 0;
	if (is_stale(st, s)) {
		stream_end(s);
		return -ESTALE;
	}
	w->needs_verdict = s->is_from_start && w->offset + w->len == st->size;
	return 0;
}

/* The stream of a read that continues none; false: nothing is ahead of it yet. */
static bool stream_begin(struct blob_state *st, const struct fetch_waiter *w,
			 struct stream **out)
{
	if (w->offset == 0)
		drop_stale_streams(st);
	*out = stream_oldest(st);
	**out = (struct stream){ .next = w->offset + w->len,
				 .born = st->reads + 1,
				 .is_from_start = w->offset == 0 };
	return w->offset == 0 && w->len >= FETCH_EAGER_MIN;
}

void fetch_note(struct fetcher *f, struct fetch_waiter *w, bool was_hit)
{
	struct blob_state *st = w->state;
	struct stream *s = stream_find(st, w->offset);
	bool is_followed = s || stream_begin(st, w, &s);
	uint64_t end = w->offset + w->len;

	s->used = ++st->reads;
	w->stream = s->born;
	if (was_hit)
		stream_answered(st, s);
	if (!is_followed)
		return;
	if (!s->window)
		s->window = FETCH_WINDOW_MIN;
	else if (!was_hit)
		s->window *= FETCH_WINDOW_GROWTH;
	if (s->window > FETCH_WINDOW_MAX)
		s->window = FETCH_WINDOW_MAX;
	if (end > s->next)
		s->next = end;
	stream_start(f, st, s);
}

void fetch_whole_ahead(struct fetcher *f, struct blob_state *st)
{
	struct start how = { .to = st->size, .rank = RANK_AHEAD,
			     .deadline_ms = clock_ms() + AHEAD_LIFE_MS };
	uint64_t at = 0;

	if (st->bad_until_ms && clock_ms() < st->bad_until_ms)
		return;
	while (at < st->size) {
		struct fetch *fetch;
		uint64_t end = covered_until(f, st, at, RANK_AHEAD,
					     &fetch);

		if (end == at) {
			fetch = start(f, st, &how);
			if (!fetch)
				return;
			end = fetch->offset + fetch->len;
		}
		at = end;
	}
}
