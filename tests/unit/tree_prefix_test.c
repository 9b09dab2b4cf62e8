/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/tree/tree_prefix.h"

#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>

#define ETAG "0cc175b9c0f1b6a831c399e269772661"

static struct tree_prefixes prefixes;

static void setup(void)
{
	struct err err = ERR_INIT;

	cr_assert_eq(tree_prefixes_init(&prefixes, &err), 0);
}

static void teardown(void)
{
	tree_prefixes_release(&prefixes);
}

TestSuite(tree_prefix, .init = setup, .fini = teardown);

static struct tree_source_form split(const char *source, const char *etag)
{
	struct tree_source_form form;
	struct err err = ERR_INIT;

	cr_assert_eq(tree_prefixes_split(&prefixes, &form, source,
					 strlen(source), etag, strlen(etag),
					 &err), 0);
	return form;
}

/* Put together as the tree does. */
static void expect_whole(const char *source, const char *etag)
{
	struct tree_source_form form = split(source, etag);
	char got[300] = "";

	if (form.flags) {
		const struct tree_prefix *p = &prefixes.all[form.prefix];

		(void)snprintf(got, sizeof(got), "%.*s/%.*s%s", p->len,
			       prefixes.bytes.data + p->at, (int)form.text_len,
			       form.text_len ? form.text : "",
			       form.flags & TREE_F_SOURCE_ETAG ? etag : "");
	} else {
		(void)snprintf(got, sizeof(got), "%.*s", (int)form.text_len,
			       form.text);
	}
	cr_expect_str_eq(got, source);
}

Test(tree_prefix, a_source_is_its_parts_put_together)
{
	expect_whole("s3://b/p/hashes/" ETAG, ETAG);
	expect_whole("s3://b/p/x", ETAG);
	expect_whole("s3://b/p/", "");
	expect_whole("s3://b/p//", "");
	expect_whole("nothing", "");
	expect_whole("", "");
	expect_whole("/" ETAG, ETAG);
	expect_whole(ETAG, ETAG);
	expect_whole("file:///a/..", "");
}

Test(tree_prefix, what_is_shared_is_kept_once)
{
	struct tree_source_form a = split("s3://b/p/x", "");
	struct tree_source_form b = split("s3://b/q/x", "");
	struct tree_source_form c = split("s3://b/p/y", "");
	struct tree_source_form d = split("s3://b/p/" ETAG, ETAG);

	cr_expect_eq(a.prefix, c.prefix);
	cr_expect_eq(a.prefix, d.prefix);
	cr_expect_neq(a.prefix, b.prefix);
	cr_expect_eq(prefixes.n, 2);
	cr_expect_eq(d.flags, TREE_F_SOURCE_ETAG);
	cr_expect_eq(d.text_len, 0);
	cr_expect(tree_prefixes_equal(&prefixes, a.prefix, "s3://b/p", 8));
	cr_expect_not(tree_prefixes_equal(&prefixes, a.prefix, "s3://b/", 7));
}

Test(tree_prefix, only_uris_with_a_key_can_be_read)
{
	cr_expect(split("s3://b/x", "").is_readable);
	cr_expect(split("s3://b/p/x", "").is_readable);
	cr_expect(split("azure://a/c/x", "").is_readable);
	cr_expect_not(split("azure://a/c", "").is_readable);
	cr_expect_not(split("s3://b", "").is_readable);
	cr_expect_not(split("ftp://b/x", "").is_readable);
	cr_expect_not(split("", "").is_readable);
	cr_expect_not(split("file:///a/..", "").is_readable);
	cr_expect(split("file:///a/x", "").is_readable);
}

Test(tree_prefix, a_full_table_shares_no_more_but_loses_nothing)
{
	char source[64];

	for (unsigned i = 0; i < TREE_PREFIXES_MAX + 100; i++) {
		(void)snprintf(source, sizeof(source), "s3://b/%u/x", i);
		expect_whole(source, "");
	}
	cr_expect_eq(prefixes.n, TREE_PREFIXES_MAX);
	cr_expect_eq(split("s3://b/5/y", "").flags, TREE_F_SOURCE_TAIL);
	cr_expect_eq(split("s3://new/5/y", "").flags, 0);
	cr_expect(split("s3://new/5/y", "").is_readable);
}
