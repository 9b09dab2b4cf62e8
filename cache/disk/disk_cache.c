/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/log.h"

#define LOG "cache"

_Static_assert(DISK_CACHE_EXTENT <= SEGMENT_RECORD_MAX, "an extent is a record");

/*
 * Slots: segments by number, and a list of them by age.
 */

uint32_t disk_slot_add(struct disk_cache *dc, struct segment *s)
{
	uint32_t slot = dc->n_segments == dc->n_slots ? dc->n_slots : 0;

	while (slot < dc->n_slots && dc->slots[slot].segment)
		slot++;
	if (slot == dc->cap_slots) {
		uint32_t cap = dc->cap_slots ? 2 * dc->cap_slots : 64;
		struct disk_slot *slots = reallocarray(dc->slots, cap,
						       sizeof(*slots));

		if (!slots)
			return DISK_NO_SLOT;
		dc->slots = slots;
		dc->cap_slots = cap;
	}
	if (slot == dc->n_slots)
		dc->n_slots++;
	dc->slots[slot] = (struct disk_slot){ .segment = s,
					      .newer = DISK_NO_SLOT };
	if (dc->newest == DISK_NO_SLOT)
		dc->oldest = slot;
	else
		dc->slots[dc->newest].newer = slot;
	dc->newest = slot;
	dc->n_segments++;
	return slot;
}

struct segment *disk_slot_take(struct disk_cache *dc, uint32_t slot)
{
	struct segment *s = dc->slots[slot].segment;
	uint32_t *link = &dc->oldest, older = DISK_NO_SLOT;

	while (*link != slot) {
		older = *link;
		link = &dc->slots[older].newer;
	}
	*link = dc->slots[slot].newer;
	if (dc->newest == slot)
		dc->newest = older;
	dc->slots[slot].segment = NULL;
	dc->n_segments--;
	return s;
}

static int cache_prepare(struct disk_cache *dc, struct err *err)
{
	int r;

	r = disk_index_new(&dc->index, dc->budget, err);
	if (r == 0)
		r = disk_notes_new(&dc->notes, dc->budget, err);
	if (r < 0)
		return r;
	dc->scratch = aligned_alloc(SEGMENT_PAGE, SEGMENT_RECORD_MAX);
	if (!dc->scratch)
		return err_nomem(err);
	dc->dir_fd = io_open_private_dir(dc->dir, NULL, err);
	if (dc->dir_fd < 0)
		return dc->dir_fd;
	r = disk_load(dc, err);
	return r < 0 ? r : disk_writer_start(dc, err);
}

/* Each has two descriptors; half of all are for everything else. */
static uint32_t segments_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 ||
	    files.rlim_cur > 4 * (rlim_t)DISK_SEGMENTS_MAX)
		return DISK_SEGMENTS_MAX;
	return files.rlim_cur / 4 > DISK_SEGMENTS_SHARE ?
		       (uint32_t)files.rlim_cur / 4 : DISK_SEGMENTS_SHARE;
}

int disk_cache_open(struct disk_cache **out,
		    const struct disk_cache_options *opt, struct err *err)
{
	struct disk_cache *dc = calloc(1, sizeof(*dc));
	int r;

	if (!dc)
		return err_nomem(err);
	lock_init(&dc->lock);
	cond_init(&dc->work);
	cond_init(&dc->idle);
	dc->dir_fd = -1;
	dc->oldest = dc->newest = dc->open_slot = DISK_NO_SLOT;
	dc->budget = opt->budget;
	dc->size = opt->size < DISK_CACHE_SIZE_MIN ? DISK_CACHE_SIZE_MIN :
						     opt->size;
	dc->free = opt->free;
	dc->others = opt->others;
	dc->others_arg = opt->others_arg;
	dc->unchecked_bytes = DISK_ROOM_CHECK_BYTES;
	dc->segments_max = segments_max();
	dc->segment_size = dc->size / DISK_SEGMENTS_SHARE;
	if (dc->segment_size > SEGMENT_SIZE_MAX)
		dc->segment_size = SEGMENT_SIZE_MAX;
	dc->queued_max = memory_budget_limit(dc->budget) /
			 DISK_CACHE_QUEUE_SHARE;
	if (dc->queued_max > DISK_CACHE_QUEUE_MAX)
		dc->queued_max = DISK_CACHE_QUEUE_MAX;
	dc->dir = strdup(opt->dir);
	r = dc->dir ? cache_prepare(dc, err) : err_nomem(err);
	if (r < 0) {
		disk_cache_free(dc);
		return r;
	}
	*out = dc;
	return 0;
}

void disk_cache_free(struct disk_cache *dc)
{
	if (!dc)
		return;
	disk_writer_stop(dc);
	for (uint32_t i = 0; i < dc->n_slots; i++)
		segment_put(dc->slots[i].segment);
	free(dc->slots);
	disk_index_free(dc->index);
	disk_notes_free(dc->notes);
	if (dc->dir_fd >= 0)
		(void)close(dc->dir_fd);
	free(dc->scratch);
	free(dc->dir);
	cond_release(&dc->idle);
	cond_release(&dc->work);
	lock_release(&dc->lock);
	free(dc);
}

/*
 * Finding and reading.
 */

void disk_lock_soon(struct disk_cache *dc)
{
	int64_t start = clock_ms(), waited;

	lock_take(&dc->lock);
	waited = clock_ms() - start;
	if (waited > dc->longest_wait_ms)
		dc->longest_wait_ms = waited;
}

static bool find_part(struct disk_cache *dc, const struct segment_key *key,
		      uint32_t part, uint64_t offset, bool mark,
		      struct disk_record *out) REQUIRES(&dc->lock)
{
	uint64_t start = part * DISK_CACHE_GRAIN;
	struct disk_place place;

	if (!disk_index_find(dc->index, key, part, false, &place) ||
	    offset >= start + place.len)
		return false;
	if (mark)
		(void)disk_index_find(dc->index, key, part, true, &place);
	if (place.slot >= dc->n_slots || !dc->slots[place.slot].segment) {
		disk_index_remove(dc->index, key, part, place.slot);
		return false;
	}
	out->segment = segment_get(dc->slots[place.slot].segment);
	out->slot = place.slot;
	out->offset = start;
	out->entry = (struct segment_entry){ *key, part, place.len,
					     place.offset };
	return true;
}

bool disk_cache_find(struct disk_cache *dc, const struct segment_key *key,
		     uint64_t offset, struct disk_record *out)
{
	uint32_t grain = disk_part(offset);
	uint32_t extent = disk_part(offset / DISK_CACHE_EXTENT *
				    DISK_CACHE_EXTENT);
	bool is_found;

	disk_lock_soon(dc);
	is_found = find_part(dc, key, extent, offset, true, out);
	/* Of several grains that were read at once there is one record. */
	for (uint32_t part = grain; !is_found && part > extent; part--)
		is_found = find_part(dc, key, part, offset, true, out);
	lock_drop(&dc->lock);
	return is_found;
}

bool disk_cache_peek(struct disk_cache *dc, const struct segment_key *key,
		     uint64_t offset, struct disk_record *out)
{
	bool is_found;

	disk_lock_soon(dc);
	is_found = find_part(dc, key, disk_part(offset), offset, false, out);
	lock_drop(&dc->lock);
	return is_found;
}

/* It was read, or (r < 0) could not be. */
static int read_end(struct disk_cache *dc, struct disk_record *record, int r)
{
	const struct segment_entry *e = &record->entry;

	if (r < 0) {
		static struct log_limit limit;
		unsigned dropped;

		lock_take(&dc->lock);
		disk_index_remove(dc->index, &e->key, e->part, record->slot);
		dc->damaged++;
		lock_drop(&dc->lock);
		if (log_limit_ok(&limit, &dropped))
			log_warn(LOG, "cached content is damaged, it is fetched again: segment=%016llx offset=%llu error=\"%s\" unlogged=%u",
				 (unsigned long long)segment_sequence(record->segment),
				 (unsigned long long)e->value,
				 r == -EBADMSG ? "other bytes stand there" :
						 strerror(-r),
				 dropped);
	}
	disk_cache_release(record);
	return r < 0 ? -EIO : 0;
}

int disk_cache_read(struct disk_cache *dc, struct disk_record *record,
		    void *dst)
{
	return read_end(dc, record,
			segment_read(record->segment, &record->entry, dst));
}

int disk_cache_read_now(struct disk_cache *dc, struct disk_record *record,
			void *dst)
{
	int r = segment_read_now(record->segment, &record->entry, dst);

	return r == -EAGAIN ? r : read_end(dc, record, r);
}

void disk_cache_release(struct disk_record *record)
{
	segment_put(steal_pointer(&record->segment));
}

static uint32_t len_of(struct disk_cache *dc, const struct segment_key *key,
		       uint64_t offset) REQUIRES(&dc->lock)
{
	struct disk_place place;

	return disk_index_find(dc->index, key, disk_part(offset), false,
			       &place) ? place.len : 0;
}

uint64_t disk_cache_bytes_of(struct disk_cache *dc,
			     const struct segment_key *key, uint64_t size)
{
	uint64_t at = 0, bytes = 0;

	while (at < size) {
		uint64_t end = at + DISK_CACHE_EXTENT;
		uint32_t len;

		lock_take(&dc->lock);
		for (; at < end && at < size; at += DISK_CACHE_GRAIN) {
			len = len_of(dc, key, at);
			bytes += len;
			if (len > DISK_CACHE_GRAIN)	/* begins an extent */
				at += (len - 1) / DISK_CACHE_GRAIN *
				      DISK_CACHE_GRAIN;
		}
		lock_drop(&dc->lock);
	}
	return bytes;
}

void disk_cache_tally_next(struct disk_cache *dc, struct disk_tally *tally,
			   unsigned level)
{
	bool has_more = true;

	tally->bytes[level] = 0;
	if (tally->groups[level] && tally->groups[level] < DISK_TALLY_GROUPS) {
		tally->groups[level]++;
		return;
	}
	tally->groups[level] = 1;
	for (uint32_t part = 0; has_more; part++) {
		lock_take(&dc->lock);
		has_more = disk_index_tally_clear(dc->index, part, level);
		lock_drop(&dc->lock);
	}
}

void disk_cache_tally(struct disk_cache *dc, struct disk_tally *tally,
		      const struct segment_key *key, uint64_t size)
{
	uint64_t at = 0;

	while (at < size) {
		uint64_t end = at + DISK_CACHE_EXTENT;

		lock_take(&dc->lock);
		for (; at < end && at < size; at += DISK_CACHE_GRAIN)
			disk_index_tally(dc->index, key, disk_part(at),
					 tally->groups, tally->bytes);
		lock_drop(&dc->lock);
	}
}

bool disk_cache_note(struct disk_cache *dc, const struct segment_key *key,
		     struct disk_note *out)
{
	bool is_found;

	disk_lock_soon(dc);
	is_found = disk_notes_find(dc->notes, key, true, out);
	lock_drop(&dc->lock);
	return is_found;
}

void disk_cache_stats(struct disk_cache *dc, struct disk_cache_stats *out)
{
	lock_take(&dc->lock);
	out->bytes = dc->bytes;
	out->size = dc->size;
	out->records = disk_index_count(dc->index);
	out->record_bytes = disk_index_bytes(dc->index);
	out->segments = dc->n_segments;
	out->written = dc->written;
	out->dropped = dc->dropped;
	out->damaged = dc->damaged;
	out->evicted = dc->evicted;
	out->longest_wait_ms = dc->longest_wait_ms;
	out->is_paused = dc->paused_until_ms != 0;
	(void)snprintf(out->problem, sizeof(out->problem), "%s", dc->problem);
	lock_drop(&dc->lock);
}
