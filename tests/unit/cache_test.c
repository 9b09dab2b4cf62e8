/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <string.h>
#include "cache/extent_memory.h"

#define MIB ((uint64_t)1 << 20)
#define PINS_MAX CACHE_PINS(8 * MIB)

static struct memory_budget *budget;
static struct cache *cache;

static void setup(void)
{
	struct err err = ERR_INIT;

	cr_assert_eq(memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err), 0);
	cr_assert_eq(cache_new(&cache, budget, &err), 0);
}

static void teardown(void)
{
	cache_free(cache);
	cr_assert_eq(memory_budget_used(budget), 0);
	memory_budget_free(budget);
}

TestSuite(cache, .init = setup, .fini = teardown);

static uint8_t byte_of(const struct blob_id *id, uint64_t at)
{
	return (uint8_t)((at ^ id->lo) * 0x9e3779b97f4a7c15u >> 56);
}

/* Inserts [from, to) of a blob; false where there is no room. */
static bool put(const struct blob_id *id, uint64_t size, uint64_t from,
		uint64_t to)
{
	struct extent *pins[PINS_MAX];
	size_t len = (size_t)(to - from);
	uint8_t *data;
	int n;

	if (!cache_make_room(cache, cache_cost(len)))
		return false;
	data = extent_memory_alloc(len);
	cr_assert_not_null(data);
	for (size_t i = 0; i < len; i++)
		data[i] = byte_of(id, from + i);
	n = cache_insert(cache, id, size, from, data, len, true, pins);
	cr_assert_gt(n, 0);
	cache_unpin(cache, pins, n);
	return true;
}

/* How many extents hold it, every byte compared; 0: not all is held. */
static int held(const struct blob_id *id, uint64_t from, size_t len)
{
	struct extent *pins[PINS_MAX];
	uint64_t missing, at = from;
	int n = cache_pin(cache, id, from, len, pins, PINS_MAX, &missing);

	for (int i = 0; i < n; i++) {
		const struct extent *e = pins[i];

		cr_assert_leq(e->offset, at);
		for (; at < e->offset + e->len && at < from + len; at++)
			cr_assert_eq(e->data[at - e->offset], byte_of(id, at));
	}
	if (n) {
		cr_assert_eq(at, from + len);
		cache_unpin(cache, pins, n);
	}
	return n;
}

Test(cache, what_was_put_in_is_found_and_only_that)
{
	const struct blob_id a = { 1, 1 }, b = { 2, 1 };
	struct extent *pins[PINS_MAX];
	uint64_t missing;

	cr_assert(put(&a, 5 * MIB + 10, 2 * MIB, 4 * MIB));
	cr_assert_eq(held(&a, 2 * MIB, 2 * MIB), 2);
	cr_assert_eq(held(&a, 3 * MIB - 5, 10), 2);
	cr_assert_eq(held(&a, 4 * MIB - 1, 1), 1);
	cr_assert_eq(held(&b, 2 * MIB, 10), 0, "the same place, another blob");
	cr_assert_eq(cache_pin(cache, &a, 3 * MIB, 2 * MIB, pins, PINS_MAX,
			       &missing), 0);
	cr_assert_eq(missing, 4 * MIB);
	cr_assert_eq(cache_held_until(cache, &a, 2 * MIB + 7), 3 * MIB);
	cr_assert_eq(cache_held_until(cache, &a, 4 * MIB), 0);
	cr_assert_eq(cache_bytes_of(cache, &a), 2 * MIB);
}

Test(cache, what_the_disk_has_goes_once_it_was_read_from_start_to_end)
{
	const struct blob_id a = { 1, 1 };
	struct extent *pins[PINS_MAX];
	uint64_t missing;
	int n;

	cr_assert(put(&a, 4 * MIB, 0, 4 * MIB));
	n = cache_pin_quietly(cache, &a, 0, 3 * MIB, pins, PINS_MAX, &missing);
	cr_assert_eq(n, 3);
	cache_is_on_disk(cache, pins, n);
	cache_unpin(cache, pins, n);

	cr_assert_eq(held(&a, 0, MIB / 2), 1);
	cr_assert_eq(held(&a, MIB / 2, MIB / 2 - 1), 1);
	cr_assert_eq(cache_bytes_of(cache, &a), 4 * MIB, "not to its end");
	cr_assert_eq(held(&a, MIB - 1, 1), 1);
	cr_assert_eq(cache_bytes_of(cache, &a), 3 * MIB);
	cr_assert_eq(held(&a, 0, 1), 0);

	cr_assert_eq(held(&a, 2 * MIB - 1, 1), 1);
	cr_assert_eq(held(&a, 2 * MIB - 1, 1), 1, "not from its start");
	cr_assert_eq(held(&a, 3 * MIB, MIB), 1);
	cr_assert_eq(held(&a, 3 * MIB, MIB), 1, "the disk has it not");

	/* Whoever holds it is not robbed of it. */
	n = cache_pin(cache, &a, 2 * MIB, MIB, pins, PINS_MAX, &missing);
	cr_assert_eq(n, 1);
	cr_assert_eq(pins[0]->data[7], byte_of(&a, 2 * MIB + 7));
	cr_assert_eq(cache_held_until(cache, &a, 2 * MIB), 3 * MIB);
	cache_unpin(cache, pins, n);
	cr_assert_eq(cache_held_until(cache, &a, 2 * MIB), 0);
}

Test(cache, the_end_of_a_blob_is_a_short_extent)
{
	const struct blob_id a = { 1, 1 };
	const uint64_t size = 3 * MIB + 70000;

	cr_assert(put(&a, size, 3 * MIB, size));
	cr_assert_eq(held(&a, size - 1, 1), 1);
	cr_assert_eq(cache_held_until(cache, &a, 3 * MIB), size);
	/* Its last grain alone. */
	cache_forget(cache, &a);
	cr_assert(put(&a, size, 3 * MIB + CACHE_GRAIN, size));
	cr_assert_eq(held(&a, size - 1, 1), 1);
	cr_assert_eq(held(&a, 3 * MIB, 1), 0);
}

Test(cache, a_whole_extent_takes_the_place_of_its_grains)
{
	const struct blob_id a = { 1, 1 };

	cr_assert(put(&a, 4 * MIB, MIB + 2 * CACHE_GRAIN, MIB + 4 * CACHE_GRAIN));
	cr_assert_eq(held(&a, MIB + 2 * CACHE_GRAIN, 2 * CACHE_GRAIN), 2);
	cr_assert(put(&a, 4 * MIB, MIB, 2 * MIB));
	cr_assert_eq(cache_bytes_of(cache, &a), MIB, "no byte is held twice");
	cr_assert_eq(held(&a, MIB, MIB), 1);
	/* And a grain does not come beside it. */
	cr_assert(put(&a, 4 * MIB, MIB, MIB + CACHE_GRAIN));
	cr_assert_eq(cache_bytes_of(cache, &a), MIB);
}

Test(cache, what_is_pinned_outlives_forgetting)
{
	const struct blob_id a = { 1, 1 };
	struct extent *pins[PINS_MAX];
	uint64_t missing;
	int n;

	cr_assert(put(&a, MIB, 0, MIB));
	n = cache_pin(cache, &a, 0, MIB, pins, PINS_MAX, &missing);
	cr_assert_eq(n, 1);
	cache_forget(cache, &a);
	cr_assert_eq(held(&a, 0, 1), 0);
	for (uint64_t i = 0; i < MIB; i++)
		cr_assert_eq(pins[0]->data[i], byte_of(&a, i));
	/* The blob may come back meanwhile. */
	cr_assert(put(&a, MIB, 0, MIB));
	cr_assert_eq(held(&a, 0, MIB), 1);
	cache_unpin(cache, pins, n);
	cr_assert_eq(held(&a, 0, MIB), 1);
}

Test(cache, the_oldest_go_first_and_what_is_hit_stays)
{
	const struct blob_id hot = { 9, 9 };

	cr_assert(put(&hot, MIB, 0, MIB));
	for (uint64_t i = 0; i < 200; i++) {
		const struct blob_id id = { i, i + 100 };

		cr_assert(put(&id, MIB, 0, MIB), "blob %d", (int)i);
		cr_assert_eq(held(&id, 0, 1), 1, "the newest is there");
		cr_assert_eq(held(&hot, 0, 1), 1, "the hot one after %d",
			     (int)i);
		cr_assert_leq(memory_budget_used(budget), MEMORY_BUDGET_MIN);
	}
}

Test(cache, what_was_never_read_does_not_go_before_what_was)
{
	/* 30 MiB read long ago, 20 MiB read ahead: 14 more must fit. */
	for (uint64_t i = 0; i < 30; i++) {
		const struct blob_id id = { i, i };

		cr_assert(put(&id, MIB, 0, MIB));
		cr_assert_eq(held(&id, 0, MIB), 1);
	}
	for (uint64_t i = 100; i < 120; i++) {
		const struct blob_id id = { i, i };

		cr_assert(put(&id, MIB, 0, MIB));
	}
	for (uint64_t i = 200; i < 225; i++) {
		const struct blob_id id = { i, i };

		cr_assert(put(&id, MIB, 0, MIB));
	}
	for (uint64_t i = 100; i < 120; i++) {
		const struct blob_id id = { i, i };

		cr_assert_eq(held(&id, 0, 1), 1, "blob %d", (int)i);
	}
}

Test(cache, no_room_is_made_of_what_is_pinned)
{
	struct extent *pins[64][PINS_MAX];
	uint64_t missing;
	int n = 0;

	for (; n < 64; n++) {
		const struct blob_id id = { n, n };

		if (!put(&id, MIB, 0, MIB))
			break;
		cr_assert_eq(cache_pin(cache, &id, 0, MIB, pins[n], PINS_MAX,
				       &missing), 1);
	}
	cr_assert_geq(n, 60);
	cr_assert_lt(n, 64);
	cr_assert_not(cache_make_room(cache, 2 * MIB));
	cache_unpin(cache, pins[0], 1);
	cache_unpin(cache, pins[1], 1);
	cr_assert(cache_make_room(cache, 2 * MIB));
	memory_budget_give(budget, 2 * MIB);
	for (int i = 2; i < n; i++)
		cache_unpin(cache, pins[i], 1);
}

Test(cache, what_was_not_charged_is_dropped_by_hand)
{
	const struct blob_id a = { 1, 1 };
	struct extent *pins[PINS_MAX];
	uint8_t *data = extent_memory_alloc(MIB);
	uint64_t used = memory_budget_used(budget);
	int n;

	memset(data, 3, MIB);
	n = cache_insert(cache, &a, MIB, 0, data, MIB, false, pins);
	cr_assert_eq(n, 1);
	cr_assert_eq(memory_budget_used(budget), used);
	cache_drop(cache, pins, n);
	cr_assert_eq(cache_bytes_of(cache, &a), 0);
	cr_assert_eq(pins[0]->data[5], 3);
	cache_unpin(cache, pins, n);
}

Test(cache, a_random_schedule_agrees_with_a_model)
{
	enum { N_BLOBS = 3, N_GRAINS = 100 };
	static bool model[N_BLOBS][N_GRAINS];
	const uint64_t size = N_GRAINS * CACHE_GRAIN - 777;
	uint32_t x = 4711;

	/* Little enough that nothing is evicted. */
	for (int step = 0; step < 3000; step++) {
		struct blob_id id;
		uint64_t from, to;
		unsigned b, g, n;
		bool all = true;

		x = x * 1103515245u + 12345u;
		b = (x >> 16) % N_BLOBS;
		g = (x >> 8) % N_GRAINS;
		n = 1 + (x >> 24) % 20;
		if (g + n > N_GRAINS)
			n = N_GRAINS - g;
		id = (struct blob_id){ b, b };
		from = g * CACHE_GRAIN;
		to = (g + n) * CACHE_GRAIN < size ? (g + n) * CACHE_GRAIN : size;
		if (x % 41 == 0) {
			cache_forget(cache, &id);
			memset(model[b], 0, sizeof(model[b]));
		} else if (x % 5 == 0) {
			cr_assert(put(&id, size, from, to));
			for (unsigned i = 0; i < n; i++)
				model[b][g + i] = true;
		}
		for (unsigned i = 0; i < n; i++)
			all = all && model[b][g + i];
		cr_assert_eq(held(&id, from, (size_t)(to - from)) > 0, all,
			     "step %d", step);
	}
}
