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
#include "backends/base/encode.h"
#include "backends/base/log.h"

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

void waiter_answer(struct fetcher *f, struct fetch_waiter *w,
		   struct extent *const *pins, int n)
{
	struct iovec iov[FETCH_PINS_MAX];
	uint64_t at = w->offset, end = w->offset + w->len;
	struct blob_state *st = w->state;
	struct blob_id id = st->id;
	struct err err = ERR_INIT;
	bool is_stale;

	for (int i = 0; i < n; i++) {
		uint64_t stop = pins[i]->offset + pins[i]->len;

		if (stop > end)
			stop = end;
		iov[i].iov_base = (void *)(uintptr_t)(pins[i]->data +
						      (at - pins[i]->offset));
		iov[i].iov_len = (size_t)(stop - at);
		at = stop;
	}
	atomic_fetch_add_explicit(&f->bytes_served, w->len,
				  memory_order_relaxed);
	w->done(w->arg, 0, iov, n, &err);
	cache_unpin(f->cache, pins, n);

	/* Found bad while it was being answered: tell once more. */
	lock_take(&f->lock);
	is_stale = st->generation != w->generation;
	state_put(f, st);
	lock_drop(&f->lock);
	if (is_stale && f->opt.on_bad)
		f->opt.on_bad(f->opt.on_bad_arg, &id);
	free(w);
}

/* ---- checking ---- */

static void hex(char out[2 * MD5_SIZE + 1], const uint8_t md5[MD5_SIZE])
{
	encode_hex(out, md5, MD5_SIZE);
}

/* Of a whole blob's bytes.  0, or -EBADMSG with fetch->err set. */
static int check_whole(struct fetch *fetch)
{
	const struct blob_state *st = fetch->state;
	char want[2 * MD5_SIZE + 1], got[2 * MD5_SIZE + 1];
	uint8_t md5[MD5_SIZE];

	if (st->rule != RULE_MD5 && st->rule != RULE_MD5_HINT)
		return 0;
	digest_md5(md5, fetch->data, fetch->len);
	if (st->parts == 1)	/* the digest of its one part's digest */
		digest_md5(md5, md5, sizeof(md5));
	if (memcmp(md5, st->md5, sizeof(md5)) == 0)
		return 0;
	hex(want, st->md5);
	hex(got, md5);
	if (st->rule == RULE_MD5_HINT) {
		log_warn(LOG, "a foreign object's MD5 is not its etag: store=%s key=%s md5=%s etag=%s",
			 backend_name(st->source->backend), st->key, got, want);
		return 0;
	}
	return err_set(&fetch->err, ERR_CORRUPT, EBADMSG,
		       "%s/%s: content damaged: its MD5 is %s, expected %s",
		       backend_name(st->source->backend), st->key, got, want);
}

/* Of what is known of the blob, is this a response to go by?  0 or -errno.  Under the lock. */
static int check_validator(struct fetch *fetch)
{
	struct blob_state *st = fetch->state;

	if (fetch->generation != st->generation)
		return -EAGAIN;
	if (st->is_whole || st->is_fixed)
		return 0;
	if (st->bad_validator && strcmp(st->bad_validator, fetch->etag) == 0) {
		st->bad_until_ms = clock_ms() + FETCH_BAD_MS;
		return err_set(&fetch->err, ERR_CORRUPT, EBADMSG,
			       "%s/%s: content damaged: its etag was computed and is another",
			       backend_name(st->source->backend), st->key);
	}
	if (!st->validator) {
		st->validator = strdup(fetch->etag);
		return st->validator ? 0 : -ENOMEM;
	}
	return strcmp(st->validator, fetch->etag) == 0 ? 0 : -ESTALE;
}

/* ---- parts ---- */

static void bad_blob(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	free(st->bad_validator);
	st->bad_validator = st->validator ? strdup(st->validator) : NULL;
	state_restart(f, st);
	st->bad_until_ms = clock_ms() + FETCH_BAD_MS;
	atomic_fetch_add(&f->bad_blobs, 1);
}

static bool parts_ready(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	uint64_t cost = (uint64_t)st->parts * (1 + MD5_SIZE);

	if (st->part_known)
		return true;
	if (!memory_budget_take(f->opt.budget, cost))
		return false;
	st->part_known = calloc(st->parts, 1);
	st->part_md5 = calloc(st->parts, MD5_SIZE);
	if (st->part_known && st->part_md5)
		return true;
	free(st->part_known);
	free(st->part_md5);
	st->part_known = NULL;
	st->part_md5 = NULL;
	memory_budget_give(f->opt.budget, cost);
	return false;
}

/* All parts are known: is the etag made of them the blob's name? */
static bool parts_agree(const struct blob_state *st)
{
	uint8_t md5[MD5_SIZE];

	digest_md5(md5, st->part_md5, (size_t)st->parts * MD5_SIZE);
	return memcmp(md5, st->md5, sizeof(md5)) == 0;
}

/* Notes the digest of a part; true: with it the blob turned out to be bad. */
static bool part_note(struct fetcher *f, struct blob_state *st, uint64_t part,
		      const uint8_t md5[MD5_SIZE], unsigned generation)
	REQUIRES(&f->lock)
{
	if (st->generation != generation || !parts_ready(f, st) ||
	    st->part_known[part])
		return false;
	st->part_known[part] = 1;
	memcpy(st->part_md5[part], md5, MD5_SIZE);
	if (++st->n_known < st->parts)
		return false;
	if (!parts_agree(st)) {
		bad_blob(f, st);
		return true;
	}
	st->is_verified = true;
	state_forget_parts(f, st);
	return false;
}

/* Hashes a part if all of it is cached. */
static bool part_hash(struct fetcher *f, struct blob_state *st, uint64_t part,
		      uint8_t md5[MD5_SIZE])
{
	uint64_t offset = part * BLOB_PART, missing;
	uint64_t rest = st->size - offset;
	struct extent *pins[FETCH_PINS_MAX];
	struct digest *sum;
	int n;

	n = cache_pin(f->cache, &st->id, offset,
		      (size_t)(rest < BLOB_PART ? rest : BLOB_PART), pins,
		      FETCH_PINS_MAX, &missing);
	if (!n)
		return false;
	sum = digest_new(DIGEST_MD5);
	for (int i = 0; i < n; i++)
		digest_add(sum, pins[i]->data, pins[i]->len);
	digest_finish(sum, md5);
	digest_free(sum);
	cache_unpin(f->cache, pins, n);
	return true;
}

static void check_parts(struct fetcher *f, const struct fetch *fetch)
{
	struct blob_state *st = fetch->state;
	uint64_t first = fetch->offset / BLOB_PART;
	uint64_t last = (fetch->offset + fetch->len - 1) / BLOB_PART;

	for (uint64_t part = first; part <= last; part++) {
		uint8_t md5[MD5_SIZE];
		bool is_wanted, is_bad = false;

		lock_take(&f->lock);
		is_wanted = st->generation == fetch->generation &&
			    !st->is_verified &&
			    !(st->part_known && st->part_known[part]);
		lock_drop(&f->lock);
		if (!is_wanted || !part_hash(f, st, part, md5))
			continue;
		lock_take(&f->lock);
		is_bad = part_note(f, st, part, md5, fetch->generation);
		lock_drop(&f->lock);
		if (!is_bad)
			continue;
		log_error(LOG, "content damaged, dropped: store=%s key=%s error=\"the etag of all its parts is another\"",
			  backend_name(st->source->backend), st->key);
		if (f->opt.on_bad)
			f->opt.on_bad(f->opt.on_bad_arg, &st->id);
		return;
	}
}

/* ---- answering ---- */

/* The next waiter of the fetch, off it but still in the tables. */
static struct fetch_waiter *next_waiter(struct fetch *fetch)
{
	struct fetch_waiter *w = fetch->waiters;

	if (w)
		waiter_unpark(w);
	return w;
}

static int try_error(int r, struct err *err)
{
	if (r == -EBADMSG)
		return err_set(err, ERR_CORRUPT, EIO,
			       "content damaged, as was seen a moment ago");
	if (r == -ENOMEM)
		return err_nomem(err);
	return err_set(err, ERR_SYSTEM, EIO,
		       "the content did not stay in memory long enough to be read, or changes all the time");
}

/* Whoever waited looks again: answered, parked anew, or out of luck. */
static void waiters_try(struct fetcher *f, struct fetch *fetch)
{
	struct extent *pins[FETCH_PINS_MAX];
	struct fetch_waiter *w;

	lock_take(&f->lock);
	/* Nobody may park here any more: it would be for ever. */
	fetch_unlist(fetch);
	while ((w = next_waiter(fetch))) {
		struct err err = ERR_INIT;
		int n = fetch_try(f, w, pins);

		if (n == 0)
			continue;
		waiter_remove(f, w);
		if (n < 0)
			state_put(f, w->state);
		lock_drop(&f->lock);
		if (n > 0)
			waiter_answer(f, w, pins, n);
		else
			waiter_fail(w, read_errno(try_error(n, &err)), &err);
		lock_take(&f->lock);
	}
	lock_drop(&f->lock);
}

/* The request failed: so do its waiters, but those that may try once more. */
static void waiters_fail(struct fetcher *f, struct fetch *fetch)
{
	struct extent *pins[FETCH_PINS_MAX];
	struct fetch_waiter *w;

	lock_take(&f->lock);
	/* Nobody may park here any more: it would be for ever. */
	fetch_unlist(fetch);
	while ((w = next_waiter(fetch))) {
		int n = -EIO;

		/* It came late, to a request for somebody in more of a hurry. */
		if (fetch->r == -ETIMEDOUT &&
		    w->deadline_ms > fetch->deadline_ms + BACKEND_GRACE_MS)
			n = fetch_try(f, w, pins);
		if (n == 0)
			continue;
		waiter_remove(f, w);
		if (n < 0)
			state_put(f, w->state);
		lock_drop(&f->lock);
		if (n > 0)
			waiter_answer(f, w, pins, n);
		else
			waiter_fail(w, read_errno(fetch->r), &fetch->err);
		lock_take(&f->lock);
	}
	lock_drop(&f->lock);
}

/* The object is another than before: what is cached of it goes. */
static void object_changed(struct fetcher *f, struct fetch *fetch)
{
	struct blob_state *st = fetch->state;
	bool was_current;

	lock_take(&f->lock);
	was_current = st->generation == fetch->generation;
	if (was_current)
		state_restart(f, st);
	lock_drop(&f->lock);
	if (!was_current)
		return;
	log_warn(LOG, "an object changed, what was cached of it is dropped: store=%s key=%s",
		 backend_name(st->source->backend), st->key);
	if (f->opt.on_bad)
		f->opt.on_bad(f->opt.on_bad_arg, &st->id);
}

/* Into the cache, pinned; the count, or -errno. */
static int insert(struct fetcher *f, struct fetch *fetch, struct extent **pins)
{
	struct blob_state *st = fetch->state;
	void *data = steal_pointer(&fetch->data);
	bool is_charged = fetch->is_charged;

	fetch->is_charged = false;
	return cache_insert(f->cache, &st->id, st->size, fetch->offset, data,
			    fetch->len, is_charged, pins);
}

static void deliver(struct fetcher *f, struct fetch *fetch)
{
	struct extent *pins[FETCH_PINS_MAX];
	bool is_charged = fetch->is_charged, is_current;
	int n = insert(f, fetch, pins);

	if (n < 0) {
		fetch->r = n;
		err_nomem(&fetch->err);
		waiters_fail(f, fetch);
		return;
	}
	/* Restarted meanwhile: these are not its bytes. */
	lock_take(&f->lock);
	is_current = fetch->state->generation == fetch->generation;
	if (!is_current)
		cache_forget(f->cache, &fetch->state->id);
	lock_drop(&f->lock);
	if (is_current && fetch->state->rule == RULE_PARTS)
		check_parts(f, fetch);
	waiters_try(f, fetch);
	if (!is_charged)
		cache_drop(f->cache, pins, n);
	cache_unpin(f->cache, pins, n);
}

static void note_bad(struct fetcher *f, struct fetch *fetch)
{
	lock_take(&f->lock);
	fetch->state->bad_until_ms = clock_ms() + FETCH_BAD_MS;
	lock_drop(&f->lock);
	atomic_fetch_add(&f->bad_blobs, 1);
}

static void finish(void *arg)
{
	struct fetch *fetch = arg;
	struct fetcher *f = fetch->fetcher;
	bool is_stopping;

	if (fetch->r == 0 && fetch->state->is_whole) {
		fetch->r = check_whole(fetch);
		if (fetch->r < 0)
			note_bad(f, fetch);
	}
	if (fetch->r == 0) {
		lock_take(&f->lock);
		fetch->r = check_validator(fetch);
		lock_drop(&f->lock);
	}

	if (fetch->r == 0)
		deliver(f, fetch);
	else if (fetch->r == -ESTALE && !fetch->state->is_fixed)
		object_changed(f, fetch);
	/* What is left retries, or shares the request's failure. */
	if (fetch->r == -EAGAIN || (fetch->r == -ESTALE &&
				    !fetch->state->is_fixed))
		waiters_try(f, fetch);
	else if (fetch->r < 0)
		waiters_fail(f, fetch);

	lock_take(&f->lock);
	fetch_free(f, fetch);
	f->finishing--;
	is_stopping = f->stopping;
	if (is_stopping && !f->in_flight && !f->finishing)
		cond_broadcast(&f->idle);
	lock_drop(&f->lock);
	if (!is_stopping)
		fetch_pump(f);
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
		snprintf(fetch->etag, sizeof(fetch->etag), "%s", info->etag);
		atomic_fetch_add_explicit(&f->bytes_fetched, fetch->len,
					  memory_order_relaxed);
	}
	lock_take(&f->lock);
	f->in_flight--;
	fetch->state->source->in_flight--;
	if (fetch->is_ahead) {
		fetch->is_ahead = false;
		f->n_ahead--;
	}
	f->finishing++;
	lock_drop(&f->lock);
	if (pool_submit(f->pool, finish, fetch, &ignored) < 0)
		finish(fetch);
}
