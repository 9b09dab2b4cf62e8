/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The open segment: the newest one, to which records are appended.
 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "backends/base/io.h"

/* The directory was removed or replaced: what is in it now is not known. */
static int reopen_dir(struct disk_cache *dc, struct err *err)
{
	int fd = io_open_private_dir(dc->dir, NULL, err);

	if (fd < 0)
		return fd;
	(void)close(dc->dir_fd);
	dc->dir_fd = fd;
	return 0;
}

static int open_new(struct disk_cache *dc, struct err *err)
{
	struct segment *s = NULL;
	uint32_t slot;
	int r;

	r = segment_create(&s, dc->dir_fd, dc->next_sequence, err);
	/* Somebody put files there: the next number, next time. */
	if (r == -EEXIST)
		dc->next_sequence++;
	if (r == -ENOENT) {
		err_clear(err);
		r = reopen_dir(dc, err);
		if (r == 0)
			r = segment_create(&s, dc->dir_fd, dc->next_sequence,
					   err);
	}
	if (r < 0)
		return r;
	dc->next_sequence++;
	lock_take(&dc->lock);
	slot = disk_slot_add(dc, s);
	if (slot != DISK_NO_SLOT)
		dc->bytes += segment_bytes(s);
	lock_drop(&dc->lock);
	if (slot == DISK_NO_SLOT) {
		segment_put(s);
		return err_nomem(err);
	}
	dc->open = s;
	dc->open_slot = slot;
	return 0;
}

int disk_seal(struct disk_cache *dc, struct err *err)
{
	struct segment *s = dc->open;

	/* It stays in its slot, and readable, whatever comes of this. */
	dc->open = NULL;
	dc->open_slot = DISK_NO_SLOT;
	return s ? segment_seal(s, dc->dir_fd, err) : 0;
}

static bool index_entry(struct disk_cache *dc, const struct segment_entry *e)
	REQUIRES(&dc->lock)
{
	struct disk_place place = { dc->open_slot, e->len,
				    (uint32_t)e->value };
	struct disk_note note = disk_note_of(e), now;

	if (e->len)
		return disk_is_forgotten(dc, &e->key) ||
		       disk_index_set(dc->index, &e->key, e->part, &place);
	if (disk_note_equal(&note, &DISK_TOMBSTONE)) {
		dc->slots[dc->open_slot].n_tombstones++;
		return true;
	}
	/* The newest holds, which may be one that is queued. */
	if (disk_notes_find(dc->notes, &e->key, false, &now) &&
	    disk_note_equal(&now, &note))
		return disk_notes_set(dc->notes, &e->key, &now, dc->open_slot,
				      false);
	return true;
}

/* Indexes what was appended; where the index is full, older records go. */
static int note_entry(struct disk_cache *dc, const struct segment_entry *e,
		      uint64_t bytes, bool may_evict, struct err *err)
{
	bool fits;

	lock_take(&dc->lock);
	dc->bytes += bytes;
	fits = index_entry(dc, e);
	lock_drop(&dc->lock);
	while (!fits && may_evict && disk_evict_oldest(dc)) {
		lock_take(&dc->lock);
		fits = index_entry(dc, e);
		lock_drop(&dc->lock);
	}
	if (!fits)
		return err_nomem(err);
	lock_take(&dc->lock);
	dc->written += e->len != 0;
	lock_drop(&dc->lock);
	return 0;
}

int disk_append_here(struct disk_cache *dc, struct segment_entry *entry,
		     const void *data, bool may_evict, struct err *err)
{
	uint64_t before = dc->open ? segment_bytes(dc->open) : 0;
	int r;

	if (!dc->open || before + segment_cost(entry->len) > dc->segment_size)
		return err_set(err, ERR_SYSTEM, ENOSPC, "the segment is full");
	r = segment_append(dc->open, entry, data, err);
	return r < 0 ? r : note_entry(dc, entry,
				      segment_bytes(dc->open) - before,
				      may_evict, err);
}

int disk_append(struct disk_cache *dc, const struct segment_key *key,
		uint64_t offset, const void *data, uint32_t len,
		const struct disk_note *note, struct err *err)
{
	struct segment_entry e = { .key = *key };
	int r;

	if (data) {
		e.part = disk_part(offset);
		e.len = len;
	} else {
		disk_note_tell(note, &e);
	}
	/* What eviction carries over goes here too, half of it at most. */
	for (int tries = 0; tries < 3; tries++) {
		if (dc->open && segment_bytes(dc->open) + segment_cost(len) >
					dc->segment_size) {
			r = disk_seal(dc, err);
			if (r < 0)
				return r;
		}
		r = dc->open ? 0 : open_new(dc, err);
		if (r == 0)
			r = disk_make_room(dc, segment_cost(len), err);
		if (r < 0)
			return r;
		r = disk_append_here(dc, &e, data, true, err);
		if (r != -ENOSPC || segment_bytes(dc->open) + segment_cost(len) <=
					    dc->segment_size)
			return r;
		err_clear(err);
	}
	return err_set(err, ERR_SYSTEM, ENOSPC, "no room for a record");
}
