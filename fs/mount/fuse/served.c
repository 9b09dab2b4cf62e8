/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/served.h"

#include <errno.h>
#include <string.h>

#include "backends/base/lock.h"
#include "backends/base/log.h"

#define SERVED_CAP_FIRST ((size_t)1024)

struct served_entry {
	struct blob_id id;
	uint64_t nodeid;	/* 0: free */
};

/* Open addressing by the blob, so that one blob's nodes follow each other.
   The lock guards everything. */
struct served {
	struct lock lock;
	struct served_entry *entries;
	size_t cap, n;
	bool has_warned;
};

int served_new(struct served **out, struct err *err)
{
	struct served *served = calloc(1, sizeof(*served));

	if (!served)
		return err_nomem(err);
	served->cap = SERVED_CAP_FIRST;
	served->entries = calloc(served->cap, sizeof(*served->entries));
	if (!served->entries) {
		free(served);
		return err_nomem(err);
	}
	lock_init(&served->lock);
	*out = served;
	return 0;
}

void served_free(struct served *served)
{
	if (!served)
		return;
	free(served->entries);
	lock_release(&served->lock);
	free(served);
}

/* The entry of the pair, or the free one where it belongs. */
static struct served_entry *served_find(struct served_entry *entries,
					size_t cap, const struct blob_id *id,
					uint64_t nodeid)
{
	size_t i = id->lo & (cap - 1);

	while (entries[i].nodeid &&
	       !(blob_id_equal(&entries[i].id, id) &&
		 entries[i].nodeid == nodeid))
		i = (i + 1) & (cap - 1);
	return &entries[i];
}

/* Twice the room, or at the limit an empty table. */
static bool served_grow(struct served *s) REQUIRES(&s->lock)
{
	size_t cap = s->cap * 2;
	struct served_entry *entries;

	if (cap > SERVED_MAX) {
		memset(s->entries, 0, s->cap * sizeof(*s->entries));
		s->n = 0;
		return true;
	}
	entries = calloc(cap, sizeof(*entries));
	if (!entries)
		return false;
	for (size_t i = 0; i < s->cap; i++)
		if (s->entries[i].nodeid)
			*served_find(entries, cap, &s->entries[i].id,
				     s->entries[i].nodeid) = s->entries[i];
	free(s->entries);
	s->entries = entries;
	s->cap = cap;
	return false;
}

void served_note(struct served *s, const struct blob_id *id, uint64_t nodeid)
{
	struct served_entry *e;
	bool warn = false;

	lock_take(&s->lock);
	e = served_find(s->entries, s->cap, id, nodeid);
	if (!e->nodeid) {
		if (s->n >= s->cap / 4 * 3) {
			warn = served_grow(s) && !s->has_warned;
			s->has_warned |= warn;
			e = served_find(s->entries, s->cap, id, nodeid);
		}
		/* Without memory for more one place stays free, to stop at. */
		if (s->n < s->cap - 1) {
			e->id = *id;
			e->nodeid = nodeid;
			s->n++;
		}
	}
	lock_drop(&s->lock);
	if (warn)
		log_warn("mount", "more than %zu large files were read: pages of the first ones stay if their content turns out damaged",
			 SERVED_MAX / 4 * 3);
}

uint64_t *served_nodes(struct served *s, const struct blob_id *id, size_t *n)
{
	uint64_t *nodes = NULL;
	size_t first, filled = 0;

	*n = 0;
	lock_take(&s->lock);
	first = id->lo & (s->cap - 1);
	for (size_t i = first; s->entries[i].nodeid; i = (i + 1) & (s->cap - 1))
		*n += blob_id_equal(&s->entries[i].id, id);
	if (*n)
		nodes = malloc(*n * sizeof(*nodes));
	for (size_t i = first; nodes && filled < *n; i = (i + 1) & (s->cap - 1))
		if (blob_id_equal(&s->entries[i].id, id))
			nodes[filled++] = s->entries[i].nodeid;
	lock_drop(&s->lock);
	return nodes;
}
