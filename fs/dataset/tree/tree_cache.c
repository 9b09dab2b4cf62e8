/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Set-associative: a block may stand in one of WAYS slots, the one that was
 * not used since the hand last passed makes room (CLOCK).  No lists, no
 * allocation but each slot's first, and a lock a shard.
 */
#include <config.h>

#include "fs/dataset/tree/tree_cache.h"

#include <stdlib.h>
#include <string.h>

#include "backends/base/lock.h"
#include "fs/dataset/tree/tree_format.h"

#define WAYS 8u
#define SETS 64u		/* of a shard */
#define SHARDS ((unsigned)(TREE_CACHE_BYTES / TREE_BLOCK / SETS / WAYS))
_Static_assert((SHARDS & (SHARDS - 1)) == 0, "a power of two");

struct slot {
	uint64_t id;		/* 0: empty */
	uint32_t block;
	bool used;
	uint8_t *bytes;
};

struct set {
	struct slot slots[WAYS];
	unsigned hand;
};

struct shard {
	struct lock lock;	/* guards all of the shard */
	struct set sets[SETS];
	size_t allocated;	/* slots with memory */
} __attribute__((aligned(64)));

static struct shard shards[SHARDS] = {
	[0 ... SHARDS - 1] = { .lock = LOCK_INIT },
};

uint64_t tree_cache_id(void)
{
	static uint64_t last;

	return __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
}

static struct set *find_set(uint64_t id, uint32_t block, struct shard **shard)
{
	/* Fibonacci hashing: neighbours go to different shards. */
	uint64_t h = (id << 32 ^ id ^ block) * 0x9e3779b97f4a7c15ull;

	*shard = &shards[h >> 32 & (SHARDS - 1)];
	return &(*shard)->sets[h >> 48 & (SETS - 1)];
}

static struct slot *find_slot(struct set *set, uint64_t id, uint32_t block)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (set->slots[i].block == block && set->slots[i].id == id)
			return &set->slots[i];
	return NULL;
}

bool tree_cache_copy(uint64_t id, uint32_t block, void *dst, size_t offset,
		     size_t len)
{
	struct shard *shard;
	struct set *set = find_set(id, block, &shard);
	struct slot *slot;

	lock_take(&shard->lock);
	slot = find_slot(set, id, block);
	if (slot) {
		slot->used = true;
		memcpy(dst, slot->bytes + offset, len);
	}
	lock_drop(&shard->lock);
	return slot;
}

static struct slot *make_room(struct set *set)
{
	for (unsigned i = 0; i < WAYS; i++)
		if (!set->slots[i].id)
			return &set->slots[i];
	for (;;) {
		struct slot *slot = &set->slots[set->hand++ % WAYS];

		if (!slot->used)
			return slot;
		slot->used = false;
	}
}

void tree_cache_insert(uint64_t id, uint32_t block, const void *bytes)
{
	struct shard *shard;
	struct set *set = find_set(id, block, &shard);
	struct slot *slot;

	lock_take(&shard->lock);
	if (!find_slot(set, id, block)) {
		slot = make_room(set);
		if (!slot->bytes) {
			slot->bytes = malloc(TREE_BLOCK);
			shard->allocated += slot->bytes ? 1 : 0;
		}
		if (slot->bytes) {
			memcpy(slot->bytes, bytes, TREE_BLOCK);
			slot->id = id;
			slot->block = block;
			slot->used = false;
		}
	}
	lock_drop(&shard->lock);
}

void tree_cache_drop(uint64_t id)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		struct shard *shard = &shards[i];

		lock_take(&shard->lock);
		for (unsigned j = 0; j < SETS * WAYS; j++) {
			struct slot *slot =
				&shard->sets[j / WAYS].slots[j % WAYS];

			if (slot->id != id)
				continue;
			free(slot->bytes);
			*slot = (struct slot){ .id = 0 };
			shard->allocated--;
		}
		lock_drop(&shard->lock);
	}
}

size_t tree_cache_bytes(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < SHARDS; i++) {
		lock_take(&shards[i].lock);
		n += shards[i].allocated;
		lock_drop(&shards[i].lock);
	}
	return n * TREE_BLOCK;
}
