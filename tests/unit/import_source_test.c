/* SPDX-License-Identifier: Apache-2.0 */
/* What OSMO said, row by row. */
#include <config.h>
#include "fs/dataset/import/import_source.h"

#include <errno.h>
#include "tests/unit/source_rows.h"

TestSuite(import_source, .init = setup, .fini = teardown);

Test(import_source, rows_may_come_in_any_order)
{
	const struct import_dataset *ds;

	tag("i", "2", "latest");
	version_of("i", "10", "x", NULL);
	version_of("i", "2", "x", NULL);
	dataset("i", "ds");
	ds = settled("i");
	cr_expect_str_eq(ds->name, "ds");
	cr_assert_eq(ds->n_versions, 2);
	cr_expect_eq(ds->versions[0].number, 2);
	cr_expect_eq(ds->versions[1].number, 10);
	cr_expect_eq(ds->tags[0].version, 2);
}

Test(import_source, many_datasets_are_found_by_their_ids_and_sorted_by_name)
{
	char id[32], name[32];

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(id, sizeof(id), "id%d", i);
		(void)snprintf(name, sizeof(name), "n%05d", 5000 - i);
		dataset(id, name);
	}
	cr_assert_eq(import_source_settle(src, &err), 0);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(id, sizeof(id), "id%d", i);
		(void)snprintf(name, sizeof(name), "n%05d", 5000 - i);
		cr_assert_str_eq(import_source_find(src, id)->name, name);
	}
	for (size_t i = 1; i < src->n_datasets; i++)
		cr_assert_lt(strcmp(src->datasets[i - 1].name,
				    src->datasets[i].name), 0);
}

Test(import_source, a_bad_name_is_kept_only_in_a_form_that_can_be_shown)
{
	dataset("i", "\033[31mred\n");
	dataset("i", "\033[31mred\n");
	cr_expect_not(src->datasets[0].is_contradictory);
	cr_assert_str_eq(settled("i")->name, "\\x1b[31mred\\x0a");
}

Test(import_source, rows_with_bad_keys_are_skipped_and_told)
{
	dataset(NULL, "ds");
	dataset("a/b", "ds");
	version_of("i", "0", "x", NULL);
	version_of("i", "x", "x", NULL);
	version_of("i", NULL, "x", NULL);
	tag("i", "1", "a b");
	tag("i", "1", NULL);
	tag("i", "-1", "t");
	cr_expect_eq(src->n_notes, 8);
	cr_expect_eq(src->n_datasets, 0);
	cr_expect_eq(import_source_settle(src, &err), 0);
}

static const struct import_version *odd(struct import_version_row row)
{
	const struct import_dataset *ds;

	row.dataset_id = "i";
	row.version_id = "1";
	cr_assert_eq(import_source_add_version(src, &row, "t:9", &err), 0);
	ds = import_source_find(src, "i");
	return &ds->versions[ds->n_versions - 1];
}

Test(import_source, what_decides_makes_a_problem_of_its_version)
{
	char long_uri[3000];

	memset(long_uri, 'a', sizeof(long_uri));
	long_uri[sizeof(long_uri) - 1] = '\0';
	cr_expect_not_null(odd((struct import_version_row){
		.status = "LOST", .location = "s3://b/m.json" })->problem);
	cr_expect_not_null(odd((struct import_version_row){
		.status = "READY" })->problem);
	cr_expect_not_null(odd((struct import_version_row){
		.status = "READY", .location = long_uri })->problem);
	cr_expect_not_null(odd((struct import_version_row){
		.status = "READY", .location = "s3://b/\xff" })->problem);
	cr_expect_not_null(odd((struct import_version_row){
		.status = "READY", .location = "s3://b/m.json",
		.size = "-1" })->problem);
	cr_expect_not_null(odd((struct import_version_row){
		.status = "READY", .location = "s3://b/m.json",
		.size = "9223372036854775808" })->problem);
	cr_expect_null(odd((struct import_version_row){
		.status = "READY", .location = "s3://b/m.json",
		.size = "9223372036854775807" })->problem);
	cr_expect_eq(src->n_notes, 0);
}

Test(import_source, what_is_for_people_is_left_out_and_told)
{
	const struct import_version *v = odd((struct import_version_row){
		.status = "READY", .location = "s3://b/m.json",
		.created_date = "yesterday", .last_used = "x",
		.metadata = "[1]", .created_by = "\xff",
	});

	cr_expect_null(v->problem);
	cr_expect_eq(v->created_s, 0);
	cr_expect_null(v->metadata);
	cr_expect_eq(src->n_notes, 4);
	v = odd((struct import_version_row){
		.status = "READY", .location = "s3://b/m.json",
		.metadata = "{\"n\": 123456789012345678901234567890}",
	});
	cr_expect_null(v->metadata);
	cr_expect(source_has_note(src, "t:9: metadata", "beyond 64 bits"));
}

Test(import_source, notes_are_bounded)
{
	for (int i = 0; i < IMPORT_NOTES_MAX + 5; i++)
		import_source_note(src, "%d", i);
	cr_expect_eq(src->n_notes, IMPORT_NOTES_MAX);
	cr_expect_eq(src->n_notes_dropped, 5);
}

Test(import_source, rows_are_bounded)
{
	src->n_rows = IMPORT_ROWS_MAX - 1;
	dataset("i", "ds");
	const struct import_dataset_row row = { .id = "j", .name = "n" };

	cr_expect_eq(import_source_add_dataset(src, &row, "t", &err), -EFBIG);
	cr_expect_eq(err.class, ERR_USAGE);
}
