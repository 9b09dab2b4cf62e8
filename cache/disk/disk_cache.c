/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <dirent.h>
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

/* Else a file that is named so would leave no number for newer ones. */
#define SEQUENCE_MAX (UINT64_MAX / 2)

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

/*
 * Opening: the summaries, newest first, so that the first that is said of a
 * record or a blob holds.
 */

struct loading {
	struct disk_cache *dc;
	struct disk_index *tombstones;	/* as records: all that came so far */
	uint32_t slot;
	uint32_t n_tombstones;		/* of that slot */
};

static int load_entry(void *arg, const struct segment_entry *e)
{
	struct loading *loading = arg;
	struct disk_cache *dc = loading->dc;
	struct disk_place place = { loading->slot, e->len,
				    (uint32_t)e->value };
	struct disk_note note = disk_note_of(e);
	struct disk_place known;
	bool fits = true;

	lock_take(&dc->lock);
	if (e->len == 0 && disk_note_equal(&note, &DISK_TOMBSTONE)) {
		loading->n_tombstones++;
		fits = disk_index_set(loading->tombstones, &e->key, 0, &place);
	} else if (e->len == 0) {
		(void)disk_notes_set(dc->notes, &e->key, &note, loading->slot,
				     true);
	} else if (disk_index_find(loading->tombstones, &e->key, 0, false,
				   &known)) {
		/* It was forgotten after it was written. */
	} else if (!disk_index_find(dc->index, &e->key, e->part, false,
				    &known)) {
		fits = disk_index_set(dc->index, &e->key, e->part, &place);
	}
	lock_drop(&dc->lock);
	return fits ? 0 : -ENOMEM;
}

static int newer_first(const void *a, const void *b)
{
	uint64_t x = ((const struct segment_file *)a)->sequence;
	uint64_t y = ((const struct segment_file *)b)->sequence;

	return x < y ? 1 : x > y ? -1 : 0;
}

static void unlink_file(struct disk_cache *dc, const struct segment_file *file)
{
	char name[SEGMENT_NAME];

	segment_file_name(name, file);
	(void)unlinkat(dc->dir_fd, name, 0);
}

struct file_list {
	struct segment_file *files;
	size_t n, cap;
};

static int list_add(struct file_list *list, const struct segment_file *file,
		    struct err *err)
{
	if (list->n == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 256;
		struct segment_file *more = reallocarray(list->files, cap,
							 sizeof(*more));

		if (!more)
			return err_nomem(err);
		list->files = more;
		list->cap = cap;
	}
	list->files[list->n++] = *file;
	return 0;
}

/*
 * All sealed segments in the directory, newest first.  What is none goes;
 * the numbers of all are taken.
 */
static int list_segments(struct disk_cache *dc, struct file_list *out,
			 struct err *err)
{
	struct segment_file file;
	struct dirent *entry;
	DIR *dir = opendir(dc->dir);
	int r = 0;

	if (!dir)
		return err_errno(err, errno, "open %s", dc->dir);
	while (r == 0 && (entry = readdir(dir))) {
		enum segment_kind kind = segment_file_parse(entry->d_name,
							    &file);

		if (kind == SEGMENT_NONE)
			continue;
		if (file.sequence <= SEQUENCE_MAX &&
		    file.sequence >= dc->next_sequence)
			dc->next_sequence = file.sequence + 1;
		if (kind == SEGMENT_SEALED && file.sequence <= SEQUENCE_MAX)
			r = list_add(out, &file, err);
		else
			(void)unlinkat(dc->dir_fd, entry->d_name, 0);
	}
	closedir(dir);
	if (out->n)
		qsort(out->files, out->n, sizeof(*out->files), newer_first);
	return r;
}

/* Of memory or descriptors: the segment is as it should be. */
static bool is_out_of_room(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

/*
 * Into the next slot: the first ones are newer, which the list of ages, made
 * afterwards, turns round.
 */
static int load_segment(struct disk_cache *dc, struct disk_index *tombstones,
			const struct segment_file *file)
{
	struct loading loading = { dc, tombstones, dc->n_slots, 0 };
	struct segment *s = NULL;
	struct err err = ERR_INIT;
	int r = segment_open(&s, dc->dir_fd, file, load_entry, &loading, &err);

	/*
	 * What was told of a part of it points into no slot, or a wrong one.
	 * What cannot be read would take room for ever, and not be counted.
	 */
	if (r < 0 && !is_out_of_room(r))
		unlink_file(dc, file);
	if (r < 0)
		return r;
	lock_take(&dc->lock);
	if (disk_slot_add(dc, s) != loading.slot)
		abort();
	dc->slots[loading.slot].n_tombstones = loading.n_tombstones;
	dc->bytes += segment_bytes(s);
	lock_drop(&dc->lock);
	return 0;
}

/* They were added newest first. */
static void reverse_ages(struct disk_cache *dc)
{
	for (uint32_t i = 0; i < dc->n_slots; i++)
		dc->slots[i].newer = i ? i - 1 : DISK_NO_SLOT;
	dc->oldest = dc->n_slots ? dc->n_slots - 1 : DISK_NO_SLOT;
	dc->newest = dc->n_slots ? 0 : DISK_NO_SLOT;
}

/*
 * Newest first, until the older ones find no room in the index, or too few
 * descriptors: those go.
 */
static void load_listed(struct disk_cache *dc, struct disk_index *tombstones,
			const struct file_list *list)
{
	bool is_full = false;
	uint64_t oldest = 0;

	for (size_t i = 0; i < list->n && !is_full; i++)
		is_full = is_out_of_room(load_segment(dc, tombstones,
						      &list->files[i])) ||
			  dc->n_segments >= dc->segments_max;
	if (is_full && dc->n_slots)
		oldest = segment_sequence(dc->slots[dc->n_slots - 1].segment);
	for (size_t i = 0; i < list->n; i++)
		if (list->files[i].sequence < oldest)
			unlink_file(dc, &list->files[i]);
}

static int load_all(struct disk_cache *dc, struct err *err)
{
	struct file_list list = { .files = NULL };
	struct disk_index *tombstones = NULL;
	int r;

	dc->next_sequence = 1;
	r = list_segments(dc, &list, err);
	if (r == 0)
		r = disk_index_new(&tombstones, dc->budget, err);
	if (r == 0)
		load_listed(dc, tombstones, &list);
	free(list.files);
	if (r < 0)
		return r;
	disk_index_free(tombstones);
	lock_take(&dc->lock);
	reverse_ages(dc);
	lock_drop(&dc->lock);
	return 0;
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
	r = load_all(dc, err);
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
