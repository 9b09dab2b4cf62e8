/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory that a mount is made on: checked before, cleared of a dead
 * daemon's mount, unmounted after.
 */
#ifndef DATASETFS_MOUNT_POINT_H
#define DATASETFS_MOUNT_POINT_H

#include "fs/mount/point/mountinfo.h"

/* N of "/dev/fd/N", else -1. */
int point_fd(const char *mountpoint);

/*
 * Makes sure that path (of mountinfo_path()) can be mounted on.  The mount of
 * a daemon that is dead is taken away.  ERR_CONFLICT -EBUSY: a live datasetfs
 * is there (the text names its process); ERR_MISSING -ENOENT; ERR_USAGE
 * -EINVAL: no directory, or one that is not empty.
 */
int point_prepare(const char *path, bool nonempty, struct err *err)
	MUST_CHECK;

/* -ENOENT (ERR_MISSING), with what to do. */
int point_missing(const char *path, struct err *err);

/*
 * One attempt: umount(2), or fusermount3 without the privilege.  ERR_CONFLICT
 * -EBUSY names the holders; ERR_AUTH -EPERM: another user's.
 */
int point_unmount(const struct mountinfo *m, bool lazy, struct err *err)
	MUST_CHECK;

/* What libfuse or fusermount3 wrote to that file, on one line. */
void point_words(int fd, char *out, size_t size);

#endif
