/* SPDX-License-Identifier: Apache-2.0 */
/* All rows are in: order, repetitions, contradictions. */
#include <config.h>
#include "fs/dataset/import/import_source.h"

#include <errno.h>
#include "tests/unit/source_rows.h"

TestSuite(import_settle, .init = setup, .fini = teardown);

Test(import_settle, the_same_row_twice_is_one)
{
	const struct import_dataset *ds;

	dataset("i", "ds");
	dataset("i", "ds");
	version_of("i", "1", "x", NULL);
	version_of("i", "1", "x", "2026-05-01 00:00:00");
	tag("i", "1", "t");
	tag("i", "1", "t");
	ds = settled("i");
	cr_expect_eq(ds->n_versions, 1);
	cr_expect_eq(ds->versions[0].last_used_s, 1777593600);
	cr_expect_eq(ds->n_tags, 1);
	cr_expect_null(ds->problem);
}

Test(import_settle, the_same_bad_row_twice_is_no_contradiction)
{
	const struct import_version_row row = {
		.dataset_id = "i", .version_id = "1", .status = "LOST",
	};

	dataset("i", "ds");
	cr_assert_eq(import_source_add_version(src, &row, "t", &err), 0);
	cr_assert_eq(import_source_add_version(src, &row, "t", &err), 0);
	cr_expect_null(settled("i")->problem);
	cr_expect_eq(src->datasets[0].n_versions, 1);
}

Test(import_settle, contradictions_are_told_apart_from_what_cannot_be_taken)
{
	const struct import_dataset *ds;

	dataset("two", "a");
	dataset("two", "b");
	dataset("differs", "c");
	version_of("differs", "1", "x", NULL);
	version_of("differs", "1", "y", NULL);
	dataset("bad", "no name");
	ds = settled("two");
	cr_expect(ds->problem && ds->is_contradictory);
	ds = import_source_find(src, "differs");
	cr_expect(ds->problem && ds->is_contradictory);
	ds = import_source_find(src, "bad");
	cr_expect(ds->problem && !ds->is_contradictory);
}

Test(import_settle, a_tag_at_two_versions_takes_the_higher_and_says_so)
{
	dataset("i", "ds");
	tag("i", "7", "t");
	tag("i", "3", "t");
	cr_expect_eq(settled("i")->tags[0].version, 7);
	cr_expect_eq(src->datasets[0].n_tags, 1);
	cr_expect(source_has_note(src, "the tag t", "version 3 and at 7"));
}

Test(import_settle, rows_about_a_dataset_without_its_own_are_told)
{
	version_of("orphan", "1", "x", NULL);
	cr_assert_eq(import_source_settle(src, &err), 0);
	cr_expect(source_has_note(src, "dataset id orphan", "skipped"));
}

Test(import_settle, members_by_name_are_found_in_their_own_bucket)
{
	const struct import_dataset_row other = {
		.id = "o", .name = "ds", .bucket = "other",
	};
	const struct import_dataset_row col = {
		.id = "c", .name = "col", .bucket = "prod", .is_collection = "t",
	};
	const struct import_dataset *ds;

	member("c", NULL, "ds", "2");
	member("c", NULL, "unknown", "1");
	member("c", "z", NULL, "3");
	member("c", "z", NULL, "4");
	cr_assert_eq(import_source_add_dataset(src, &other, "t", &err), 0);
	cr_assert_eq(import_source_add_dataset(src, &col, "t", &err), 0);
	dataset("p", "ds");
	ds = settled("c");
	cr_assert_eq(ds->n_members, 2);
	cr_expect_str_eq(ds->members[0].id, "p");
	cr_expect_eq(ds->members[0].version, 2);
	cr_expect_str_eq(ds->members[1].id, "z");
	cr_expect(source_has_note(src, "col: its member unknown", "left out"));
}
