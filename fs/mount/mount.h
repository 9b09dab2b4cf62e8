/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount, as the command line sees it: serve one, end one, ask one.
 *
 * mount_run() opens the registry of buckets, the memory budget and the fetcher
 * itself, in the process that serves: threads do not survive the fork that
 * makes a daemon, so the caller must not have started any.
 */
#ifndef DATASETFS_MOUNT_MOUNT_H
#define DATASETFS_MOUNT_MOUNT_H

#include <limits.h>
#include "backends/base/buf.h"
#include "fs/config/settings.h"

#define MOUNT_DEFAULT_POINT "/datasets"
#define MOUNT_FS_NAME "datasetfs"
#define MOUNT_FS_TYPE "fuse.datasetfs"	/* in /proc/self/mountinfo */
#define MOUNT_READ_TIMEOUT_MS 120000	/* of one read; -o timeout=SECONDS */
#define MOUNT_READY_MS 30000	/* the root must answer within that */
#define MOUNT_DRAIN_MS 0	/* see drain_timeout_ms */

struct mount_options {
	const char *mountpoint;		/* a path, or /dev/fd/N: a descriptor of
					   /dev/fuse that somebody mounted */
	const char *fuse_options;	/* "-o", comma-separated; NULL: none */
	const struct settings *settings;	/* borrowed */
	bool foreground;		/* stay, and log to stderr */
	bool strict;			/* refuse on the first bucket problem */
	bool has_cache_dir;		/* settings have the command line's, which */
	bool has_cache_size;		/* win over the file's when it is reloaded */
	/* After SIGTERM: how long to retry while the mount is busy.  Then (and
	   at once, for 0) the holders are named and serving goes on. */
	int64_t drain_timeout_ms;
};

/*
 * Mounts and serves.  Foreground: returns 0 after the unmount.  Else: the
 * parent returns 0 as soon as the root answers, or with the daemon's own
 * error; in the daemon the call returns 0 after the unmount, and the caller
 * just exits (nothing more is printed: stdio points to /dev/null).
 *
 * ERR_USAGE -EINVAL: an option that does not exist, a mount point that is not
 * empty or not a directory, a bucket with a problem under strict; ERR_MISSING
 * -ENOENT: no such directory; ERR_CONFLICT -EBUSY: a live datasetfs is there
 * (the text names its process); ERR_SYSTEM: FUSE, memory, descriptors.
 */
int mount_run(const struct mount_options *opt, struct err *err) MUST_CHECK;

/* Only checks the string of -o.  ERR_USAGE -EINVAL names the bad option. */
int mount_check_options(const char *fuse_options, struct err *err) MUST_CHECK;

/*
 * Unmounts and waits for the daemon to end (a few seconds at most).
 * ERR_MISSING -ENOENT: nothing is mounted there; ERR_USAGE -EINVAL: something
 * else is; ERR_CONFLICT -EBUSY: in use, the text names who; ERR_AUTH -EPERM:
 * another user's.
 */
int mount_unmount(const char *mountpoint, bool lazy, struct err *err)
	MUST_CHECK;

/*
 * The answer of the running mount to "status": one JSON object, appended
 * without a newline.  ERR_MISSING -ENOENT: no daemon answers for that mount
 * point; ERR_RETRY -ETIMEDOUT.
 */
int mount_status_fetch(const char *mountpoint, struct buf *out,
		       struct err *err) MUST_CHECK;

/*
 * Has the running mount do what question says (see fs/mount/control/errand.h:
 * one line), waiting for it; its answer is appended.  For the owner of the
 * mount and root.  Errors as above; -E2BIG (ERR_USAGE).
 */
#define MOUNT_QUESTION_MAX 16384	/* bytes */
int mount_errand(const char *mountpoint, const char *question,
		 struct buf *out, struct err *err) MUST_CHECK;
/*
 * The same without a mount: on the cache directory of the settings.  -EBUSY
 * (ERR_CONFLICT): a mount has it.
 */
int mount_errand_offline(const struct settings *settings, const char *question,
			 struct buf *out, struct err *err) MUST_CHECK;

/*
 * True when path is the root of a datasetfs mount in this process's mount
 * namespace, as a bind into a container too.  Reads mountinfo only: it never
 * touches the mount, so it cannot hang.
 */
bool mount_is_mounted(const char *path);

/* Each mount point of a datasetfs in this namespace, from mountinfo alone. */
#define MOUNT_EACH_MAX 64
void mount_each(void (*each)(void *arg, const char *mountpoint), void *arg);

#endif
