/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stat(2) says of each kind of node.  Pure: nothing is opened for it.
 */
#ifndef DATASETFS_MOUNT_ATTR_H
#define DATASETFS_MOUNT_ATTR_H

#include "fs/mount/fuse/fs.h"

void attr_root(const struct fs *fs, struct stat *st);
/* known may be NULL: no catalog was seen yet. */
void attr_bucket(const struct fs *fs, uint64_t nodeid, struct bucket *b,
		 const struct catalog *known, struct stat *st);
void attr_collection(const struct fs *fs, uint64_t nodeid, struct bucket *b,
		     const struct dataset *ds, struct stat *st);
/* v may be NULL: for a link to a collection. */
void attr_link(const struct fs *fs, uint64_t nodeid, struct bucket *b,
	       const struct dataset *ds, const struct version *v,
	       size_t target_len, struct stat *st);
/* The directory of a version: from its record alone. */
void attr_version(const struct fs *fs, struct bucket *b, uint32_t slot,
		  const struct dataset *ds, const struct version *v,
		  struct stat *st);
/* An entry inside a version; its root is attr_version()'s. */
void attr_entry(const struct fs *fs, const struct slot_ref *ref,
		const struct tree_entry *entry, struct stat *st);

#endif
