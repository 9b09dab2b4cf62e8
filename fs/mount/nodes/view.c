/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/nodes/view.h"

#include <errno.h>

#include "backends/base/clock.h"
#include "backends/base/lock.h"

/* The lock guards all that changes. */
struct view {
	struct bucket *bucket;
	view_change_fn change;
	void *change_arg;

	struct lock lock;
	struct catalog *catalog;
	int64_t noted_ms;
	bool is_looking;
	uint32_t generation;
	struct listing *listings[VIEW_LISTINGS];	/* newest first */
};

int view_new(struct view **out, struct bucket *b, view_change_fn change,
	     void *arg, struct err *err)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return err_nomem(err);
	lock_init(&view->lock);
	view->bucket = b;
	view->change = change;
	view->change_arg = arg;
	*out = view;
	return 0;
}

void view_free(struct view *view)
{
	if (!view)
		return;
	for (size_t i = 0; i < VIEW_LISTINGS; i++)
		if (view->listings[i])
			listing_put(view->listings[i]);
	if (view->catalog)
		catalog_put(view->catalog);
	lock_release(&view->lock);
	free(view);
}

static void view_note(struct view *view, struct catalog *catalog)
{
	struct catalog *before;

	lock_take(&view->lock);
	before = view->catalog;
	if (before != catalog)
		view->catalog = catalog_get(catalog);
	view->noted_ms = clock_ms();
	lock_drop(&view->lock);

	if (before == catalog || !before)
		return;
	view->change(view->change_arg, view->bucket, before, catalog);
	catalog_put(before);
}

struct view_wait {
	struct view *view;
	bucket_catalog_fn done;
	void *arg;
};

static void view_wait_done(void *arg, int r, struct catalog *catalog,
			   const struct err *err)
{
	struct view_wait *wait = arg;

	if (r == 0)
		view_note(wait->view, catalog);
	wait->done(wait->arg, r, catalog, err);
	free(wait);
}

void view_fresh(struct view *view, bucket_catalog_fn done, void *arg)
{
	struct view_wait *wait = malloc(sizeof(*wait));

	if (!wait) {
		struct err err = ERR_INIT;

		done(arg, err_nomem(&err), NULL, &err);
		return;
	}
	wait->view = view;
	wait->done = done;
	wait->arg = arg;
	bucket_catalog(view->bucket, view_wait_done, wait);
}

static void view_looked(void *arg, int r, struct catalog *catalog,
			const struct err *err)
{
	struct view *view = arg;

	(void)err;	/* the registry has logged it */
	if (r == 0)
		view_note(view, catalog);
	lock_take(&view->lock);
	view->is_looking = false;
	lock_drop(&view->lock);
}

struct catalog *view_recent(struct view *view)
{
	struct catalog *catalog = NULL;
	bool look = false;
	int64_t age;

	lock_take(&view->lock);
	age = clock_ms() - view->noted_ms;
	if (view->catalog && age < VIEW_GRACE_MS) {
		catalog = catalog_get(view->catalog);
		look = age >= CATALOG_FRESH_MS && !view->is_looking;
		if (look)
			view->is_looking = true;
	}
	lock_drop(&view->lock);

	if (look)
		bucket_catalog(view->bucket, view_looked, view);
	return catalog;
}

struct catalog *view_known(struct view *view)
{
	struct catalog *catalog;

	lock_take(&view->lock);
	catalog = view->catalog ? catalog_get(view->catalog) : NULL;
	lock_drop(&view->lock);
	return catalog;
}

static struct listing *view_listing_of(struct view *view,
				       const struct catalog *catalog)
	REQUIRES(&view->lock)
{
	for (size_t i = 0; i < VIEW_LISTINGS; i++)
		if (view->listings[i] && view->listings[i]->catalog == catalog)
			return listing_get(view->listings[i]);
	return NULL;
}

int view_listing(struct view *view, struct catalog *catalog,
		 struct listing **out, struct err *err)
{
	struct listing *made = NULL, *dropped = NULL;
	int r;

	lock_take(&view->lock);
	*out = view_listing_of(view, catalog);
	lock_drop(&view->lock);
	if (*out)
		return 0;

	r = listing_new(&made, catalog, err);
	if (r < 0)
		return r;
	lock_take(&view->lock);
	*out = view_listing_of(view, catalog);
	if (!*out) {
		view->generation = view->generation % LISTING_GENERATION_MAX + 1;
		made->generation = view->generation;
		dropped = view->listings[VIEW_LISTINGS - 1];
		for (size_t i = VIEW_LISTINGS - 1; i > 0; i--)
			view->listings[i] = view->listings[i - 1];
		view->listings[0] = listing_get(made);
		*out = made;
		made = NULL;
	}
	lock_drop(&view->lock);
	if (made)
		listing_put(made);
	if (dropped)
		listing_put(dropped);
	return 0;
}

struct listing *view_listing_old(struct view *view, uint32_t generation)
{
	struct listing *found = NULL;

	lock_take(&view->lock);
	for (size_t i = 0; i < VIEW_LISTINGS && !found; i++)
		if (view->listings[i] &&
		    view->listings[i]->generation == generation)
			found = listing_get(view->listings[i]);
	lock_drop(&view->lock);
	return found;
}
