/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the tree of one version from what its record names: an OSMO manifest
 * (streamed from its store), a legacy prefix (listed), or nothing at all.
 * Synchronous: for a builder's thread.
 */
#ifndef DATASETFS_DATASET_VERSION_TREE_H
#define DATASETFS_DATASET_VERSION_TREE_H

#include "fs/dataset/buckets.h"
#include "fs/dataset/tree_build.h"

struct version_tree_progress {
	_Atomic uint64_t done_bytes;	/* of the manifest */
	_Atomic uint64_t all_bytes;
};

/* What the tree of a version is built from: names its file, binds its slot. */
void version_tree_identity(const struct bucket *b,
			   const struct dataset *ds, const struct version *v,
			   uint8_t identity[TREE_IDENTITY_SIZE]);

/*
 * ERR_MISSING: the manifest is not there; ERR_CORRUPT: it is damaged;
 * ERR_AUTH: it lies where the bucket may not read.
 */
int version_tree_build(struct bucket *b, const struct version *v,
		       const struct tree_build_options *opt,
		       struct version_tree_progress *progress,
		       struct tree **out, struct err *err) MUST_CHECK;

#endif
