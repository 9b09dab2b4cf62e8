/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FETCH_THREADS 2u
#define FETCH_HASHERS_MAX 8u
#define FETCH_READERS 8u	/* of the disk: more than it has queues for */
#define FETCH_JOBS_MAX (2u * FETCHER_IN_FLIGHT_MAX)

/* MD5 moves some 600 MB/s on one core. */
static unsigned hashers(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	if (n < 2)
		return 1;
	return n < FETCH_HASHERS_MAX ? (unsigned)n : FETCH_HASHERS_MAX;
}

static int disk_init(struct fetcher *f, struct err *err)
{
	lock_take(&f->lock);
	f->disk = source_get(f, NULL);
	lock_drop(&f->lock);
	if (!f->disk)
		return err_nomem(err);
	return pool_new(&f->readers, "disk", FETCH_READERS,
			FETCHER_IN_FLIGHT_MAX, err);
}

int fetcher_new(struct fetcher **out, const struct fetcher_options *opt,
		struct err *err)
{
	struct fetcher *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return err_nomem(err);
	f->opt = *opt;
	lock_init(&f->lock);
	cond_init(&f->idle);
	cond_init(&f->timer_wake);
	cond_init(&f->hash_wake);
	f->states = calloc(FETCH_BUCKETS, sizeof(struct blob_state *));
	f->memory = memory_budget_limit(opt->budget) -
		    memory_budget_used(opt->budget);
	r = f->states ? cache_new(&f->cache, opt->budget, err) : err_nomem(err);
	if (r == 0)
		r = pool_new(&f->pool, "fetch", FETCH_THREADS, FETCH_JOBS_MAX,
			     err);
	if (r == 0)
		r = pool_new(&f->hashers, "hash", hashers(), FETCH_JOBS_MAX,
			     err);
	if (r == 0 && opt->disk)
		r = disk_init(f, err);
	if (r == 0)
		r = fetch_hash_init(f, err);
	if (r == 0)
		r = fetch_wait_init(f, err);
	if (r < 0) {
		fetcher_free(f);
		return r;
	}
	*out = f;
	return 0;
}

static void fail_all(struct fetcher *f) REQUIRES(&f->lock)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_SYSTEM, ESHUTDOWN, "the daemon ends");
	while (f->n_heap) {
		struct fetch_waiter *w = f->heap[0];

		waiter_remove(f, w);
		state_put(f, w->state);
		lock_drop(&f->lock);
		waiter_fail(w, -ESHUTDOWN, &err);
		lock_take(&f->lock);
	}
	for (struct source *s = f->sources; s; s = s->next) {
		for (int rank = 0; rank < FETCH_RANKS; rank++)
			while (s->head[rank])
				fetch_abandon(f, s->head[rank]);
	}
}

void fetcher_free(struct fetcher *f)
{
	if (!f)
		return;
	lock_take(&f->lock);
	f->stopping = true;
	cond_signal(&f->hash_wake);
	fail_all(f);
	while (!fetcher_is_idle(f))
		cond_wait(&f->idle, &f->lock);
	fail_all(f);	/* what its last answers had parked */
	lock_drop(&f->lock);

	fetch_wait_stop(f);
	fetch_hash_stop(f);
	/* What it still writes is pinned, and its release pumps. */
	if (f->opt.disk)
		(void)disk_cache_flush(f->opt.disk, INT64_MAX);
	if (f->readers)
		pool_free(f->readers);
	if (f->pool)
		pool_free(f->pool);
	if (f->hashers)
		pool_free(f->hashers);
	lock_take(&f->lock);
	if (f->states)
		state_free_all(f);
	lock_drop(&f->lock);
	source_free_all(f);
	cache_free(f->cache);
	free(f->states);
	cond_release(&f->hash_wake);
	cond_release(&f->timer_wake);
	cond_release(&f->idle);
	lock_release(&f->lock);
	free(f);
}

static struct fetch_waiter *waiter_new(uint64_t offset, size_t len,
				       int64_t deadline_ms, fetch_done_fn done,
				       void *arg)
{
	struct fetch_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->offset = offset;
	w->len = len;
	w->deadline_ms = deadline_ms;
	w->done = done;
	w->arg = arg;
	return w;
}

int fetch_refusal(int r, struct err *err)
{
	switch (r) {
	case -ESHUTDOWN:
		return err_set(err, ERR_SYSTEM, ESHUTDOWN, "the daemon ends");
	case -EAGAIN:
		return err_set(err, ERR_RETRY, EAGAIN,
			       "%u reads wait already", FETCHER_WAITERS_MAX);
	case -EINVAL:
		return err_set(err, ERR_USAGE, EINVAL,
			       "a read of nothing, beyond the end, or of more than %zu bytes",
			       FETCHER_READ_MAX);
	case -EPROTO:
		return err_set(err, ERR_CORRUPT, EIO,
			       "the etag in the manifest is none that content of this size can have");
	case -EBADMSG:
		return err_set(err, ERR_CORRUPT, EIO,
			       "content damaged, as was seen a moment ago");
	case -ESTALE:
		return err_set(err, ERR_CORRUPT, EIO,
			       "the object changed while it was read");
	case -EIO:
		return err_set(err, ERR_SYSTEM, EIO,
			       "the content did not stay in memory long enough to be read, or changes all the time");
	default:
		return err_nomem(err);
	}
}

/*
 * Pins the waiter's bytes (> 0), parks it (0), or says why not.  Whatever it
 * returns but for an error, the waiter counts its state.
 */
static int begin(struct fetcher *f, struct fetch_waiter *w,
		 const struct blob_id *id, const struct blob *blob,
		 struct extent **pins) REQUIRES(&f->lock)
{
	bool is_streamed;
	int r;

	if (f->stopping)
		return -ESHUTDOWN;
	if (f->n_heap >= FETCHER_WAITERS_MAX)
		return -EAGAIN;
	w->state = state_get(f, id, blob);
	if (!w->state)
		return -ENOMEM;
	is_streamed = !w->state->is_whole && w->rank == RANK_DEMAND;
	r = is_streamed ? fetch_join_stream(f, w) : 0;
	if (r == 0)
		r = fetch_try(f, w, pins);
	if (r >= 0 && is_streamed)
		fetch_note(f, w, r > 0);
	if (r == 0 && !waiter_add(f, w)) {
		waiter_leave(f, w);
		r = -ENOMEM;
	}
	if (r < 0)
		state_put(f, w->state);
	return r;
}

/*
 * An etag of so many parts can be computed of content of this size: else
 * nothing that a store could answer would be right.
 */
static bool is_possible(const struct blob *blob)
{
	if (blob->check != BLOB_CHECK_OSMO)
		return true;
	return blob->size <= BLOB_PART ?
		       blob->parts <= 1 :
		       blob->parts == blob_parts_of(blob->size);
}

/* 0, or what fetch_refusal() has a text for. */
static int check_read(const struct blob *blob, uint64_t offset, size_t len)
{
	if (!len || len > FETCHER_READ_MAX || len > blob->size ||
	    offset > blob->size - len)
		return -EINVAL;
	return is_possible(blob) ? 0 : -EPROTO;
}

/* A small blob that is cached was checked: that is all there is to know. */
static bool read_whole(struct fetcher *f, const struct blob_id *id,
		       uint64_t offset, size_t len, fetch_done_fn done,
		       void *arg)
{
	struct extent *pins[FETCH_PINS_MAX];
	uint64_t missing;
	int n = cache_pin(f->cache, id, offset, len, pins, FETCH_PINS_MAX,
			  &missing);

	if (!n)
		return false;
	atomic_fetch_add_explicit(&f->hits, 1, memory_order_relaxed);
	fetch_give(f, offset, len, done, arg, pins, n);
	return true;
}

static void read_as(struct fetcher *f, enum fetch_rank rank,
		    const struct blob *blob, uint64_t offset, size_t len,
		    int64_t deadline_ms, fetch_done_fn done, void *arg,
		    struct fetch_waiter **waiter)
{
	struct fetch_waiter *w = NULL;
	struct extent *pins[FETCH_PINS_MAX];
	struct err err = ERR_INIT;
	struct blob_id id;
	int r = check_read(blob, offset, len);

	if (waiter)
		*waiter = NULL;
	if (r == 0) {
		blob_identify(&id, blob);
		if (blob->size <= FETCHER_WHOLE_MAX &&
		    read_whole(f, &id, offset, len, done, arg))
			return;
		w = waiter_new(offset, len, deadline_ms, done, arg);
		r = w ? 0 : -ENOMEM;
	}
	if (w) {
		w->rank = rank;
		lock_take(&f->lock);
		r = begin(f, w, &id, blob, pins);
		if (r == 0 && waiter)
			*waiter = w;
		lock_drop(&f->lock);
	}
	if (r < 0) {
		free(w);
		r = fetch_refusal(r, &err);
		done(arg, r, NULL, 0, &err);
		return;
	}

	if (r > 0) {
		bool is_large = !w->state->is_whole;

		atomic_fetch_add_explicit(&f->hits, 1, memory_order_relaxed);
		waiter_answer(f, w, pins, r);
		if (!is_large)
			return;
	} else {
		atomic_fetch_add_explicit(&f->misses, 1, memory_order_relaxed);
	}
	fetch_pump(f);
}

void fetcher_read(struct fetcher *f, const struct blob *blob, uint64_t offset,
		  size_t len, int64_t deadline_ms, fetch_done_fn done,
		  void *arg, struct fetch_waiter **waiter)
{
	read_as(f, RANK_DEMAND, blob, offset, len, deadline_ms, done, arg,
		waiter);
}

void fetcher_fill(struct fetcher *f, const struct blob *blob, uint64_t offset,
		  size_t len, int64_t deadline_ms, fetch_done_fn done,
		  void *arg)
{
	read_as(f, RANK_FILL, blob, offset, len, deadline_ms, done, arg, NULL);
}

bool fetcher_ahead(struct fetcher *f, const struct blob *blob)
{
	struct blob_state *st;
	struct blob_id id;
	bool has_room;

	if (blob->size > FETCHER_WHOLE_MAX || !is_possible(blob))
		return true;
	blob_identify(&id, blob);
	lock_take(&f->lock);
	has_room = !f->stopping && f->ahead_bytes + blob->size <=
					   f->memory / FETCH_AHEAD_SHARE;
	st = has_room ? state_get(f, &id, blob) : NULL;
	if (st) {
		fetch_whole_ahead(f, st);
		state_put(f, st);
	}
	lock_drop(&f->lock);
	return has_room;
}

void fetcher_go(struct fetcher *f)
{
	fetch_pump(f);
}

void fetcher_cancel(struct fetcher *f, void *arg)
{
	struct fetch_waiter *w;
	struct err err = ERR_INIT;

	lock_take(&f->lock);
	w = waiter_find(f, arg);
	if (w) {
		waiter_leave(f, w);
		waiter_remove(f, w);
		state_put(f, w->state);
	}
	lock_drop(&f->lock);
	if (!w)
		return;
	err_set(&err, ERR_SYSTEM, EINTR, "the read was interrupted");
	waiter_fail(w, -EINTR, &err);
}

uint64_t fetcher_cached_bytes(struct fetcher *f, const struct blob *blob)
{
	struct blob_state *st;
	struct blob_id id;
	uint64_t bytes, on_disk = 0;

	blob_identify(&id, blob);
	bytes = cache_bytes_of(f->cache, &id);
	if (!f->opt.disk || bytes >= blob->size)
		return bytes;
	lock_take(&f->lock);
	st = state_get(f, &id, blob);
	if (st && st->is_on_disk)
		on_disk = disk_cache_bytes_of(f->opt.disk, &st->disk_key,
					      blob->size);
	if (st)
		state_put(f, st);
	lock_drop(&f->lock);
	return on_disk > bytes ? on_disk : bytes;
}

void fetcher_forget(struct fetcher *f, const struct blob *blob)
{
	struct blob_state *st;
	struct blob_id id;

	blob_identify(&id, blob);
	lock_take(&f->lock);
	st = state_get(f, &id, blob);
	if (st) {
		state_restart(f, st);
		state_put(f, st);
	}
	lock_drop(&f->lock);
}

/* Where the disk has it; false: it has not.  Counted, for state_put(). */
static struct blob_state *state_on_disk(struct fetcher *f,
					const struct blob *blob, bool *is_there,
					struct segment_key *key)
{
	struct blob_state *st;
	struct blob_id id;

	blob_identify(&id, blob);
	lock_take(&f->lock);
	st = state_get(f, &id, blob);
	*is_there = st && st->is_on_disk;
	if (*is_there)
		*key = st->disk_key;
	lock_drop(&f->lock);
	return st;
}

static void state_done(struct fetcher *f, struct blob_state *st)
{
	if (!st)
		return;
	lock_take(&f->lock);
	state_put(f, st);
	lock_drop(&f->lock);
}

/* They look at each grain of a blob: not under the fetcher's lock. */

void fetcher_tally(struct fetcher *f, const struct blob *blob,
		   struct disk_tally *tally)
{
	struct segment_key key;
	bool is_there;
	struct blob_state *st = state_on_disk(f, blob, &is_there, &key);

	if (is_there)
		disk_cache_tally(f->opt.disk, tally, &key, blob->size);
	state_done(f, st);
}

static int check_records(struct disk_cache *dc, const struct segment_key *key,
			 uint64_t size, void *room, fetcher_record_fn each,
			 void *arg)
{
	struct disk_record record;
	bool is_damaged = false;
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < size; at += DISK_CACHE_GRAIN) {
		bool is_right;
		uint32_t len;

		if (!disk_cache_peek(dc, key, at, &record))
			continue;
		len = record.entry.len;
		is_right = disk_cache_read(dc, &record, room) == 0;
		is_damaged |= !is_right;
		r = each(arg, at, is_right ? room : NULL, len);
	}
	return r < 0 ? r : is_damaged;
}

int fetcher_check_disk(struct fetcher *f, const struct blob *blob, void *room,
		       fetcher_record_fn each, void *arg)
{
	struct segment_key key;
	bool is_there;
	struct blob_state *st = state_on_disk(f, blob, &is_there, &key);
	int r = 0;

	if (is_there)
		r = check_records(f->opt.disk, &key, blob->size, room, each,
				  arg);
	if (!st)
		return r;
	lock_take(&f->lock);
	/* Else a read would be answered from there, and the disk not mended. */
	if (r == 1 && st->refs == 1)
		state_evict(f, st);
	state_put(f, st);
	lock_drop(&f->lock);
	return r;
}

void fetcher_evict(struct fetcher *f, const struct blob *blob,
		   struct fetcher_evicted *out)
{
	struct segment_key key;
	bool is_there;
	struct blob_state *st = state_on_disk(f, blob, &is_there, &key);

	if (is_there)
		out->bytes_disk += disk_cache_forget(f->opt.disk, &key,
						     blob->size);
	if (!st)
		return;
	lock_take(&f->lock);
	if (st->refs == 1) {
		out->bytes_memory += cache_bytes_of(f->cache, &st->id);
		state_evict(f, st);
	}
	state_put(f, st);
	lock_drop(&f->lock);
}

void fetcher_evict_all(struct fetcher *f, struct fetcher_evicted *out)
{
	lock_take(&f->lock);
	state_evict_idle(f);
	lock_drop(&f->lock);
	out->bytes_memory += cache_evict_all(f->cache);
}

void fetcher_stats(struct fetcher *f, struct fetcher_stats *out)
{
	uint64_t extents;

	memset(out, 0, sizeof(*out));
	out->hits = atomic_load(&f->hits);
	out->misses = atomic_load(&f->misses);
	out->bytes_served = atomic_load(&f->bytes_served);
	out->bytes_fetched = atomic_load(&f->bytes_fetched);
	out->bytes_from_disk = atomic_load(&f->bytes_from_disk);
	out->bad_blobs = atomic_load(&f->bad_blobs);
	cache_count(f->cache, &out->cached_bytes, &extents);
	lock_take(&f->lock);
	out->waiting = (unsigned)f->n_heap;
	out->in_flight = f->in_flight;
	lock_drop(&f->lock);
}
