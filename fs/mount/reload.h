/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount follows its configuration: a thread that watches the file and its
 * secrets, loads them when they changed or when it is told to, and puts what it
 * got in the place of what is served.  A file that is refused changes nothing;
 * it is looked at again until it is good.
 */
#ifndef DATASETFS_MOUNT_RELOAD_H
#define DATASETFS_MOUNT_RELOAD_H

#include "fs/mount/fuse/fs.h"

struct reload;

#define RELOAD_PROBLEMS_LOGGED 20u	/* of one file; the rest is counted */

struct reload_options {
	bool strict;		/* a bucket with a problem refuses the file */
	/* The command line's win over the file's. */
	bool has_cache_dir, has_cache_size;
};

/*
 * Starts the thread.  fs->invalidate is there, and fs->settings know which
 * files they were read from; everything must outlive reload_stop().
 */
int reload_new(struct reload **out, struct fs *fs,
	       const struct reload_options *opt, struct err *err) MUST_CHECK;
/* Joins the thread; the state can still be asked for. */
void reload_stop(struct reload *reload);
void reload_free(struct reload *reload);

/* Loads at once, whether anything changed or not.  Any thread. */
void reload_now(struct reload *reload);

#define RELOAD_NAMES_MAX 128
struct reload_state {
	int64_t loaded_s;	/* wall clock, of what is served */
	uint8_t digest[SHA256_SIZE];	/* of that file */
	unsigned reloads;	/* that were taken, since the mount */
	int64_t refused_s;	/* since when the file is refused; 0: it is not */
	char refused[ERR_TEXT_MAX];	/* position and reason */
	char next_mount[RELOAD_NAMES_MAX];	/* "cache.dir, memory" */
	bool is_polled;		/* no inotify */
};
/* Any thread. */
void reload_state(struct reload *reload, struct reload_state *out);

#endif
