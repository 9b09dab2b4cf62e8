/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eviction: the oldest segment goes, but for the records in it that were used
 * since they were written: those are appended anew (CLOCK).
 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include "backends/base/log.h"

struct eviction {
	struct disk_cache *dc;
	uint32_t slot;
	uint64_t carried;
	struct segment_entry *kept;
	size_t n, cap;
};

static bool keep(struct eviction *ev, const struct segment_entry *e)
{
	if (ev->carried + e->len > ev->dc->segment_size / 2)
		return false;
	if (ev->n == ev->cap) {
		size_t cap = ev->cap ? 2 * ev->cap : 256;
		struct segment_entry *kept = reallocarray(ev->kept, cap,
							  sizeof(*kept));

		if (!kept)
			return false;
		ev->kept = kept;
		ev->cap = cap;
	}
	ev->carried += e->len + SEGMENT_RECORD_HEAD;
	ev->kept[ev->n++] = *e;
	return true;
}

static int evict_entry(void *arg, const struct segment_entry *e)
{
	struct eviction *ev = arg;
	struct disk_cache *dc = ev->dc;
	struct disk_note note = disk_note_of(e);

	lock_take(&dc->lock);
	if (e->len == 0) {
		if (disk_notes_unmark(dc->notes, &e->key, ev->slot, &note))
			(void)keep(ev, e);
	} else if (!disk_index_unmark(dc->index, &e->key, e->part, ev->slot) ||
		   !keep(ev, e)) {
		disk_index_remove(dc->index, &e->key, e->part, ev->slot);
		dc->evicted++;
	}
	lock_drop(&dc->lock);
	return 0;
}

/* What cannot be carried over is a miss. */
static void carry(struct eviction *ev, struct segment *s)
{
	struct disk_cache *dc = ev->dc;

	for (size_t i = 0; i < ev->n; i++) {
		struct segment_entry *e = &ev->kept[i];
		struct err ignored = ERR_INIT;
		int r = e->len ? segment_read(s, e, dc->scratch) : 0;

		if (r == 0)
			r = disk_append_here(dc, e, dc->scratch, false, &ignored);
		if (r == 0)
			continue;
		lock_take(&dc->lock);
		if (e->len)
			disk_index_remove(dc->index, &e->key, e->part,
					  ev->slot);
		dc->evicted++;
		lock_drop(&dc->lock);
	}
}

uint64_t disk_slot_free(struct disk_cache *dc, uint32_t slot)
{
	struct segment *s;
	uint64_t bytes;

	lock_take(&dc->lock);
	s = disk_slot_take(dc, slot);
	bytes = segment_bytes(s);
	dc->bytes -= bytes;
	lock_drop(&dc->lock);
	segment_unlink(s, dc->dir_fd);
	segment_put(s);
	dc->unchecked_bytes = DISK_ROOM_CHECK_BYTES;
	return bytes;
}

bool disk_evict_oldest(struct disk_cache *dc)
{
	struct eviction ev = { .dc = dc };
	struct err err = ERR_INIT;
	struct segment *s;

	lock_take(&dc->lock);
	ev.slot = dc->oldest;
	s = ev.slot == DISK_NO_SLOT || ev.slot == dc->open_slot ?
		    NULL : dc->slots[ev.slot].segment;
	lock_drop(&dc->lock);
	if (!s)
		return false;

	if (segment_each(s, evict_entry, &ev, &err) < 0) {
		log_debug("cache", "evicted unread: error=\"%s\"", err.text);
		lock_take(&dc->lock);
		disk_index_drop_slot(dc->index, ev.slot);
		lock_drop(&dc->lock);
	}
	carry(&ev, s);
	free(ev.kept);
	(void)disk_slot_free(dc, ev.slot);
	return true;
}

/* For n more bytes; asks again how much room others leave, now and then. */
static bool disk_has_room(struct disk_cache *dc, uint64_t n)
{
	struct statvfs st;

	if (dc->unchecked_bytes + n < DISK_ROOM_CHECK_BYTES)
		return true;
	if (dc->others)
		dc->others_bytes = dc->others(dc->others_arg);
	if (fstatvfs(dc->dir_fd, &st) == 0 &&
	    (uint64_t)st.f_bavail * st.f_frsize <
		    dc->free + DISK_ROOM_CHECK_BYTES)
		return false;
	dc->unchecked_bytes = 0;
	return true;
}

int disk_make_room(struct disk_cache *dc, uint64_t n, struct err *err)
{
	bool has_room = disk_has_room(dc, n);

	for (;;) {
		bool fits;

		lock_take(&dc->lock);
		fits = dc->bytes + n + dc->others_bytes <= dc->size &&
		       dc->n_segments <= dc->segments_max;
		lock_drop(&dc->lock);
		if (has_room && fits)
			break;
		if (!disk_evict_oldest(dc))
			return err_set(err, ERR_SYSTEM, ENOSPC,
				       has_room ? "no room below cache.size beside the trees of open versions: %s" :
						  "no room on the file system beside what must stay free: %s",
				       dc->dir);
		has_room = disk_has_room(dc, n);
	}
	dc->unchecked_bytes += n;
	return 0;
}
