/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many small objects at once, told to one thread.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/lock.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"

struct fetch_group;

struct fetch {
	struct fetch_group *group;
	size_t i;
	struct buf bytes;
	bool is_busy;		/* the main thread's alone */
	bool is_done;		/* under group->lock, as all below */
	int r;
	char etag[BACKEND_ETAG_MAX];
	struct err err;
};

struct fetch_group {
	struct lock lock;
	struct cond woken;
	struct fetch slots[CATALOG_FETCHES];
};

static void fetch_done(void *arg, int r, const struct object_info *info,
		       const struct err *err)
{
	struct fetch *fetch = arg;

	lock_take(&fetch->group->lock);
	fetch->r = r;
	if (r < 0)
		err_copy(&fetch->err, err);
	else
		snprintf(fetch->etag, sizeof(fetch->etag), "%s",
			 object_validator(info));
	fetch->is_done = true;
	cond_signal(&fetch->group->woken);
	lock_drop(&fetch->group->lock);
}

/* A slot whose fetch has ended; waits for one.  NULL when none is under way. */
static struct fetch *fetch_wait(struct fetch_group *group)
{
	struct fetch *found = NULL;
	bool is_any = false;

	lock_take(&group->lock);
	for (;;) {
		for (size_t s = 0; s < CATALOG_FETCHES && !found; s++) {
			is_any |= group->slots[s].is_busy;
			if (group->slots[s].is_done)
				found = &group->slots[s];
		}
		if (found || !is_any)
			break;
		/* The backend ends every operation by its deadline. */
		cond_wait(&group->woken, &group->lock);
	}
	if (found)
		found->is_done = false;
	lock_drop(&group->lock);
	return found;
}

static struct fetch *fetch_free_slot(struct fetch_group *group)
{
	for (size_t s = 0; s < CATALOG_FETCHES; s++)
		if (!group->slots[s].is_busy)
			return &group->slots[s];
	return NULL;
}

int catalog_fetch(struct backend *b, char *const *keys, const size_t *limits,
		  size_t n, int64_t deadline_ms, catalog_fetched_fn done,
		  void *arg, struct err *err)
{
	struct fetch_group *group;
	struct fetch *fetch;
	size_t next = 0, under_way = 0;

	if (n == 0)
		return 0;
	group = calloc(1, sizeof(*group));
	if (!group)
		return err_nomem(err);
	lock_init(&group->lock);
	cond_init(&group->woken);
	for (;;) {
		while (next < n && (fetch = fetch_free_slot(group)) &&
		       (under_way == 0 ||
			under_way + limits[next] <= CATALOG_FETCH_BYTES)) {
			under_way += limits[next];
			fetch->group = group;
			fetch->i = next;
			fetch->is_busy = true;
			backend_get_all(b, keys[next], limits[next],
					&fetch->bytes, deadline_ms, fetch_done,
					fetch);
			next++;
		}
		fetch = fetch_wait(group);
		if (!fetch)
			break;
		done(arg, fetch->i, fetch->r, &fetch->bytes, fetch->etag,
		     &fetch->err);
		under_way -= limits[fetch->i];
		fetch->is_busy = false;
		buf_release(&fetch->bytes);
	}
	cond_release(&group->woken);
	lock_release(&group->lock);
	free(group);
	return 0;
}
