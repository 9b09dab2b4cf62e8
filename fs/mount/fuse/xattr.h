/* SPDX-License-Identifier: Apache-2.0 */
/*
 * user.datasetfs.*: what a node is and where its bytes are
 * (datasetfs-names(7) lists them).  Never a query string or a user name.
 */
#ifndef DATASETFS_MOUNT_XATTR_H
#define DATASETFS_MOUNT_XATTR_H

#include "fs/mount/fuse/fs.h"

#define XATTR_PREFIX "user.datasetfs."

void xattr_get(fuse_req_t req, uint64_t nodeid, const char *name, size_t size);

/* A URI without its user part, query and fragment, appended. */
void xattr_plain_uri(struct buf *out, const char *uri);

#endif
