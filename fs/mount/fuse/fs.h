/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file system that one mount serves: what its parts share.  Everything in
 * struct fs is set before the first request and stays until the last reply.
 *
 * An operation takes a request, makes one call downward, and gives one reply,
 * from whichever thread the answer comes on.  No FUSE thread waits for a
 * store: see parked.h.
 */
#ifndef DATASETFS_MOUNT_FS_H
#define DATASETFS_MOUNT_FS_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#include "cache/fetcher.h"
#include "fs/dataset/buckets.h"
#include "fs/mount/fuse_options.h"
#include "fs/mount/nodes/names.h"
#include "fs/mount/nodes/nodeid.h"
#include "fs/mount/nodes/slots.h"
#include "fs/mount/nodes/state_file.h"
#include "fs/mount/nodes/view.h"

struct ahead;
struct invalidate;
struct read_faults;
struct reload;
struct served;

/* Inside a version nothing ever changes; above, names and tags do. */
#define FS_TIMEOUT_FOREVER 3.0e9	/* seconds: a century */
#define FS_TIMEOUT_NAMES 1.0

struct fs {
	const struct settings *settings;
	struct fuse_options options;	/* set before fs_open() */
	const char *mountpoint;
	uid_t uid;			/* of everything, unless a bucket's */
	gid_t gid;
	int64_t started_s;

	struct buckets *buckets;
	struct memory_budget *budget;
	struct disk_cache *disk;	/* NULL: there is none */
	struct fetcher *fetcher;
	struct slots *slots;
	struct names *names;
	struct state_file *state;	/* NULL: numbers are for this mount */
	struct view **views;		/* by bucket_index(); BUCKETS_EVER_MAX */
	size_t n_views;			/* written by who reloads, alone */
	struct invalidate *invalidate;
	struct ahead *ahead;
	struct read_faults *faults;
	struct served *served;
	struct fuse_session *session;
	struct reload *reload;		/* NULL: the configuration stays as it is */
	const char *socket_name;	/* of the control socket; NULL: none */
	bool has_no_open;		/* the kernel takes ENOSYS for open */
	int is_up;			/* atomic: the kernel has said INIT */
	int is_stopping;		/* atomic: see fs_enter() */
	unsigned n_inside;		/* atomic */
};

/*
 * Everything but session, invalidate, reload and socket_name.  After an error too
 * fs_close() is due.  -EBUSY (ERR_CONFLICT): another daemon has the cache
 * directory.
 */
int fs_open(struct fs *fs, const struct settings *settings, struct err *err)
	MUST_CHECK;
/* A part of it: without a disk cache all works, but is fetched more often. */
int fs_open_disk(struct fs *fs, struct err *err) MUST_CHECK;
/* No request comes any more: those that are parked are answered. */
void fs_stop(struct fs *fs);
/* Every callback from below has run when it returns. */
void fs_close_buckets(struct fs *fs);
void fs_close(struct fs *fs);

/*
 * A callback from below goes on to the fetcher only between these two; false:
 * the fetcher is going away, and the answer is ENOTCONN.
 */
bool fs_enter(struct fs *fs) MUST_CHECK;
void fs_leave(struct fs *fs);

static inline struct view *fs_view(const struct fs *fs, const struct bucket *b)
{
	return fs->views[bucket_index(b)];
}

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* The table of operations for fuse_session_new(). */
extern const struct fuse_lowlevel_ops fs_operations;

#endif
