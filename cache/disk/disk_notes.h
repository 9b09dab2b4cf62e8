/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of a large blob beside its bytes: a fingerprint of the
 * validator that they came under, a salt that is another one whenever they are
 * fetched anew, and whether all of them were right.  Kept in memory, 48 bytes
 * each from the daemon's budget, and as notes in segments.
 *
 * One thread at a time: the disk cache's lock.
 */
#ifndef DATASETFS_CACHE_DISK_DISK_NOTES_H
#define DATASETFS_CACHE_DISK_DISK_NOTES_H

#include "cache/disk/segment.h"
#include "cache/memory_budget.h"

struct disk_notes;

#define DISK_NOTE_SALT_MAX (UINT32_MAX / 2)

struct disk_note {
	uint64_t fingerprint;	/* 0: nothing that is cached is valid */
	uint32_t salt;		/* of the records' key; DISK_NOTE_SALT_MAX */
	bool is_verified;
};

int disk_notes_new(struct disk_notes **out, struct memory_budget *budget,
		   struct err *err) MUST_CHECK;
void disk_notes_free(struct disk_notes *notes);

/*
 * A note that is kept in segments only: it stands under the key of records,
 * and those that are older are none.  No blob's note is like it: where nothing
 * is valid nothing is verified.
 */
#define DISK_TOMBSTONE \
	((struct disk_note){ 0, DISK_NOTE_SALT_MAX, true })

static inline bool disk_note_equal(const struct disk_note *a,
				   const struct disk_note *b)
{
	return a->fingerprint == b->fingerprint && a->salt == b->salt &&
	       a->is_verified == b->is_verified;
}

/* As an entry of a summary says it, and back. */
static inline void disk_note_tell(const struct disk_note *note,
				  struct segment_entry *e)
{
	e->value = note->fingerprint;
	e->part = note->salt << 1 | note->is_verified;
}

static inline struct disk_note disk_note_of(const struct segment_entry *e)
{
	return (struct disk_note){ e->value, e->part >> 1, e->part & 1 };
}

/* False: there is none.  mark: it is in use, see disk_notes_unmark(). */
bool disk_notes_find(struct disk_notes *notes, const struct segment_key *key,
		     bool mark, struct disk_note *out);
/* False: there is one already (is_new), or no memory. */
bool disk_notes_set(struct disk_notes *notes, const struct segment_key *key,
		    const struct disk_note *note, uint32_t slot, bool is_new);
/*
 * The note of a segment that goes: true when it is the one that holds, in that
 * slot, and was used since: then it is unused from now on; else it is forgotten
 * if it was the one that holds.
 */
bool disk_notes_unmark(struct disk_notes *notes, const struct segment_key *key,
		       uint32_t slot, const struct disk_note *value);

/* Adds to counts[slot] how many of those that hold are there. */
void disk_notes_count_slots(const struct disk_notes *notes, uint32_t *counts,
			    uint32_t n);
typedef void (*disk_note_fn)(void *arg, const struct segment_key *key,
			     struct disk_note *note);
/* Of each note that holds; what each() makes of it holds from then on. */
void disk_notes_each(struct disk_notes *notes, disk_note_fn each, void *arg);

#endif
