/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: the summaries, newest first, so that the first that is said of a
 * record or a blob holds.
 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Else a file that is named so would leave no number for newer ones. */
#define SEQUENCE_MAX (UINT64_MAX / 2)

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

int disk_load(struct disk_cache *dc, struct err *err)
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
