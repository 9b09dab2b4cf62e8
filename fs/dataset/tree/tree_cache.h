/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of open tree files in memory: one cache for all trees of the process,
 * bounded by TREE_CACHE_BYTES however many are open.  Blocks were verified by
 * who inserts them.  Any thread may call; no lock is held across I/O.
 */
#ifndef DATASETFS_DATASET_TREE_CACHE_H
#define DATASETFS_DATASET_TREE_CACHE_H

#include <stdint.h>
#include "backends/base/err.h"

/*
 * Holds the hot parts (directories' tables, upper levels of searches) of many
 * trees, or half of a tree of a million files; an eighth of the daemon's 256
 * MiB.  What falls out is mostly still in the kernel's page cache.
 */
#define TREE_CACHE_BYTES ((size_t)32 << 20)

/* An id that no other tree of the process ever has. */
uint64_t tree_cache_id(void);

/* Copies len bytes at offset of a block; false: it is not here. */
bool tree_cache_copy(uint64_t id, uint32_t block, void *dst, size_t offset,
		     size_t len);
/* Keeps a copy of TREE_BLOCK bytes, unless there is no memory. */
void tree_cache_insert(uint64_t id, uint32_t block, const void *bytes);
/* Forgets a tree that is closed. */
void tree_cache_drop(uint64_t id);

/* Bytes that it takes now. */
size_t tree_cache_bytes(void);

#endif
