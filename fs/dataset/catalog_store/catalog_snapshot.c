/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records -> what a user sees.  A record that was good when it was read is
 * good now, so a failure here is memory, or a local copy that lies.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/log.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"

#define LOG "catalog"

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void version_apply_live(struct version *v, struct catalog_head *head)
{
	struct catalog_live *live = catalog_head_live(head, v->number);

	if (!live)
		return;
	v->status = live->status;
	v->last_used_s = live->last_used_s;
	if (live->metadata) {
		free(v->metadata);
		v->metadata = steal_pointer(&live->metadata);
	}
}

/* The dataset's hash_location where the record names none: both are OSMO's. */
static int add_versions(struct dataset *ds, struct catalog_head *head,
			const struct catalog_store *store, struct err *err)
{
	const struct records *records = &store->records;
	char prefix[DATASET_ID_MAX + 32];
	size_t first, end;
	int r;

	snprintf(prefix, sizeof(prefix), "datasets/%s/versions/", ds->id);
	first = records_lower(records, prefix);
	for (end = first; end < records->n; end++)
		if (!starts_with(records->at[end].key, prefix))
			break;
	ds->versions = calloc(end - first + 1, sizeof(*ds->versions));
	if (!ds->versions)
		return err_nomem(err);
	for (size_t i = first; i < end; i++) {
		const struct record *record = &records->at[i];
		struct record_key key = record_key_parse(record->key);
		struct version *v = &ds->versions[ds->n_versions];

		if (!record->bytes || record->is_gone ||
		    key.kind != RECORD_VERSION ||
		    catalog_head_is_deleted(head, key.number))
			continue;
		r = catalog_parse_version(v, ds->id, key.number, record->bytes,
					  record->len, err);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		version_apply_live(v, head);
		if (v->status == VERSION_DELETED)
			version_release(v);
		else
			ds->n_versions++;
	}
	return 0;
}

static bool is_ready(const struct dataset *ds, uint32_t number)
{
	const struct version *v = dataset_version(ds, number);

	return v && v->status == VERSION_READY;
}

static int tag_compare(const void *a, const void *b)
{
	const struct tag *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Drops tags of versions that cannot be opened; derives a missing latest. */
static int settle_tags(struct dataset *ds, struct err *err)
{
	size_t kept = 0;
	uint32_t highest = 0;

	for (size_t i = 0; i < ds->n_tags; i++) {
		if (is_ready(ds, ds->tags[i].version))
			ds->tags[kept++] = ds->tags[i];
		else
			free(ds->tags[i].name);
	}
	ds->n_tags = kept;
	for (size_t i = ds->n_versions; i > 0 && highest == 0; i--)
		if (ds->versions[i - 1].status == VERSION_READY)
			highest = ds->versions[i - 1].number;
	if (dataset_tag(ds, "latest") || highest == 0)
		return 0;
	struct tag *tags = reallocarray(ds->tags, kept + 1, sizeof(*tags));

	if (!tags)
		return err_nomem(err);
	ds->tags = tags;
	tags[kept].version = highest;
	tags[kept].name = strdup("latest");
	if (!tags[kept].name)
		return err_nomem(err);
	ds->n_tags++;
	qsort(tags, ds->n_tags, sizeof(*tags), tag_compare);
	return 0;
}

/* 1: the name holds and *out is the dataset. */
static int dataset_of_name(struct dataset *out, const char *name,
			   const struct record *record,
			   const struct catalog_store *store, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	const struct record *head_record;
	char id[DATASET_ID_MAX], key[CATALOG_KEY_MAX];
	int r;

	r = catalog_parse_name(id, record->bytes, record->len, err);
	if (r < 0)
		return r;
	catalog_head_key(key, id);
	head_record = records_find(&store->records, key);
	if (!head_record || !head_record->bytes)
		return 0;
	r = catalog_parse_head(&head, id, head_record->bytes, head_record->len,
			       err);
	if (r < 0)
		return r;
	if (strcmp(head.ds.name, name) != 0)
		return 0;
	*out = head.ds;
	memset(&head.ds, 0, sizeof(head.ds));
	r = add_versions(out, &head, store, err);
	if (r == 0)
		r = catalog_complete_tags(out, out->versions,
					  out->n_versions, head.tagged, err);
	if (r == 0)
		r = settle_tags(out, err);
	if (r < 0) {
		dataset_release(out);
		return r;
	}
	return 1;
}

static int dataset_compare(const void *a, const void *b)
{
	const struct dataset *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int catalog_snapshot(struct catalog **out, const struct catalog_store *store,
		     struct err *err)
{
	const struct records *records = &store->records;
	cleanup_catalog struct catalog *c = calloc(1, sizeof(*c));
	size_t first = records_lower(records, "names/"), end = first;
	int r;

	if (!c)
		return err_nomem(err);
	c->refs = 1;
	memcpy(c->id, store->id, sizeof(c->id));
	while (end < records->n && starts_with(records->at[end].key, "names/"))
		end++;
	c->datasets = calloc(end - first + 1, sizeof(*c->datasets));
	if (!c->datasets)
		return err_nomem(err);
	for (size_t i = first; i < end; i++) {
		const struct record *record = &records->at[i];
		struct record_key key = record_key_parse(record->key);

		if (key.kind != RECORD_NAME || !record->bytes)
			continue;
		r = dataset_of_name(&c->datasets[c->n_datasets], key.name,
				    record, store, err);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			log_error(LOG, "dataset left out: place=%s name=%s "
				  "error=\"%s\"", backend_name(store->backend),
				  key.name, err->text);
		if (r > 0)
			c->n_datasets++;
	}
	qsort(c->datasets, c->n_datasets, sizeof(*c->datasets),
	      dataset_compare);
	*out = steal_pointer(&c);
	return 0;
}
