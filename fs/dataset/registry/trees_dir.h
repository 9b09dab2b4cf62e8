/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of tree files, kept within a size: the ones that were opened
 * longest ago go first.  A tree that is open keeps working after its file was
 * removed.  It must not know what is in a tree.
 */
#ifndef DATASETFS_DATASET_TREES_DIR_H
#define DATASETFS_DATASET_TREES_DIR_H

#include <stdint.h>
#include "backends/base/err.h"

#define TREES_DIR_FILES_MAX 100000u	/* looked at in one trim */

/*
 * A descriptor of the directory below cache_dir, made if need be; or -errno,
 * the text names it.  To be opened for each use and not kept: what was removed
 * meanwhile is made again so, and what was mended is used again.
 */
int trees_dir_open(const char *cache_dir, struct err *err) MUST_CHECK;
/* Whether it can be opened, and takes a file. */
int trees_dir_check(const char *cache_dir, struct err *err) MUST_CHECK;

/* Marks a tree as used now. */
void trees_dir_touch(int dirfd, const char *name);

/*
 * Removes the least recently used until the rest takes at most size_bytes
 * (0: TREES_DIR_SIZE_DEFAULT); never the one named keep.
 */
#define TREES_DIR_SIZE_DEFAULT ((uint64_t)20 << 30)
void trees_dir_trim(int dirfd, uint64_t size_bytes, const char *keep);

/* Bytes that the files take. */
uint64_t trees_dir_bytes(int dirfd);

#endif
