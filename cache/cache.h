/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The extent store: checked bytes of blobs in memory.  Blobs are divided into
 * extents of CACHE_EXTENT bytes; an extent is held whole (to the blob's end
 * for the last) or as grains of CACHE_GRAIN bytes where only those were read.
 * No byte of a blob is held twice.
 *
 * What is pinned stays where it is and unchanged, whatever is forgotten or
 * evicted meanwhile; unpinned extents are evicted by CLOCK when memory is
 * needed: first those that were read once to their end (above is the kernel's
 * own cache of pages), then those that nobody has read yet, last those that
 * were read again.  All memory is taken from one budget before it is touched.
 *
 * Any thread may call; nothing here waits for more than the cache's own lock.
 * It must not know stores or how bytes are checked.
 */
#ifndef DATASETFS_CACHE_CACHE_H
#define DATASETFS_CACHE_CACHE_H

#include "cache/blob.h"
#include "cache/memory_budget.h"

#define CACHE_EXTENT ((uint64_t)1 << 20)
#define CACHE_GRAIN ((uint64_t)64 << 10)
#define CACHE_GRAINS (CACHE_EXTENT / CACHE_GRAIN)

struct cache;
struct cache_blob;

/* Pinned by whoever holds a pointer; the first three are for reading. */
struct extent {
	const uint8_t *data;
	uint64_t offset;	/* in the blob */
	uint32_t len;
	/* below: cache.c only, under its lock */
	uint32_t pins;
	uint8_t slot;		/* grain in the extent; CACHE_GRAINS: whole */
	bool mapped;
	uint8_t lives;		/* times the clock's hand lets it be */
	uint32_t seen;		/* up to here it was read */
	bool has_gap;		/* not all of that */
	bool is_on_disk;	/* see cache_is_on_disk() */
	bool gone;		/* not to be found any more: the last pin frees */
	uint32_t charge;	/* bytes of the budget */
	struct cache_blob *blob;
	struct extent *hash_next;
	struct extent *ring_prev, *ring_next;	/* the clock */
	struct extent *blob_prev, *blob_next;	/* of the same blob */
};

/* budget is borrowed and outlives the cache. */
int cache_new(struct cache **out, struct memory_budget *budget,
	      struct err *err) MUST_CHECK;
/* Nothing may be pinned. */
void cache_free(struct cache *cache);

/*
 * Pins what holds [offset, offset + len) into out, in order, and returns how
 * many extents that took; or 0, with *missing the first byte that is not held
 * (and nothing pinned).  max: at least CACHE_PINS(len).  _quietly: it counts
 * as no read.
 */
#define CACHE_PINS(len) ((len) / CACHE_GRAIN + 2)
int cache_pin(struct cache *cache, const struct blob_id *id, uint64_t offset,
	      size_t len, struct extent **out, int max, uint64_t *missing);
int cache_pin_quietly(struct cache *cache, const struct blob_id *id,
		      uint64_t offset, size_t len, struct extent **out,
		      int max, uint64_t *missing);
void cache_unpin(struct cache *cache, struct extent *const *extents, int n);
/* Pins once more what the caller has pinned. */
void cache_repin(struct cache *cache, struct extent *extent);

/*
 * Where the extent ends that holds offset; 0: none does.  May be wrong by the
 * time it is returned: for planning.
 */
uint64_t cache_held_until(struct cache *cache, const struct blob_id *id,
			  uint64_t offset);

/*
 * Takes n bytes from the budget, evicting what must go.  False when what is
 * left is pinned or not the cache's.
 */
bool cache_make_room(struct cache *cache, uint64_t n);

/* What a buffer of len bytes and its extents cost: for cache_make_room(). */
uint64_t cache_cost(size_t len);

/*
 * Cuts a buffer from extent_memory_alloc() into extents and inserts them,
 * pinned, into out (CACHE_PINS(len)); returns how many.  offset is a multiple
 * of CACHE_GRAIN; the end too, or it is the blob's end (size).  Where the
 * cache holds the bytes already the held extent is pinned and the new bytes
 * are freed: they are the same, or the caller forgot the blob first.
 *
 * The buffer is the cache's in any case.  charged: cache_cost(len) was taken
 * from the budget for it, and becomes the extents'.  If not, the caller
 * answers for the memory and calls cache_drop() before it unpins.
 * -ENOMEM: nothing was inserted, what was charged is given back.
 */
int cache_insert(struct cache *cache, const struct blob_id *id, uint64_t size,
		 uint64_t offset, void *data, size_t len, bool charged,
		 struct extent **out) MUST_CHECK;
/* Makes those of the pinned extents unfindable that were not charged. */
void cache_drop(struct cache *cache, struct extent *const *extents, int n);

/*
 * What the disk cache has too: once it was read from its start to its end it
 * is not kept here, and its memory, still warm, serves what is read next.
 */
void cache_is_on_disk(struct cache *cache, struct extent *const *extents,
		      int n);

/* Drops all of a blob; what is pinned of it lives until it is unpinned. */
void cache_forget(struct cache *cache, const struct blob_id *id);

/* Drops all that is not pinned; the bytes of content. */
uint64_t cache_evict_all(struct cache *cache);

uint64_t cache_bytes_of(struct cache *cache, const struct blob_id *id);
/* Content held, and how many extents that is. */
void cache_count(struct cache *cache, uint64_t *bytes, uint64_t *extents);

#endif
