/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ahead across files: who reads small files in the order of the tree
 * gets the next ones fetched before they are asked for.
 *
 * A walk is a place in one version's entries.  The second file that is read in
 * order starts it; each further one moves it on and doubles how far it looks
 * ahead, up to AHEAD_FILES_MAX files and AHEAD_BYTES_SHARE of the memory.  A
 * reader that turns away starts nothing more.  Shuffled reads make no walk.
 *
 * Any thread may call; nothing here waits for a store.
 */
#ifndef DATASETFS_MOUNT_AHEAD_H
#define DATASETFS_MOUNT_AHEAD_H

#include "fs/mount/fuse/content.h"

struct ahead;

#define AHEAD_WALKS 64u		/* followed at once; the least used is replaced */
#define AHEAD_FILES_MIN 8u
#define AHEAD_FILES_MAX 128u	/* twice what may be in flight */
#define AHEAD_BYTES_SHARE 8
/* Files with nothing to read, or read by a neighbour, may lie between two. */
#define AHEAD_START_SLACK 3u
/* Readers that share a walk come a little out of order. */
#define AHEAD_SLACK 64u

int ahead_new(struct ahead **out, struct err *err) MUST_CHECK;
void ahead_free(struct ahead *ahead);

/* The file of ref is being read from its beginning. */
void ahead_note(struct fs *fs, const struct slot_ref *ref,
		const struct tree_entry *entry);

#endif
