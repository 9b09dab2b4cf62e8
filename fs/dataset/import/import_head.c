/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's rows as records of the catalog: what never changes goes into the
 * version's record, all else into the head.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "fs/dataset/import/import_impl.h"

static bool ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len >= n && strcmp(s + len - n, suffix) == 0;
}

enum version_kind import_kind(const struct import_version *v)
{
	if (!ends_with(v->uri, ".json"))
		return VERSION_LEGACY;
	return *v->checksum == '\0' && v->size == 0 ? VERSION_EMPTY :
						      VERSION_OSMO;
}

int import_version_bytes(struct buf *out, const struct import_dataset *ds,
			 const struct import_version *v, struct err *err)
{
	enum version_kind kind = import_kind(v);
	const struct version record = {
		.number = v->number,
		.kind = kind,
		.manifest_uri = kind == VERSION_LEGACY ? NULL : v->uri,
		.location = kind == VERSION_LEGACY ? v->uri : NULL,
		.hash_location = ds->hash_location,
		.checksum = v->checksum,
		.created_by = v->created_by,
		.created_s = v->created_s,
		.size = v->size,
		.metadata = v->metadata,
	};

	return catalog_write_version(out, ds->id, &record, err);
}

static void say(struct buf *what, const char *text)
{
	if (!what)
		return;
	if (what->len > 0)
		buf_str(what, ", ");
	buf_str(what, text);
}

static int set_text(char **to, const char *from, struct buf *what,
		    const char *label, struct err *err)
{
	if (import_same_text(*to, from))
		return 0;
	say(what, label);
	free(*to);
	*to = strdup(from ? from : "");
	return *to ? 0 : err_nomem(err);
}

/* --- tags ------------------------------------------------------------- */

static const struct import_tag *source_tag(const struct import_dataset *ds,
					   const char *name)
{
	for (size_t i = 0; i < ds->n_tags; i++)
		if (strcmp(ds->tags[i].name, name) == 0)
			return &ds->tags[i];
	return NULL;
}

static int tag_set(struct dataset *to, const char *name, uint32_t version,
		   struct buf *what, struct err *err)
{
	const struct tag *now = dataset_tag(to, name);
	struct tag *at;
	size_t i;

	if (now && now->version == version)
		return 0;
	if (what && what->len > 0)
		buf_str(what, ", ");
	if (what && now)
		buf_printf(what, "tag %s %u -> %u", name, now->version, version);
	else if (what)
		buf_printf(what, "tag %s -> %u", name, version);
	if (now) {
		to->tags[now - to->tags].version = version;
		return 0;
	}
	at = reallocarray(to->tags, to->n_tags + 1, sizeof(*at));
	if (!at)
		return err_nomem(err);
	to->tags = at;
	for (i = to->n_tags; i > 0 && strcmp(at[i - 1].name, name) > 0; i--)
		;
	memmove(&at[i + 1], &at[i], (to->n_tags - i) * sizeof(*at));
	at[i].version = version;
	at[i].name = strdup(name);
	to->n_tags++;
	return at[i].name ? 0 : err_nomem(err);
}

static int merge_tags(struct dataset *to, const struct import_dataset *ds,
		      struct buf *what, struct err *err)
{
	size_t kept = 0;
	int r = 0;

	/* A tag goes only where the source shows its version without it. */
	for (size_t i = 0; i < to->n_tags; i++) {
		struct tag tag = to->tags[i];

		if (!source_tag(ds, tag.name) &&
		    (ds->is_whole || import_dataset_version(ds, tag.version))) {
			if (what && what->len > 0)
				buf_str(what, ", ");
			if (what)
				buf_printf(what, "tag %s removed", tag.name);
			free(tag.name);
			continue;
		}
		to->tags[kept++] = tag;
	}
	to->n_tags = kept;
	for (size_t i = 0; i < ds->n_tags && r == 0; i++)
		r = tag_set(to, ds->tags[i].name, ds->tags[i].version, what,
			    err);
	return r;
}

/* --- the state of versions -------------------------------------------- */

static bool live_is_plain(const struct catalog_live *live)
{
	return live->status == VERSION_READY && live->last_used_s == 0 &&
	       !live->metadata;
}

/* What the head should say about pv, over what it says (may be NULL). */
static int live_next(struct catalog_live *next, const struct plan_version *pv,
		     unsigned *n_states, unsigned *n_metadata, struct err *err)
{
	const struct import_version *v = pv->v;
	const char *metadata = pv->differs_metadata ?
			       (v->metadata ? v->metadata : "{}") : NULL;

	*n_states += next->status != v->status;
	next->status = v->status;
	if (v->last_used_s > next->last_used_s)
		next->last_used_s = v->last_used_s;
	if (!metadata && !next->metadata)
		return 0;
	if (metadata && next->metadata && strcmp(metadata, next->metadata) == 0)
		return 0;
	++*n_metadata;
	free(next->metadata);
	next->metadata = metadata ? strdup(metadata) : NULL;
	return metadata && !next->metadata ? err_nomem(err) : 0;
}

/* Both sides are in ascending order: a merge. */
static int merge_live(struct catalog_head *head, const struct plan *plan,
		      struct buf *what, struct err *err)
{
	struct catalog_live *out, zero = { .number = 0 };
	unsigned n_states = 0, n_metadata = 0;
	size_t n = 0, i = 0;
	int r = 0;

	out = calloc(head->n_live + plan->n_versions + 1, sizeof(*out));
	if (!out)
		return err_nomem(err);
	for (size_t p = 0; p < plan->n_versions && r == 0; p++) {
		const struct plan_version *pv = &plan->versions[p];

		while (i < head->n_live &&
		       head->live[i].number < pv->v->number)
			out[n++] = head->live[i++];
		if (!pv->has_record)
			continue;
		out[n] = zero;
		if (i < head->n_live && head->live[i].number == pv->v->number)
			out[n] = head->live[i++];
		out[n].number = pv->v->number;
		r = live_next(&out[n], pv, &n_states, &n_metadata, err);
		if (!live_is_plain(&out[n]))
			n++;
	}
	while (i < head->n_live)
		out[n++] = head->live[i++];
	free(head->live);
	head->live = out;
	head->n_live = n;
	if (what && n_states > 0) {
		say(what, "");
		buf_printf(what, "state of %u version%s", n_states,
			   n_states > 1 ? "s" : "");
	}
	if (what && n_metadata > 0) {
		say(what, "");
		buf_printf(what, "metadata of %u version%s", n_metadata,
			   n_metadata > 1 ? "s" : "");
	}
	return r;
}

/* --- collections ------------------------------------------------------ */

static int merge_members(struct dataset *to, const struct import_dataset *ds,
			 struct buf *what, struct err *err)
{
	bool is_same = to->n_members == ds->n_members;
	struct member *at;

	for (size_t i = 0; i < to->n_members && is_same; i++)
		is_same = to->members[i].version == ds->members[i].version &&
			  strcmp(to->members[i].dataset_id,
				 ds->members[i].id) == 0;
	if (is_same || !ds->has_details)
		return 0;
	say(what, "members");
	at = calloc(ds->n_members + 1, sizeof(*at));
	if (!at)
		return err_nomem(err);
	for (size_t i = 0; i < to->n_members; i++)
		free(to->members[i].dataset_id);
	free(to->members);
	to->members = at;
	to->n_members = 0;
	for (size_t i = 0; i < ds->n_members; i++) {
		at[i].version = ds->members[i].version;
		at[i].dataset_id = strdup(ds->members[i].id);
		if (!at[i].dataset_id)
			return err_nomem(err);
		to->n_members++;
	}
	return 0;
}

/* --- the whole head --------------------------------------------------- */

static int head_begin(struct catalog_head *head, const struct plan *plan,
		      const char *old, size_t old_len, struct err *err)
{
	if (old_len > 0)
		return catalog_parse_head(head, plan->ds->id, old, old_len,
					  err);
	memset(head, 0, sizeof(*head));
	memcpy(head->ds.id, plan->ds->id, sizeof(head->ds.id));
	head->ds.is_collection = plan->ds->is_collection;
	head->is_imported = true;
	return 0;
}

int import_head(struct buf *out, const struct plan *plan, const char *name,
		const char *renaming, bool adopt, const char *old,
		size_t old_len, struct buf *what, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	const struct import_dataset *ds = plan->ds;
	struct dataset *to = &head.ds;
	int r;

	r = head_begin(&head, plan, old, old_len, err);
	if (r < 0)
		return r;
	if (to->is_collection != ds->is_collection)
		return err_set(err, ERR_CONFLICT, EEXIST,
			       "it is a %s here and a %s in OSMO",
			       to->is_collection ? "collection" : "dataset",
			       ds->is_collection ? "collection" : "dataset");
	if (adopt && !head.is_adopted) {
		say(what, "adopted");
		head.is_adopted = true;
	}
	if ((r = set_text(&to->name, name, what, "name", err)) < 0 ||
	    (r = set_text(&to->created_by, ds->created_by, NULL, "", err)) < 0 ||
	    (r = set_text(&to->hash_location, ds->hash_location, what,
			  "hash_location", err)) < 0 ||
	    (r = set_text(&to->labels, ds->labels ? ds->labels : "{}", what,
			  "labels", err)) < 0)
		return r;
	to->created_s = ds->created_s;
	if (to->stored_size != ds->stored_size)
		say(what, "stored size");
	to->stored_size = ds->stored_size;
	free(head.renaming);
	head.renaming = renaming ? strdup(renaming) : NULL;
	if (renaming && !head.renaming)
		return err_nomem(err);
	if ((r = merge_tags(to, ds, what, err)) < 0 ||
	    (r = merge_live(&head, plan, what, err)) < 0 ||
	    (to->is_collection &&
	     (r = merge_members(to, ds, what, err)) < 0))
		return r;
	return catalog_write_head(out, &head, old, old_len, err);
}
