/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/disk/disk_index.h"

#include <criterion/criterion.h>

#define MANY 100000u

static struct memory_budget *budget;
static struct disk_index *ix;

static void setup(void)
{
	struct err err = ERR_INIT;

	cr_assert_eq(memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err), 0);
	cr_assert_eq(disk_index_new(&ix, budget, &err), 0);
}

static void teardown(void)
{
	disk_index_free(ix);
	cr_assert_eq(memory_budget_used(budget), 0);
	memory_budget_free(budget);
}

TestSuite(disk_index, .init = setup, .fini = teardown);

static struct segment_key key_of(uint32_t i)
{
	return (struct segment_key){ i * 0x9e3779b97f4a7c15u, i / 10 * 77u };
}

static bool set(uint32_t i, uint32_t slot)
{
	struct segment_key key = key_of(i);
	struct disk_place place = { slot, i + 1, i * 2 };

	return disk_index_set(ix, &key, i, &place);
}

static bool find(uint32_t i, struct disk_place *place)
{
	struct segment_key key = key_of(i);

	return disk_index_find(ix, &key, i, false, place);
}

Test(disk_index, finds_all_of_many_and_takes_at_most_64_bytes_each)
{
	struct disk_place place;

	for (uint32_t i = 0; i < MANY; i++)
		cr_assert(set(i, i % 7));
	cr_assert_eq(disk_index_count(ix), MANY);
	cr_expect_leq(memory_budget_used(budget), 64 * (uint64_t)MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		cr_assert(find(i, &place));
		cr_assert(place.slot == i % 7 && place.len == i + 1 &&
			  place.offset == i * 2);
	}
	cr_expect_not(find(MANY, &place));
}

Test(disk_index, the_newest_place_holds)
{
	struct segment_key key = key_of(5);
	struct disk_place place;

	cr_assert(set(5, 1) && set(5, 2));
	cr_expect_eq(disk_index_count(ix), 1);
	cr_assert(find(5, &place) && place.slot == 2);
	disk_index_remove(ix, &key, 5, 1);
	cr_expect(find(5, &place), "it is in another slot");
	disk_index_remove(ix, &key, 5, 2);
	cr_expect_not(find(5, &place));
	cr_expect_eq(disk_index_count(ix), 0);
}

Test(disk_index, use_is_noticed_once)
{
	struct segment_key key = key_of(5);
	struct disk_place place;

	cr_assert(set(5, 1));
	cr_expect_not(disk_index_unmark(ix, &key, 5, 1));
	cr_assert(disk_index_find(ix, &key, 5, true, &place));
	cr_expect_eq(place.len, 6);
	cr_expect_not(disk_index_unmark(ix, &key, 5, 2));
	cr_expect(disk_index_unmark(ix, &key, 5, 1));
	cr_expect_not(disk_index_unmark(ix, &key, 5, 1));
}

Test(disk_index, without_memory_it_says_so_and_goes_on)
{
	struct disk_place place;
	uint32_t n = 0;

	while (set(n, 0))
		n++;
	cr_expect_gt(n, MANY);
	for (uint32_t i = 0; i < n; i += 1000)
		cr_assert(find(i, &place));
	for (uint32_t i = 0; i < 1000; i++) {
		struct segment_key key = key_of(i);

		disk_index_remove(ix, &key, i, 0);
	}
	for (uint32_t i = 0; i < 1000; i++)
		cr_assert(set(n + i, 0), "what was freed is used again");
}

Test(disk_index, grows_where_the_memory_is_full_of_what_can_go)
{
	uint64_t limit = memory_budget_limit(budget), taken = limit, used;

	cr_assert(memory_budget_take(budget, limit -
					     memory_budget_used(budget)));
	for (uint32_t i = 0; i < MANY; i++) {
		cr_assert(set(i, 0), "record %u", i);
		/* As the next extent in memory would make room. */
		used = memory_budget_used(budget);
		if (used > limit) {
			memory_budget_give(budget, used - limit);
			taken -= used - limit;
		}
	}
	memory_budget_give(budget, taken);
}

Test(disk_index, takes_half_of_the_memory_at_most)
{
	uint32_t n = 0;

	while (set(n, 0))
		n++;
	cr_expect_leq(memory_budget_used(budget), MEMORY_BUDGET_MIN / 2);
	cr_expect_gt(memory_budget_used(budget), MEMORY_BUDGET_MIN / 4);
}
