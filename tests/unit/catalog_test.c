/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/catalog.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include "fs/dataset/catalog_store/catalog_record.h"

/* imagenet: 1, 2 READY, 3 PENDING_DELETE; tags as in a resumed upload. */
static struct catalog *sample(void)
{
	static const char *const tags[] = { "2", "3", "baseline", "latest" };
	static const uint32_t at[] = { 1, 1, 1, 2 };
	struct catalog *c = calloc(1, sizeof(*c));
	struct dataset *ds;

	c->refs = 1;
	c->datasets = calloc(2, sizeof(*c->datasets));
	c->n_datasets = 2;
	ds = &c->datasets[0];
	strcpy(ds->id, "imagenetID");
	ds->name = strdup("imagenet");
	ds->versions = calloc(3, sizeof(*ds->versions));
	ds->n_versions = 3;
	for (uint32_t i = 0; i < 3; i++) {
		ds->versions[i].number = i + 1;
		ds->versions[i].status = i == 2 ? VERSION_PENDING_DELETE :
						  VERSION_READY;
	}
	ds->tags = calloc(4, sizeof(*ds->tags));
	ds->n_tags = 4;
	for (size_t i = 0; i < 4; i++) {
		ds->tags[i].name = strdup(tags[i]);
		ds->tags[i].version = at[i];
	}
	ds = &c->datasets[1];
	strcpy(ds->id, "robotsID");
	ds->name = strdup("robots");
	ds->is_collection = true;
	return c;
}

static uint32_t resolve(const struct catalog *c, const char *name,
			const char *version, struct err *err)
{
	const struct dataset *ds;
	const struct version *v;

	err_clear(err);
	return catalog_resolve(c, "prod", name, version, &ds, &v, err) == 0 ?
	       v->number : 0;
}

Test(catalog, a_version_number_wins_over_a_tag_of_the_same_digits)
{
	cleanup_catalog struct catalog *c = sample();
	struct err err = ERR_INIT;

	cr_expect_eq(resolve(c, "imagenet", "2", &err), 2);
	cr_expect_eq(resolve(c, "imagenet", "1", &err), 1);
}

Test(catalog, a_tag_of_digits_holds_where_no_ready_version_has_the_number)
{
	cleanup_catalog struct catalog *c = sample();
	struct err err = ERR_INIT;

	cr_expect_eq(resolve(c, "imagenet", "3", &err), 1);
}

Test(catalog, tags_and_no_tag_resolve)
{
	cleanup_catalog struct catalog *c = sample();
	struct err err = ERR_INIT;

	cr_expect_eq(resolve(c, "imagenet", "baseline", &err), 1);
	cr_expect_eq(resolve(c, "imagenet", "latest", &err), 2);
	cr_expect_eq(resolve(c, "imagenet", "", &err), 2);
}

Test(catalog, what_is_missing_is_said_in_osmos_words)
{
	cleanup_catalog struct catalog *c = sample();
	struct err err = ERR_INIT;

	cr_expect_eq(resolve(c, "nope", "", &err), 0);
	cr_expect_str_eq(err.text, "There is no READY dataset nope with tag or "
			 "id latest in bucket prod.");
	cr_expect_eq(err.class, ERR_MISSING);
	cr_expect_eq(resolve(c, "imagenet", "9", &err), 0);
	cr_expect_eq(err.code, ENOENT);
	cr_expect_eq(resolve(c, "imagenet", "03", &err), 0);
}

Test(catalog, a_collection_has_no_versions)
{
	cleanup_catalog struct catalog *c = sample();
	struct err err = ERR_INIT;

	cr_expect_eq(resolve(c, "robots", "", &err), 0);
	cr_expect_eq(err.code, EISDIR);
}

Test(catalog, lookups_find_and_do_not_find)
{
	cleanup_catalog struct catalog *c = sample();
	cleanup_catalog struct catalog *empty = calloc(1, sizeof(*empty));
	const struct dataset *ds = catalog_dataset(c, "imagenet");

	empty->refs = 1;
	cr_expect_not_null(ds);
	cr_expect_eq(catalog_dataset_by_id(c, "imagenetID"), ds);
	cr_expect_null(catalog_dataset_by_id(c, "imagenet"));
	cr_expect_null(catalog_dataset(empty, "imagenet"));
	cr_expect_null(dataset_version(ds, 4));
	cr_expect_null(dataset_tag(ds, "base"));
	cr_expect_null(dataset_tag(catalog_dataset(c, "robots"), "latest"));
	cr_expect_null(dataset_version(catalog_dataset(c, "robots"), 1));
}

Test(catalog, a_snapshot_lives_as_long_as_a_reference)
{
	struct catalog *c = sample(), *second = catalog_get(c);

	catalog_put(c);
	cr_expect_not_null(catalog_dataset(second, "imagenet"));
	catalog_put(second);
	catalog_put(NULL);
}

Test(catalog, each_status_has_osmos_name)
{
	cr_expect_str_eq(version_status_name(VERSION_READY), "READY");
	cr_expect_str_eq(version_status_name(VERSION_PENDING), "PENDING");
	cr_expect_str_eq(version_status_name(VERSION_PENDING_DELETE),
			 "PENDING_DELETE");
	cr_expect_str_eq(version_status_name(VERSION_DELETED), "DELETED");
}
