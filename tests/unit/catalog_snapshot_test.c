/* SPDX-License-Identifier: Apache-2.0 */
/* Records -> what a user sees. */
#include <config.h>

#include "tests/unit/catalog_place.h"

#define OTHER_ID "0c9w2m3wR3qv7hJrmZ8qLg"

static struct place place;

static void setup(void)
{
	place_open(&place);
	place_write_format(&place);
}

static void teardown(void)
{
	place_close(&place);
}

TestSuite(catalog_snapshot, .init = setup, .fini = teardown);

static void sample(const char *more)
{
	place_write_name(&place, "imagenet", PLACE_ID);
	place_write_head(&place, PLACE_ID, "imagenet", more);
	for (unsigned n = 1; n <= 3; n++)
		place_write_version(&place, PLACE_ID, n, "s3://b/m.json");
}

static uint32_t tag(const struct catalog *c, const char *name)
{
	const struct tag *t = dataset_tag(catalog_dataset(c, "imagenet"), name);

	return t ? t->version : 0;
}

Test(catalog_snapshot, a_name_that_its_head_does_not_confirm_is_ignored)
{
	cleanup_catalog struct catalog *c = NULL;

	sample("");
	place_write_name(&place, "stale", PLACE_ID);
	place_write_name(&place, "dangling", OTHER_ID);
	c = place_load(place.store);
	cr_expect_eq(c->n_datasets, 1);
	cr_expect_not_null(catalog_dataset(c, "imagenet"));
}

Test(catalog_snapshot, a_head_without_a_name_is_not_there)
{
	cleanup_catalog struct catalog *c = NULL;

	place_write_head(&place, PLACE_ID, "imagenet", "");
	place_write_version(&place, PLACE_ID, 1, "s3://b/m.json");
	c = place_load(place.store);
	cr_expect_eq(c->n_datasets, 0);
}

Test(catalog_snapshot, during_a_rename_one_of_the_names_holds)
{
	cleanup_catalog struct catalog *before = NULL, *after = NULL;

	sample(",\"renaming\":\"newer\"");
	place_write_name(&place, "newer", PLACE_ID);
	before = place_load(place.store);
	cr_expect_eq(before->n_datasets, 1);
	cr_expect_not_null(catalog_dataset(before, "imagenet"));
	place_write_head(&place, PLACE_ID, "newer", "");
	after = place_load(place.store);
	cr_expect_eq(after->n_datasets, 1);
	cr_expect_not_null(catalog_dataset(after, "newer"));
}

Test(catalog_snapshot, an_imported_latest_is_osmos)
{
	cleanup_catalog struct catalog *c = NULL;

	sample(",\"origin\":\"osmo\",\"tags\":{\"latest\":1}");
	c = place_load(place.store);
	cr_expect_eq(tag(c, "latest"), 1);
}

Test(catalog_snapshot, without_one_latest_is_the_highest_that_is_ready)
{
	cleanup_catalog struct catalog *c = NULL;

	sample(",\"versions\":{\"3\":{\"status\":\"PENDING_DELETE\"}}");
	c = place_load(place.store);
	cr_expect_eq(tag(c, "latest"), 2);
	cr_expect_eq(catalog_dataset(c, "imagenet")->n_versions, 3);
}

Test(catalog_snapshot, a_tombstone_hides_its_version_and_the_tags_on_it)
{
	cleanup_catalog struct catalog *c = NULL;

	sample(",\"tags\":{\"gone\":2,\"kept\":1,\"latest\":2},\"deleted\":[2]");
	c = place_load(place.store);
	cr_expect_eq(catalog_dataset(c, "imagenet")->n_versions, 2);
	cr_expect_null(dataset_version(catalog_dataset(c, "imagenet"), 2));
	cr_expect_eq(tag(c, "gone"), 0);
	cr_expect_eq(tag(c, "kept"), 1);
	cr_expect_eq(tag(c, "latest"), 3);
}

Test(catalog_snapshot, the_head_overrides_what_may_change)
{
	cleanup_catalog struct catalog *c = NULL;
	const struct version *v;

	sample(",\"versions\":{\"1\":{\"last_used\":\"2026-05-20T08:30:00Z\","
	       "\"metadata\":{\"a\":1}},\"2\":{\"status\":\"DELETED\"}}");
	c = place_load(place.store);
	v = dataset_version(catalog_dataset(c, "imagenet"), 1);
	cr_assert_not_null(v);
	cr_expect_eq(v->last_used_s, 1779265800);
	cr_expect_str_eq(v->metadata, "{\"a\":1}");
	cr_expect_null(dataset_version(catalog_dataset(c, "imagenet"), 2));
}

static void tagged_version(unsigned number, const char *tags)
{
	char key[256], text[512];

	(void)snprintf(key, sizeof(key), PLACE_CATALOG "datasets/" PLACE_ID
		       "/versions/%010u.json", number);
	(void)snprintf(text, sizeof(text), "{\"format\":1,\"dataset\":\""
		       PLACE_ID "\",\"version\":%u,\"kind\":\"empty\","
		       "\"size\":0,\"tags\":[%s]}", number, tags);
	place_write(&place, key, text);
}

Test(catalog_snapshot, tags_that_a_crash_left_in_the_record_are_there)
{
	cleanup_catalog struct catalog *c = NULL;

	sample(",\"tags\":{\"stable\":1,\"zz\":1},\"tagged\":4");
	tagged_version(4, "\"old\",\"stable\"");
	tagged_version(5, "\"stable\",\"b\"");
	tagged_version(6, "\"a\",\"b\"");
	c = place_load(place.store);
	cr_expect_eq(tag(c, "stable"), 5);
	cr_expect_eq(tag(c, "a"), 6);
	cr_expect_eq(tag(c, "b"), 6);
	cr_expect_eq(tag(c, "zz"), 1);
	cr_expect_eq(tag(c, "latest"), 6);
	cr_expect_eq(tag(c, "old"), 0);
}

Test(catalog_snapshot, a_record_that_is_damaged_takes_no_other_down)
{
	cleanup_catalog struct catalog *c = NULL;

	sample("");
	place_write(&place, PLACE_CATALOG "datasets/" PLACE_ID
		    "/versions/0000000002.json", "{\"format\":1");
	place_write_name(&place, "broken", OTHER_ID);
	place_write(&place, PLACE_CATALOG "datasets/" OTHER_ID "/head.json", "[]");
	place_write(&place, PLACE_CATALOG "names/odd.json", "");
	c = place_load(place.store);
	cr_expect_eq(c->n_datasets, 1);
	cr_expect_eq(catalog_dataset(c, "imagenet")->n_versions, 2);
}

Test(catalog_snapshot, a_version_of_a_newer_kind_is_left_out)
{
	cleanup_catalog struct catalog *c = NULL;

	sample("");
	place_write(&place, PLACE_CATALOG "datasets/" PLACE_ID
		    "/versions/0000000004.json",
		    "{\"format\":1,\"dataset\":\"" PLACE_ID "\",\"version\":4,"
		    "\"kind\":\"native\",\"size\":1}");
	c = place_load(place.store);
	cr_expect_eq(catalog_dataset(c, "imagenet")->n_versions, 3);
	cr_expect_eq(tag(c, "latest"), 3);
}
