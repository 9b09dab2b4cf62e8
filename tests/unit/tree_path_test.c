/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/tree/tree_path.h"

#include <string.h>
#include <criterion/criterion.h>

static size_t key_of(uint8_t key[TREE_KEY_MAX], const char *path)
{
	size_t len, name;
	const char *why = tree_path_key(key, &len, &name, path, strlen(path));

	cr_assert_null(why, "%s: %s", path, why);
	cr_expect_eq(tree_key_name(key, len), name);
	return len;
}

static void expect_key(const char *path, const char *says, size_t len)
{
	uint8_t key[TREE_KEY_MAX];

	cr_assert_eq(key_of(key, path), len);
	cr_expect_arr_eq(key, says, len, "%s", path);
}

static void expect_refused(const char *path, size_t len, const char *says)
{
	uint8_t key[TREE_KEY_MAX];
	size_t key_len, name;
	const char *why = tree_path_key(key, &key_len, &name, path, len);

	cr_assert_not_null(why, "%s", path);
	cr_expect(strstr(why, says), "%s: %s", path, why);
}

Test(tree_path, a_key_is_the_parent_then_the_name)
{
	expect_key("x", "\0x", 2);
	expect_key("a/x", "a\0\0x", 4);
	expect_key("a/bc/x", "a\0bc\0\0x", 7);
}

/* In the order of the keys children of one directory stand together. */
Test(tree_path, keys_sort_directories_in_pre_order)
{
	static const char *const paths[] = {
		"a", "b", "z", "a/x", "a/y", "a/b/1", "a/b/c/1", "a/b.c/1",
		"a!/x", "b/x",
	};
	uint8_t before[TREE_KEY_MAX], key[TREE_KEY_MAX];
	size_t before_len = 0, len;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		len = key_of(key, paths[i]);
		if (i) {
			size_t n = len < before_len ? len : before_len;
			int c = memcmp(before, key, n);

			cr_expect(c < 0 || (c == 0 && before_len < len), "%s",
				  paths[i]);
		}
		memcpy(before, key, len);
		before_len = len;
	}
}

Test(tree_path, says_why_a_path_cannot_be)
{
	char text[5000];

	expect_refused("", 0, "empty");
	expect_refused("/a", 2, "absolute");
	expect_refused("a/", 2, "slash");
	expect_refused("a//b", 4, "empty component");
	expect_refused("a/./b", 5, "component .");
	expect_refused("..", 2, "component ..");
	expect_refused("a\0b", 3, "NUL");
	memset(text, 'x', sizeof(text));
	expect_refused(text, 256, "255");
	expect_refused(text, 4097, "4096");
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '/';
	expect_refused(text, 257, "128");
}

Test(tree_path, dots_are_only_special_alone)
{
	expect_key("...", "\0...", 4);
	expect_key("..a/.b", "..a\0\0.b", 7);
}

Test(tree_path, limits_are_reached)
{
	uint8_t key[TREE_KEY_MAX];
	char text[4097];

	memset(text, 'x', sizeof(text));
	text[255] = '\0';
	cr_expect_eq(key_of(key, text), 256);
	text[255] = 'x';
	for (size_t i = 1; i < 255; i += 2)
		text[i] = '/';
	text[255] = '\0';
	cr_expect_eq(key_of(key, text), 256);	/* 128 components */
	memset(text, 'x', sizeof(text));
	for (size_t i = 250; i < 4096; i += 250)
		text[i] = '/';
	text[4096] = '\0';
	cr_expect_eq(key_of(key, text), TREE_KEY_MAX);
}

Test(tree_path, a_key_prints_as_its_path)
{
	cleanup_buf struct buf out = BUF_INIT;
	uint8_t key[TREE_KEY_MAX];
	size_t len = key_of(key, "a/b\nc/d");

	tree_key_print(&out, key, len);
	cr_expect_str_eq(out.data, "a/b\\x0ac/d");
}
