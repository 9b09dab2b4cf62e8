/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/nearest.h"

#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/cleanup.h"

static const char *const names[] = {
	"production", "staging", "research", "archive", "dataset_path",
};

static const char *near(const char *word)
{
	const char *name = nearest_name(word, names, ARRAY_SIZE(names));

	return name ? name : "";
}

Test(nearest, typing_errors_find_their_word)
{
	cr_assert_str_eq(near("prodution"), "production");
	cr_assert_str_eq(near("prodcution"), "production", "swapped");
	cr_assert_str_eq(near("Production"), "production");
	cr_assert_str_eq(near("datasetPath"), "dataset_path");
	cr_assert_str_eq(near("dataset-path"), "dataset_path");
	cr_assert_str_eq(near("reserch"), "research");
	cr_assert_str_eq(near("archives"), "archive");
}

Test(nearest, another_word_finds_none)
{
	cr_assert_str_eq(near("colour"), "");
	cr_assert_str_eq(near("x"), "");
	cr_assert_str_eq(near(""), "");
	cr_assert_str_eq(near("prod"), "");
	cr_assert_null(nearest_name("a", NULL, 0));
}

Test(nearest, the_nearest_of_several_and_the_first_of_equals)
{
	static const char *const close[] = { "abcdef", "abcdeg", "abcxeg" };

	cr_assert_str_eq(nearest_name("abcdeg", close, 3), "abcdeg");
	cr_assert_str_eq(nearest_name("abcdez", close, 3), "abcdef");
}

Test(nearest, words_of_any_length_are_safe)
{
	static char long_word[10000];
	const char *const one[] = { long_word };

	memset(long_word, 'a', sizeof(long_word) - 1);
	cr_assert_null(nearest_name(long_word, names, ARRAY_SIZE(names)));
	cr_assert_null(nearest_name("aaa", one, 1));
}
