/* SPDX-License-Identifier: Apache-2.0 */
/* Writing what was planned: idempotent, and in an order that no crash harms. */
#include <config.h>

#include "tests/unit/import_case.h"

static struct import_case c;

static void setup(void)
{
	case_open(&c);
}

static void teardown(void)
{
	case_close(&c);
}

TestSuite(import, .init = setup, .fini = teardown);

static void sample(const char *name)
{
	case_dataset(&c, "id1", name);
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id1", "2", "PENDING_DELETE", "y");
	case_tag(&c, "id1", "1", "latest");
	case_collection(&c, "col", "robots");
	case_member(&c, "col", "id1", "1");
}

Test(import, the_same_source_again_changes_nothing)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	sample("ds");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	case_files(&c, &before);
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	case_files(&c, &after);
	cr_expect_str_eq(before.data, after.data);
	cr_expect_eq(c.report.datasets[IMPORT_UNCHANGED], 2);
	cr_expect_eq(c.report.versions[IMPORT_UNCHANGED], 2);
	cr_expect_eq(c.report.datasets[IMPORT_ADDED], 0);
}

Test(import, a_dry_run_says_the_same_and_writes_nothing)
{
	cleanup_buf struct buf before = BUF_INIT, dry = BUF_INIT, wet = BUF_INIT;

	sample("ds");
	cr_assert_eq(case_apply(&c, CASE_DRY), 0, "%s", c.err.text);
	case_files(&c, &before);
	cr_expect_str_eq(before.data, "");
	cr_expect(case_says(&c, "this was a dry run"));
	c.report.is_dry_run = false;
	import_report_print(&c.report, true, &dry);
	cr_assert_eq(case_apply(&c, 0), 0);
	import_report_print(&c.report, true, &wet);
	cr_expect_str_eq(dry.data, wet.data);
}

Test(import, nothing_to_write_does_not_even_make_a_catalog)
{
	cleanup_buf struct buf files = BUF_INIT;

	case_dataset(&c, "id1", "only listed");
	cr_assert_eq(case_apply(&c, 0), 0);
	case_files(&c, &files);
	cr_expect_str_eq(files.data, "");
}

Test(import, a_user_sees_what_was_imported)
{
	cleanup_catalog struct catalog *now = NULL;
	const struct dataset *ds;
	const struct version *v;

	sample("ds");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	now = place_load(c.place.store);
	cr_assert_eq(catalog_resolve(now, "prod", "ds", "", &ds, &v, &c.err), 0,
		     "%s", c.err.text);
	cr_expect_eq(v->number, 1);
	cr_expect_str_eq(v->manifest_uri, "s3://b/m.json");
	cr_expect_str_eq(v->hash_location, "s3://b/h");
	cr_expect_str_eq(v->metadata, "{\"m\":1}");
	cr_expect_str_eq(ds->labels, "{\"l\":1}");
	cr_expect(catalog_dataset(now, "robots")->is_collection);
}

Test(import, a_rename_in_osmo_is_a_rename_here)
{
	cleanup_catalog struct catalog *now = NULL;
	cleanup_buf struct buf files = BUF_INIT;

	sample("ds");
	cr_assert_eq(case_apply(&c, 0), 0);
	case_source(&c);
	sample("newer");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	now = place_load(c.place.store);
	cr_expect_null(catalog_dataset(now, "ds"));
	cr_expect_not_null(catalog_dataset(now, "newer"));
	case_files(&c, &files);
	cr_expect_null(strstr(files.data, "names/ds.json"));
	cr_expect_null(strstr(files.data, "renaming"));
}

static void pair(const char *one, const char *two)
{
	case_source(&c);
	case_dataset(&c, "id1", one);
	case_version(&c, "id1", "1", "READY", "x");
	case_dataset(&c, "id2", two);
	case_version(&c, "id2", "1", "READY", "y");
}

Test(import, a_chain_of_renames_is_done_from_its_end)
{
	cleanup_catalog struct catalog *now = NULL;

	pair("a", "b");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	pair("b", "c");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	now = place_load(c.place.store);
	cr_expect_null(catalog_dataset(now, "a"));
	cr_expect_str_eq(catalog_dataset(now, "b")->id, "id1");
	cr_expect_str_eq(catalog_dataset(now, "c")->id, "id2");
}

Test(import, an_exchange_of_names_is_refused)
{
	pair("a", "b");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	pair("b", "a");
	cr_expect_eq(case_apply(&c, 0), -EEXIST, "%s", c.err.text);
}

/* Each file that an import writes is the last one before a crash. */
Test(import, after_a_crash_anywhere_the_next_import_completes_it)
{
	cleanup_buf struct buf want = BUF_INIT;
	static const char *const parts[] = {
		PLACE_CATALOG "names/ds.json",
		PLACE_CATALOG "names/robots.json",
		PLACE_CATALOG "datasets/col/head.json",
		PLACE_CATALOG "datasets/id1/versions/0000000002.json",
		PLACE_CATALOG "datasets/id1/head.json",
		PLACE_CATALOG "datasets/id1/versions/0000000001.json",
	};

	sample("ds");
	cr_assert_eq(case_apply(&c, 0), 0);
	case_files(&c, &want);
	for (size_t n = 1; n <= ARRAY_SIZE(parts); n++) {
		cleanup_buf struct buf got = BUF_INIT;

		/* A node without pins, as after a crash of the first import. */
		catalog_store_free(c.place.store);
		c.place.store = place_store(&c.place, false);
		for (size_t i = 0; i < n; i++)
			place_unlink(&c.place, parts[i]);
		cr_assert_eq(case_apply(&c, 0), 0, "%zu: %s", n, c.err.text);
		case_files(&c, &got);
		cr_expect_str_eq(got.data, want.data, "%zu", n);
	}
}

Test(import, an_interrupted_rename_is_finished)
{
	cleanup_catalog struct catalog *now = NULL;

	sample("ds");
	cr_assert_eq(case_apply(&c, 0), 0);
	place_write_head(&c.place, "id1", "ds",
			 ",\"origin\":\"osmo\",\"renaming\":\"newer\"");
	place_write_name(&c.place, "newer", "id1");
	case_source(&c);
	sample("newer");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	now = place_load(c.place.store);
	cr_expect_null(catalog_dataset(now, "ds"));
	cr_expect_not_null(catalog_dataset(now, "newer"));
}

Test(import, adoption_is_written_once)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	sample("ds");
	cr_assert_eq(case_apply(&c, 0), 0);
	cr_assert_eq(case_apply(&c, CASE_ADOPT), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "updated    ds  adopted"));
	case_files(&c, &before);
	cr_assert_eq(case_apply(&c, CASE_ADOPT), 0);
	case_files(&c, &after);
	cr_expect_str_eq(before.data, after.data);
}

Test(import, a_place_that_is_read_only_is_an_error_before_anything_is_written)
{
	cleanup_buf struct buf files = BUF_INIT;

	catalog_store_free(c.place.store);
	backend_put_ref(c.place.backend);
	place_backend(&c.place, true);
	c.place.store = place_store(&c.place, false);
	sample("ds");
	cr_expect_lt(case_apply(&c, 0), 0);
	case_files(&c, &files);
	cr_expect_str_eq(files.data, "");
}
