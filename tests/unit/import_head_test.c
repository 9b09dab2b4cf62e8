/* SPDX-License-Identifier: Apache-2.0 */
/* What changes in OSMO follows into the head, and nowhere else. */
#include <config.h>

#include "tests/unit/import_case.h"

static struct import_case c;

static void setup(void)
{
	case_open(&c);
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id1", "2", "READY", "y");
	case_tag(&c, "id1", "2", "latest");
	case_tag(&c, "id1", "1", "baseline");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	case_source(&c);
}

static void teardown(void)
{
	case_close(&c);
}

TestSuite(import_head, .init = setup, .fini = teardown);

static uint32_t tag(const char *name)
{
	cleanup_catalog struct catalog *now = place_load(c.place.store);
	const struct dataset *ds = catalog_dataset(now, "ds");
	const struct tag *t = ds ? dataset_tag(ds, name) : NULL;

	return t ? t->version : 0;
}

static void head_has(const char *text, bool want)
{
	cleanup_buf struct buf bytes = BUF_INIT;

	place_read(&c.place, PLACE_CATALOG "datasets/id1/head.json", &bytes);
	cr_expect_eq(strstr(bytes.data, text) != NULL, want, "%s: %s", text,
		     bytes.data);
}

Test(import_head, tags_follow_osmo)
{
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_version(&c, "id1", "2", "READY", "y");
	case_tag(&c, "id1", "1", "latest");
	case_tag(&c, "id1", "2", "new");
	cr_assert_eq(case_apply(&c, CASE_WHOLE), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "updated    ds  tag baseline removed, "
			    "tag latest 2 -> 1, tag new -> 2\n"));
	cr_expect_eq(tag("latest"), 1);
	cr_expect_eq(tag("new"), 2);
	cr_expect_eq(tag("baseline"), 0);
}

Test(import_head, a_tag_stays_where_the_source_does_not_show_its_version)
{
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "2", "READY", "y");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect_eq(tag("baseline"), 1);
	head_has("\"latest\"", false);
}

Test(import_head, the_state_of_versions_follows_osmo)
{
	cleanup_catalog struct catalog *now = NULL;

	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "PENDING_DELETE", "x");
	case_version(&c, "id1", "2", "READY", "y");
	case_tag(&c, "id1", "2", "latest");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "state of 1 version"));
	now = place_load(c.place.store);
	cr_expect_eq(dataset_version(catalog_dataset(now, "ds"), 1)->status,
		     VERSION_PENDING_DELETE);
	case_source(&c);
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	cr_assert_eq(case_apply(&c, 0), 0);
	head_has("PENDING_DELETE", false);
}

Test(import_head, changed_metadata_stand_in_the_head_and_go_when_they_return)
{
	const struct import_version_row changed = {
		.dataset_id = "id1", .version_id = "1", .status = "READY",
		.location = "s3://b/m.json", .size = "5", .checksum = "x",
		.metadata = "{\"m\":2}",
	};

	case_dataset(&c, "id1", "ds");
	cr_assert_eq(import_source_add_version(c.src, &changed, "t", &c.err), 0);
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "metadata of 1 version"));
	head_has("\"metadata\":{\"m\":2}", true);
	case_source(&c);
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	cr_assert_eq(case_apply(&c, 0), 0);
	head_has("\"metadata\"", false);
}

Test(import_head, members_of_others_in_the_head_survive)
{
	place_write_head(&c.place, "id1", "ds",
			 ",\"origin\":\"osmo\",\"theirs\":{\"x\":[1]}");
	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "1", "READY", "x");
	case_tag(&c, "id1", "1", "t");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	head_has("\"theirs\":{\"x\":[1]}", true);
	head_has("\"t\":1", true);
}

Test(import_head, what_is_missing_in_the_source_is_not_deleted)
{
	cleanup_catalog struct catalog *now = NULL;

	case_dataset(&c, "id1", "ds");
	case_version(&c, "id1", "2", "READY", "y");
	cr_assert_eq(case_apply(&c, CASE_WHOLE), 0);
	now = place_load(c.place.store);
	cr_expect_not_null(dataset_version(catalog_dataset(now, "ds"), 1));
}

Test(import_head, a_collection_follows_its_members)
{
	cleanup_catalog struct catalog *now = NULL, *later = NULL;

	case_collection(&c, "col", "robots");
	case_member(&c, "col", "id1", "1");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	now = place_load(c.place.store);
	cr_assert_eq(catalog_dataset(now, "robots")->n_members, 1);
	case_source(&c);
	case_collection(&c, "col", "robots");
	case_member(&c, "col", "id1", "2");
	case_member(&c, "col", "id9", "1");
	cr_assert_eq(case_apply(&c, 0), 0, "%s", c.err.text);
	cr_expect(case_says(&c, "updated    robots (collection)  members"));
	later = place_load(c.place.store);
	cr_assert_eq(catalog_dataset(later, "robots")->n_members, 2);
	cr_expect_eq(catalog_dataset(later, "robots")->members[0].version, 2);
}
