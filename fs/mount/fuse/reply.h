/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replies, and the one map from an error of the lower layers to the errno that
 * a program sees.
 */
#ifndef DATASETFS_MOUNT_REPLY_H
#define DATASETFS_MOUNT_REPLY_H

#include "fs/mount/fuse/fs.h"

enum reply_context {
	REPLY_NAME,	/* a lookup: ENOENT means that the name is not there */
	REPLY_CONTENT,	/* a read, a tree: whatever is missing is an I/O error */
};

/* A positive errno for r (< 0), whose class is that of err (may be NULL). */
int reply_errno(enum reply_context context, int r, const struct err *err);

/*
 * These free the request.  A reply that the kernel does not want any more
 * (interrupted, unmounted) is nobody's error.
 */
void reply_error(fuse_req_t req, int code);
void reply_failure(fuse_req_t req, enum reply_context context, int r,
		   const struct err *err);
/* No such name; the kernel keeps that for timeout seconds (0: not at all). */
void reply_absent(fuse_req_t req, double timeout);
void reply_entry(fuse_req_t req, uint64_t nodeid, const struct stat *attr,
		 double timeout);
void reply_attr(fuse_req_t req, const struct stat *attr, double timeout);
void reply_bytes(fuse_req_t req, const void *bytes, size_t len);
void reply_iov(fuse_req_t req, const struct iovec *iov, int n);

#endif
