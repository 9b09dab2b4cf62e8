/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the mount knows of one bucket: its last catalog, when that was
 * confirmed, and its listings.  New catalogs pass through here, so that what
 * hangs on them (slots, the kernel's cached names) is told.
 *
 * Any thread may call; nothing waits for the store.
 */
#ifndef DATASETFS_MOUNT_VIEW_H
#define DATASETFS_MOUNT_VIEW_H

#include "fs/dataset/buckets.h"
#include "fs/mount/nodes/listing.h"

struct view;

/*
 * A version that the last catalog holds is answered from it without waiting
 * for a look that is due, up to this age: a store that stalls for 10 s then
 * delays nobody who works in a version.
 */
#define VIEW_GRACE_MS 20000
/* Snapshots kept for listings under way; a slower reader starts over. */
#define VIEW_LISTINGS 4

/* A catalog that differs from the one before; must not block. */
typedef void (*view_change_fn)(void *arg, struct bucket *b,
			       struct catalog *before, struct catalog *now);

int view_new(struct view **out, struct bucket *b, view_change_fn change,
	     void *arg, struct err *err) MUST_CHECK;
/* After buckets_free(): no look is under way any more. */
void view_free(struct view *view);

/* bucket_catalog(), noted here on the way. */
void view_fresh(struct view *view, bucket_catalog_fn done, void *arg);

/*
 * The last catalog if it is younger than VIEW_GRACE_MS, else NULL; starts a
 * look when one is due.  The caller puts it.
 */
struct catalog *view_recent(struct view *view);
/* The last catalog whatever its age, or NULL; the caller puts it. */
struct catalog *view_known(struct view *view);

/* The listing of that catalog, made once. */
int view_listing(struct view *view, struct catalog *catalog,
		 struct listing **out, struct err *err) MUST_CHECK;
/* An earlier listing by its generation; NULL when it is gone. */
struct listing *view_listing_old(struct view *view, uint32_t generation);

#endif
