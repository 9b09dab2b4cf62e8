/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tags that a version was to get stand in its record, which is the commit;
 * a writer that was cut off before the head loses nothing by it.
 */
#include <config.h>

#include <string.h>

#include "fs/dataset/catalog_store/catalog_record.h"

struct ranked_tag {
	struct tag tag;
	uint32_t rank;		/* 0: of the head; else who asked for it */
};

static int ranked_compare(const void *a, const void *b)
{
	const struct ranked_tag *x = a, *y = b;
	int order = strcmp(x->tag.name, y->tag.name);

	return order ? order : (x->rank > y->rank) - (x->rank < y->rank);
}

/* By name, the last one of each; ranked becomes ds->tags. */
static int take_ranked(struct dataset *ds, struct ranked_tag *ranked, size_t n,
		       struct err *err)
{
	struct tag *tags = calloc(n + 1, sizeof(*tags));
	size_t kept = 0;

	if (!tags)
		return err_nomem(err);
	qsort(ranked, n, sizeof(*ranked), ranked_compare);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 &&
		    strcmp(tags[kept - 1].name, ranked[i].tag.name) == 0)
			free(tags[--kept].name);
		tags[kept++] = ranked[i].tag;
	}
	free(ds->tags);
	ds->tags = tags;
	ds->n_tags = kept;
	return 0;
}

int catalog_complete_tags(struct dataset *ds, const struct version *versions,
			  size_t n_versions, uint32_t tagged, struct err *err)
{
	cleanup_free struct ranked_tag *ranked = NULL;
	size_t n_more = 0, n = 0;
	int r = 0;

	for (size_t i = 0; i < n_versions; i++)
		if (versions[i].number > tagged)
			n_more += versions[i].n_tags;
	if (n_more == 0)
		return 0;
	ranked = calloc(ds->n_tags + n_more, sizeof(*ranked));
	if (!ranked)
		return err_nomem(err);
	for (; n < ds->n_tags; n++)
		ranked[n].tag = ds->tags[n];
	for (size_t i = 0; i < n_versions && r == 0; i++) {
		const struct version *v = &versions[i];

		for (size_t t = 0; v->number > tagged && t < v->n_tags &&
		     r == 0; t++) {
			ranked[n].rank = ranked[n].tag.version = v->number;
			ranked[n].tag.name = strdup(v->tags[t]);
			r = ranked[n].tag.name ? 0 : err_nomem(err);
			n += r == 0;
		}
	}
	if (r == 0)
		r = take_ranked(ds, ranked, n, err);
	/* Those of the head are still the dataset's. */
	for (size_t i = ds->n_tags; r < 0 && i < n; i++)
		free(ranked[i].tag.name);
	return r;
}
