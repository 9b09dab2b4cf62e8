/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/fuse/ahead.h"

#include <stdlib.h>
#include "backends/base/lock.h"

struct walk {
	uint32_t slot;
	uint32_t next;		/* the entry that should be read next */
	uint32_t ahead;		/* up to here files were asked for */
	uint32_t files;		/* how far to look; 0: one file was read */
	uint64_t used;		/* 0: free */
};

/* lock guards everything. */
struct ahead {
	struct lock lock;
	uint64_t reads;
	struct walk walks[AHEAD_WALKS];
};

int ahead_new(struct ahead **out, struct err *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_nomem(err);
	lock_init(&(*out)->lock);
	return 0;
}

void ahead_free(struct ahead *ahead)
{
	if (!ahead)
		return;
	lock_release(&ahead->lock);
	free(ahead);
}

static bool continues(const struct walk *w, uint32_t slot, uint32_t index)
{
	if (!w->used || w->slot != slot)
		return false;
	if (!w->files)
		return index >= w->next && index - w->next <= AHEAD_START_SLACK;
	return index + AHEAD_SLACK >= w->next && index <= w->next + AHEAD_SLACK;
}

static struct walk *walk_find(struct ahead *ahead, uint32_t slot,
			      uint32_t index) REQUIRES(&ahead->lock)
{
	for (size_t i = 0; i < AHEAD_WALKS; i++)
		if (continues(&ahead->walks[i], slot, index))
			return &ahead->walks[i];
	return NULL;
}

static struct walk *walk_oldest(struct ahead *ahead) REQUIRES(&ahead->lock)
{
	struct walk *oldest = &ahead->walks[0];

	for (size_t i = 1; i < AHEAD_WALKS; i++)
		if (ahead->walks[i].used < oldest->used)
			oldest = &ahead->walks[i];
	return oldest;
}

/* As many files of this size as may lie unread in memory. */
static uint32_t files_of(const struct fs *fs, uint64_t size, uint32_t files)
{
	uint64_t room = memory_budget_limit(fs->budget) / AHEAD_BYTES_SHARE;

	return size && room / size < files ? (uint32_t)(room / size) : files;
}

/* Notes the read; [*from, *to) are the entries to ask for now. */
static void walk_on(struct fs *fs, uint32_t slot,
		    const struct tree_entry *entry, uint32_t n_entries,
		    uint32_t *from, uint32_t *to)
{
	struct ahead *ahead = fs->ahead;
	struct walk *w;
	uint64_t end;

	*from = *to = 0;
	lock_take(&ahead->lock);
	w = walk_find(ahead, slot, entry->index);
	if (!w) {
		w = walk_oldest(ahead);
		*w = (struct walk){ .slot = slot, .next = entry->index + 1 };
	} else {
		w->files = w->files ? 2 * w->files : AHEAD_FILES_MIN;
		if (w->files > AHEAD_FILES_MAX)
			w->files = AHEAD_FILES_MAX;
		if (entry->index >= w->next)
			w->next = entry->index + 1;
		if (w->ahead < w->next)
			w->ahead = w->next;
		end = (uint64_t)w->next + files_of(fs, entry->size, w->files);
		*from = w->ahead;
		*to = end < n_entries ? (uint32_t)end : n_entries;
		if (*to > w->ahead)
			w->ahead = *to;
	}
	w->used = ++ahead->reads;
	lock_drop(&ahead->lock);
}

/* The store has enough to do: the next read goes on from there. */
static void walk_back(struct ahead *ahead, uint32_t slot, uint32_t index)
{
	struct walk *w;

	lock_take(&ahead->lock);
	w = walk_find(ahead, slot, index);
	if (w && w->ahead > index)
		w->ahead = index;
	lock_drop(&ahead->lock);
}

/* False: not now.  What cannot be read says so when it is. */
static bool ask_for(struct fs *fs, const struct slot_ref *ref, uint32_t index)
{
	cleanup_content struct content content = CONTENT_INIT;
	struct err ignored = ERR_INIT;

	if (content_entry(&content, ref, index, &ignored) < 0 ||
	    !content.entry.size || content.entry.size > FETCHER_WHOLE_MAX ||
	    content_locate(&content, ref, &ignored) < 0)
		return true;
	return fetcher_ahead(fs->fetcher, &content.blob);
}

void ahead_note(struct fs *fs, const struct slot_ref *ref,
		const struct tree_entry *entry)
{
	struct tree_info info;
	uint32_t from, to;

	if (bucket_is_gone(ref->bucket))
		return;
	tree_info(ref->tree, &info);
	walk_on(fs, ref->slot, entry, info.n_entries, &from, &to);
	for (uint32_t i = from; i < to; i++) {
		if (!ask_for(fs, ref, i)) {
			walk_back(fs->ahead, ref->slot, i);
			break;
		}
	}
	if (from < to)
		fetcher_go(fs->fetcher);
}
