/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/tree/tree_cache.h"

#include <criterion/criterion.h>
#include "fs/dataset/tree/tree_format.h"

static void fill(uint8_t block[TREE_BLOCK], uint64_t id, uint32_t n)
{
	for (size_t i = 0; i < TREE_BLOCK; i++)
		block[i] = (uint8_t)(id * 31 + n * 7 + i);
}

static void insert(uint64_t id, uint32_t n)
{
	uint8_t block[TREE_BLOCK];

	fill(block, id, n);
	tree_cache_insert(id, n, block);
}

static bool is_there(uint64_t id, uint32_t n)
{
	uint8_t block[TREE_BLOCK], got[TREE_BLOCK];

	if (!tree_cache_copy(id, n, got, 0, TREE_BLOCK))
		return false;
	fill(block, id, n);
	cr_assert_arr_eq(got, block, TREE_BLOCK);
	return true;
}

Test(tree_cache, gives_back_any_part_of_a_block)
{
	uint64_t id = tree_cache_id(), other = tree_cache_id();
	uint8_t block[TREE_BLOCK], part[8];

	cr_expect_neq(id, other);
	insert(id, 3);
	fill(block, id, 3);
	cr_assert(tree_cache_copy(id, 3, part, TREE_BLOCK - 8, 8));
	cr_expect_arr_eq(part, block + TREE_BLOCK - 8, 8);
	cr_expect_not(is_there(id, 4));
	cr_expect_not(is_there(other, 3));
}

Test(tree_cache, holds_no_more_than_its_bound)
{
	uint64_t id = tree_cache_id();
	const uint32_t n = 3 * TREE_CACHE_BYTES / TREE_BLOCK;
	uint32_t there = 0;

	for (uint32_t i = 0; i < n; i++)
		insert(id, i);
	for (uint32_t i = 0; i < n; i++)
		there += is_there(id, i);
	cr_expect_leq(there, TREE_CACHE_BYTES / TREE_BLOCK);
	cr_expect_gt(there, TREE_CACHE_BYTES / TREE_BLOCK / 2);
	cr_expect_leq(tree_cache_bytes(), TREE_CACHE_BYTES);
	tree_cache_drop(id);
	cr_expect_eq(tree_cache_bytes(), 0);
}

Test(tree_cache, what_is_used_stays)
{
	uint64_t id = tree_cache_id(), other = tree_cache_id();
	const uint32_t n = 2 * TREE_CACHE_BYTES / TREE_BLOCK;
	uint32_t there = 0;

	for (uint32_t i = 0; i < 100; i++)
		insert(id, i);
	for (uint32_t i = 0; i < n; i++) {
		insert(other, i);
		if (i % 64 == 0)
			for (uint32_t j = 0; j < 100; j++)
				(void)is_there(id, j);
	}
	for (uint32_t i = 0; i < 100; i++)
		there += is_there(id, i);
	cr_expect_geq(there, 95);
	tree_cache_drop(other);
	cr_expect_leq(tree_cache_bytes(), 100 * TREE_BLOCK);
	tree_cache_drop(id);
}
