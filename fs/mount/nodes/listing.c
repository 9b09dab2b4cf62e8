/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/nodes/listing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/dataset/reference.h"

const struct version *listing_ready(const struct dataset *ds, uint32_t number)
{
	const struct version *v = dataset_version(ds, number);

	return v && v->status == VERSION_READY ? v : NULL;
}

/* What a tag leads to, or NULL where it is not to be seen. */
static const struct version *tag_target(const struct dataset *ds,
					const struct tag *tag)
{
	uint32_t number = reference_version_number(tag->name);

	if (!reference_is_name(tag->name, strlen(tag->name)))
		return NULL;
	/* A version number wins over a tag of the same digits. */
	if (number && listing_ready(ds, number))
		return NULL;
	return listing_ready(ds, tag->version);
}

static bool listing_add(struct listing *l, size_t cap,
			struct listing_entry entry)
{
	char name[LISTING_NAME_MAX + 1];

	if (l->n == cap || !listing_name(&entry, name))
		return false;
	l->entries[l->n++] = entry;
	return true;
}

static void listing_add_dataset(struct listing *l, size_t cap,
				const struct dataset *ds)
{
	if (ds->is_collection) {
		(void)listing_add(l, cap, (struct listing_entry){
			.ds = ds, .kind = LISTING_COLLECTION });
		return;
	}
	for (size_t i = 0; i < ds->n_versions; i++)
		if (ds->versions[i].status == VERSION_READY)
			(void)listing_add(l, cap, (struct listing_entry){
				.ds = ds, .v = &ds->versions[i],
				.kind = LISTING_VERSION });
	for (size_t i = 0; i < ds->n_tags; i++) {
		const struct version *v = tag_target(ds, &ds->tags[i]);

		if (v)
			(void)listing_add(l, cap, (struct listing_entry){
				.ds = ds, .v = v, .tag = &ds->tags[i],
				.kind = LISTING_TAG });
	}
}

int listing_new(struct listing **out, struct catalog *catalog,
		struct err *err)
{
	struct listing *l = calloc(1, sizeof(*l));
	size_t cap = 0;

	if (!l)
		return err_nomem(err);
	l->refs = 1;
	l->catalog = catalog_get(catalog);
	for (size_t i = 0; i < catalog->n_datasets; i++)
		cap += catalog->datasets[i].n_versions +
		       catalog->datasets[i].n_tags + 1;
	if (cap > UINT32_MAX / 2)
		cap = UINT32_MAX / 2;
	l->entries = calloc(cap ? cap : 1, sizeof(*l->entries));
	if (!l->entries) {
		listing_put(l);
		return err_nomem(err);
	}
	for (size_t i = 0; i < catalog->n_datasets; i++)
		listing_add_dataset(l, cap, &catalog->datasets[i]);
	*out = l;
	return 0;
}

struct listing *listing_get(struct listing *l)
{
	__atomic_fetch_add(&l->refs, 1, __ATOMIC_RELAXED);
	return l;
}

void listing_put(struct listing *l)
{
	if (__atomic_sub_fetch(&l->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	catalog_put(l->catalog);
	free(l->entries);
	free(l);
}

bool listing_name(const struct listing_entry *entry,
		  char out[LISTING_NAME_MAX + 1])
{
	int n = 0;

	switch (entry->kind) {
	case LISTING_VERSION:
		n = snprintf(out, LISTING_NAME_MAX + 1, "%s@%u",
			     entry->ds->name, entry->v->number);
		break;
	case LISTING_TAG:
		n = snprintf(out, LISTING_NAME_MAX + 1, "%s@%s",
			     entry->ds->name, entry->tag->name);
		break;
	case LISTING_COLLECTION:
		n = snprintf(out, LISTING_NAME_MAX + 1, "%s", entry->ds->name);
		break;
	}
	return n > 0 && n <= LISTING_NAME_MAX;
}

static bool find_versioned(const struct dataset *ds, const char *version,
			   struct listing_entry *out)
{
	uint32_t number = reference_version_number(version);
	const struct tag *tag;

	if (ds->is_collection || !*version)
		return false;
	out->ds = ds;
	out->kind = LISTING_VERSION;
	out->v = number ? listing_ready(ds, number) : NULL;
	if (out->v)
		return true;
	tag = dataset_tag(ds, version);
	if (!tag)
		return false;
	out->kind = LISTING_TAG;
	out->tag = tag;
	out->v = tag_target(ds, tag);
	return out->v != NULL;
}

/* A bare NAME: the collection itself, or what leads to the latest version. */
static bool find_bare(const struct dataset *ds, struct listing_entry *out,
		      bool *is_bare)
{
	const struct tag *latest;

	out->ds = ds;
	if (ds->is_collection) {
		out->kind = LISTING_COLLECTION;
		return true;
	}
	latest = dataset_tag(ds, "latest");
	if (!latest)
		return false;
	*is_bare = true;
	out->kind = LISTING_TAG;
	out->tag = latest;
	out->v = tag_target(ds, latest);
	return out->v != NULL;
}

bool listing_find(const struct catalog *catalog, const char *name,
		  struct listing_entry *out, bool *is_bare)
{
	const char *at = strchr(name, '@');
	char ds_name[NAME_MAX_BYTES + 1];
	size_t len = at ? (size_t)(at - name) : strlen(name);
	const struct dataset *ds;

	*is_bare = false;
	memset(out, 0, sizeof(*out));
	if (len == 0 || len > NAME_MAX_BYTES)
		return false;
	memcpy(ds_name, name, len);
	ds_name[len] = '\0';
	ds = catalog_dataset(catalog, ds_name);
	if (!ds)
		return false;
	return at ? find_versioned(ds, at + 1, out) :
		    find_bare(ds, out, is_bare);
}

bool listing_member(const struct catalog *catalog, const struct member *member,
		    const struct dataset **ds, const struct version **v)
{
	*ds = catalog_dataset_by_id(catalog, member->dataset_id);
	if (!*ds || (*ds)->is_collection)
		return false;
	*v = listing_ready(*ds, member->version);
	return *v != NULL;
}
