/* SPDX-License-Identifier: Apache-2.0 */
/* What a real pg_dump wrote (tests/fixtures/osmo-sql/make-dumps), in each form. */
#include <config.h>
#include "fs/dataset/import/import_sql.h"

#include <errno.h>
#include <criterion/criterion.h>
#include "tests/unit/source_text.h"

static int feed(struct import_source *src, const struct buf *dump, size_t step,
		struct err *err)
{
	struct import_sql *sql;
	int r = import_sql_new(&sql, src, "dump.sql", err);

	cr_assert_eq(r, 0);
	for (size_t at = 0; at < dump->len && r == 0; at += step) {
		size_t len = dump->len - at < step ? dump->len - at : step;
		char *copy = malloc(len);

		/* Bytes that vanish after the call. */
		memcpy(copy, dump->data + at, len);
		r = import_sql_feed(sql, copy, len, err);
		free(copy);
	}
	if (r == 0)
		r = import_sql_finish(sql, err);
	import_sql_free(sql);
	return r;
}

static void read_dump(struct buf *text, const char *name, size_t step)
{
	cleanup_import_source struct import_source *src = import_source_new();
	cleanup_buf struct buf dump = BUF_INIT;
	struct err err = ERR_INIT;
	char path[256];

	snprintf(path, sizeof(path), "osmo-sql/%s", name);
	fixture_read(&dump, path);
	cr_assert_eq(feed(src, &dump, step, &err), 0, "%s: %s", name, err.text);
	cr_assert_eq(import_source_settle(src, &err), 0);
	cr_assert_eq(src->n_notes, 0, "%s: %s", name,
		     src->n_notes ? src->notes[0] : "");
	source_text(text, src);
}

static const char *const dumps[] = {
	"data-only.copy.sql",
	"whole.copy.sql",
	"whole.column-inserts.sql",
	"tables.inserts.sql",
	"rows-per-insert.sql",
	"shuffled.copy.sql",
	"shuffled.inserts.sql",
	"plain-escapes.column-inserts.sql",
};

Test(import_sql, every_form_of_a_dump_gives_the_same_rows)
{
	cleanup_buf struct buf want = BUF_INIT;

	fixture_read(&want, "osmo-sql/expected.txt");
	for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
		cleanup_buf struct buf got = BUF_INIT;

		read_dump(&got, dumps[i], 65536);
		cr_expect_str_eq(got.data, want.data, "%s", dumps[i]);
	}
}

Test(import_sql, the_rows_are_the_same_for_every_split)
{
	static const size_t steps[] = { 1, 2, 3, 7, 61, 509 };
	cleanup_buf struct buf want = BUF_INIT;

	fixture_read(&want, "osmo-sql/expected.txt");
	for (size_t i = 0; i < ARRAY_SIZE(dumps); i++) {
		for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
			cleanup_buf struct buf got = BUF_INIT;

			read_dump(&got, dumps[i], steps[s]);
			cr_expect_str_eq(got.data, want.data, "%s by %zu",
					 dumps[i], steps[s]);
		}
	}
}

Test(import_sql, a_dump_that_is_cut_anywhere_is_refused)
{
	static const char *const names[] = {
		"data-only.copy.sql", "rows-per-insert.sql",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_buf struct buf dump = BUF_INIT;
		char path[256];
		size_t len, end;

		snprintf(path, sizeof(path), "osmo-sql/%s", names[i]);
		fixture_read(&dump, path);
		len = dump.len;
		end = (size_t)(strstr(dump.data, "database dump complete") -
			       dump.data);
		for (dump.len = 60; dump.len < end; dump.len += 13) {
			cleanup_import_source struct import_source *src =
				import_source_new();
			struct err err = ERR_INIT;

			cr_expect_eq(feed(src, &dump, 4096, &err), -EBADMSG,
				     "%s cut at %zu of %zu: %s", names[i],
				     dump.len, len, err.text);
			cr_expect_not_null(strstr(err.text, "dump.sql: line "));
		}
		dump.len = len;
	}
}

Test(import_sql, another_encoding_is_refused_with_the_remedy)
{
	cleanup_import_source struct import_source *src = import_source_new();
	cleanup_buf struct buf dump = BUF_INIT;
	struct err err = ERR_INIT;

	fixture_read(&dump, "osmo-sql/latin1.copy.sql");
	cr_assert_eq(feed(src, &dump, 4096, &err), -EINVAL);
	cr_assert_not_null(strstr(err.text, "-E UTF8"), "%s", err.text);
}

Test(import_sql, missing_tables_are_told_and_nothing_counts_as_whole)
{
	static const char text[] =
		"COPY public.dataset (id, name, bucket) FROM stdin;\n"
		"abc\tds\tprod\n\\.\n";
	cleanup_import_source struct import_source *src = import_source_new();
	const struct buf dump = { .data = (char *)(uintptr_t)text,
				  .len = sizeof(text) - 1 };
	struct err err = ERR_INIT;

	cr_assert_eq(feed(src, &dump, 1000, &err), 0);
	cr_assert(source_has_note(src, "dump.sql: it lacks",
				  "dataset_version, dataset_tag, collection"));
	cr_assert_not(src->datasets[0].is_whole);
	cr_assert_not(src->datasets[0].has_details);
}

Test(import_sql, a_dump_without_any_of_the_tables_is_an_error)
{
	static const char text[] = "CREATE TABLE public.users (id int);\n"
				   "COPY public.users (id) FROM stdin;\n1\n\\.\n";
	cleanup_import_source struct import_source *src = import_source_new();
	const struct buf dump = { .data = (char *)(uintptr_t)text,
				  .len = sizeof(text) - 1 };
	struct err err = ERR_INIT;

	cr_assert_eq(feed(src, &dump, 1000, &err), -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
}

Test(import_sql, a_bad_row_is_noted_with_its_line_and_hides_no_other)
{
	static const char text[] =
		"COPY dataset_version (dataset_id, version_id, location, status, size) FROM stdin;\n"
		"abc\tzero\ts3://b/m.json\tREADY\t1\n"
		"a/b\t1\ts3://b/m.json\tREADY\t1\n"
		"abc\t7\ts3://b/m.json\tREADY\t1\n\\.\n";
	cleanup_import_source struct import_source *src = import_source_new();
	const struct buf dump = { .data = (char *)(uintptr_t)text,
				  .len = sizeof(text) - 1 };
	struct err err = ERR_INIT;

	cr_assert_eq(feed(src, &dump, 1000, &err), 0);
	cr_assert(source_has_note(src, "dump.sql:2", "zero"));
	cr_assert(source_has_note(src, "dump.sql:3", "a/b"));
	cr_assert_eq(src->n_datasets, 1);
	cr_assert_eq(src->datasets[0].n_versions, 1);
	cr_assert_eq(src->datasets[0].versions[0].number, 7);
}
