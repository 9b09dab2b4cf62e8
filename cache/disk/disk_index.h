/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the records of the disk cache are: a hash table in memory, 32 bytes a
 * record and 4 to 8 for the table of chains, from the daemon's budget.  Keys
 * are kept by 96 of their 128 bits: a record says itself whose it is.
 *
 * One thread at a time: the disk cache's lock.
 */
#ifndef DATASETFS_CACHE_DISK_DISK_INDEX_H
#define DATASETFS_CACHE_DISK_DISK_INDEX_H

#include "cache/disk/segment.h"
#include "cache/memory_budget.h"

struct disk_index;

/* Where one record is. */
struct disk_place {
	uint32_t slot;		/* of its segment */
	uint32_t len;
	uint32_t offset;	/* in the segment */
};

int disk_index_new(struct disk_index **out, struct memory_budget *budget,
		   struct err *err) MUST_CHECK;
void disk_index_free(struct disk_index *ix);

/* False: there is none.  mark: somebody uses it, see disk_index_unmark(). */
bool disk_index_find(struct disk_index *ix, const struct segment_key *key,
		     uint32_t part, bool mark, struct disk_place *out);

/* In the place of an older one.  False: the budget has no room. */
bool disk_index_set(struct disk_index *ix, const struct segment_key *key,
		    uint32_t part, const struct disk_place *place)
	MUST_CHECK;

/* Only while it is in that slot. */
void disk_index_remove(struct disk_index *ix, const struct segment_key *key,
		       uint32_t part, uint32_t slot);

/* All that are in that slot; costs a pass over all records. */
void disk_index_drop_slot(struct disk_index *ix, uint32_t slot);

/*
 * True when the record is in that slot and was used since it was set or
 * unmarked; it counts as unused from now on.
 */
bool disk_index_unmark(struct disk_index *ix, const struct segment_key *key,
		       uint32_t part, uint32_t slot);

uint64_t disk_index_count(const struct disk_index *ix);
/* Of the content of all records. */
uint64_t disk_index_bytes(const struct disk_index *ix);

/*
 * Counting content once in each of several groups, of DISK_TALLY_LEVELS kinds
 * at once: bytes[l] grows by a record that was not counted in groups[l] yet.
 * Groups are 1 to DISK_TALLY_GROUPS; before one is used again its marks are
 * taken off, of the part'th piece at a time (false: there is none).
 */
#define DISK_TALLY_LEVELS 3
#define DISK_TALLY_GROUPS 7
void disk_index_tally(struct disk_index *ix, const struct segment_key *key,
		      uint32_t part, const uint8_t groups[DISK_TALLY_LEVELS],
		      uint64_t bytes[DISK_TALLY_LEVELS]);
bool disk_index_tally_clear(struct disk_index *ix, uint32_t part,
			    unsigned level);

void disk_index_clear(struct disk_index *ix);

/*
 * Adds to counts[slot] how many records are there, for slots below n: of the
 * part'th piece of the index, so that the lock need not be held throughout;
 * false: there is none.  Records stay in their piece.
 */
bool disk_index_count_slots(const struct disk_index *ix, uint32_t part,
			    uint32_t *counts, uint32_t n);

#endif
