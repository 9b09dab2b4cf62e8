/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libfuse's session and the threads that read requests from it.  The threads
 * end when the mount is gone, or on session_stop().
 */
#ifndef DATASETFS_MOUNT_SESSION_H
#define DATASETFS_MOUNT_SESSION_H

#include "fs/mount/fuse/fs.h"

struct session;

/*
 * Mounts fs at path (absolute, or /dev/fd/N) and sets fs->session; requests
 * wait until session_start().  ERR_SYSTEM with the words of libfuse or
 * fusermount3.  Not while other threads write to stderr.
 */
int session_new(struct session **out, struct fs *fs, const char *path,
		struct err *err) MUST_CHECK;
/* Unmounts (lazily) where that was not done yet, and closes /dev/fuse. */
void session_unmount(struct session *session);
void session_free(struct session *session);

int session_start(struct session *session, unsigned threads, struct err *err)
	MUST_CHECK;
/* Readable when all threads have ended. */
int session_over_fd(const struct session *session);
/* Ends the threads though the mount may be there. */
void session_stop(struct session *session);
/* Joins the threads. */
void session_join(struct session *session);

#endif
