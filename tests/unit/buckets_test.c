/* SPDX-License-Identifier: Apache-2.0 */
/* buckets*.c over file://: who may read what, and in which words it fails. */
#include <config.h>
#include "fs/dataset/buckets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <criterion/criterion.h>
#include "fs/dataset/reference.h"

static char dir[] = "/tmp/datasetfs-buckets-test-XXXXXX";
static struct settings *settings;
static struct buckets *bs;

static void setup(void)
{
	static const char *const folders[] = { "open", "open/inner", "closed",
					       "outside", "outside/shared" };
	struct settings_report report = SETTINGS_REPORT_INIT;
	const struct buckets_options opt = { .sync_only = true };
	struct err err = ERR_INIT;
	cleanup_buf struct buf text = BUF_INIT;

	cr_assert_not_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char path[256];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, folders[i]);
		cr_assert_eq(mkdir(path, 0700), 0);
	}
	buf_printf(&text,
		   "default_bucket: open\n"
		   "buckets:\n"
		   "  open: {dataset_path: \"file://%s/open\"}\n"
		   "  inner: {dataset_path: \"file://%s/open/inner\"}\n"
		   "  closed: {dataset_path: \"file://%s/closed\"}\n"
		   "  unusable: {dataset_path: \"azure://account-only\"}\n"
		   "datasetfs:\n"
		   "  cache: {dir: \"%s/cache\"}\n"
		   "  buckets:\n"
		   "    closed: {uid: 1000}\n"
		   "    open: {foreign: [\"file://%s/outside/shared\"]}\n",
		   dir, dir, dir, dir, dir);
	cr_assert_eq(settings_parse(&settings, "test.yaml", text.data,
				    text.len, &report, &err), 0, "%s",
		     err.text);
	settings_report_release(&report);
	cr_assert_eq(buckets_new(&bs, settings, &opt, &err), 0, "%s",
		     err.text);
}

static void teardown(void)
{
	char line[64];

	buckets_free(bs);
	settings_free(settings);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(buckets, .init = setup, .fini = teardown);

/* Where an entry of bucket name is read: the key, or NULL with *err set. */
static const char *locate(const char *name, const char *path, struct err *err)
{
	static char uri[256];
	struct backend *backend;
	const char *key;

	err_clear(err);
	(void)snprintf(uri, sizeof(uri), "file://%s", path);
	if (bucket_locate(buckets_find(bs, name), uri, &backend, &key, err) < 0)
		return NULL;
	cr_assert_not_null(backend);
	return key;
}

static const char *in_dir(const char *path)
{
	static char full[256];

	(void)snprintf(full, sizeof(full), "%s/%s", dir, path);
	return full;
}

Test(buckets, an_entry_below_its_own_bucket_is_read)
{
	struct err err = ERR_INIT;

	cr_assert_str_eq(locate("open", in_dir("open/hashes/ab"), &err),
			 "hashes/ab");
}

Test(buckets, the_longest_location_wins)
{
	struct err err = ERR_INIT;

	cr_assert_str_eq(locate("open", in_dir("open/inner/x"), &err), "x");
}

Test(buckets, an_entry_in_an_open_neighbour_is_read)
{
	struct err err = ERR_INIT;

	cr_assert_str_eq(locate("closed", in_dir("open/a"), &err), "a");
}

Test(buckets, an_entry_in_a_closed_neighbour_is_refused)
{
	struct err err = ERR_INIT;

	cr_assert_null(locate("open", in_dir("closed/a"), &err));
	cr_assert_eq(err.code, EACCES);
	cr_assert_eq(err.class, ERR_AUTH);
}

Test(buckets, a_foreign_prefix_serves_the_bucket_that_lists_it)
{
	struct err err = ERR_INIT;

	cr_assert_str_eq(locate("open", in_dir("outside/shared/k"), &err), "k");
	cr_assert_null(locate("inner", in_dir("outside/shared/k"), &err));
	cr_assert_eq(err.code, EACCES);
}

Test(buckets, a_prefix_ends_at_a_component)
{
	struct err err = ERR_INIT;

	cr_assert_null(locate("open", in_dir("outside/shared2/k"), &err));
	cr_assert_null(locate("open", in_dir("outside/shared"), &err));
}

Test(buckets, a_file_of_the_machine_is_refused_and_the_line_to_write_named)
{
	struct err err = ERR_INIT;

	cr_assert_null(locate("open", "/etc/shadow", &err));
	cr_assert_eq(err.code, EACCES);
	cr_assert_not_null(strstr(err.text, "datasetfs.buckets.open.foreign"),
			   "%s", err.text);
	cr_assert_not_null(strstr(err.text, "file://"), "%s", err.text);
}

Test(buckets, one_unusable_bucket_does_not_disturb_the_others)
{
	struct bucket *b;
	struct err err = ERR_INIT;

	cr_assert_not_null(bucket_problem(buckets_find(bs, "unusable")));
	cr_assert_null(bucket_problem(buckets_find(bs, "open")));
	cr_assert_eq(buckets_find_or_default(bs, "unusable", &b, &err),
		     -EACCES);
	cr_assert_not_null(strstr(err.text, "unusable"));
}

Test(buckets, no_name_means_the_default_bucket)
{
	struct bucket *b = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(buckets_find_or_default(bs, "", &b, &err), 0);
	cr_assert_str_eq(bucket_name(b), "open");
	cr_assert_eq(buckets_find_or_default(bs, "nobody", &b, &err), -ENOENT);
}

Test(buckets, an_empty_place_has_an_empty_catalog)
{
	cleanup_catalog struct catalog *c = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(bucket_catalog_sync(buckets_find(bs, "open"), &c, &err),
		     0, "%s", err.text);
	cr_assert_eq(c->n_datasets, 0);
}

Test(buckets, a_dataset_that_does_not_exist_is_missing)
{
	struct reference ref;
	struct bucket *b;
	struct catalog *c;
	const struct dataset *ds;
	const struct version *v;
	struct err err = ERR_INIT;

	cr_assert_eq(reference_parse(&ref, "open/imagenet:1", &err), 0);
	cr_assert_eq(buckets_resolve_sync(bs, &ref, &b, &c, &ds, &v, &err),
		     -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
}
