/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogs for the tests of the mount: from a few words, owned by their
 * references like real ones.
 */
#ifndef DATASETFS_TESTS_MOUNT_FIXTURE_H
#define DATASETFS_TESTS_MOUNT_FIXTURE_H

#include <stdio.h>
#include <string.h>
#include <criterion/criterion.h>
#include "fs/dataset/registry/buckets_impl.h"

static inline char *fixture_text(const char *s)
{
	char *copy = strdup(s);

	cr_assert_not_null(copy);
	return copy;
}

/* One with so many datasets "ds0", "ds1", ... without versions. */
static inline struct catalog *fixture_catalog(const char *id, size_t n)
{
	struct catalog *c = calloc(1, sizeof(*c));

	cr_assert_not_null(c);
	c->refs = 1;
	snprintf(c->id, sizeof(c->id), "%s", id);
	c->n_datasets = n;
	c->datasets = calloc(n, sizeof(*c->datasets));
	for (size_t i = 0; i < n; i++) {
		struct dataset *ds = &c->datasets[i];
		char name[32];

		snprintf(ds->id, sizeof(ds->id), "id%zu", i);
		snprintf(name, sizeof(name), "ds%zu", i);
		ds->name = fixture_text(name);
		ds->created_by = fixture_text("");
		ds->hash_location = fixture_text("");
		ds->labels = fixture_text("{}");
	}
	return c;
}

/* Versions 1..n, all READY; the digest says number and salt. */
static inline void fixture_versions(struct dataset *ds, uint32_t n, int salt)
{
	ds->versions = calloc(n, sizeof(*ds->versions));
	ds->n_versions = n;
	for (uint32_t i = 0; i < n; i++) {
		struct version *v = &ds->versions[i];

		v->number = i + 1;
		v->kind = VERSION_EMPTY;
		v->checksum = fixture_text("");
		v->created_by = fixture_text("");
		v->metadata = fixture_text("{}");
		memset(v->digest, salt + (int)i, sizeof(v->digest));
	}
}

/* Tags in the order of their names: as the catalog has them. */
static inline void fixture_tag(struct dataset *ds, const char *name,
			       uint32_t version)
{
	ds->tags = realloc(ds->tags, (ds->n_tags + 1) * sizeof(*ds->tags));
	cr_assert_not_null(ds->tags);
	ds->tags[ds->n_tags].name = fixture_text(name);
	ds->tags[ds->n_tags++].version = version;
}

static inline void fixture_member(struct dataset *ds, const char *id,
				  uint32_t version)
{
	ds->is_collection = true;
	ds->members = realloc(ds->members,
			      (ds->n_members + 1) * sizeof(*ds->members));
	cr_assert_not_null(ds->members);
	ds->members[ds->n_members].dataset_id = fixture_text(id);
	ds->members[ds->n_members++].version = version;
}

#endif
