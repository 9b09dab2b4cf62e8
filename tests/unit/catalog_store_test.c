/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at a catalog: what is believed, pinned, and served. */
#include <config.h>

#include "tests/unit/catalog_place.h"

static struct place place;

static void setup(void)
{
	place_open(&place);
}

static void teardown(void)
{
	place_close(&place);
}

TestSuite(catalog_store, .init = setup, .fini = teardown);

static void sample(void)
{
	place_write_format(&place);
	place_write_name(&place, "imagenet", PLACE_ID);
	place_write_head(&place, PLACE_ID, "imagenet", "");
	place_write_version(&place, PLACE_ID, 1, "s3://b/first.json");
}

static const char *manifest(const struct catalog *c, uint32_t number)
{
	const struct dataset *ds = catalog_dataset(c, "imagenet");
	const struct version *v = ds ? dataset_version(ds, number) : NULL;

	return v ? v->manifest_uri : "(none)";
}

Test(catalog_store, an_empty_place_is_an_empty_catalog)
{
	cleanup_catalog struct catalog *c = place_load(place.store);

	cr_expect_eq(c->n_datasets, 0);
	cr_expect_str_eq(c->id, "");
}

Test(catalog_store, what_did_not_change_is_the_same_snapshot)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL, *c = NULL;

	sample();
	a = place_load(place.store);
	b = place_load(place.store);
	cr_expect_eq(a, b);
	place_write_version(&place, PLACE_ID, 2, "s3://b/second.json");
	c = place_load(place.store);
	cr_expect_neq(a, c);
	cr_expect_str_eq(manifest(c, 2), "s3://b/second.json");
	cr_expect_str_eq(manifest(a, 2), "(none)");
}

Test(catalog_store, a_changed_version_record_is_refused_and_the_first_stays)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL, *c = NULL;

	sample();
	a = place_load(place.store);
	place_write_version(&place, PLACE_ID, 1, "s3://evil/other.json");
	b = place_load(place.store);
	cr_expect_str_eq(manifest(b, 1), "s3://b/first.json");
	c = place_load(place.store);
	cr_expect_str_eq(manifest(c, 1), "s3://b/first.json");
}

Test(catalog_store, a_pin_outlives_the_process)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL;
	struct catalog_store *next;

	sample();
	a = place_load(place.store);
	place_write_version(&place, PLACE_ID, 1, "s3://evil/other.json");
	next = place_store(&place, true);
	b = place_load(next);
	cr_expect_str_eq(manifest(b, 1), "s3://b/first.json");
	catalog_store_free(next);
}

Test(catalog_store, a_pin_outlives_the_record)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL, *c = NULL;
	struct catalog_store *next;

	sample();
	a = place_load(place.store);
	place_unlink(&place, PLACE_CATALOG "datasets/" PLACE_ID
		     "/versions/0000000001.json");
	b = place_load(place.store);
	cr_expect_str_eq(manifest(b, 1), "(none)");
	place_write_version(&place, PLACE_ID, 1, "s3://evil/other.json");
	next = place_store(&place, true);
	c = place_load(next);
	cr_expect_str_eq(manifest(c, 1), "(none)");
	catalog_store_free(next);
}

Test(catalog_store, the_right_record_that_returns_is_taken_again)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL, *c = NULL;

	sample();
	a = place_load(place.store);
	place_unlink(&place, PLACE_CATALOG "datasets/" PLACE_ID
		     "/versions/0000000001.json");
	b = place_load(place.store);
	place_write_version(&place, PLACE_ID, 1, "s3://b/first.json");
	c = place_load(place.store);
	cr_expect_str_eq(manifest(c, 1), "s3://b/first.json");
}

Test(catalog_store, another_catalog_at_the_same_place_has_its_own_pins)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL;

	sample();
	a = place_load(place.store);
	place_write(&place, ".datasetfs/format.json",
		    "{\"format\":1,\"id\":\"anotheranotheranotherx\"}\n");
	place_write_version(&place, PLACE_ID, 1, "s3://new/first.json");
	b = place_load(place.store);
	cr_expect_str_eq(b->id, "anotheranotheranotherx");
	cr_expect_str_eq(manifest(b, 1), "s3://new/first.json");
}

Test(catalog_store, a_damaged_head_leaves_the_one_seen_last)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL;

	sample();
	a = place_load(place.store);
	place_write(&place, PLACE_CATALOG "datasets/" PLACE_ID "/head.json",
		    "half of a he");
	b = place_load(place.store);
	cr_expect_str_eq(manifest(b, 1), "s3://b/first.json");
}

Test(catalog_store, records_without_a_format_are_an_error)
{
	struct catalog *c = NULL;
	struct err err = ERR_INIT;

	place_write_name(&place, "imagenet", PLACE_ID);
	cr_expect_eq(catalog_store_load(place.store, &c, place_deadline(), &err),
		     -EBADMSG);
	cr_expect_not_null(strstr(err.text, "format.json"), "%s", err.text);
}

Test(catalog_store, a_newer_format_closes_the_catalog)
{
	struct catalog *c = NULL;
	struct err err = ERR_INIT;

	sample();
	place_write(&place, ".datasetfs/format.json",
		    "{\"format\":2,\"id\":\"x\"}\n");
	cr_expect_eq(catalog_store_load(place.store, &c, place_deadline(), &err),
		     -ENOTSUP);
	cr_expect_not_null(strstr(err.text, "newer datasetfs"), "%s", err.text);
}

Test(catalog_store, after_a_failed_look_the_last_catalog_is_still_known)
{
	cleanup_catalog struct catalog *a = NULL, *b = NULL;
	struct catalog *c = NULL;
	struct err err = ERR_INIT;

	sample();
	a = place_load(place.store);
	place_unlink(&place, ".datasetfs/format.json");
	place_write_version(&place, PLACE_ID, 2, "s3://b/second.json");
	cr_expect_eq(catalog_store_load(place.store, &c, place_deadline(), &err),
		     -EBADMSG);
	err_clear(&err);
	cr_assert_eq(catalog_store_load_local(place.store, &b, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(manifest(b, 1), "s3://b/first.json");
}

Test(catalog_store, a_record_can_be_had_as_bytes)
{
	cleanup_catalog struct catalog *c = NULL;
	const char *bytes;
	size_t len;

	sample();
	c = place_load(place.store);
	bytes = catalog_store_record(place.store, "names/imagenet.json", &len);
	cr_assert_not_null(bytes);
	cr_expect_eq(len, strlen("{\"format\":1,\"id\":\"" PLACE_ID "\"}\n"));
	cr_expect_null(catalog_store_record(place.store, "names/nope.json",
					    &len));
}

Test(catalog_store, many_records_are_all_fetched)
{
	cleanup_catalog struct catalog *c = NULL;

	sample();
	for (unsigned n = 2; n <= 300; n++)
		place_write_version(&place, PLACE_ID, n, "s3://b/m.json");
	c = place_load(place.store);
	cr_expect_eq(catalog_dataset(c, "imagenet")->n_versions, 300);
}
