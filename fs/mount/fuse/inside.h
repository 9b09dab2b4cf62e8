/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations inside a version, where nothing ever changes: the kernel keeps
 * what it was told without end.
 */
#ifndef DATASETFS_MOUNT_INSIDE_H
#define DATASETFS_MOUNT_INSIDE_H

#include "fs/mount/fuse/fs.h"

void inside_lookup(fuse_req_t req, uint64_t parent, const char *name);
/* A version's own directory is answered from its record: no tree is opened. */
void inside_getattr(fuse_req_t req, uint64_t nodeid);
void inside_readdir(fuse_req_t req, uint64_t nodeid, size_t size, off_t off,
		    bool plus);

#endif
