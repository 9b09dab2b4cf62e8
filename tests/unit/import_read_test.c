/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/import/import_read.h"

#include <fcntl.h>
#include "tests/unit/catalog_place.h"
#include "tests/unit/source_text.h"

static struct place place;
static struct import_source *src;
static struct err err;

static void setup(void)
{
	place_open(&place);
	err_clear(&err);
	src = import_source_new();
}

static void teardown(void)
{
	import_source_free(src);
	place_close(&place);
}

TestSuite(import_read, .init = setup, .fini = teardown);

static int read_bytes(const char *name, const char *bytes, size_t len)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", place.dir, name);
	cr_assert_eq(io_replace_file(path, bytes, len, 0600, false, &err), 0);
	return import_read(src, path, &err);
}

static int read_fixture(const char *name)
{
	char path[4096];
	const char *top = getenv("top_srcdir");

	(void)snprintf(path, sizeof(path), "%s/tests/fixtures/%s",
		       top ? top : ".", name);
	return import_read(src, path, &err);
}

Test(import_read, a_file_is_known_by_its_bytes)
{
	static const char json[] = "No Datasets fit your query.\n{\"datasets\": []}";
	static const char sql[] = "COPY dataset (id, name) FROM stdin;\ni\tn\n\\.\n";

	cr_expect_eq(read_bytes("a.sql", json, strlen(json)), 0, "%s", err.text);
	cr_expect_eq(read_bytes("b.json", sql, strlen(sql)), 0, "%s", err.text);
	cr_expect_eq(src->n_datasets, 1);
	cr_expect_eq(read_fixture("osmo-sql/whole.column-inserts.sql"), 0, "%s",
		     err.text);
	cr_expect_eq(read_fixture("osmo-json/all-in-one.txt"), 0, "%s", err.text);
}

Test(import_read, compressed_and_binary_dumps_are_refused_with_the_remedy)
{
	cr_expect_eq(read_fixture("osmo-sql/custom.dump"), -EINVAL);
	cr_expect_not_null(strstr(err.text, "pg_restore -f - "), "%s", err.text);
	cr_expect_eq(read_bytes("d.gz", "\x1f\x8b\x08\0", 4), -EINVAL);
	cr_expect_not_null(strstr(err.text, "gzip -dc "), "%s", err.text);
	cr_expect_eq(read_bytes("d.zst", "\x28\xb5\x2f\xfd....", 8), -EINVAL);
	cr_expect_eq(read_bytes("d.txt", "\xff\xfe-\0", 4), -EINVAL);
	cr_expect_not_null(strstr(err.text, "iconv"), "%s", err.text);
}

Test(import_read, a_folder_is_read_in_the_order_of_its_names)
{
	char path[4096];
	const char *top = getenv("top_srcdir");

	(void)snprintf(path, sizeof(path), "%s/tests/fixtures/osmo-json",
		       top ? top : ".");
	cr_assert_eq(import_read(src, path, &err), 0, "%s", err.text);
	cr_assert_eq(import_source_settle(src, &err), 0);
	cr_expect_eq(src->n_datasets, 4);
}

Test(import_read, a_dump_in_a_folder_is_refused_with_the_remedy)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/toc.dat", place.dir);
	cr_assert_eq(io_replace_file(path, "PGDMP", 5, 0600, false, &err), 0);
	cr_expect_eq(import_read(src, place.dir, &err), -EINVAL);
	cr_expect_not_null(strstr(err.text, "pg_restore -f - "), "%s", err.text);
}

Test(import_read, a_folder_without_any_such_file_is_an_error)
{
	cr_expect_eq(import_read(src, place.dir, &err), -ENOENT);
	cr_expect_eq(err.class, ERR_MISSING);
	cr_expect_not_null(strstr(err.text, place.dir), "%s", err.text);
}

Test(import_read, what_holds_nothing_is_said)
{
	cr_expect_eq(import_read(src, "/nonexistent/x", &err), -ENOENT);
	cr_expect_eq(err.class, ERR_MISSING);
	cr_expect_eq(read_bytes("empty", "", 0), -ENOENT);
	cr_expect_eq(read_bytes("text", "hello world", 11), -EBADMSG);
	cr_expect_eq(read_bytes("sql", "SELECT 1;\n", 10), -ENOENT);
}

Test(import_read, a_fifo_in_a_folder_does_not_block)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/x.json", place.dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(import_read(src, place.dir, &err), -ENOENT);
}
