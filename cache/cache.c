/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include "backends/base/lock.h"
#include "cache/extent_memory.h"

#define LIVES_NEW 1	/* not read to its end yet */
#define LIVES_HOT 2	/* read again */
#define BUCKETS_MIN 4096	/* of a hash table; doubled as it fills */

/* What is kept for a blob while any extent of it is held. */
struct cache_blob {
	struct blob_id id;
	struct cache_blob *hash_next;
	struct extent *extents;
	uint64_t bytes;
	uint32_t n_extents;
	uint32_t n_grains;	/* of which not whole; pinned dead ones not */
	uint32_t users;		/* extents that point here, dead ones too */
	bool listed;		/* in the hash table */
};

/* Beside the content: the structs, malloc's headers, the hash slots. */
#define OVERHEAD (sizeof(struct extent) + sizeof(struct cache_blob) + 64)

struct cache {
	struct memory_budget *budget;
	struct lock lock;	/* guards all below and every extent's state */
	struct extent **extents;
	struct cache_blob **blobs;
	size_t n_buckets;	/* of both tables; a power of two */
	uint64_t n_extents;
	uint64_t bytes;
	struct extent *hand;	/* the clock: swept next; NULL when empty */
};

static size_t blob_bucket(const struct cache *cache, const struct blob_id *id)
{
	return id->lo & (cache->n_buckets - 1);
}

static size_t extent_bucket(const struct cache *cache,
			    const struct blob_id *id, uint64_t index,
			    unsigned slot)
{
	/* The id is a digest already; the multiplier spreads neighbours. */
	uint64_t n = index * (CACHE_GRAINS + 1) + slot;

	return (id->lo ^ (n * 0x9e3779b97f4a7c15u >> 20)) &
	       (cache->n_buckets - 1);
}

int cache_new(struct cache **out, struct memory_budget *budget, struct err *err)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return err_nomem(err);
	cache->n_buckets = BUCKETS_MIN;
	cache->extents = calloc(BUCKETS_MIN, sizeof(struct extent *));
	cache->blobs = calloc(BUCKETS_MIN, sizeof(struct cache_blob *));
	if (!cache->extents || !cache->blobs) {
		free(cache->extents);
		free(cache->blobs);
		free(cache);
		return err_nomem(err);
	}
	cache->budget = budget;
	lock_init(&cache->lock);
	*out = cache;
	return 0;
}

static struct cache_blob *find_blob(const struct cache *cache,
				    const struct blob_id *id)
{
	struct cache_blob *blob = cache->blobs[blob_bucket(cache, id)];

	while (blob && !blob_id_equal(&blob->id, id))
		blob = blob->hash_next;
	return blob;
}

static struct extent *find_slot(const struct cache *cache,
				const struct blob_id *id, uint64_t index,
				unsigned slot)
{
	struct extent *e = cache->extents[extent_bucket(cache, id, index,
							slot)];

	while (e && (e->slot != slot || e->offset / CACHE_EXTENT != index ||
		     !blob_id_equal(&e->blob->id, id)))
		e = e->hash_next;
	return e;
}

static struct extent *find_extent(const struct cache *cache,
				  const struct blob_id *id, uint64_t offset)
{
	uint64_t index = offset / CACHE_EXTENT;
	struct extent *e = find_slot(cache, id, index, CACHE_GRAINS);

	if (!e)
		e = find_slot(cache, id, index,
			      offset % CACHE_EXTENT / CACHE_GRAIN);
	if (e && offset >= e->offset + e->len)
		return NULL;
	return e;
}

/*
 * The second part of an extent's end, after unlink_locked(): without the lock,
 * as unmapping takes its time.  The budget is told after the memory has gone.
 */
static void extent_free(struct cache *cache, struct extent *e)
{
	extent_memory_free((void *)(uintptr_t)e->data, e->len, e->mapped);
	memory_budget_give(cache->budget, e->charge);
	free(e);
}

static void free_list(struct cache *cache, struct extent *list)
{
	while (list) {
		struct extent *next = list->hash_next;

		extent_free(cache, list);
		list = next;
	}
}

static void blob_unuse_locked(struct cache *cache, struct cache_blob *blob)
	REQUIRES(&cache->lock)
{
	if (!blob->n_extents && blob->listed) {
		struct cache_blob **at =
			&cache->blobs[blob_bucket(cache, &blob->id)];

		while (*at != blob)
			at = &(*at)->hash_next;
		*at = blob->hash_next;
		blob->listed = false;
	}
	if (!blob->users)
		free(blob);
}

/* Not to be found any more.  True: nobody has it pinned, free it. */
static bool unlink_locked(struct cache *cache, struct extent *e)
	REQUIRES(&cache->lock)
{
	struct cache_blob *blob = e->blob;
	struct extent **at = &cache->extents[extent_bucket(
		cache, &blob->id, e->offset / CACHE_EXTENT, e->slot)];

	while (*at != e)
		at = &(*at)->hash_next;
	*at = e->hash_next;

	if (cache->hand == e)
		cache->hand = e->ring_next == e ? NULL : e->ring_next;
	e->ring_prev->ring_next = e->ring_next;
	e->ring_next->ring_prev = e->ring_prev;

	if (e->blob_prev)
		e->blob_prev->blob_next = e->blob_next;
	else
		blob->extents = e->blob_next;
	if (e->blob_next)
		e->blob_next->blob_prev = e->blob_prev;

	blob->n_extents--;
	blob->n_grains -= e->slot != CACHE_GRAINS;
	blob->bytes -= e->len;
	cache->n_extents--;
	cache->bytes -= e->len;
	e->gone = true;
	if (!e->pins) {
		blob->users--;
		blob_unuse_locked(cache, blob);
		return true;
	}
	blob_unuse_locked(cache, blob);
	return false;
}

static void link_locked(struct cache *cache, struct cache_blob *blob,
			struct extent *e) REQUIRES(&cache->lock)
{
	struct extent **at = &cache->extents[extent_bucket(
		cache, &blob->id, e->offset / CACHE_EXTENT, e->slot)];

	e->blob = blob;
	e->lives = LIVES_NEW;
	e->hash_next = *at;
	*at = e;

	/* Behind the hand: it comes to the new ones last. */
	if (!cache->hand) {
		cache->hand = e->ring_prev = e->ring_next = e;
	} else {
		e->ring_next = cache->hand;
		e->ring_prev = cache->hand->ring_prev;
		e->ring_prev->ring_next = e;
		e->ring_next->ring_prev = e;
	}

	e->blob_next = blob->extents;
	if (e->blob_next)
		e->blob_next->blob_prev = e;
	blob->extents = e;
	blob->users++;
	blob->n_extents++;
	blob->n_grains += e->slot != CACHE_GRAINS;
	blob->bytes += e->len;
	cache->n_extents++;
	cache->bytes += e->len;
}

/* [from, to) of the extent is read: what of its lives is left? */
static void note_read(struct extent *e, uint32_t from, uint32_t to)
{
	if (from < e->seen) {
		e->lives = LIVES_HOT;
		return;
	}
	if (from > e->seen)
		e->has_gap = true;
	e->seen = to;
	if (to == e->len && e->lives == LIVES_NEW)
		e->lives = 0;
}

static int pin(struct cache *cache, const struct blob_id *id, uint64_t offset,
	       size_t len, struct extent **out, int max, uint64_t *missing,
	       bool is_read)
{
	uint64_t end = offset + len, at = offset;
	int n = 0;

	lock_take(&cache->lock);
	while (at < end) {
		struct extent *e = find_extent(cache, id, at);

		if (!e)
			break;
		assert(n < max);
		out[n++] = e;
		at = e->offset + e->len;
	}
	if (at < end) {
		*missing = at;
		n = 0;
	}
	for (int i = 0; i < n; i++) {
		struct extent *e = out[i];
		uint64_t from = offset > e->offset ? offset - e->offset : 0;
		uint64_t to = end - e->offset < e->len ? end - e->offset :
							 e->len;

		e->pins++;
		if (is_read)
			note_read(e, (uint32_t)from, (uint32_t)to);
	}
	lock_drop(&cache->lock);
	return n;
}

int cache_pin(struct cache *cache, const struct blob_id *id, uint64_t offset,
	      size_t len, struct extent **out, int max, uint64_t *missing)
{
	return pin(cache, id, offset, len, out, max, missing, true);
}

int cache_pin_quietly(struct cache *cache, const struct blob_id *id,
		      uint64_t offset, size_t len, struct extent **out,
		      int max, uint64_t *missing)
{
	return pin(cache, id, offset, len, out, max, missing, false);
}

/* Of one that nobody has pinned any more. */
static bool has_ended_locked(struct cache *cache, struct extent *e)
	REQUIRES(&cache->lock)
{
	bool was_read = !e->lives && !e->has_gap;

	if (e->gone) {
		e->blob->users--;
		blob_unuse_locked(cache, e->blob);
		return true;
	}
	return was_read && e->is_on_disk && unlink_locked(cache, e);
}

void cache_unpin(struct cache *cache, struct extent *const *extents, int n)
{
	struct extent *dead = NULL;

	lock_take(&cache->lock);
	for (int i = 0; i < n; i++) {
		struct extent *e = extents[i];

		assert(e->pins > 0);
		if (--e->pins || !has_ended_locked(cache, e))
			continue;
		e->hash_next = dead;
		dead = e;
	}
	lock_drop(&cache->lock);
	free_list(cache, dead);
}

void cache_repin(struct cache *cache, struct extent *extent)
{
	lock_take(&cache->lock);
	assert(extent->pins > 0);
	extent->pins++;
	lock_drop(&cache->lock);
}

uint64_t cache_held_until(struct cache *cache, const struct blob_id *id,
			  uint64_t offset)
{
	struct extent *e;
	uint64_t end;

	lock_take(&cache->lock);
	e = find_extent(cache, id, offset);
	end = e ? e->offset + e->len : 0;
	lock_drop(&cache->lock);
	return end;
}

/* Unlinks unpinned extents worth n bytes. */
static struct extent *evict_locked(struct cache *cache, uint64_t n)
	REQUIRES(&cache->lock)
{
	/* Until all lives are used up. */
	uint64_t steps = cache->n_extents * (LIVES_HOT + 1);
	struct extent *list = NULL;
	uint64_t freed = 0;

	while (freed < n && steps-- && cache->hand) {
		struct extent *e = cache->hand;

		cache->hand = e->ring_next;
		if (e->pins)
			continue;
		if (e->lives) {
			e->lives--;
			continue;
		}
		freed += e->charge;
		if (unlink_locked(cache, e)) {
			e->hash_next = list;
			list = e;
		}
	}
	return list;
}

bool cache_make_room(struct cache *cache, uint64_t n)
{
	while (!memory_budget_take(cache->budget, n)) {
		struct extent *list;
		uint64_t limit = memory_budget_limit(cache->budget);
		uint64_t used = memory_budget_used(cache->budget);
		uint64_t lack = used + n > limit ? used + n - limit : 1;

		lock_take(&cache->lock);
		list = evict_locked(cache, lack);
		lock_drop(&cache->lock);
		if (!list)
			return memory_budget_take(cache->budget, n);
		free_list(cache, list);
	}
	return true;
}

uint64_t cache_cost(size_t len)
{
	return extent_memory_cost(len, extent_memory_is_mapped(len)) +
	       (len / CACHE_GRAIN + 2) * OVERHEAD;
}

/* How much of [offset, end) the next extent holds, and which slot it is. */
static size_t cut(uint64_t size, uint64_t offset, uint64_t end, uint8_t *slot)
{
	uint64_t rest = size - offset;
	uint64_t whole = rest < CACHE_EXTENT ? rest : CACHE_EXTENT;
	uint64_t grain = rest < CACHE_GRAIN ? rest : CACHE_GRAIN;

	if (offset % CACHE_EXTENT == 0 && end - offset >= whole) {
		*slot = CACHE_GRAINS;
		return (size_t)whole;
	}
	*slot = (uint8_t)(offset % CACHE_EXTENT / CACHE_GRAIN);
	assert(end - offset >= grain);
	return (size_t)grain;
}

/* The structs for a buffer, not linked anywhere yet; -ENOMEM leaves none. */
static int make_extents(uint64_t size, uint64_t offset, const uint8_t *data,
			size_t len, bool charged, struct extent **out)
{
	bool mapped = extent_memory_is_mapped(len);
	uint64_t end = offset + len;
	int n = 0;

	while (offset < end) {
		struct extent *e = calloc(1, sizeof(*e));

		if (!e) {
			while (n)
				free(out[--n]);
			return -ENOMEM;
		}
		e->data = data;
		e->offset = offset;
		e->len = (uint32_t)cut(size, offset, end, &e->slot);
		e->mapped = mapped;
		e->pins = 1;
		if (charged)
			e->charge = (uint32_t)(extent_memory_cost(e->len,
								  mapped) +
					       OVERHEAD);
		data += e->len;
		offset += e->len;
		out[n++] = e;
	}
	return n;
}

static void grow_locked(struct cache *cache) REQUIRES(&cache->lock)
{
	size_t old = cache->n_buckets;
	struct extent **extents = calloc(old * 2, sizeof(struct extent *));
	struct cache_blob **blobs = calloc(old * 2, sizeof(*blobs));

	if (!extents || !blobs) {
		/* Longer chains, then. */
		free(extents);
		free(blobs);
		return;
	}
	cache->n_buckets = old * 2;
	for (size_t i = 0; i < old; i++) {
		struct extent *e, *e_next;
		struct cache_blob *b, *b_next;

		for (e = cache->extents[i]; e; e = e_next) {
			struct extent **at = &extents[extent_bucket(
				cache, &e->blob->id, e->offset / CACHE_EXTENT,
				e->slot)];

			e_next = e->hash_next;
			e->hash_next = *at;
			*at = e;
		}
		for (b = cache->blobs[i]; b; b = b_next) {
			struct cache_blob **at =
				&blobs[blob_bucket(cache, &b->id)];

			b_next = b->hash_next;
			b->hash_next = *at;
			*at = b;
		}
	}
	free(cache->extents);
	free(cache->blobs);
	cache->extents = extents;
	cache->blobs = blobs;
}

static struct cache_blob *blob_locked(struct cache *cache,
				      const struct blob_id *id,
				      struct cache_blob **spare)
	REQUIRES(&cache->lock)
{
	struct cache_blob *blob = find_blob(cache, id), **at;

	if (blob)
		return blob;
	blob = steal_pointer(spare);
	at = &cache->blobs[blob_bucket(cache, id)];
	blob->id = *id;
	blob->listed = true;
	blob->hash_next = *at;
	*at = blob;
	return blob;
}

/* A whole extent takes the place of its grains. */
static void drop_grains_locked(struct cache *cache, struct cache_blob *blob,
			       uint64_t index, struct extent **dead)
	REQUIRES(&cache->lock)
{
	for (unsigned i = 0; i < CACHE_GRAINS && blob->n_grains; i++) {
		struct extent *e = find_slot(cache, &blob->id, index, i);

		if (e && unlink_locked(cache, e)) {
			e->hash_next = *dead;
			*dead = e;
		}
	}
}

int cache_insert(struct cache *cache, const struct blob_id *id, uint64_t size,
		 uint64_t offset, void *data, size_t len, bool charged,
		 struct extent **out)
{
	struct cache_blob *spare = calloc(1, sizeof(*spare)), *blob;
	uint64_t cost = charged ? cache_cost(len) : 0;
	struct extent *dead = NULL;
	int n;

	n = spare ? make_extents(size, offset, data, len, charged, out)
		  : -ENOMEM;
	if (n < 0) {
		free(spare);
		extent_memory_free(data, len, extent_memory_is_mapped(len));
		memory_budget_give(cache->budget, cost);
		return n;
	}

	lock_take(&cache->lock);
	if (cache->n_extents + (uint64_t)n > cache->n_buckets)
		grow_locked(cache);
	blob = blob_locked(cache, id, &spare);
	/* Held while its grains may be all that is left of it. */
	blob->users++;
	for (int i = 0; i < n; i++) {
		struct extent *e = out[i];
		struct extent *held = find_extent(cache, id, e->offset);

		cost -= e->charge;
		if (held && held->len >= e->len) {
			held->pins++;
			out[i] = held;
			e->hash_next = dead;
			dead = e;
			continue;
		}
		if (e->slot == CACHE_GRAINS)
			drop_grains_locked(cache, blob,
					   e->offset / CACHE_EXTENT, &dead);
		if (!blob->listed)
			blob = blob_locked(cache, id, &blob);
		link_locked(cache, blob, e);
	}
	blob->users--;
	lock_drop(&cache->lock);

	free_list(cache, dead);
	if (charged)
		memory_budget_give(cache->budget, cost);
	free(spare);
	return n;
}

void cache_drop(struct cache *cache, struct extent *const *extents, int n)
{
	lock_take(&cache->lock);
	for (int i = 0; i < n; i++)
		if (!extents[i]->gone && !extents[i]->charge)
			(void)unlink_locked(cache, extents[i]);
	lock_drop(&cache->lock);
}

void cache_is_on_disk(struct cache *cache, struct extent *const *extents, int n)
{
	lock_take(&cache->lock);
	for (int i = 0; i < n; i++)
		extents[i]->is_on_disk = true;
	lock_drop(&cache->lock);
}

void cache_forget(struct cache *cache, const struct blob_id *id)
{
	struct extent *dead = NULL;
	struct cache_blob *blob;

	lock_take(&cache->lock);
	blob = find_blob(cache, id);
	while (blob && blob->n_extents) {
		struct extent *e = blob->extents;
		bool last = blob->n_extents == 1;

		if (unlink_locked(cache, e)) {
			e->hash_next = dead;
			dead = e;
		}
		if (last)
			break;
	}
	lock_drop(&cache->lock);
	free_list(cache, dead);
}

uint64_t cache_evict_all(struct cache *cache)
{
	struct extent *list;
	uint64_t bytes;

	lock_take(&cache->lock);
	bytes = cache->bytes;
	list = evict_locked(cache, UINT64_MAX);
	bytes -= cache->bytes;
	lock_drop(&cache->lock);
	free_list(cache, list);
	return bytes;
}

uint64_t cache_bytes_of(struct cache *cache, const struct blob_id *id)
{
	const struct cache_blob *blob;
	uint64_t bytes;

	lock_take(&cache->lock);
	blob = find_blob(cache, id);
	bytes = blob ? blob->bytes : 0;
	lock_drop(&cache->lock);
	return bytes;
}

void cache_count(struct cache *cache, uint64_t *bytes, uint64_t *extents)
{
	lock_take(&cache->lock);
	*bytes = cache->bytes;
	*extents = cache->n_extents;
	lock_drop(&cache->lock);
}

void cache_free(struct cache *cache)
{
	struct extent *list;

	if (!cache)
		return;
	lock_take(&cache->lock);
	list = evict_locked(cache, UINT64_MAX);
	assert(!cache->n_extents);
	lock_drop(&cache->lock);
	free_list(cache, list);
	lock_release(&cache->lock);
	free(cache->extents);
	free(cache->blobs);
	free(cache);
}
