/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/nodes/keymap.h"

#include <string.h>
#include <criterion/criterion.h>

#define MANY 5000u

static void number_key(uint8_t key[STATE_KEY_SIZE], uint32_t n)
{
	keymap_key(key, NULL, 0, &n, sizeof(n));
}

Test(keymap, finds_what_was_set_among_many)
{
	struct keymap map = KEYMAP_INIT;
	uint8_t key[STATE_KEY_SIZE];

	number_key(key, 1);
	cr_assert_eq(keymap_find(&map, key), 0);
	for (uint32_t i = 1; i <= MANY; i++) {
		number_key(key, i);
		cr_assert_eq(keymap_set(&map, key, i), 0);
	}
	for (uint32_t i = 1; i <= MANY; i++) {
		number_key(key, i);
		cr_assert_eq(keymap_find(&map, key), i);
	}
	number_key(key, MANY + 1);
	cr_assert_eq(keymap_find(&map, key), 0);
	keymap_release(&map);
}

Test(keymap, a_second_set_replaces_the_first)
{
	struct keymap map = KEYMAP_INIT;
	uint8_t key[STATE_KEY_SIZE];

	number_key(key, 7);
	cr_assert_eq(keymap_set(&map, key, 1), 0);
	cr_assert_eq(keymap_set(&map, key, 2), 0);
	cr_assert_eq(keymap_find(&map, key), 2);
	cr_assert_eq(map.n, 1);
	keymap_release(&map);
}

Test(keymap, keys_that_begin_with_the_same_bytes_are_different)
{
	struct keymap map = KEYMAP_INIT;
	uint8_t a[STATE_KEY_SIZE] = { 1 }, b[STATE_KEY_SIZE] = { 1 };

	b[STATE_KEY_SIZE - 1] = 9;
	cr_assert_eq(keymap_set(&map, a, 1), 0);
	cr_assert_eq(keymap_set(&map, b, 2), 0);
	cr_assert_eq(keymap_find(&map, a), 1);
	cr_assert_eq(keymap_find(&map, b), 2);
	keymap_release(&map);
}

Test(keymap, a_key_says_where_one_part_ends)
{
	const char *ab_c[] = { "ab", "c" }, *a_bc[] = { "a", "bc" };
	uint8_t x[STATE_KEY_SIZE], y[STATE_KEY_SIZE];

	keymap_key(x, ab_c, 2, "", 0);
	keymap_key(y, a_bc, 2, "", 0);
	cr_assert_neq(memcmp(x, y, sizeof(x)), 0);
	keymap_key(y, ab_c, 2, "", 0);
	cr_assert_eq(memcmp(x, y, sizeof(x)), 0);
}
