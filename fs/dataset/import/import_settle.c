/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of an import_source: all rows are in, so they are put in order,
 * repetitions dropped, contradictions named.
 */
#include <config.h>

#include "fs/dataset/import/import_source_impl.h"

#include <stdlib.h>
#include <string.h>

static int by_number(const void *a, const void *b)
{
	const struct import_version *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int by_tag(const void *a, const void *b)
{
	const struct import_tag *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->version > y->version) -
			       (x->version < y->version);
}

static int by_member(const void *a, const void *b)
{
	const struct import_member *x = a, *y = b;
	int order = strcmp(x->id ? x->id : "", y->id ? y->id : "");

	return order ? order : (x->version > y->version) -
			       (x->version < y->version);
}

static int by_name(const void *a, const void *b)
{
	const struct import_dataset *x = a, *y = b;
	int order = strcmp(x->name ? x->name : "", y->name ? y->name : "");

	return order ? order : strcmp(x->id, y->id);
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Two rows of one number: what may change is taken from the later use. */
static bool versions_agree(const struct import_version *a,
			   const struct import_version *b)
{
	return same_text(a->uri, b->uri) &&
	       same_text(a->checksum, b->checksum) && a->size == b->size &&
	       same_text(a->problem, b->problem);
}

static int settle_versions(struct import_dataset *ds, struct err *err)
{
	size_t kept = 0;
	int r = 0;

	qsort(ds->versions, ds->n_versions, sizeof(*ds->versions), by_number);
	for (size_t i = 0; i < ds->n_versions; i++) {
		struct import_version *v = &ds->versions[i], *before;

		before = kept > 0 ? &ds->versions[kept - 1] : NULL;
		if (!before || before->number != v->number) {
			ds->versions[kept++] = *v;
			continue;
		}
		if (!versions_agree(before, v) && r == 0) {
			r = import_dataset_contradiction(
				ds, "a version stands in the source twice, "
				"with different content", err);
		}
		if (v->last_used_s > before->last_used_s) {
			import_version_release(before);
			*before = *v;
		} else {
			import_version_release(v);
		}
	}
	ds->n_versions = kept;
	return r;
}

static void settle_tags(struct import_source *src, struct import_dataset *ds)
{
	size_t kept = 0;

	qsort(ds->tags, ds->n_tags, sizeof(*ds->tags), by_tag);
	for (size_t i = 0; i < ds->n_tags; i++) {
		struct import_tag *tag = &ds->tags[i], *before;

		before = kept > 0 ? &ds->tags[kept - 1] : NULL;
		if (!before || strcmp(before->name, tag->name) != 0) {
			ds->tags[kept++] = *tag;
			continue;
		}
		if (before->version != tag->version)
			import_source_note(src, "%s: the tag %s stands at "
					   "version %u and at %u; the higher "
					   "one was taken", ds->name, tag->name,
					   before->version, tag->version);
		before->version = tag->version;
		free(tag->name);
	}
	ds->n_tags = kept;
}

static struct import_dataset *find_by_name(struct import_source *src,
					   const char *bucket, const char *name)
{
	struct import_dataset key = { .name = (char *)(uintptr_t)name }, *found;
	size_t lo = 0, hi = src->n_datasets;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_name(&src->datasets[mid], &key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < src->n_datasets; lo++) {
		found = &src->datasets[lo];
		if (strcmp(found->name ? found->name : "", name) != 0)
			break;
		if (found->bucket && strcmp(found->bucket, bucket) == 0)
			return found;
	}
	return NULL;
}

static int settle_members(struct import_source *src, struct import_dataset *ds,
			  struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < ds->n_members; i++) {
		struct import_member *m = &ds->members[i];
		const struct import_dataset *of = NULL;

		if (!m->id && ds->bucket)
			of = find_by_name(src, ds->bucket, m->name);
		if (!m->id && !of) {
			import_source_note(src, "%s: its member %s is not in "
					   "the source and was left out: add "
					   "the JSON of 'osmo dataset info'",
					   ds->name ? ds->name : ds->id,
					   m->name);
			free(m->name);
			continue;
		}
		if (!m->id)
			m->id = strdup(of->id);
		if (!m->id)
			return err_nomem(err);
		ds->members[kept++] = *m;
	}
	ds->n_members = kept;
	qsort(ds->members, kept, sizeof(*ds->members), by_member);
	kept = 0;
	for (size_t i = 0; i < ds->n_members; i++) {
		struct import_member *m = &ds->members[i];

		if (kept > 0 && strcmp(ds->members[kept - 1].id, m->id) == 0) {
			ds->members[kept - 1].version = m->version;
			free(m->id);
			free(m->name);
			continue;
		}
		ds->members[kept++] = *m;
	}
	ds->n_members = kept;
	return 0;
}

int import_source_settle(struct import_source *src, struct err *err)
{
	size_t size = src->index_size;
	int r;

	if (src->n_datasets == 0)
		return 0;
	qsort(src->datasets, src->n_datasets, sizeof(*src->datasets), by_name);
	r = import_source_reindex(src, size, err);
	for (size_t i = 0; i < src->n_datasets && r == 0; i++) {
		struct import_dataset *ds = &src->datasets[i];

		if (!ds->name)
			import_source_note(src, "rows of the dataset id %s were "
					   "skipped: its row in the table "
					   "dataset is not in the source",
					   ds->id);
		if (ds->n_versions > 0)
			r = settle_versions(ds, err);
		if (ds->n_tags > 0)
			settle_tags(src, ds);
		if (r == 0 && ds->n_members > 0)
			r = settle_members(src, ds, err);
	}
	return r;
}

const struct import_version *
import_dataset_version(const struct import_dataset *ds, uint32_t number)
{
	size_t lo = 0, hi = ds->n_versions;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ds->versions[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < ds->n_versions && ds->versions[lo].number == number ?
	       &ds->versions[lo] : NULL;
}
