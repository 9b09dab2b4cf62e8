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
 * What was freed last, with its pages, as runs of them by address, neighbours
 * merged: getting new ones, cleared, costs as much as reading them from a disk.
 */
#define RUNS_MAX 1024u
#define VICTIMS_MAX 16u	/* that make room for one run */
/* Moving pages of shorter ones costs more than new ones. */
#define JOIN_MIN ((size_t)256 << 10)
#define JOIN_MAX 32u

struct run {
	char *at;
	size_t len;
};

static struct {
	struct lock lock;
	struct run runs[RUNS_MAX];
	unsigned n;
	unsigned hand;		/* whose turn it is to make room */
	size_t bytes;
} spare = { .lock = LOCK_INIT };

/* The pages go; the addresses stay only if the kernel has too many pieces. */
static void unmap(char *p, size_t len)
{
	if (munmap(p, len) < 0)
		(void)madvise(p, len, MADV_DONTNEED);
}

static void run_remove(unsigned at) REQUIRES(&spare.lock)
{
	spare.bytes -= spare.runs[at].len;
	spare.n--;
	memmove(&spare.runs[at], &spare.runs[at + 1],
		(spare.n - at) * sizeof(struct run));
}

static void run_insert(unsigned at, struct run run) REQUIRES(&spare.lock)
{
	memmove(&spare.runs[at + 1], &spare.runs[at],
		(spare.n - at) * sizeof(struct run));
	spare.runs[at] = run;
	spare.n++;
	spare.bytes += run.len;
}

/* The first run behind p. */
static unsigned run_behind(const char *p) REQUIRES(&spare.lock)
{
	unsigned low = 0, high = spare.n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (spare.runs[middle].at > p)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* False: there is no room for it. */
static bool run_keep(struct run run) REQUIRES(&spare.lock)
{
	unsigned at = run_behind(run.at);
	struct run *after = &spare.runs[at], *before = after - 1;
	bool is_before = at > 0 && before->at + before->len == run.at;
	bool is_after = at < spare.n && run.at + run.len == after->at;

	if (spare.bytes + run.len > EXTENT_MEMORY_SPARE ||
	    (spare.n == RUNS_MAX && !is_before && !is_after))
		return false;
	if (is_after) {
		run.len += after->len;
		run_remove(at);
	}
	if (is_before) {
		before->len += run.len;
		spare.bytes += run.len;
	} else {
		run_insert(at, run);
	}
	return true;
}

/* Others leave for it in turn, so that what is kept is what is used. */
static void spare_keep(char *p, size_t len)
{
	struct run run = { p, len }, victims[VICTIMS_MAX];
	unsigned n = 0;
	bool is_kept;

	lock_take(&spare.lock);
	while (!(is_kept = run_keep(run)) && spare.n && n < VICTIMS_MAX &&
	       len <= EXTENT_MEMORY_SPARE) {
		unsigned at = spare.hand++ % spare.n;

		victims[n++] = spare.runs[at];
		run_remove(at);
	}
	lock_drop(&spare.lock);
	if (!is_kept)
		unmap(p, len);
	while (n--)
		unmap(victims[n].at, victims[n].len);
}

/* From the shortest run that has so many bytes. */
static void *spare_take(size_t len)
{
	struct run *best = NULL;
	char *p = NULL;

	lock_take(&spare.lock);
	for (unsigned i = 0; i < spare.n; i++) {
		struct run *run = &spare.runs[i];

		if (run->len >= len && (!best || run->len < best->len))
			best = run;
	}
	if (best) {
		p = best->at;
		best->at += len;
		best->len -= len;
		spare.bytes -= len;
		if (!best->len)
			run_remove((unsigned)(best - spare.runs));
	}
	lock_drop(&spare.lock);
	return p;
}

/* Takes runs that have len bytes together.  False: there are none. */
static bool joint_take(size_t len, struct run *runs, unsigned *n)
{
	size_t have = 0;

	*n = 0;
	lock_take(&spare.lock);
	for (unsigned i = spare.n; i-- > 0 && have < len && *n < JOIN_MAX;) {
		struct run *run = &spare.runs[i];
		size_t part = run->len < len - have ? run->len : len - have;

		if (run->len < JOIN_MIN)
			continue;
		run->len -= part;
		spare.bytes -= part;
		runs[(*n)++] = (struct run){ run->at + run->len, part };
		have += part;
		if (!run->len)
			run_remove(i);
	}
	lock_drop(&spare.lock);
	if (have == len)
		return true;
	while (*n) {
		struct run *run = &runs[--*n];

		spare_keep(run->at, run->len);
	}
	return false;
}

/*
 * Moves a run to *at and that behind it.  By pieces as they were cut: the
 * kernel moves nothing that it holds as two mappings.
 */
static bool run_move(struct run *run, char **at)
{
	while (run->len) {
		size_t piece = run->len % EXTENT_MEMORY_CHUNK ?
				       run->len % EXTENT_MEMORY_CHUNK :
				       EXTENT_MEMORY_CHUNK;

		if (mremap(run->at, piece, piece,
			   MREMAP_MAYMOVE | MREMAP_FIXED, *at) == MAP_FAILED)
			return false;
		*at += piece;
		run->at += piece;
		run->len -= piece;
	}
	return true;
}

/* A buffer of several runs, moved to lie one after another. */
static void *spare_join(size_t len)
{
	struct run runs[JOIN_MAX];
	unsigned n, done = 0;
	char *p, *at;

	if (!joint_take(len, runs, &n))
		return NULL;
	p = at = mmap(NULL, len, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	while (p != MAP_FAILED && done < n && run_move(&runs[done], &at))
		done++;
	if (done == n)
		return p;
	if (p != MAP_FAILED)
		(void)munmap(p, len);
	for (; done < n; done++)
		(void)munmap(runs[done].at, runs[done].len);
	return NULL;
}

static void *pages_new(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *extent_memory_alloc(size_t len)
{
	size_t bytes = round_up(len, PAGE);
	char *p;

	if (!extent_memory_is_mapped(len))
		return malloc(len);
	p = spare_take(bytes);
	if (!p && bytes >= EXTENT_MEMORY_CHUNK)
		p = spare_join(bytes);
	if (p || bytes >= EXTENT_MEMORY_CHUNK)
		return p ? p : pages_new(bytes);
	p = pages_new(EXTENT_MEMORY_CHUNK);
	if (p)
		spare_keep(p + bytes, EXTENT_MEMORY_CHUNK - bytes);
	return p ? p : pages_new(bytes);
}

void extent_memory_free(void *data, size_t len, bool mapped)
{
	if (!data)
		return;
	if (mapped) {
		spare_keep(data, round_up(len, PAGE));
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
