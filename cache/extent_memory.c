/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/extent_memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "backends/base/lock.h"

#define PAGE ((size_t)4096)
#define CHUNK_HEADER 8
#define CHUNK_ALIGN 16

static _Atomic size_t freed_to_malloc;

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

size_t extent_memory_cost(size_t len, bool mapped)
{
	if (mapped)
		return round_up(len, PAGE);
	return round_up(len + CHUNK_HEADER, CHUNK_ALIGN);
}

/*
 * Whole extents that were freed last, with their pages: getting new ones,
 * cleared, costs as much as reading them from a disk.
 */
static struct {
	struct lock lock;
	void *extents[EXTENT_MEMORY_SPARE];
	unsigned n;
} spare = { .lock = LOCK_INIT };

static void *spare_take(void)
{
	void *p = NULL;

	lock_take(&spare.lock);
	if (spare.n)
		p = spare.extents[--spare.n];
	lock_drop(&spare.lock);
	return p;
}

static bool spare_keep(void *p)
{
	bool has_room;

	lock_take(&spare.lock);
	has_room = spare.n < EXTENT_MEMORY_SPARE;
	if (has_room)
		spare.extents[spare.n++] = p;
	lock_drop(&spare.lock);
	return has_room;
}

void *extent_memory_alloc(size_t len)
{
	void *p;

	if (!extent_memory_is_mapped(len))
		return malloc(len);
	if (len == EXTENT_MEMORY_EXTENT) {
		p = spare_take();
		if (p)
			return p;
	}
	p = mmap(NULL, round_up(len, PAGE), PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void extent_memory_free(void *data, size_t len, bool mapped)
{
	if (!data)
		return;
	if (mapped && len == EXTENT_MEMORY_EXTENT && spare_keep(data))
		return;
	if (mapped) {
		int r = munmap(data, round_up(len, PAGE));

		/*
		 * Only ENOMEM can happen to a range of ours: too many mappings
		 * after the split.  Then its pages go, the addresses stay.
		 */
		if (r < 0)
			(void)madvise(data, round_up(len, PAGE), MADV_DONTNEED);
		return;
	}
	free(data);
	atomic_fetch_add_explicit(&freed_to_malloc, len, memory_order_relaxed);
}

bool extent_memory_trim_is_due(void)
{
	size_t freed = atomic_load_explicit(&freed_to_malloc,
					    memory_order_relaxed);

	return freed >= EXTENT_MEMORY_TRIM &&
	       atomic_exchange(&freed_to_malloc, 0) >= EXTENT_MEMORY_TRIM;
}

void extent_memory_trim(void)
{
	(void)malloc_trim(0);
}
