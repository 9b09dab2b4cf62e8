/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/import/import_foreign.h"

#include "tests/unit/catalog_place.h"

static struct place place;
static struct settings *settings;
static struct buckets *buckets;
static struct bucket *bucket;
static struct import_source *src;
static struct import_report report;

/* foreign: a YAML list, or "". */
static void open_bucket(const char *foreign)
{
	const struct buckets_options opt = { .sync_only = true };
	struct settings_report problems = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	buf_printf(&text, "buckets:\n  prod: {dataset_path: 'file://%s/bucket'}\n"
		   "datasetfs:\n  cache: {dir: %s}\n  buckets:\n    prod: "
		   "{foreign: [%s]}\n", place.dir, place.cache, foreign);
	cr_assert_eq(settings_parse(&settings, "test", text.data, text.len,
				    &problems, &err), 0, "%s", err.text);
	settings_report_release(&problems);
	cr_assert_eq(buckets_new(&buckets, settings, &opt, &err), 0, "%s",
		     err.text);
	bucket = buckets_find(buckets, "prod");
	cr_assert_null(bucket_problem(bucket), "%s", bucket_problem(bucket));
}

static void setup(void)
{
	place_open(&place);
	src = import_source_new();
}

static void teardown(void)
{
	import_report_release(&report);
	import_source_free(src);
	buckets_free(buckets);
	settings_free(settings);
	place_close(&place);
}

TestSuite(import_foreign, .init = setup, .fini = teardown);

static void add_row(const char *number, const char *status, const char *uri)
{
	const struct import_dataset_row ds = {
		.name = "ds", .id = PLACE_ID, .bucket = "prod",
	};
	const struct import_version_row v = {
		.dataset_id = PLACE_ID, .version_id = number, .location = uri,
		.status = status, .size = "1", .checksum = "x",
	};
	struct err err = ERR_INIT;

	cr_assert_eq(import_source_add_dataset(src, &ds, "t", &err), 0);
	cr_assert_eq(import_source_add_version(src, &v, "t", &err), 0);
}

static void add_manifest(const char *number, const char *entries)
{
	cleanup_buf struct buf text = BUF_INIT, uri = BUF_INIT;
	char key[64];

	(void)snprintf(key, sizeof(key), "m/%s.json", number);
	buf_printf(&text, "[%s]", entries);
	place_write(&place, key, text.data);
	buf_printf(&uri, "file://%s/bucket/%s", place.dir, key);
	add_row(number, "READY", uri.data);
}

#define ENTRY(relative, storage)                                           \
	"{\"relative_path\": \"" relative "\", \"storage_path\": \"" storage \
	"\", \"url\": \"\", \"size\": 1, \"etag\": \"x\"}"

static void scan(struct import_foreign *out)
{
	const struct import_options opt = { .bucket = "prod", .dry_run = true };
	struct err err = ERR_INIT;

	cr_assert_eq(import_source_settle(src, &err), 0);
	cr_assert_eq(import_apply(bucket_store(bucket), src, &opt, &report,
				  &err), 0, "%s", err.text);
	cr_assert_eq(import_foreign_scan(bucket, src, &report, out, &err), 0,
		     "%s", err.text);
}

static void printed_lines_are(const struct import_foreign *f, const char *want)
{
	cleanup_buf struct buf out = BUF_INIT;
	const char *at;

	import_foreign_print(f, "prod", &out);
	cr_assert_not_null(out.data);
	at = strstr(out.data, "foreign:\n");
	cr_assert_not_null(at, "%s", out.data);
	cr_assert_str_eq(at + strlen("foreign:\n"), want);
}

Test(import_foreign, entries_below_the_bucket_need_no_line)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };
	cleanup_buf struct buf entry = BUF_INIT, out = BUF_INIT;

	open_bucket("");
	buf_printf(&entry, ENTRY("a", "file://%s/bucket/h/x"), place.dir);
	add_manifest("1", entry.data);
	scan(&f);
	cr_assert_eq(f.n_manifests, 1);
	cr_assert_not(import_foreign_is_needed(&f));
	import_foreign_print(&f, "prod", &out);
	cr_assert_eq(out.len, 0);
}

Test(import_foreign, each_place_that_is_lacking_gets_its_line)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };

	open_bucket("'s3://known/2024'");
	add_manifest("1", ENTRY("2024/train/x", "s3://raw/2024/train/x") ","
		     ENTRY("2024/test/x", "s3://raw/2024/test/x") ","
		     ENTRY("2024/x", "s3://known/2024/x"));
	add_manifest("2", ENTRY("raw/train/x.bin", "s3://srcb/data/raw/in/x.bin")
		     "," ENTRY("z", "azure://acct/cont/p/z") ","
		     ENTRY("z", "swift://h/ns/c/p/z"));
	scan(&f);
	cr_assert_eq(f.n_manifests, 2);
	printed_lines_are(&f, "        - \"azure://acct/cont/p\"\n"
			  "        - \"s3://raw/2024\"\n"
			  "        - \"s3://srcb/data/raw\"\n"
			  "        - \"swift://h/ns/c/p\"\n");
}

Test(import_foreign, the_printed_lines_are_enough_when_they_are_configured)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };

	open_bucket("'s3://raw/2024', 's3://srcb/data/raw'");
	add_manifest("1", ENTRY("2024/train/x", "s3://raw/2024/train/x") ","
		     ENTRY("raw/train/x", "s3://srcb/data/raw/in/x"));
	scan(&f);
	cr_assert_not(import_foreign_is_needed(&f));
}

Test(import_foreign, what_cannot_be_configured_is_covered_by_what_can)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };

	open_bucket("");
	add_manifest("1", ENTRY("x", "s3://b/a/b,c/d/x") ","
		     ENTRY("x", "s3://c/a//b/x") ","
		     ENTRY("x", "s3://d/a/\\u001b[31m/x"));
	scan(&f);
	printed_lines_are(&f, "        - \"s3://b/a\"\n        - \"s3://c/a\"\n"
			  "        - \"s3://d/a\"\n");
}

Test(import_foreign, a_manifest_elsewhere_is_needed_itself)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };

	open_bucket("");
	add_row("1", "READY", "s3://old/path/ID/manifests/1.json");
	add_row("2", "READY", "s3://legacy/place/");
	scan(&f);
	cr_assert_eq(f.n_manifests, 0);
	cr_assert_eq(f.n_failed, 0);
	cr_assert_eq(f.n_elsewhere, 1);
	printed_lines_are(&f, "        - \"s3://legacy/place\"\n"
			  "        - \"s3://old/path/ID/manifests\"\n"
			  "1 manifest lies there too: with the lines in place, "
			  "the same import with --dry-run\ntells what their files "
			  "need.\n");
}

Test(import_foreign, a_missing_or_broken_manifest_is_a_note_and_stops_nothing)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };
	cleanup_buf struct buf uri = BUF_INIT;

	open_bucket("");
	buf_printf(&uri, "file://%s/bucket/m/none.json", place.dir);
	add_row("1", "READY", uri.data);
	add_manifest("2", ENTRY("x", "s3://two/p/x") ", {");
	add_manifest("3", ENTRY("x", "s3://three/p/x"));
	scan(&f);
	cr_assert_eq(f.n_failed, 2);
	cr_assert_eq(f.n_notes, 2);
	cr_assert_not_null(strstr(f.notes[0], "ds:1"));
	cr_assert_not_null(strstr(f.notes[1], "ds:2"));
	printed_lines_are(&f, "        - \"s3://three/p\"\n"
			  "        - \"s3://two/p\"\n");
}

Test(import_foreign, only_ready_versions_are_read)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };

	open_bucket("");
	add_row("1", "PENDING_DELETE", "s3://gone/p/1.json");
	add_row("2", "PENDING", "s3://gone/p/2.json");
	scan(&f);
	cr_assert_eq(f.n_failed, 0);
	cr_assert_not(import_foreign_is_needed(&f));
}

Test(import_foreign, paths_that_are_no_uri_are_counted)
{
	cleanup_import_foreign struct import_foreign f = { .n_notes = 0 };

	open_bucket("");
	add_manifest("1", ENTRY("x", "http://h/x") "," ENTRY("y", "") ","
		     ENTRY("z", "s3://b\\u0000/x"));
	scan(&f);
	cr_assert_eq(f.n_unreadable, 3);
	cr_assert_not(import_foreign_is_needed(&f));
}
