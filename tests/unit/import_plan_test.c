/* SPDX-License-Identifier: Apache-2.0 */
/* What an import takes, skips and refuses, and that a refusal changes nothing. */
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

TestSuite(import_plan, .init = setup, .fini = teardown);

static void first_import(void)
{
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id1", "2", "READY", "y");
	case_tag(&c, "id1", "2", "latest");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	case_source(&c);
}

static void is_refused(const char *line)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	case_files(&c, &before);
	cr_expect_eq(case_apply(&c, 0), -EEXIST, "%s", c.err.text);
	cr_expect_eq(c.err.class, ERR_CONFLICT);
	cr_expect(case_says(&c, line), "%s", line);
	cr_expect(case_says(&c, "Nothing was changed"));
	case_files(&c, &after);
	cr_expect_str_eq(before.data, after.data);
}

Test(import_plan, only_what_is_finished_is_taken)
{
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id1", "2", "PENDING", "x");
	case_version(&c, "id1", "3", "PENDING_DELETE", "x");
	case_version(&c, "id1", "4", "DELETED", "x");
	case_version(&c, "id1", "5", "NONSENSE", "x");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "added      ds:1  manifest\n"));
	cr_expect(case_says(&c, "skipped    ds:2  it is PENDING"));
	cr_expect(case_says(&c, "added      ds:3  manifest, PENDING_DELETE"));
	cr_expect(case_says(&c, "skipped    ds:4  it is DELETED"));
	cr_expect(case_says(&c, "skipped    ds:5  its status is unknown"));
	cr_expect_eq(c.report.versions[IMPORT_ADDED], 2);
	cr_expect_eq(c.report.versions[IMPORT_SKIPPED], 3);
}

Test(import_plan, a_pending_version_comes_with_a_later_import)
{
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "PENDING", NULL);
	cr_assert_eq(case_apply(&c, 0), 0);
	case_source(&c);
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	cr_assert_eq(case_apply(&c, 0), 0);
	cr_expect(case_says(&c, "added      ds:1"));
}

Test(import_plan, another_dataset_under_the_same_name_is_refused)
{
	first_import();
	case_dataset(&c, "id2", "ds");
	case_version(&c, "id2", "1", "READY", "x");
	case_dataset(&c, "id3", "innocent");
	case_version(&c, "id3", "1", "READY", "x");
	is_refused("refused    ds  the name belongs to another dataset here, "
		   "with the id id1");
}

Test(import_plan, other_content_under_the_same_number_is_refused)
{
	first_import();
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "OTHER");
	case_version(&c, "id1", "3", "READY", "z");
	is_refused("refused    ds:1  the version stands here with other "
		   "content: its checksum differs");
}

Test(import_plan, a_dataset_that_became_a_collection_is_refused)
{
	first_import();
	case_collection(&c, "id1", "ds");
	is_refused("refused    ds (collection)  it is a dataset here and a "
		   "collection in OSMO");
}

Test(import_plan, two_datasets_of_one_name_in_the_source_are_refused)
{
	case_dataset(&c, "id1", "ds");
	case_dataset(&c, "id2", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id2", "1", "READY", "x");
	is_refused("refused    ds  the source has two datasets of this name");
}

Test(import_plan, contradictions_of_the_source_are_refused)
{
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id1", "1", "READY", "y");
	is_refused("refused    ds  a version stands in the source twice");
}

Test(import_plan, what_cannot_be_taken_hides_nothing_else)
{
	case_dataset(&c, "id1", "bad name");
	case_version(&c, "id1", "1", "READY", "x");
	case_dataset(&c, "id2", "ds");
	case_version(&c, "id2", "1", "READY", "x");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "skipped    bad name  its name is not"));
	cr_expect(case_says(&c, "added      ds:1"));
}

Test(import_plan, a_dataset_that_was_only_listed_is_skipped)
{
	case_dataset(&c, "id1", "ds");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "skipped    ds  only its line in the list is known"));
	cr_assert_eq(case_apply(&c, CASE_WHOLE), 0);
	cr_expect(case_says(&c, "added      ds\n"));
}

Test(import_plan, other_buckets_are_counted_and_a_wrong_one_is_an_error)
{
	const struct import_options opt = { .bucket = "nope" };

	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	cr_assert_eq(import_source_settle(c.src, &c.err), 0);
	cr_expect_eq(import_apply(c.place.store, c.src, &opt, &c.report, &c.err),
		     -ENOENT);
	cr_expect_str_eq(c.err.text, "the source has no dataset of bucket nope, "
			 "only of prod");
}

Test(import_plan, a_tombstone_is_not_undone)
{
	first_import();
	place_write_head(&c.place, "id1", "ds",
			 ",\"origin\":\"osmo\",\"deleted\":[3]");
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "3", "READY", "x");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "skipped    ds:3  it was deleted here"));
}

Test(import_plan, an_adopted_dataset_is_left_alone)
{
	cleanup_buf struct buf before = BUF_INIT, after = BUF_INIT;

	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	cr_assert_eq(case_apply(&c, CASE_ADOPT), 0, "%s", c.err.text);
	case_files(&c, &before);
	cr_expect_not_null(strstr(before.data, "\"adopted\":true"));
	case_source(&c);
	case_dataset(&c, "id1", "renamed");
	case_version(&c, "id1", "1", "READY", "OTHER");
	case_version(&c, "id1", "2", "READY", "x");
	cr_assert_eq(case_apply(&c, CASE_ADOPT), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "skipped    renamed  it was adopted"));
	case_files(&c, &after);
	cr_expect_str_eq(before.data, after.data);
}

Test(import_plan, a_dataset_of_our_own_is_left_alone)
{
	place_write_format(&c.place);
	place_write_name(&c.place, "ds", "id1");
	place_write_head(&c.place, "id1", "ds", ",\"origin\":\"native\"");
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "skipped    ds  it was adopted"));
}
