/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a tree file out of entries in any order, in bounded memory: sorted
 * runs are spilled to unlinked temporary files in the same directory and
 * merged.  Where that directory does not take them (temp_file.h), the tree is
 * as good but has no name.  One thread.
 *
 * Paths are checked here: absolute, empty or "." or ".." components, NUL,
 * names over 255 bytes, paths over 4096, depth over 128 are rejected, counted
 * and logged (the first TREE_BUILD_LOG_MAX of each kind by name).  Of
 * duplicates the first in the order of adding wins.  Where a file and a
 * directory clash the directory keeps the name and the file is rejected.
 */
#ifndef DATASETFS_DATASET_TREE_BUILD_H
#define DATASETFS_DATASET_TREE_BUILD_H

#include "fs/dataset/tree.h"

struct tree_build;

#define TREE_BUILD_MEMORY ((size_t)64 << 20)	/* of a run before it spills */
#define TREE_BUILD_LOG_MAX 10

struct tree_build_options {
	int dirfd;		/* where the tree and its spills go; -1: into
				   unnamed files elsewhere */
	const char *name;	/* file name of the tree; replaced atomically */
	uint8_t identity[TREE_IDENTITY_SIZE];
	const char *label;	/* "production/imagenet@2", for log lines */
	const char *hash_location;	/* URI below which keys are OSMO's own
					   hashes, or NULL */
	bool is_listing;		/* etags are what the store itself just
					   said, not a manifest's */
	size_t memory;			/* 0: TREE_BUILD_MEMORY */
};
int tree_build_new(struct tree_build **out,
		   const struct tree_build_options *opt, struct err *err)
	MUST_CHECK;
void tree_build_free(struct tree_build *build);

/* source: the storage URI, verbatim. */
int tree_build_add(struct tree_build *build, const char *path, size_t path_len,
		   const char *source, size_t source_len, uint64_t size,
		   const char *etag, size_t etag_len, enum tree_fault fault,
		   struct err *err) MUST_CHECK;
/* Counted in the tree's info. */
void tree_build_count_repaired(struct tree_build *build);

/* Merges, writes, renames into place where it can, opens. */
int tree_build_finish(struct tree_build *build, struct tree **out,
		      struct err *err) MUST_CHECK;

#endif
