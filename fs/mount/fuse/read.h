/* SPDX-License-Identifier: Apache-2.0 */
/*
 * read(2): from the cache at once, else parked until the fetcher answers.
 */
#ifndef DATASETFS_MOUNT_READ_H
#define DATASETFS_MOUNT_READ_H

#include "fs/mount/fuse/fs.h"

void read_file(fuse_req_t req, uint64_t nodeid, size_t size, off_t off);

/* For fetcher_new(): arg is the struct fs. */
void read_blob_is_bad(void *arg, const struct blob_id *id);

#endif
