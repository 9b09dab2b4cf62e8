/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reply to one READDIR or READDIRPLUS: entries are added until they do not
 * fit any more.
 */
#ifndef DATASETFS_MOUNT_DIRENTS_H
#define DATASETFS_MOUNT_DIRENTS_H

#include "fs/mount/fuse/fs.h"

#define DIRENTS_SIZE_MAX ((size_t)1 << 20)

struct dirents {
	fuse_req_t req;
	char *bytes;
	size_t size, used;
	bool plus;
};

/* False when there is no memory; the request is answered then. */
bool dirents_init(struct dirents *d, fuse_req_t req, size_t size, bool plus)
	MUST_CHECK;
/* next: the offset at which the entry behind this one starts. */
bool dirents_add(struct dirents *d, const char *name, uint64_t nodeid,
		 const struct stat *attr, double timeout, off_t next);
/* "." and "..": without attributes, the kernel has its own. */
bool dirents_add_dot(struct dirents *d, const char *name, uint64_t ino,
		     off_t next);
/* Both give the reply and free the bytes. */
void dirents_reply(struct dirents *d);
void dirents_fail(struct dirents *d, int code);
/* Frees the bytes only: the reply is the caller's. */
void dirents_drop(struct dirents *d);

#endif
