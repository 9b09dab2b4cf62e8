/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/disk/disk_index.h"

#include <stdlib.h>
#include <string.h>

/*
 * Entries live in slabs, so that growing copies nothing and wastes at most
 * one; numbers of entries stand for pointers, 0 for none.
 */
#define SLAB_ENTRIES 16384u
#define SLABS_MAX 65536u
#define CHAINS_MIN 4096u
/* Of the budget at most: the other half is for what is on its way. */
#define BUDGET_SHARE 2

#define MARKED (1u << 31)
#define LENGTH ((1u << 21) - 1)
#define TALLY_SHIFT(level) (21 + 3 * (level))
#define TALLY_MASK 7u
#define NO_SLOT UINT32_MAX	/* the entry is free */

struct entry {
	uint64_t lo;
	uint32_t hi;		/* 32 of its 64 bits */
	uint32_t part;
	uint32_t slot;
	uint32_t offset;
	uint32_t len;		/* and groups that counted it, and MARKED */
	uint32_t next;		/* of its chain, or of the free ones */
};
_Static_assert(sizeof(struct entry) == 32, "what a record costs");
_Static_assert(SEGMENT_SIZE_MAX <= UINT32_MAX, "offsets fit");
_Static_assert(SEGMENT_RECORD_MAX <= LENGTH, "lengths fit");
_Static_assert(TALLY_SHIFT(DISK_TALLY_LEVELS) < 31, "groups fit");
_Static_assert(DISK_TALLY_GROUPS == TALLY_MASK, "all that fit");

struct disk_index {
	struct memory_budget *budget;
	struct entry **slabs;	/* SLABS_MAX */
	uint32_t n_slabs;
	uint32_t free;
	uint32_t *chains;
	uint32_t n_chains;	/* a power of two */
	uint64_t count;
	uint64_t bytes;		/* of the records' content */
	uint64_t charged;	/* bytes of the budget */
};

int disk_index_new(struct disk_index **out, struct memory_budget *budget,
		   struct err *err)
{
	struct disk_index *ix = calloc(1, sizeof(*ix));

	if (!ix)
		return err_nomem(err);
	ix->budget = budget;
	ix->slabs = calloc(SLABS_MAX, sizeof(*ix->slabs));
	ix->chains = calloc(CHAINS_MIN, sizeof(*ix->chains));
	ix->n_chains = CHAINS_MIN;
	if (!ix->slabs || !ix->chains) {
		disk_index_free(ix);
		return err_nomem(err);
	}
	*out = ix;
	return 0;
}

void disk_index_free(struct disk_index *ix)
{
	if (!ix)
		return;
	for (uint32_t i = 0; i < ix->n_slabs; i++)
		free(ix->slabs[i]);
	memory_budget_give(ix->budget, ix->charged);
	free(ix->slabs);
	free(ix->chains);
	free(ix);
}

static struct entry *entry_at(const struct disk_index *ix, uint32_t number)
{
	number--;
	return &ix->slabs[number / SLAB_ENTRIES][number % SLAB_ENTRIES];
}

static uint32_t *chain_of(const struct disk_index *ix, uint64_t lo,
			  uint32_t part)
{
	/* lo is a digest; the parts of one blob must spread too. */
	uint64_t n = (lo ^ (uint64_t)part * 0x9e3779b97f4a7c15u);

	return &ix->chains[(n ^ n >> 32) & (ix->n_chains - 1)];
}

/* The link that leads to it, so that it can be taken out; *link 0: none. */
static uint32_t *link_to(const struct disk_index *ix,
			 const struct segment_key *key, uint32_t part)
{
	uint32_t *link = chain_of(ix, key->lo, part);

	while (*link) {
		struct entry *e = entry_at(ix, *link);

		if (e->lo == key->lo && e->part == part &&
		    e->hi == (uint32_t)key->hi)
			break;
		link = &e->next;
	}
	return link;
}

/* Extents in memory make room for where those on the disk are. */
static bool charge(struct disk_index *ix, uint64_t bytes)
{
	uint64_t share = memory_budget_limit(ix->budget) / BUDGET_SHARE;

	if (bytes > share || ix->charged > share - bytes ||
	    !memory_budget_claim(ix->budget, bytes))
		return false;
	ix->charged += bytes;
	return true;
}

static void discharge(struct disk_index *ix, uint64_t bytes)
{
	memory_budget_give(ix->budget, bytes);
	ix->charged -= bytes;
}

static bool slab_add(struct disk_index *ix)
{
	uint64_t bytes = (uint64_t)SLAB_ENTRIES * sizeof(struct entry);
	struct entry *slab;

	if (ix->n_slabs == SLABS_MAX || !charge(ix, bytes))
		return false;
	slab = malloc(bytes);
	if (!slab) {
		discharge(ix, bytes);
		return false;
	}
	ix->slabs[ix->n_slabs++] = slab;
	for (uint32_t i = SLAB_ENTRIES; i > 0; i--) {
		slab[i - 1].slot = NO_SLOT;
		slab[i - 1].next = ix->free;
		ix->free = (ix->n_slabs - 1) * SLAB_ENTRIES + i;
	}
	return true;
}

/* Doubles the chains; without memory they grow longer instead. */
static void chains_grow(struct disk_index *ix)
{
	uint32_t *old = ix->chains, n_old = ix->n_chains;
	uint64_t bytes = 2 * (uint64_t)n_old * sizeof(*old);
	uint32_t *chains;

	if (n_old > UINT32_MAX / 4 || !charge(ix, bytes))
		return;
	chains = calloc(2 * (size_t)n_old, sizeof(*chains));
	if (!chains) {
		discharge(ix, bytes);
		return;
	}
	ix->chains = chains;
	ix->n_chains = 2 * n_old;
	for (uint32_t i = 0; i < n_old; i++) {
		while (old[i]) {
			struct entry *e = entry_at(ix, old[i]);
			uint32_t number = old[i];
			uint32_t *chain = chain_of(ix, e->lo, e->part);

			old[i] = e->next;
			e->next = *chain;
			*chain = number;
		}
	}
	if (n_old > CHAINS_MIN)
		discharge(ix, bytes / 2);
	free(old);
}

bool disk_index_find(struct disk_index *ix, const struct segment_key *key,
		     uint32_t part, bool mark, struct disk_place *out)
{
	uint32_t number = *link_to(ix, key, part);
	struct entry *e;

	if (!number)
		return false;
	e = entry_at(ix, number);
	if (mark)
		e->len |= MARKED;
	out->slot = e->slot;
	out->offset = e->offset;
	out->len = e->len & LENGTH;
	return true;
}

bool disk_index_set(struct disk_index *ix, const struct segment_key *key,
		    uint32_t part, const struct disk_place *place)
{
	uint32_t number = *link_to(ix, key, part);
	struct entry *e;

	if (!number) {
		uint32_t *chain;

		if (!ix->free && !slab_add(ix))
			return false;
		if (ix->count >= ix->n_chains)
			chains_grow(ix);
		number = ix->free;
		e = entry_at(ix, number);
		ix->free = e->next;
		chain = chain_of(ix, key->lo, part);
		e->lo = key->lo;
		e->hi = (uint32_t)key->hi;
		e->part = part;
		e->len = 0;
		e->next = *chain;
		*chain = number;
		ix->count++;
	}
	e = entry_at(ix, number);
	ix->bytes += (uint64_t)place->len - (e->len & LENGTH);
	e->slot = place->slot;
	e->offset = place->offset;
	e->len = place->len;
	return true;
}

static void entry_free(struct disk_index *ix, uint32_t *link)
{
	uint32_t number = *link;
	struct entry *e = entry_at(ix, number);

	*link = e->next;
	ix->bytes -= e->len & LENGTH;
	e->slot = NO_SLOT;
	e->next = ix->free;
	ix->free = number;
	ix->count--;
}

void disk_index_remove(struct disk_index *ix, const struct segment_key *key,
		       uint32_t part, uint32_t slot)
{
	uint32_t *link = link_to(ix, key, part);

	if (*link && entry_at(ix, *link)->slot == slot)
		entry_free(ix, link);
}

void disk_index_drop_slot(struct disk_index *ix, uint32_t slot)
{
	for (uint32_t i = 0; i < ix->n_chains; i++) {
		uint32_t *link = &ix->chains[i];

		while (*link) {
			struct entry *e = entry_at(ix, *link);

			if (e->slot == slot)
				entry_free(ix, link);
			else
				link = &e->next;
		}
	}
}

bool disk_index_unmark(struct disk_index *ix, const struct segment_key *key,
		       uint32_t part, uint32_t slot)
{
	uint32_t number = *link_to(ix, key, part);
	struct entry *e = number ? entry_at(ix, number) : NULL;
	bool was_marked = e && e->slot == slot && (e->len & MARKED);

	if (was_marked)
		e->len &= ~MARKED;
	return was_marked;
}

uint64_t disk_index_count(const struct disk_index *ix)
{
	return ix->count;
}

uint64_t disk_index_bytes(const struct disk_index *ix)
{
	return ix->bytes;
}

void disk_index_tally(struct disk_index *ix, const struct segment_key *key,
		      uint32_t part, const uint8_t groups[DISK_TALLY_LEVELS],
		      uint64_t bytes[DISK_TALLY_LEVELS])
{
	uint32_t number = *link_to(ix, key, part);
	struct entry *e;

	if (!number)
		return;
	e = entry_at(ix, number);
	for (unsigned l = 0; l < DISK_TALLY_LEVELS; l++) {
		if ((e->len >> TALLY_SHIFT(l) & TALLY_MASK) == groups[l])
			continue;
		bytes[l] += e->len & LENGTH;
		e->len &= ~(TALLY_MASK << TALLY_SHIFT(l));
		e->len |= (uint32_t)groups[l] << TALLY_SHIFT(l);
	}
}

bool disk_index_tally_clear(struct disk_index *ix, uint32_t part,
			    unsigned level)
{
	if (part >= ix->n_slabs)
		return false;
	for (uint32_t i = 0; i < SLAB_ENTRIES; i++)
		ix->slabs[part][i].len &= ~(TALLY_MASK << TALLY_SHIFT(level));
	return true;
}

void disk_index_clear(struct disk_index *ix)
{
	for (uint32_t i = 0; i < ix->n_slabs; i++) {
		free(ix->slabs[i]);
		discharge(ix, (uint64_t)SLAB_ENTRIES * sizeof(struct entry));
	}
	ix->n_slabs = 0;
	ix->free = 0;
	ix->count = ix->bytes = 0;
	memset(ix->chains, 0, ix->n_chains * sizeof(*ix->chains));
}

bool disk_index_count_slots(const struct disk_index *ix, uint32_t part,
			    uint32_t *counts, uint32_t n)
{
	if (part >= ix->n_slabs)
		return false;
	for (uint32_t i = 0; i < SLAB_ENTRIES; i++)
		if (ix->slabs[part][i].slot < n)
			counts[ix->slabs[part][i].slot]++;
	return true;
}
