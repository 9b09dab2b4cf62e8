/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/extent_memory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
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
 * Whole extents that were freed last, with their pages, by address: getting
 * new ones, cleared, costs as much as reading them from a disk.
 */
static struct {
	struct lock lock;
	char *extents[EXTENT_MEMORY_SPARE];
	unsigned n;
} spare = { .lock = LOCK_INIT };

/* The first of n that lie one after another; spare.n: there are no such. */
static unsigned spare_find(unsigned n) REQUIRES(&spare.lock)
{
	unsigned first = 0;

	for (unsigned i = 0; i < spare.n; i++) {
		if (i && spare.extents[i] != spare.extents[i - 1] +
						     EXTENT_MEMORY_EXTENT)
			first = i;
		if (i + 1 - first == n)
			return first;
	}
	return spare.n;
}

static void *spare_take(unsigned n)
{
	void *p = NULL;
	unsigned at;

	lock_take(&spare.lock);
	at = spare_find(n);
	if (at < spare.n) {
		p = spare.extents[at];
		spare.n -= n;
		memmove(&spare.extents[at], &spare.extents[at + n],
			(spare.n - at) * sizeof(spare.extents[0]));
	}
	lock_drop(&spare.lock);
	return p;
}

/* n of them, wherever they lie, moved to lie one after another. */
static void *spare_join(unsigned n)
{
	char *pieces[EXTENT_MEMORY_SPARE], *p;
	unsigned done = 0;

	lock_take(&spare.lock);
	if (spare.n < n) {
		lock_drop(&spare.lock);
		return NULL;
	}
	spare.n -= n;
	memcpy(pieces, &spare.extents[spare.n], n * sizeof(pieces[0]));
	lock_drop(&spare.lock);
	p = mmap(NULL, n * EXTENT_MEMORY_EXTENT, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	while (p != MAP_FAILED && done < n &&
	       mremap(pieces[done], EXTENT_MEMORY_EXTENT, EXTENT_MEMORY_EXTENT,
		      MREMAP_MAYMOVE | MREMAP_FIXED,
		      p + done * EXTENT_MEMORY_EXTENT) != MAP_FAILED)
		done++;
	if (done == n)
		return p;
	if (p != MAP_FAILED)
		(void)munmap(p, n * EXTENT_MEMORY_EXTENT);
	for (; done < n; done++)
		(void)munmap(pieces[done], EXTENT_MEMORY_EXTENT);
	return NULL;
}

static bool spare_keep(char *p)
{
	bool has_room;
	unsigned at;

	lock_take(&spare.lock);
	has_room = spare.n < EXTENT_MEMORY_SPARE;
	if (has_room) {
		for (at = spare.n++; at > 0 && spare.extents[at - 1] > p; at--)
			spare.extents[at] = spare.extents[at - 1];
		spare.extents[at] = p;
	}
	lock_drop(&spare.lock);
	return has_room;
}

void *extent_memory_alloc(size_t len)
{
	void *p;

	if (!extent_memory_is_mapped(len))
		return malloc(len);
	if (len % EXTENT_MEMORY_EXTENT == 0) {
		unsigned n = (unsigned)(len / EXTENT_MEMORY_EXTENT);

		p = spare_take(n);
		if (!p && n > 1)
			p = spare_join(n);
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
