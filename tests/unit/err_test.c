/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/err.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(err, set_returns_the_negative_code_and_keeps_class_and_text)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_set(&err, ERR_AUTH, EACCES, "%d %s", 403, "no"),
		     -EACCES);
	cr_assert_eq(err.class, ERR_AUTH);
	cr_assert_eq(err.code, EACCES);
	cr_assert_str_eq(err.text, "403 no");
}

Test(err, errno_appends_its_sentence_and_is_of_the_system)
{
	struct err err = ERR_INIT;

	cr_assert_eq(err_errno(&err, ENOENT, "open %s", "x"), -ENOENT);
	cr_assert_eq(err.class, ERR_SYSTEM);
	cr_assert_str_eq(err.text, "open x: No such file or directory");
}

Test(err, wrap_puts_the_object_in_front_and_keeps_the_rest)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_RETRY, ETIMEDOUT, "timed out");
	cr_assert_eq(err_wrap(&err, "bucket %s", "a"), -ETIMEDOUT);
	cr_assert_eq(err_wrap(&err, "mount"), -ETIMEDOUT);
	cr_assert_str_eq(err.text, "mount: bucket a: timed out");
	cr_assert_eq(err.class, ERR_RETRY);
}

Test(err, a_long_text_is_cut_with_dots)
{
	char big[2 * ERR_TEXT_MAX];
	struct err err = ERR_INIT;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&err, ERR_USAGE, EINVAL, "%s", big);
	cr_assert_eq(strlen(err.text), ERR_TEXT_MAX - 1);
	cr_assert_str_eq(err.text + ERR_TEXT_MAX - 4, "...");
}

Test(err, a_text_of_exactly_the_size_is_not_cut)
{
	char fits[ERR_TEXT_MAX];
	struct err err = ERR_INIT;

	memset(fits, 'x', sizeof(fits) - 1);
	fits[sizeof(fits) - 1] = '\0';
	(void)err_set(&err, ERR_USAGE, EINVAL, "%s", fits);
	cr_assert_str_eq(err.text, fits);
}

Test(err, the_cut_never_splits_a_character)
{
	char big[2 * ERR_TEXT_MAX];
	struct err err = ERR_INIT;

	for (size_t shift = 0; shift < 3; shift++) {
		memset(big, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(big); i += 3)
			memcpy(big + i, "\xe2\x82\xac", 4);
		(void)err_set(&err, ERR_USAGE, EINVAL, "%s", big);
		cr_assert_eq((strlen(err.text) - 3 - shift) % 3, 0);
		cr_assert_str_eq(err.text + strlen(err.text) - 3, "...");
	}
}

Test(err, wrapping_a_full_text_keeps_the_front)
{
	char big[ERR_TEXT_MAX];
	struct err err = ERR_INIT;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&err, ERR_USAGE, EINVAL, "%s", big);
	(void)err_wrap(&err, "outer");
	cr_assert_eq(strncmp(err.text, "outer: xxx", 10), 0);
	cr_assert_str_eq(err.text + ERR_TEXT_MAX - 4, "...");
}

Test(err, its_own_text_may_be_an_argument)
{
	struct err err = ERR_INIT;

	(void)err_set(&err, ERR_USAGE, EINVAL, "inner");
	(void)err_set(&err, ERR_CORRUPT, EBADMSG, "again: %s", err.text);
	cr_assert_str_eq(err.text, "again: inner");
}

Test(err, copy_and_clear)
{
	struct err from = ERR_INIT;
	struct err to = ERR_INIT;

	(void)err_set(&from, ERR_MISSING, ENOENT, "gone");
	err_copy(&to, &from);
	err_copy(&to, &to);
	cr_assert_eq(to.class, ERR_MISSING);
	cr_assert_eq(to.code, ENOENT);
	cr_assert_str_eq(to.text, "gone");
	err_clear(&to);
	cr_assert_eq(to.class, ERR_NONE);
	cr_assert_str_eq(to.text, "");
}

Test(err, every_class_has_a_name_of_its_own)
{
	for (int a = ERR_NONE; a <= ERR_SYSTEM; a++) {
		cr_assert_not_null(err_class_name((enum err_class)a));
		for (int b = ERR_NONE; b < a; b++)
			cr_assert_str_neq(err_class_name((enum err_class)a),
					  err_class_name((enum err_class)b));
	}
	cr_assert_str_eq(err_class_name((enum err_class)99), "unknown");
}
