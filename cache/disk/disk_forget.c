/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forgetting records before their segment goes.  They leave the index at once;
 * a job behind whatever is queued of them keeps that from being indexed, and
 * writes a tombstone, for summaries still tell of them.  A tombstone counts
 * for what is older, so a segment that holds one stays while an older is there.
 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "backends/base/clock.h"

static struct disk_job **chain_of(struct disk_cache *dc,
				  const struct segment_key *key)
{
	return &dc->forgets[key->lo % DISK_FORGET_CHAINS];
}

bool disk_is_forgotten(struct disk_cache *dc, const struct segment_key *key)
{
	struct disk_job *job = *chain_of(dc, key);

	while (job && (job->key.lo != key->lo || job->key.hi != key->hi))
		job = job->forget_next;
	/* It was on its way: a summary will tell of it. */
	if (job)
		job->has_records = true;
	return job != NULL;
}

/* Behind whatever is queued of these records. */
static void enqueue_forget(struct disk_cache *dc, const struct segment_key *key,
			   bool has_records) REQUIRES(&dc->lock)
{
	struct disk_job *job = calloc(1, sizeof(*job));
	struct disk_job **chain = chain_of(dc, key);

	if (!job) {
		dc->has_lost_tombstone = true;
		return;
	}
	job->kind = DISK_FORGET;
	job->key = *key;
	job->has_records = has_records;
	job->forget_next = *chain;
	*chain = job;
	disk_enqueue(dc, job);
}

uint64_t disk_cache_forget(struct disk_cache *dc,
			   const struct segment_key *key, uint64_t size)
{
	struct disk_place place;
	uint64_t bytes = 0;

	lock_take(&dc->lock);
	for (uint64_t at = 0; at < size; at += DISK_CACHE_GRAIN) {
		if (!disk_index_find(dc->index, key, disk_part(at), false,
				     &place))
			continue;
		bytes += place.len;
		disk_index_remove(dc->index, key, disk_part(at), place.slot);
	}
	if (bytes || dc->head || dc->is_writing)
		enqueue_forget(dc, key, bytes > 0);
	lock_drop(&dc->lock);
	return bytes;
}

int disk_forget_write(struct disk_cache *dc, struct disk_job *job,
		      struct err *err)
{
	struct disk_job **link;
	bool has_records, is_apart;
	int r;

	lock_take(&dc->lock);
	link = chain_of(dc, &job->key);
	while (*link != job)
		link = &(*link)->forget_next;
	*link = job->forget_next;
	has_records = job->has_records;
	is_apart = !dc->open || dc->slots[dc->open_slot].n_tombstones;
	lock_drop(&dc->lock);
	if (!has_records)
		return 0;
	/* What is dead in the open one could not go before what is older. */
	r = is_apart ? 0 : disk_seal(dc, err);
	if (r == 0)
		r = disk_append(dc, &job->key, 0, NULL, 0, &DISK_TOMBSTONE, err);
	if (r < 0) {
		lock_take(&dc->lock);
		dc->has_lost_tombstone = true;
		lock_drop(&dc->lock);
	}
	return r;
}

/*
 * What each slot holds that counts.  Records come into the open segment only,
 * so a sealed one in which none is seen has none.  NULL: no memory.
 */
static uint32_t *count_live(struct disk_cache *dc, uint32_t *n)
{
	bool has_more = true;
	uint32_t *live;

	lock_take(&dc->lock);
	*n = dc->n_slots;
	lock_drop(&dc->lock);
	live = calloc(*n ? *n : 1, sizeof(*live));
	for (uint32_t part = 0; live && has_more; part++) {
		lock_take(&dc->lock);
		has_more = disk_index_count_slots(dc->index, part, live, *n);
		if (!has_more)
			disk_notes_count_slots(dc->notes, live, *n);
		lock_drop(&dc->lock);
	}
	return live;
}

/* The oldest slot that can go; DISK_NO_SLOT: none. */
static uint32_t find_dead(struct disk_cache *dc, const uint32_t *live)
	REQUIRES(&dc->lock)
{
	for (uint32_t slot = dc->oldest; slot != DISK_NO_SLOT;
	     slot = dc->slots[slot].newer)
		if (!live[slot] && slot != dc->open_slot &&
		    (slot == dc->oldest || !dc->slots[slot].n_tombstones))
			return slot;
	return DISK_NO_SLOT;
}

/* Only the writing thread adds and takes out slots: live has all of them. */
static uint64_t free_dead(struct disk_cache *dc)
{
	uint64_t bytes = 0;
	uint32_t n, slot;
	uint32_t *live = count_live(dc, &n);

	while (live) {
		lock_take(&dc->lock);
		slot = find_dead(dc, live);
		lock_drop(&dc->lock);
		if (slot == DISK_NO_SLOT)
			break;
		bytes += disk_slot_free(dc, slot);
	}
	free(live);
	return bytes;
}

struct notes_copy {
	struct segment_entry *entries;
	size_t n, cap;
};

/* What is fetched anew shall be verified anew. */
static void copy_note(void *arg, const struct segment_key *key,
		      struct disk_note *note)
{
	struct notes_copy *copy = arg;
	struct segment_entry e = { .key = *key };

	note->is_verified = false;
	disk_note_tell(note, &e);
	if (copy->n == copy->cap) {
		size_t cap = copy->cap ? 2 * copy->cap : 256;
		struct segment_entry *more = reallocarray(copy->entries, cap,
							  sizeof(*more));

		if (!more)
			return;
		copy->entries = more;
		copy->cap = cap;
	}
	copy->entries[copy->n++] = e;
}

/* Blobs whose validator is known in memory keep it on the disk too. */
static int clear(struct disk_cache *dc, uint64_t *bytes, struct err *err)
{
	struct notes_copy copy = { .entries = NULL };
	uint32_t slot;
	int r = 0;

	lock_take(&dc->lock);
	disk_index_clear(dc->index);
	disk_notes_each(dc->notes, copy_note, &copy);
	dc->open = NULL;	/* its slot keeps it until it goes with the rest */
	dc->open_slot = DISK_NO_SLOT;
	slot = dc->oldest;
	lock_drop(&dc->lock);
	while (slot != DISK_NO_SLOT) {
		*bytes += disk_slot_free(dc, slot);
		lock_take(&dc->lock);
		slot = dc->oldest;
		lock_drop(&dc->lock);
	}
	for (size_t i = 0; r == 0 && i < copy.n; i++) {
		struct disk_note note = disk_note_of(&copy.entries[i]);

		r = disk_append(dc, &copy.entries[i].key, 0, NULL, 0, &note,
				err);
	}
	free(copy.entries);
	return r < 0 ? r : disk_seal(dc, err);
}

int disk_reclaim_write(struct disk_cache *dc, const struct disk_job *job,
		       struct err *err)
{
	uint64_t bytes = 0;
	int r;

	if (job->kind == DISK_CLEAR) {
		r = clear(dc, &bytes, err);
	} else {
		r = disk_seal(dc, err);
		bytes = free_dead(dc);
	}
	lock_take(&dc->lock);
	if (r < 0 && job->kind == DISK_RECLAIM)
		dc->has_lost_tombstone = true;
	dc->reclaimed++;
	dc->reclaimed_bytes = bytes;
	cond_broadcast(&dc->idle);
	lock_drop(&dc->lock);
	return r;
}

int disk_cache_reclaim(struct disk_cache *dc, bool is_all,
		       int64_t deadline_ms, uint64_t *bytes, struct err *err)
{
	struct disk_job *job = calloc(1, sizeof(*job));
	bool is_done, is_lost;
	uint64_t turn;

	if (!job)
		return err_nomem(err);
	job->kind = is_all ? DISK_CLEAR : DISK_RECLAIM;
	lock_take(&dc->lock);
	turn = ++dc->reclaims;
	disk_enqueue(dc, job);
	while (dc->reclaimed < turn && clock_ms() < deadline_ms)
		(void)cond_wait_until(&dc->idle, &dc->lock, deadline_ms);
	is_done = dc->reclaimed >= turn;
	is_lost = dc->has_lost_tombstone && !is_all;
	if (is_done) {
		dc->has_lost_tombstone = false;
		*bytes = dc->reclaimed_bytes;
	}
	lock_drop(&dc->lock);
	if (!is_done)
		return err_set(err, ERR_RETRY, ETIMEDOUT,
			       "the cache disk is too slow: %s", dc->dir);
	if (is_lost)
		return err_set(err, ERR_SYSTEM, EIO,
			       "the cache disk did not take the note of what is gone, which the next mount may find again: %s",
			       dc->dir);
	return 0;
}
