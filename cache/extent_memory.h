/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory under extents.  Large pieces are mappings of their own, so that
 * what is freed is at once the system's again, and so that one buffer that a
 * store filled can be cut at page boundaries and freed piece by piece.  Small
 * ones come from malloc.  Any thread may call.
 */
#ifndef DATASETFS_CACHE_EXTENT_MEMORY_H
#define DATASETFS_CACHE_EXTENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* From this size on a buffer is a mapping: a quarter is lost at most. */
#define EXTENT_MEMORY_MAPPED ((size_t)16 << 10)

/*
 * So many bytes of what is freed are kept, with their pages, and become the
 * next buffers; they are in nobody's budget.  Small buffers are cut from
 * mappings of EXTENT_MEMORY_CHUNK.
 */
#define EXTENT_MEMORY_SPARE ((size_t)16 << 20)
#define EXTENT_MEMORY_CHUNK ((size_t)1 << 20)

static inline bool extent_memory_is_mapped(size_t len)
{
	return len >= EXTENT_MEMORY_MAPPED;
}

/* What len bytes cost in memory, as pages or as malloc's chunk. */
size_t extent_memory_cost(size_t len, bool mapped);

/* Mapped where extent_memory_is_mapped(len).  NULL: no memory. */
void *extent_memory_alloc(size_t len);

/*
 * A whole buffer, or a piece of a mapped one that begins at a page boundary
 * and ends at one or at the buffer's end.
 */
void extent_memory_free(void *data, size_t len, bool mapped);

/* Gives what malloc holds back to the system; costs milliseconds. */
void extent_memory_trim(void);
/* True once for every EXTENT_MEMORY_TRIM bytes freed to malloc. */
#define EXTENT_MEMORY_TRIM ((size_t)16 << 20)
bool extent_memory_trim_is_due(void);

#endif
