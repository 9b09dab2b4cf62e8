/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/reference.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

static void parses(const char *text, const char *bucket, const char *name,
		   const char *version)
{
	struct reference ref;
	struct err err = ERR_INIT;

	cr_assert_eq(reference_parse(&ref, text, &err), 0, "%s: %s", text,
		     err.text);
	cr_expect_str_eq(ref.bucket, bucket);
	cr_expect_str_eq(ref.name, name);
	cr_expect_str_eq(ref.version, version);
}

static void is_refused(const char *text)
{
	struct reference ref;
	struct err err = ERR_INIT;

	cr_expect_eq(reference_parse(&ref, text, &err), -EINVAL, "\"%s\"", text);
	cr_expect_eq(err.class, ERR_USAGE);
}

Test(reference, bucket_and_version_are_optional)
{
	parses("imagenet", "", "imagenet", "");
	parses("prod/imagenet", "prod", "imagenet", "");
	parses("imagenet:2", "", "imagenet", "2");
	parses("prod/imagenet:base-line_1", "prod", "imagenet", "base-line_1");
	parses("-x/_y:-z", "-x", "_y", "-z");
}

Test(reference, at_stands_for_the_colon)
{
	parses("prod/imagenet@2", "prod", "imagenet", "2");
	parses("imagenet@latest", "", "imagenet", "latest");
}

Test(reference, an_empty_tag_is_none)
{
	parses("ds:", "", "ds", "");
	parses("b/ds@", "b", "ds", "");
}

Test(reference, what_osmo_refuses_is_refused_in_its_words)
{
	static const char *const bad[] = {
		"", "/", "b/", "/ds", "b//ds", "a/b/c", "ds:1:2", "ds@1@2",
		"ds:a/b", "d s", "ds:t\xc3\xa9", "ds.x", "../ds", "ds:1 ", ":1",
	};
	struct reference ref;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_refused(bad[i]);
	cr_assert_eq(reference_parse(&ref, "a b", &err), -EINVAL);
	cr_assert_str_eq(err.text, "Name, Tag, and Bucket can only consist of "
			 "lower and upper case letters, numbers, \"-\" and "
			 "\"_\".");
}

Test(reference, two_hundred_characters_and_no_more)
{
	char text[2 * NAME_MAX_BYTES + 8];

	memset(text, 'a', sizeof(text));
	text[NAME_MAX_BYTES] = '\0';
	parses(text, "", text, "");
	text[NAME_MAX_BYTES] = 'a';
	text[NAME_MAX_BYTES + 1] = '\0';
	is_refused(text);
	cr_assert_not(reference_is_name(text, NAME_MAX_BYTES + 1));
	cr_assert(reference_is_name(text, NAME_MAX_BYTES));
	cr_assert_not(reference_is_name(text, 0));
}

Test(reference, a_version_number_is_canonical)
{
	cr_expect_eq(reference_version_number("1"), 1);
	cr_expect_eq(reference_version_number("4294967295"), 4294967295u);
	cr_expect_eq(reference_version_number("4294967296"), 0);
	cr_expect_eq(reference_version_number("99999999999999999999999"), 0);
	cr_expect_eq(reference_version_number("0"), 0);
	cr_expect_eq(reference_version_number("01"), 0);
	cr_expect_eq(reference_version_number("+1"), 0);
	cr_expect_eq(reference_version_number("-1"), 0);
	cr_expect_eq(reference_version_number("1a"), 0);
	cr_expect_eq(reference_version_number(""), 0);
}
