/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/nodes/listing.h"

#include "tests/unit/mount_fixture.h"

static bool lists(const struct listing *l, const char *want)
{
	char name[LISTING_NAME_MAX + 1];

	for (uint32_t i = 0; i < l->n; i++)
		if (listing_name(&l->entries[i], name) &&
		    strcmp(name, want) == 0)
			return true;
	return false;
}

static struct listing *list(struct catalog *c)
{
	struct listing *l;
	struct err err = ERR_INIT;

	cr_assert_eq(listing_new(&l, c, &err), 0, "%s", err.text);
	return l;
}

Test(listing, shows_ready_versions_tags_and_collections)
{
	struct catalog *c = fixture_catalog("c", 2);
	struct listing *l;

	fixture_versions(&c->datasets[0], 3, 1);
	c->datasets[0].versions[1].status = VERSION_PENDING_DELETE;
	fixture_tag(&c->datasets[0], "best", 1);
	fixture_tag(&c->datasets[0], "gone", 2);
	fixture_tag(&c->datasets[0], "latest", 3);
	fixture_member(&c->datasets[1], "id0", 1);
	l = list(c);
	cr_assert(lists(l, "ds0@1"));
	cr_assert_not(lists(l, "ds0@2"));
	cr_assert(lists(l, "ds0@3"));
	cr_assert(lists(l, "ds0@best"));
	cr_assert_not(lists(l, "ds0@gone"));
	cr_assert(lists(l, "ds0@latest"));
	cr_assert(lists(l, "ds1"));
	cr_assert_not(lists(l, "ds0"));
	cr_assert_eq(l->n, 5);
	listing_put(l);
	catalog_put(c);
}

Test(listing, every_listed_name_is_found_and_found_as_listed)
{
	struct catalog *c = fixture_catalog("c", 3);
	char name[LISTING_NAME_MAX + 1];
	struct listing *l;

	fixture_versions(&c->datasets[0], 12, 1);
	fixture_tag(&c->datasets[0], "12", 1);
	fixture_tag(&c->datasets[0], "77", 2);
	fixture_tag(&c->datasets[0], "latest", 12);
	fixture_versions(&c->datasets[1], 1, 50);
	fixture_member(&c->datasets[2], "id0", 1);
	l = list(c);
	for (uint32_t i = 0; i < l->n; i++) {
		struct listing_entry found;
		bool is_bare;

		cr_assert(listing_name(&l->entries[i], name));
		cr_assert(listing_find(c, name, &found, &is_bare), "%s", name);
		cr_assert_not(is_bare);
		cr_assert_eq(found.kind, l->entries[i].kind, "%s", name);
		cr_assert_eq(found.ds, l->entries[i].ds);
		cr_assert_eq(found.v, l->entries[i].v);
	}
	listing_put(l);
	catalog_put(c);
}

Test(listing, a_version_number_wins_over_a_tag_of_the_same_digits)
{
	struct catalog *c = fixture_catalog("c", 1);
	struct listing_entry e;
	struct listing *l;
	uint32_t n_same = 0;
	bool is_bare;

	fixture_versions(&c->datasets[0], 3, 1);
	fixture_tag(&c->datasets[0], "3", 1);
	fixture_tag(&c->datasets[0], "7", 2);
	cr_assert(listing_find(c, "ds0@3", &e, &is_bare));
	cr_assert_eq(e.kind, LISTING_VERSION);
	cr_assert_eq(e.v->number, 3);
	cr_assert(listing_find(c, "ds0@7", &e, &is_bare));
	cr_assert_eq(e.kind, LISTING_TAG);
	cr_assert_eq(e.v->number, 2);
	l = list(c);
	for (uint32_t i = 0; i < l->n; i++) {
		char name[LISTING_NAME_MAX + 1];

		cr_assert(listing_name(&l->entries[i], name));
		n_same += strcmp(name, "ds0@3") == 0;
	}
	cr_assert_eq(n_same, 1);
	listing_put(l);
	catalog_put(c);
}

Test(listing, a_bare_name_leads_to_latest_but_is_not_listed)
{
	struct catalog *c = fixture_catalog("c", 2);
	struct listing_entry e;
	bool is_bare;

	fixture_versions(&c->datasets[0], 2, 1);
	fixture_tag(&c->datasets[0], "latest", 1);
	fixture_versions(&c->datasets[1], 2, 9);
	cr_assert(listing_find(c, "ds0", &e, &is_bare));
	cr_assert(is_bare);
	cr_assert_eq(e.v->number, 1);
	/* Without a "latest" there is nothing to lead to. */
	cr_assert_not(listing_find(c, "ds1", &e, &is_bare));
	catalog_put(c);
}

Test(listing, names_that_cannot_be_are_absent)
{
	struct catalog *c = fixture_catalog("c", 1);
	struct listing_entry e;
	char name[400];
	bool is_bare;

	fixture_versions(&c->datasets[0], 1, 1);
	cr_assert_not(listing_find(c, "", &e, &is_bare));
	cr_assert_not(listing_find(c, "@1", &e, &is_bare));
	cr_assert_not(listing_find(c, "ds0@", &e, &is_bare));
	cr_assert_not(listing_find(c, "ds0@0", &e, &is_bare));
	cr_assert_not(listing_find(c, "ds0@01", &e, &is_bare));
	cr_assert_not(listing_find(c, "ds0@1@1", &e, &is_bare));
	cr_assert_not(listing_find(c, "ds0@4294967297", &e, &is_bare));
	cr_assert_not(listing_find(c, "ds9@1", &e, &is_bare));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	cr_assert_not(listing_find(c, name, &e, &is_bare));
	catalog_put(c);
}

Test(listing, a_tag_that_is_no_file_name_is_not_listed)
{
	struct catalog *c = fixture_catalog("c", 1);
	struct listing *l;

	fixture_versions(&c->datasets[0], 1, 1);
	fixture_tag(&c->datasets[0], "", 1);
	fixture_tag(&c->datasets[0], "../../etc", 1);
	l = list(c);
	cr_assert_eq(l->n, 1);
	listing_put(l);
	catalog_put(c);
}

Test(listing, members_that_are_gone_or_collections_are_not_shown)
{
	struct catalog *c = fixture_catalog("c", 2);
	const struct dataset *ds;
	const struct version *v;

	fixture_versions(&c->datasets[0], 1, 1);
	fixture_member(&c->datasets[1], "id0", 1);
	fixture_member(&c->datasets[1], "id0", 2);
	fixture_member(&c->datasets[1], "id9", 1);
	fixture_member(&c->datasets[1], "id1", 1);
	cr_assert(listing_member(c, &c->datasets[1].members[0], &ds, &v));
	cr_assert_eq(v->number, 1);
	for (size_t i = 1; i < 4; i++)
		cr_assert_not(listing_member(c, &c->datasets[1].members[i],
					     &ds, &v));
	catalog_put(c);
}
