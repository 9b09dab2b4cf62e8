/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statvfs(2): how much a version, a bucket or all buckets hold, as far as
 * their catalogs are known.  Nothing is ever free.
 */
#ifndef DATASETFS_MOUNT_STATFS_H
#define DATASETFS_MOUNT_STATFS_H

#include <sys/statvfs.h>
#include "fs/mount/fuse/fs.h"

void statfs_fill(struct fs *fs, uint64_t nodeid, struct statvfs *out);

#endif
