/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/osmo/osmo_repair.h"

#include <string.h>
#include <criterion/criterion.h>
#include "backends/backend.h"

static void find(struct osmo_repair *out, const char *path, const char *source)
{
	struct err err = ERR_INIT;

	cr_assert_eq(osmo_repair_init(out, path, strlen(path), source,
				      strlen(source), &err), 0, "%s", err.text);
}

static void expect_none(const char *path, const char *source)
{
	struct osmo_repair got;

	find(&got, path, source);
	cr_expect_eq(got.n, 0, "%s: %s", path, got.n ? got.uris[0] : "");
	osmo_repair_release(&got);
}

/* The first candidate: one request is enough. */
static void expect(const char *path, const char *source, const char *uri)
{
	struct osmo_repair got;

	find(&got, path, source);
	cr_assert_gt(got.n, 0, "%s %s", path, source);
	cr_expect_str_eq(got.uris[0], uri);
	for (size_t i = 0; i < got.n; i++)
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(got.uris[i], got.uris[j]);
	osmo_repair_release(&got);
}

static bool is_among(const char *path, const char *source, const char *uri)
{
	struct osmo_repair got;
	bool found = false;

	find(&got, path, source);
	for (size_t i = 0; i < got.n; i++)
		found |= strcmp(got.uris[i], uri) == 0;
	osmo_repair_release(&got);
	return found;
}

static void expect_among(const char *path, const char *source, const char *uri)
{
	cr_expect(is_among(path, source, uri), "%s %s: not %s", path, source,
		  uri);
}

Test(osmo_repair, what_was_cut_off_is_put_back)
{
	expect("raw/a.bin", "s3://srcb/data/raw/.bin",
	       "s3://srcb/data/raw/a.bin");
	expect("raw/train/x.bin", "s3://srcb/data/raw/in/x.bin",
	       "s3://srcb/data/raw/train/x.bin");
	expect("raw/rat/data.bin", "s3://srcb/data/raw/.bin",
	       "s3://srcb/data/raw/rat/data.bin");
}

Test(osmo_repair, a_source_with_a_star_left_its_name_out)
{
	expect("a.bin", "s3://srcb/data/raw/.bin", "s3://srcb/data/raw/a.bin");
	expect("train/x.bin", "s3://srcb/data/raw/in/x.bin",
	       "s3://srcb/data/raw/train/x.bin");
}

Test(osmo_repair, an_update_put_it_below_another_directory)
{
	expect("kept/raw/a.bin", "s3://srcb/data/raw/.bin",
	       "s3://srcb/data/raw/a.bin");
	expect_among("kept/a.bin", "s3://srcb/data/raw/.bin",
		     "s3://srcb/data/raw/a.bin");
}

Test(osmo_repair, a_name_may_have_vanished_whole)
{
	expect_among("raw/data/raw", "s3://srcb/data/raw/",
		     "s3://srcb/data/raw/data/raw");
	expect_among("raw/data/raw", "s3://srcb/data/raw",
		     "s3://srcb/data/raw/data/raw");
}

Test(osmo_repair, every_scheme_has_its_own_prefix)
{
	expect("raw/a.bin", "azure://acc/con/data/raw/.bin",
	       "azure://acc/con/data/raw/a.bin");
	expect("raw/a.bin", "swift://h/ns/con/data/raw/.bin",
	       "swift://h/ns/con/data/raw/a.bin");
	expect("raw/a.bin", "file:///data/raw/.bin", "file:///data/raw/a.bin");
	/* Letters of the container are not letters of the prefix. */
	expect_none("raw/xa.bin", "s3://x/data/raw/a.bin");
}

Test(osmo_repair, characters_are_not_bytes)
{
	/* The prefix has U+00FC, the tail begins with U+00E9: one byte of two
	   is the same. */
	expect("\xc3\xbc/d\xc3\xbc\xc3\xa9", "s3://b/d/\xc3\xbc/\xc3\xa9",
	       "s3://b/d/\xc3\xbc/d\xc3\xbc\xc3\xa9");
	expect_none("\xc3\xbc/\xc3\xaa\xc3\xa9", "s3://b/d/\xc3\xbc/\xc3\xa9");
}

Test(osmo_repair, an_entry_that_is_not_damaged_has_no_candidates)
{
	expect_none("raw/xyz.bin", "s3://srcb/data/raw/xyz.bin");
	expect_none("xyz.bin", "s3://srcb/data/raw/xyz.bin");
	expect_none("train/x.bin", "s3://srcb/data/raw/train/x.bin");
	expect_none("any", "s3://b/p/ID/hashes/0cc175b9c0f1b6a831c399e269772661");
}

Test(osmo_repair, a_prefix_of_one_component_was_never_damaged)
{
	expect_none("raw/war.bin", "s3://srcb/raw/.bin");
	expect_none("a.bin", "s3://srcb/.bin");
}

Test(osmo_repair, only_characters_of_the_prefix_are_put_back)
{
	expect_none("raw/xa.bin", "s3://srcb/data/raw/.bin");
	expect_none("raw/trXain/x.bin", "s3://srcb/data/raw/in/x.bin");
	/* The tail would have been cut further. */
	cr_expect_not(is_among("raw/tra.bin", "s3://srcb/data/raw/a.bin",
			       "s3://srcb/data/raw/tra.bin"));
}

Test(osmo_repair, two_slashes_are_tried_as_one)
{
	expect("raw/x", "s3://b/d//raw///x", "s3://b/d/raw/x");
	expect("x", "s3://b//x", "s3://b/x");
	expect("any", "s3://b/p//ID/hashes/0cc175b9c0f1b6a831c399e269772661",
	       "s3://b/p/ID/hashes/0cc175b9c0f1b6a831c399e269772661");
	expect("x", "file:///d//x", "file:///d/x");
	expect_none("d/x", "file:///d/x");
}

Test(osmo_repair, nonsense_has_no_candidates)
{
	struct osmo_repair got;
	struct err err = ERR_INIT;

	expect_none("", "s3://b/data/raw/.bin");
	expect_none("raw/a.bin", "");
	expect_none("raw/a.bin", "data/raw/.bin");
	expect_none("raw/a.bin", "ftp://b/data/raw/.bin");
	expect_none("raw/a.bin", "s3://b");
	cr_assert_eq(osmo_repair_init(&got, "raw/\0.bin", 9,
				      "s3://b/data/raw/.bin", 20, &err), 0);
	cr_expect_eq(got.n, 0);
	cr_assert_eq(osmo_repair_init(&got, "raw/a.bin", 9,
				      "s3://b/data/raw/.b\0n", 20, &err), 0);
	cr_expect_eq(got.n, 0);
}

/* Everything fits everywhere: the work and the result stay small. */
Test(osmo_repair, a_hostile_entry_has_few_candidates_soon)
{
	struct osmo_repair got;
	char path[4096], source[BACKEND_KEY_MAX];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(path); i++)
		path[i] = i % 2 ? '/' : 'a';
	memcpy(source, "s3://b/", 7);
	for (size_t i = 7; i < sizeof(source); i++)
		source[i] = i % 2 ? 'a' : '/';
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(osmo_repair_init(&got, path, sizeof(path), source,
					      sizeof(source), &err), 0);
		cr_expect_leq(got.n, OSMO_REPAIR_MAX);
		for (size_t j = 0; j < got.n; j++)
			cr_expect_leq(strlen(got.uris[j]),
				      7 + (size_t)BACKEND_KEY_MAX);
		osmo_repair_release(&got);
	}
}
