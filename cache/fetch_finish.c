/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came back: checked, cached, and given to who waits.
 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "cache/extent_memory.h"

#define LOG "fetch"

/* The errno of a read from that of a request: the only place. */
static int read_errno(int r)
{
	switch (r) {
	case -EACCES:
	case -ETIMEDOUT:
	case -ENOMEM:
	case -ESHUTDOWN:
		return r;
	default:
		return -EIO;
	}
}

void waiter_fail(struct fetch_waiter *w, int r, const struct err *err)
{
	w->done(w->arg, r, NULL, 0, err);
	free(w);
}

void fetch_give(struct fetcher *f, uint64_t offset, size_t len,
		fetch_done_fn done, void *arg, struct extent *const *pins,
		int n)
{
	struct iovec iov[FETCH_PINS_MAX];
	uint64_t at = offset, end = offset + len;
	struct err err = ERR_INIT;

	for (int i = 0; i < n; i++) {
		uint64_t stop = pins[i]->offset + pins[i]->len;

		if (stop > end)
			stop = end;
		iov[i].iov_base = (void *)(uintptr_t)(pins[i]->data +
						      (at - pins[i]->offset));
		iov[i].iov_len = (size_t)(stop - at);
		at = stop;
	}
	atomic_fetch_add_explicit(&f->bytes_served, len, memory_order_relaxed);
	done(arg, 0, iov, n, &err);
	cache_unpin(f->cache, pins, n);
}

void waiter_answer(struct fetcher *f, struct fetch_waiter *w,
		   struct extent *const *pins, int n)
{
	struct blob_state *st = w->state;
	struct blob_id id = st->id;
	bool is_late;

	fetch_give(f, w->offset, w->len, w->done, w->arg, pins, n);

	/* Condemned while they were on their way: on_bad may have come first. */
	lock_take(&f->lock);
	is_late = w->generation < st->valid_from;
	state_put(f, st);
	lock_drop(&f->lock);
	if (is_late && f->opt.on_bad)
		f->opt.on_bad(f->opt.on_bad_arg, &id);
	free(w);
}

/* A response to go by, after all that is known of the blob?  Under the lock. */
static int check_validator(struct fetcher *f, struct fetch *fetch)
	REQUIRES(&f->lock)
{
	struct blob_state *st = fetch->state;
	int r;

	if (fetch->generation != st->generation)
		return -EAGAIN;
	if (st->is_whole || st->is_fixed || fetch->is_from_disk)
		return 0;
	if (st->bad_validator && strcmp(st->bad_validator, fetch->etag) == 0) {
		st->bad_until_ms = clock_ms() + FETCH_BAD_MS;
		return err_set(&fetch->err, ERR_CORRUPT, EBADMSG,
			       "%s/%s: content damaged: its etag was computed and is another",
			       backend_name(st->source->backend), st->key);
	}
	if (!st->validator) {
		r = state_set_validator(f, st, fetch->etag);
		return r == -ENOMEM ? err_nomem(&fetch->err) : r;
	}
	return strcmp(st->validator, fetch->etag) == 0 ? 0 : -ESTALE;
}

/* The next waiter of the fetch, off it but still in the tables. */
static struct fetch_waiter *next_waiter(struct fetch *fetch)
{
	struct fetch_waiter *w = fetch->waiters;

	if (w)
		waiter_unpark(w);
	return w;
}

/*
 * The waiter's end: with the n extents that it has pinned or, n < 0, with r
 * and err.  Under the lock, which is dropped for the callback.
 */
static void waiter_end(struct fetcher *f, struct fetch_waiter *w,
		       struct extent *const *pins, int n, int r,
		       const struct err *err) REQUIRES(&f->lock)
{
	waiter_remove(f, w);
	if (n < 0)
		state_put(f, w->state);
	lock_drop(&f->lock);
	if (n > 0)
		waiter_answer(f, w, pins, n);
	else
		waiter_fail(w, read_errno(r), err);
	lock_take(&f->lock);
}

/*
 * Whoever waited looks again: answered, parked anew (here too, while the fetch
 * is listed: therefore each once), or out of luck.
 */
static void waiters_try(struct fetcher *f, struct fetch *fetch)
{
	struct extent *pins[FETCH_PINS_MAX];
	struct fetch_waiter *w;
	size_t n_waiters = 0;

	lock_take(&f->lock);
	for (w = fetch->waiters; w; w = w->next)
		n_waiters++;
	while (n_waiters-- && (w = next_waiter(fetch))) {
		struct err err = ERR_INIT;
		int n = fetch_try(f, w, pins);
		int r = n < 0 ? fetch_refusal(n, &err) : 0;

		if (n != 0)
			waiter_end(f, w, pins, n, r, &err);
	}
	lock_drop(&f->lock);
}

/* The request failed: so do its waiters, but those that may try once more. */
static void waiters_fail(struct fetcher *f, struct fetch *fetch)
{
	struct extent *pins[FETCH_PINS_MAX];
	struct fetch_waiter *w;

	lock_take(&f->lock);
	while ((w = next_waiter(fetch))) {
		int n = -EIO;

		/* It came late, to a request for somebody in more of a hurry. */
		if (fetch->err.class == ERR_RETRY &&
		    w->deadline_ms > fetch->deadline_ms + BACKEND_GRACE_MS)
			n = fetch_try(f, w, pins);
		if (n != 0)
			waiter_end(f, w, pins, n, fetch->r, &fetch->err);
	}
	lock_drop(&f->lock);
}

/* The object is another than before: what is cached of it goes. */
static void object_changed(struct fetcher *f, struct fetch *fetch)
{
	struct blob_state *st = fetch->state;
	bool was_current, was_served = false;

	lock_take(&f->lock);
	was_current = st->generation == fetch->generation;
	if (was_current)
		was_served = state_condemn(f, st);
	lock_drop(&f->lock);
	if (!was_current)
		return;
	log_warn(LOG, "an object changed, what was cached of it is dropped: store=%s key=%s",
		 backend_name(st->source->backend), st->key);
	if (was_served && f->opt.on_bad)
		f->opt.on_bad(f->opt.on_bad_arg, &st->id);
}

/*
 * Lets the bytes in, pinned: 0 or -errno.  Under the same lock as the
 * verdict on them, or they could come in after the blob was condemned.
 */
static int admit(struct fetcher *f, struct fetch *fetch,
		 const uint64_t *digests, unsigned n_digests)
	REQUIRES(&f->lock)
{
	struct blob_state *st = fetch->state;
	bool is_charged = fetch->is_charged;
	int r = check_validator(f, fetch);

	if (r < 0)
		return r;
	if (!seen_agrees(f, fetch, digests, n_digests))
		return -ESTALE;
	fetch->is_charged = false;
	r = cache_insert(f->cache, &st->id, st->size, fetch->offset,
			 steal_pointer(&fetch->data), fetch->len, is_charged,
			 fetch->pins);
	if (r < 0)
		return err_nomem(&fetch->err);
	fetch->is_over = !is_charged;
	fetch->n_pins = r;
	/* What is to be hashed yet is needed until all of its part is here. */
	if (fetch->is_from_disk && (st->rule != RULE_PARTS || st->is_verified))
		cache_is_on_disk(f->cache, fetch->pins, fetch->n_pins);
	return 0;
}

struct disk_put {
	struct fetcher *fetcher;
	int n;
	struct extent *pins[CACHE_GRAINS];
};

static void disk_put_end(void *arg)
{
	struct disk_put *put = arg;
	struct fetcher *f = put->fetcher;

	cache_unpin(f->cache, put->pins, put->n);
	free(put);
	/* What is read ahead may have waited for this. */
	fetch_pump(f);
}

/* A record's pins: one after another in memory, and of one extent. */
static int record_of(struct extent *const *pins, int n)
{
	int k = 1;

	while (k < n && pins[k]->data == pins[k - 1]->data + pins[k - 1]->len &&
	       pins[k]->offset % CACHE_EXTENT)
		k++;
	return k;
}

/* What came from a store goes on to the disk, pinned until it is there. */
static void keep_on_disk(struct fetcher *f, struct fetch *fetch,
			 const struct segment_key *key)
{
	struct extent *const *pins = fetch->pins;

	for (int i = 0, n; i < fetch->n_pins; i += n) {
		struct disk_put *put = malloc(sizeof(*put));
		uint32_t len = 0;

		if (!put)
			return;
		n = record_of(pins + i, fetch->n_pins - i);
		*put = (struct disk_put){ .fetcher = f, .n = n };
		for (int k = 0; k < n; k++) {
			put->pins[k] = pins[i + k];
			cache_repin(f->cache, pins[i + k]);
			len += pins[i + k]->len;
		}
		disk_cache_put(f->opt.disk, key, pins[i]->offset,
			       pins[i]->data, len, disk_put_end, put);
	}
}

static void deliver(struct fetcher *f, struct fetch *fetch)
{
	uint64_t digests[SEEN_MAX];
	unsigned n_digests = seen_digest(f, fetch, digests);
	struct segment_key key;
	bool is_kept;

	lock_take(&f->lock);
	fetch->r = admit(f, fetch, digests, n_digests);
	if (fetch->r == 0)
		parts_begin(f, fetch);
	is_kept = fetch->r == 0 && fetch->state->is_on_disk &&
		  !fetch->is_from_disk && !fetch->is_over;
	key = fetch->state->disk_key;
	fetch_unlist(fetch);
	if (fetch->n_jobs)
		fetch_list_hashing(fetch);
	lock_drop(&f->lock);
	if (fetch->r == 0)
		waiters_try(f, fetch);
	if (is_kept)
		keep_on_disk(f, fetch, &key);
}

static void note_bad(struct fetcher *f, struct fetch *fetch)
{
	lock_take(&f->lock);
	fetch->state->bad_until_ms = clock_ms() + FETCH_BAD_MS;
	lock_drop(&f->lock);
	atomic_fetch_add(&f->bad_blobs, 1);
}

/* The request failed, or its bytes are not the blob's. */
static void refuse(struct fetcher *f, struct fetch *fetch)
{
	bool has_changed = fetch->r == -ESTALE && !fetch->state->is_fixed;

	/* Nobody may park here any more: it would be for ever. */
	lock_take(&f->lock);
	fetch_unlist(fetch);
	lock_drop(&f->lock);
	if (has_changed)
		object_changed(f, fetch);
	if (has_changed || fetch->r == -EAGAIN)
		waiters_try(f, fetch);
	else
		waiters_fail(f, fetch);
}

static void end(struct fetcher *f, struct fetch *fetch)
{
	bool is_stopping;

	if (fetch->is_over)
		cache_drop(f->cache, fetch->pins, fetch->n_pins);
	cache_unpin(f->cache, fetch->pins, fetch->n_pins);
	lock_take(&f->lock);
	fetch_free(f, fetch);
	f->finishing--;
	is_stopping = f->stopping;
	if (is_stopping && fetcher_is_idle(f))
		cond_broadcast(&f->idle);
	lock_drop(&f->lock);
	/* Else f may be gone. */
	if (!is_stopping)
		fetch_pump(f);
}

void fetch_end_hashing(struct fetcher *f, struct fetch *fetch)
{
	lock_take(&f->lock);
	fetch->is_hashing = false;
	fetch_unlist(fetch);
	lock_drop(&f->lock);
	/* Who waits for the verdict. */
	waiters_try(f, fetch);
	end(f, fetch);
}

static void finish(void *arg)
{
	struct fetch *fetch = arg;
	struct fetcher *f = fetch->fetcher;

	if (fetch->r == 0 && fetch->state->is_whole && !fetch->is_from_disk) {
		fetch->r = fetch_check_whole(fetch);
		if (fetch->r < 0)
			note_bad(f, fetch);
	}
	if (fetch->r == 0)
		deliver(f, fetch);
	if (fetch->r < 0)
		refuse(f, fetch);
	if (extent_memory_trim_is_due())
		extent_memory_trim();
	if (fetch->n_jobs)
		fetch_hash(f, fetch);
	else
		end(f, fetch);
}

/* Where the CPU is needed for longer than an answer takes. */
static struct pool *pool_of(const struct fetch *fetch)
{
	bool is_apart = fetch->r == 0 && fetch->state->is_whole &&
			fetch->state->rule != RULE_NONE &&
			fetch->len >= FETCH_HASH_APART;

	return is_apart ? fetch->fetcher->hashers : fetch->fetcher->pool;
}

/* It takes hardly longer than to wake another thread for it. */
static bool is_quick(const struct fetch *fetch)
{
	bool is_hashed = fetch->state->is_whole &&
			 fetch->state->rule != RULE_NONE;

	return fetch->r == 0 &&
	       fetch->len <= (is_hashed ? FETCH_QUICK_HASH : FETCH_QUICK);
}

/* Nothing is on its way for it any more. */
static void landed(struct fetcher *f, struct fetch *fetch)
{
	lock_take(&f->lock);
	fetch_landed(f, fetch);
	f->finishing++;
	lock_drop(&f->lock);
}

void fetch_arrived(void *arg, int r, const struct object_info *info,
		   const struct err *err)
{
	struct fetch *fetch = arg;
	struct fetcher *f = fetch->fetcher;
	struct err ignored = ERR_INIT;

	fetch->r = r;
	if (r < 0) {
		fetch->err = *err;
	} else {
		snprintf(fetch->etag, sizeof(fetch->etag), "%s",
			 object_validator(info));
		atomic_fetch_add_explicit(&f->bytes_fetched, fetch->len,
					  memory_order_relaxed);
	}
	landed(f, fetch);
	if (is_quick(fetch) ||
	    pool_submit(pool_of(fetch), finish, fetch, &ignored) < 0)
		finish(fetch);
}

static void disk_was_read(struct fetch *fetch, int r)
{
	struct fetcher *f = fetch->fetcher;

	fetch->r = r;
	/* A record that is none any more: whoever waits looks again. */
	if (fetch->r < 0) {
		/* It is fetched whole, and may as well be written whole. */
		if (fetch->state->is_whole)
			disk_cache_forget(f->opt.disk, &fetch->state->disk_key,
					  fetch->state->size);
		fetch->r = -EAGAIN;
	} else {
		atomic_fetch_add_explicit(&f->bytes_from_disk, fetch->len,
					  memory_order_relaxed);
	}
	landed(f, fetch);
	finish(fetch);
}

void fetch_read_disk(void *arg)
{
	struct fetch *fetch = arg;

	disk_was_read(fetch, disk_cache_read(fetch->fetcher->opt.disk,
					     &fetch->record, fetch->data));
}

bool fetch_read_disk_now(struct fetch *fetch)
{
	int r;

	if (fetch->len > FETCH_NOW_MAX)
		return false;
	r = disk_cache_read_now(fetch->fetcher->opt.disk, &fetch->record,
				fetch->data);
	if (r == -EAGAIN)
		return false;
	disk_was_read(fetch, r);
	return true;
}
