/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/extent_memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MIB ((size_t)1 << 20)

static size_t rss_anon(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/self/status", "r");

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			break;
	(void)fclose(file);
	return (size_t)kib << 10;
}

/* EXTENT_MEMORY_SPARE of them are kept for the next ones. */
Test(extent_memory, pieces_of_a_mapped_buffer_are_freed_one_by_one)
{
	size_t n = 2 * (EXTENT_MEMORY_SPARE / MIB + 4);
	uint8_t *data = extent_memory_alloc(n * MIB);
	size_t before;

	cr_assert_not_null(data);
	memset(data, 1, n * MIB);
	before = rss_anon();
	for (size_t i = 0; i < n; i += 2)
		extent_memory_free(data + i * MIB, MIB, true);
	cr_assert_leq(rss_anon(), before - 3 * MIB, "it is the system's again");
	cr_assert_geq(rss_anon(), before - 5 * MIB, "but for the spare ones");
	for (size_t i = 1; i < n; i += 2) {
		cr_assert_eq(data[i * MIB], 1, "the neighbours stay");
		extent_memory_free(data + i * MIB, MIB, true);
	}
}

Test(extent_memory, a_freed_extent_is_the_next_one)
{
	uint8_t *first = extent_memory_alloc(MIB), *other;

	extent_memory_free(first, MIB, true);
	other = extent_memory_alloc(MIB);
	cr_assert_eq(other, first);
	memset(other, 1, MIB);
	extent_memory_free(other, MIB, true);
}

Test(extent_memory, small_buffers_are_cut_from_one_mapping)
{
	uint8_t *first = extent_memory_alloc(16384);
	uint8_t *second = extent_memory_alloc(20000), *third;

	cr_assert_eq(second, first + 16384);
	memset(first, 1, 16384);
	memset(second, 2, 20000);
	extent_memory_free(first, 16384, true);
	third = extent_memory_alloc(16000);
	cr_assert_neq(third, second);
	memset(third, 3, 16000);
	cr_assert_eq(second[0], 2, "the neighbour stays");
	cr_assert_eq(second[19999], 2);
	extent_memory_free(second, 20000, true);
	extent_memory_free(third, 16000, true);
	cr_assert_eq(extent_memory_alloc(MIB), first, "whole again");
}

/* Else what was freed first would keep all others from being used again. */
Test(extent_memory, what_is_freed_last_is_kept_though_others_fill_the_room)
{
	static uint8_t *small[2 * EXTENT_MEMORY_SPARE / 16384];
	const size_t n = sizeof(small) / sizeof(small[0]);
	uint8_t *large = extent_memory_alloc(MIB);
	size_t before;

	for (size_t i = 0; i < n; i++)
		small[i] = extent_memory_alloc(16384);
	/* Every other one: neighbours would be merged. */
	for (size_t i = 0; i < n; i += 2)
		extent_memory_free(small[i], 16384, true);
	before = rss_anon();
	for (int i = 0; i < 8; i++) {
		extent_memory_free(large, MIB, true);
		large = extent_memory_alloc(MIB);
	}
	extent_memory_free(large, MIB, true);
	cr_assert_eq(extent_memory_alloc(MIB), large);
	cr_assert_leq(rss_anon(), before + MIB, "it takes their place");
}

Test(extent_memory, freed_neighbours_are_one_buffer_again)
{
	uint8_t *data = extent_memory_alloc(4 * MIB), *other;
	static const size_t order[] = { 2, 0, 3 };

	for (size_t i = 0; i < 3; i++)
		extent_memory_free(data + order[i] * MIB, MIB, true);
	other = extent_memory_alloc(2 * MIB);
	cr_assert_eq(other, data + 2 * MIB, "not 0 and 2: 1 is in use");
	extent_memory_free(data + MIB, MIB, true);
	cr_assert_eq(extent_memory_alloc(2 * MIB), data);
	for (size_t i = 0; i < 4; i++)
		extent_memory_free(data + i * MIB, MIB, true);
	cr_assert_eq(extent_memory_alloc(4 * MIB), data);
	extent_memory_free(data, 4 * MIB, true);
}

Test(extent_memory, freed_pieces_are_moved_into_one_buffer)
{
	uint8_t *data = extent_memory_alloc(8 * MIB), *other;
	size_t before;

	memset(data, 7, 8 * MIB);
	before = rss_anon();
	for (size_t i = 0; i < 8; i += 2)
		extent_memory_free(data + i * MIB, MIB, true);
	other = extent_memory_alloc(4 * MIB);
	cr_assert_not_null(other);
	memset(other, 9, 4 * MIB);
	cr_assert_leq(rss_anon(), before + MIB / 4, "no new pages");
	for (size_t i = 1; i < 8; i += 2) {
		cr_assert_eq(data[i * MIB], 7, "what is in use stays");
		cr_assert_eq(data[(i + 1) * MIB - 1], 7);
		extent_memory_free(data + i * MIB, MIB, true);
	}
	for (size_t i = 0; i < 4; i++)
		extent_memory_free(other + i * MIB, MIB, true);
}

Test(extent_memory, a_cost_is_never_less_than_the_bytes)
{
	for (size_t len = 1; len < 3 * MIB; len = len * 3 + 1) {
		bool mapped = extent_memory_is_mapped(len);

		cr_assert_geq(extent_memory_cost(len, mapped), len);
		/* A quarter at most is lost above what malloc serves. */
		if (mapped)
			cr_assert_leq(extent_memory_cost(len, mapped),
				      len + len / 4);
	}
}

Test(extent_memory, a_trim_is_due_once_after_so_much_was_freed)
{
	while (extent_memory_trim_is_due())
		;
	for (size_t freed = 0; freed < EXTENT_MEMORY_TRIM; freed += 8192) {
		cr_assert_not(extent_memory_trim_is_due());
		extent_memory_free(extent_memory_alloc(8192), 8192, false);
	}
	cr_assert(extent_memory_trim_is_due());
	cr_assert_not(extent_memory_trim_is_due());
	extent_memory_trim();
}
