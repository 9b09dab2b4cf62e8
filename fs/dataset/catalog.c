/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "fs/dataset/catalog.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/reference.h"

const char *version_status_name(enum version_status s)
{
	switch (s) {
	case VERSION_READY:
		return "READY";
	case VERSION_PENDING:
		return "PENDING";
	case VERSION_PENDING_DELETE:
		return "PENDING_DELETE";
	case VERSION_DELETED:
		return "DELETED";
	}
	return "?";
}

struct catalog *catalog_get(struct catalog *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void catalog_put(struct catalog *c)
{
	if (!c || __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < c->n_datasets; i++)
		dataset_release(&c->datasets[i]);
	free(c->datasets);
	free(c);
}

static int name_compare(const void *key, const void *item)
{
	const struct dataset *ds = item;

	return strcmp(key, ds->name);
}

const struct dataset *catalog_dataset(const struct catalog *c, const char *name)
{
	if (c->n_datasets == 0)
		return NULL;
	return bsearch(name, c->datasets, c->n_datasets, sizeof(*c->datasets),
		       name_compare);
}

const struct dataset *catalog_dataset_by_id(const struct catalog *c,
					    const char *id)
{
	for (size_t i = 0; i < c->n_datasets; i++)
		if (strcmp(c->datasets[i].id, id) == 0)
			return &c->datasets[i];
	return NULL;
}

static int number_compare(const void *key, const void *item)
{
	const struct version *v = item;
	uint32_t n = *(const uint32_t *)key;

	return (n > v->number) - (n < v->number);
}

const struct version *dataset_version(const struct dataset *ds, uint32_t n)
{
	if (ds->n_versions == 0)
		return NULL;
	return bsearch(&n, ds->versions, ds->n_versions, sizeof(*ds->versions),
		       number_compare);
}

static int tag_compare(const void *key, const void *item)
{
	const struct tag *tag = item;

	return strcmp(key, tag->name);
}

const struct tag *dataset_tag(const struct dataset *ds, const char *name)
{
	if (ds->n_tags == 0)
		return NULL;
	return bsearch(name, ds->tags, ds->n_tags, sizeof(*ds->tags),
		       tag_compare);
}

static const struct version *version_of(const struct dataset *ds,
					const char *text)
{
	uint32_t number = reference_version_number(text);
	const struct version *v = number ? dataset_version(ds, number) : NULL;
	const struct tag *tag;

	if (v && v->status == VERSION_READY)
		return v;
	tag = dataset_tag(ds, text);
	v = tag ? dataset_version(ds, tag->version) : NULL;
	return v && v->status == VERSION_READY ? v : NULL;
}

int catalog_resolve(const struct catalog *c, const char *bucket,
		    const char *name, const char *version,
		    const struct dataset **ds, const struct version **v,
		    struct err *err)
{
	const char *text = *version ? version : "latest";
	const struct dataset *found = catalog_dataset(c, name);

	if (found && found->is_collection)
		return err_set(err, ERR_USAGE, EISDIR,
			       "%s in bucket %s is a collection, which has no "
			       "versions: name one of its datasets", name,
			       bucket);
	*v = found ? version_of(found, text) : NULL;
	if (!*v)
		return err_set(err, ERR_MISSING, ENOENT,
			       "There is no READY dataset %s with tag or id %s "
			       "in bucket %s.", name, text, bucket);
	*ds = found;
	return 0;
}
