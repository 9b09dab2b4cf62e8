/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/record_sort.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backends/base/buf.h"
#include "fs/dataset/tree/record_run.h"

/*
 * A run in memory: records grow from the bottom of one block, items from its
 * top.  Only touched pages count, so a small version costs little.
 */
struct item {
	uint64_t word;		/* eight bytes of the key, first byte highest */
	uint32_t offset;	/* of the record */
	uint32_t key_len;
};

struct cursor {			/* one source of the merge */
	struct record rec;
	size_t order;		/* of its run */
};

struct record_sort {
	int dirfd;
	uint8_t *block;
	size_t memory;
	size_t used;		/* bytes of records */
	size_t n_items;
	uint64_t random;

	struct record_run runs[RECORD_SORT_FAN_IN];
	size_t n_runs;

	/* Merging. */
	size_t next_item;	/* of the run in memory, when nothing spilled */
	struct cursor heap[RECORD_SORT_FAN_IN];
	size_t n_heap;
	bool advance;		/* the top was handed out */
};

#define WORD 8u
#define DEPTH_TIE SIZE_MAX	/* behind the key: rank, then order */
#define INSERTION_MAX 16u

int record_sort_new(struct record_sort **out, int dirfd, size_t memory,
		    struct err *err)
{
	struct record_sort *s = calloc(1, sizeof(*s));

	if (!s)
		return err_nomem(err);
	if (memory < RECORD_SORT_MEMORY_MIN)
		memory = RECORD_SORT_MEMORY_MIN;
	if (memory > RECORD_SORT_MEMORY_MAX)
		memory = RECORD_SORT_MEMORY_MAX;
	s->dirfd = dirfd;
	s->memory = memory / sizeof(struct item) * sizeof(struct item);
	/* An unpredictable pivot: nobody can write a manifest that makes the
	   sort quadratic.  Without entropy it is merely predictable. */
	if (getrandom(&s->random, sizeof(s->random), GRND_NONBLOCK) < 0)
		s->random = (uintptr_t)s;
	s->random |= 1;
	*out = s;
	return 0;
}

void record_sort_free(struct record_sort *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_runs; i++)
		record_run_release(&s->runs[i]);
	free(s->block);
	free(s);
}

/* ---- the run in memory ---- */

static struct item *items(const struct record_sort *s)
{
	return (struct item *)(void *)(s->block + s->memory) - s->n_items;
}

static uint64_t key_word(const struct record_sort *s, const struct item *it,
			 size_t depth)
{
	const uint8_t *rec = s->block + it->offset;
	uint64_t v;

	if (depth == DEPTH_TIE)
		return (uint64_t)rec[4] << 32 | it->offset;
	if (depth >= it->key_len)
		return 0;
	memcpy(&v, rec + RECORD_HEAD + depth, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	if (it->key_len - depth < WORD)
		v &= ~(uint64_t)0 << 8 * (WORD - (it->key_len - depth));
	return v;
}

/*
 * Keys that agree up to and in the word at depth: where one ends inside the
 * word, all do (none continues another by a NUL).
 */
static size_t depth_below(const struct item *it, size_t depth)
{
	if (depth == DEPTH_TIE || it->key_len < depth + WORD)
		return DEPTH_TIE;
	return depth + WORD;
}

/* Whether a stands before b, which agree before depth. */
static bool item_less(const struct record_sort *s, const struct item *a,
		      const struct item *b, size_t depth)
{
	uint64_t x = a->word, y = b->word;

	while (x == y && depth != DEPTH_TIE) {
		depth = depth_below(a, depth);
		x = key_word(s, a, depth);
		y = key_word(s, b, depth);
	}
	return x < y;
}

static void insertion_sort(const struct record_sort *s, struct item *a,
			   size_t n, size_t depth)
{
	for (size_t i = 1; i < n; i++) {
		struct item it = a[i];
		size_t j = i;

		while (j > 0 && item_less(s, &it, &a[j - 1], depth)) {
			a[j] = a[j - 1];
			j--;
		}
		a[j] = it;
	}
}

static uint64_t pick_pivot(struct record_sort *s, const struct item *a,
			   size_t n)
{
	uint64_t v[3];

	for (int i = 0; i < 3; i++) {
		s->random ^= s->random << 13;
		s->random ^= s->random >> 7;
		s->random ^= s->random << 17;
		v[i] = a[s->random % n].word;
	}
	if (v[0] > v[1]) {
		uint64_t t = v[0];

		v[0] = v[1];
		v[1] = t;
	}
	return v[2] < v[0] ? v[0] : v[2] > v[1] ? v[1] : v[2];
}

static void item_swap(struct item *a, struct item *b)
{
	struct item t = *a;

	*a = *b;
	*b = t;
}

/*
 * Multikey quicksort by words (Bentley and Sedgewick): keys of one directory
 * agree in their first bytes, which are looked at once a level, not once a
 * comparison.  The largest part is done by the loop, so recursion is shallow.
 */
static void sort_items(struct record_sort *s, struct item *a, size_t n,
		       size_t depth)
{
	while (n > INSERTION_MAX) {
		uint64_t pivot = pick_pivot(s, a, n);
		size_t lo = 0, hi = n, i = 0, below;

		while (i < hi) {
			if (a[i].word < pivot)
				item_swap(&a[i++], &a[lo++]);
			else if (a[i].word > pivot)
				item_swap(&a[i], &a[--hi]);
			else
				i++;
		}
		below = hi > lo ? depth_below(&a[lo], depth) : depth;
		for (i = lo; i < hi; i++)
			a[i].word = key_word(s, &a[i], below);

		if (hi - lo >= lo && hi - lo >= n - hi) {
			sort_items(s, a, lo, depth);
			sort_items(s, a + hi, n - hi, depth);
			a += lo;
			n = hi - lo;
			depth = below;
		} else {
			sort_items(s, a + lo, hi - lo, below);
			if (lo >= n - hi) {
				sort_items(s, a + hi, n - hi, depth);
				n = lo;
			} else {
				sort_items(s, a, lo, depth);
				a += hi;
				n -= hi;
			}
		}
	}
	insertion_sort(s, a, n, depth);
}

static void sort_block(struct record_sort *s)
{
	struct item *a = items(s);

	for (size_t i = 0; i < s->n_items; i++)
		a[i].word = key_word(s, &a[i], 0);
	sort_items(s, a, s->n_items, 0);
}

/* ---- merging ---- */

static bool cursor_less(const struct cursor *a, const struct cursor *b)
{
	size_t len = a->rec.key_len < b->rec.key_len ? a->rec.key_len :
						       b->rec.key_len;
	int c = memcmp(a->rec.key, b->rec.key, len);

	if (c)
		return c < 0;
	if (a->rec.key_len != b->rec.key_len)
		return a->rec.key_len < b->rec.key_len;
	if (a->rec.rank != b->rec.rank)
		return a->rec.rank < b->rec.rank;
	return a->order < b->order;
}

static void heap_down(struct record_sort *s, size_t i)
{
	struct cursor c = s->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= s->n_heap)
			break;
		if (child + 1 < s->n_heap &&
		    cursor_less(&s->heap[child + 1], &s->heap[child]))
			child++;
		if (!cursor_less(&s->heap[child], &c))
			break;
		s->heap[i] = s->heap[child];
		i = child;
	}
	s->heap[i] = c;
}

static int heap_start(struct record_sort *s, struct err *err)
{
	s->n_heap = 0;
	s->advance = false;
	for (size_t i = 0; i < s->n_runs; i++) {
		struct cursor *c = &s->heap[s->n_heap];
		int r = record_run_next(&s->runs[i], &c->rec, err);

		if (r < 0)
			return r;
		c->order = i;
		s->n_heap += (size_t)r;
	}
	for (size_t i = s->n_heap / 2; i-- > 0;)
		heap_down(s, i);
	return 0;
}

static int merge_next(struct record_sort *s, struct record *out,
		      struct err *err)
{
	if (s->advance) {
		struct cursor *top = &s->heap[0];
		int r = record_run_next(&s->runs[top->order], &top->rec, err);

		if (r < 0)
			return r;
		if (r == 0)
			*top = s->heap[--s->n_heap];
		if (s->n_heap)
			heap_down(s, 0);
		s->advance = false;
	}
	if (!s->n_heap)
		return 0;
	*out = s->heap[0].rec;
	s->advance = true;
	return 1;
}

/* All runs become the first: their order, and that of equal keys, is kept. */
static int merge_runs(struct record_sort *s, struct err *err)
{
	struct record_run all;
	struct record rec;
	int r = record_run_init(&all, s->dirfd, err);

	if (r == 0)
		r = heap_start(s, err);
	while (r == 0 && (r = merge_next(s, &rec, err)) > 0)
		r = record_run_add(&all, &rec, err);
	if (r == 0)
		r = record_run_finish(&all, err);
	if (r < 0) {
		record_run_release(&all);
		return r;
	}
	for (size_t i = 0; i < s->n_runs; i++)
		record_run_release(&s->runs[i]);
	s->runs[0] = all;
	s->n_runs = 1;
	return 0;
}

/* ---- */

static int spill(struct record_sort *s, struct err *err)
{
	struct record_run *run;
	int r = 0;

	if (s->n_runs == RECORD_SORT_FAN_IN)
		r = merge_runs(s, err);
	if (r < 0)
		return r;
	run = &s->runs[s->n_runs];
	r = record_run_init(run, s->dirfd, err);
	if (r < 0)
		return r;
	s->n_runs++;

	sort_block(s);
	for (size_t i = 0; i < s->n_items && r == 0; i++) {
		struct record rec;

		record_get(s->block + items(s)[i].offset, &rec);
		r = record_run_add(run, &rec, err);
	}
	s->used = 0;
	s->n_items = 0;
	return r < 0 ? r : record_run_finish(run, err);
}

int record_sort_add(struct record_sort *s, const struct record *rec,
		    struct err *err)
{
	size_t len = record_bytes(rec);
	struct item *it;
	int r;

	if (rec->key_len > RECORD_SORT_KEY_MAX ||
	    rec->payload_len > RECORD_SORT_PAYLOAD_MAX)
		return err_set(err, ERR_USAGE, EFBIG,
			       "a record of %zu bytes cannot be sorted", len);
	if (!s->block) {
		s->block = malloc(s->memory);
		if (!s->block)
			return err_nomem(err);
	}
	/* A word may be loaded from the last byte of a key: keep one free. */
	if (s->used + len + WORD + (s->n_items + 1) * sizeof(*it) > s->memory) {
		r = spill(s, err);
		if (r < 0)
			return r;
	}
	record_put(s->block + s->used, rec);
	s->n_items++;
	it = items(s);
	it->offset = (uint32_t)s->used;
	it->key_len = rec->key_len;
	s->used += len;
	return 0;
}

int record_sort_finish(struct record_sort *s, struct err *err)
{
	int r;

	if (s->n_runs == 0) {
		if (s->block)
			sort_block(s);
		return 0;
	}
	r = s->n_items ? spill(s, err) : 0;
	free(s->block);
	s->block = NULL;
	return r < 0 ? r : heap_start(s, err);
}

int record_sort_next(struct record_sort *s, struct record *out,
		     struct err *err)
{
	if (s->n_runs)
		return merge_next(s, out, err);
	if (s->next_item == s->n_items)
		return 0;
	record_get(s->block + items(s)[s->next_item++].offset, out);
	return 1;
}
