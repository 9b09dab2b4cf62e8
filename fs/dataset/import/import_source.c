/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_source_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/buf.h"
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/import/import_value.h"
#include "fs/dataset/reference.h"

#define SHOWN_MAX 80	/* bytes of a bad value in a note */

struct import_source *import_source_new(void)
{
	return calloc(1, sizeof(struct import_source));
}

void import_version_release(struct import_version *v)
{
	free(v->uri);
	free(v->checksum);
	free(v->created_by);
	free(v->metadata);
	free(v->problem);
}

static void import_dataset_release(struct import_dataset *ds)
{
	for (size_t i = 0; i < ds->n_versions; i++)
		import_version_release(&ds->versions[i]);
	for (size_t i = 0; i < ds->n_tags; i++)
		free(ds->tags[i].name);
	for (size_t i = 0; i < ds->n_members; i++) {
		free(ds->members[i].id);
		free(ds->members[i].name);
	}
	free(ds->versions);
	free(ds->tags);
	free(ds->members);
	free(ds->name);
	free(ds->bucket);
	free(ds->created_by);
	free(ds->hash_location);
	free(ds->labels);
	free(ds->problem);
}

void import_source_free(struct import_source *src)
{
	if (!src)
		return;
	for (size_t i = 0; i < src->n_datasets; i++)
		import_dataset_release(&src->datasets[i]);
	for (size_t i = 0; i < src->n_notes; i++)
		free(src->notes[i]);
	free(src->datasets);
	free(src->notes);
	free(src->index);
	free(src);
}

void import_source_note(struct import_source *src, const char *fmt, ...)
{
	char **notes;
	char *text = NULL;
	va_list ap;

	if (src->n_notes == IMPORT_NOTES_MAX) {
		src->n_notes_dropped++;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	notes = reallocarray(src->notes, src->n_notes + 1, sizeof(*notes));
	if (notes)
		src->notes = notes;
	if (!text || !notes) {
		free(text);
		src->n_notes_dropped++;
		return;
	}
	notes[src->n_notes++] = text;
}

/* A value in quotes for a note; the caller's buffer. */
static const char *shown(struct buf *buf, const char *s)
{
	buf_clear(buf);
	if (!s)
		return "NULL";
	encode_printable(buf, s, strlen(s), SHOWN_MAX);
	return buf_failed(buf) || !buf->data ? "?" : buf->data;
}

/* Doubles the room when n is a power of two. */
static void *grow(void *at, size_t n, size_t size)
{
	if (n & (n - 1))
		return at;
	return reallocarray(at, n ? n * 2 : 1, size);
}

static int count_row(struct import_source *src, struct err *err)
{
	if (src->n_rows++ < IMPORT_ROWS_MAX)
		return 0;
	return err_set(err, ERR_USAGE, EFBIG, "more than %d rows",
		       IMPORT_ROWS_MAX);
}

/* --- index by id ------------------------------------------------------ */

static size_t slot_of(const struct import_source *src, const char *id)
{
	size_t slot = digest_xxh3(id, strlen(id)) & (src->index_size - 1);

	while (src->index[slot] &&
	       strcmp(src->datasets[src->index[slot] - 1].id, id) != 0)
		slot = (slot + 1) & (src->index_size - 1);
	return slot;
}

int import_source_reindex(struct import_source *src, size_t size,
			  struct err *err)
{
	uint32_t *index = calloc(size, sizeof(*index));

	if (!index)
		return err_nomem(err);
	free(src->index);
	src->index = index;
	src->index_size = size;
	for (size_t i = 0; i < src->n_datasets; i++)
		index[slot_of(src, src->datasets[i].id)] = (uint32_t)i + 1;
	return 0;
}

struct import_dataset *import_source_find(const struct import_source *src,
					  const char *id)
{
	size_t slot;

	if (src->index_size == 0)
		return NULL;
	slot = slot_of(src, id);
	return src->index[slot] ? &src->datasets[src->index[slot] - 1] : NULL;
}

/* NULL with err set: memory. */
static struct import_dataset *find_or_add(struct import_source *src,
					  const char *id, struct err *err)
{
	struct import_dataset *ds = import_source_find(src, id);

	if (ds)
		return ds;
	if (src->n_datasets + 1 > src->index_size / 2 &&
	    import_source_reindex(src, src->index_size ? src->index_size * 2 :
							 64, err) < 0)
		return NULL;
	ds = grow(src->datasets, src->n_datasets, sizeof(*ds));
	if (!ds) {
		err_nomem(err);
		return NULL;
	}
	src->datasets = ds;
	ds = &src->datasets[src->n_datasets];
	memset(ds, 0, sizeof(*ds));
	memcpy(ds->id, id, strlen(id) + 1);
	src->index[slot_of(src, id)] = (uint32_t)++src->n_datasets;
	return ds;
}

/* --- what a bad value costs --------------------------------------------- */

/* A member that is only for people: without it the rest is still true. */
static int keep_or_note(struct import_source *src, int r, const char *where,
			const char *what, const char *why, struct err *err)
{
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r > 0)
		import_source_note(src, "%s: %s %s; it was left out", where,
				   what, why);
	return 0;
}

/* A member that decides: without it the item cannot be taken. */
static int keep_or_problem(char **problem, int r, const char *what,
			   const char *why, struct err *err)
{
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r > 0 && !*problem && asprintf(problem, "%s %s", what, why) < 0) {
		*problem = NULL;
		return err_nomem(err);
	}
	return 0;
}

int import_dataset_contradiction(struct import_dataset *ds, const char *what,
				 struct err *err)
{
	ds->is_contradictory = true;
	if (!ds->problem)
		ds->problem = strdup(what);
	return ds->problem ? 0 : err_nomem(err);
}

static int check_id(struct import_source *src, const char *id,
		    const char *where)
{
	cleanup_buf struct buf buf = BUF_INIT;

	if (id && catalog_is_id(id, strlen(id)))
		return 0;
	import_source_note(src, "%s: a row with the dataset id %s was skipped: "
			   "ids are 1 to 63 of [A-Za-z0-9_-]", where,
			   shown(&buf, id));
	return 1;
}

/* --- rows ------------------------------------------------------------- */

/* A name that cannot be taken is kept in a form that can be shown. */
static int take_name(struct import_dataset *ds, const char *name,
		     struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;

	free(ds->name);
	if (name && reference_is_name(name, strlen(name))) {
		ds->name = strdup(name);
		return ds->name ? 0 : err_nomem(err);
	}
	ds->name = strdup(shown(&buf, name));
	if (!ds->name)
		return err_nomem(err);
	return keep_or_problem(&ds->problem, 1, "its name",
			       "is not 1 to 200 of [A-Za-z0-9_-]", err);
}

int import_source_add_dataset(struct import_source *src,
			      const struct import_dataset_row *row,
			      const char *where, struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct import_dataset *ds;
	const char *why = NULL;
	int r = count_row(src, err);

	if (r < 0 || check_id(src, row->id, where) > 0)
		return r;
	ds = find_or_add(src, row->id, err);
	if (!ds)
		return -ENOMEM;
	if (ds->name && row->name && strcmp(ds->name, row->name) != 0 &&
	    strcmp(ds->name, shown(&buf, row->name)) != 0) {
		return import_dataset_contradiction(
			ds, "its id has two names in the source: they are "
			"from different times", err);
	}
	if ((r = take_name(ds, row->name, err)) < 0)
		return r;
	r = import_value_text(&ds->bucket, row->bucket, CATALOG_TEXT_MAX, &why);
	if ((r = keep_or_problem(&ds->problem, r, "its bucket", why, err)) < 0)
		return r;
	r = import_value_text(&ds->hash_location, row->hash_location, CATALOG_URI_MAX,
		       &why);
	if ((r = keep_or_problem(&ds->problem, r, "hash_location", why,
				 err)) < 0)
		return r;
	ds->is_collection = import_value_bool(row->is_collection);
	r = import_value_text(&ds->created_by, row->created_by, CATALOG_TEXT_MAX,
		       &why);
	if ((r = keep_or_note(src, r, where, "created_by", why, err)) < 0)
		return r;
	r = import_value_time(&ds->created_s, row->created_date, &why);
	if ((r = keep_or_note(src, r, where, "created_date", why, err)) < 0)
		return r;
	r = import_value_size(&ds->stored_size, row->hash_location_size, &why);
	if ((r = keep_or_note(src, r, where, "hash_location_size", why,
			      err)) < 0)
		return r;
	r = import_value_object(&ds->labels, row->labels, &why);
	return keep_or_note(src, r, where, "labels", why, err);
}

static int fill_version(struct import_source *src, struct import_version *v,
			const struct import_version_row *row,
			const char *where, struct err *err)
{
	const char *why = NULL;
	int r;

	r = import_value_status(&v->status, row->status);
	if ((r = keep_or_problem(&v->problem, r, "its status", "is unknown",
				 err)) < 0)
		return r;
	r = import_value_text(&v->uri, row->location, CATALOG_URI_MAX, &why);
	if (r == 0 && !*v->uri) {
		why = "is missing";
		r = 1;
	}
	if ((r = keep_or_problem(&v->problem, r, "its location", why, err)) < 0)
		return r;
	r = import_value_text(&v->checksum, row->checksum, CATALOG_CHECKSUM_MAX, &why);
	if ((r = keep_or_problem(&v->problem, r, "its checksum", why, err)) < 0)
		return r;
	r = import_value_size(&v->size, row->size, &why);
	if ((r = keep_or_problem(&v->problem, r, "its size", why, err)) < 0)
		return r;
	r = import_value_text(&v->created_by, row->created_by, CATALOG_TEXT_MAX, &why);
	if ((r = keep_or_note(src, r, where, "created_by", why, err)) < 0)
		return r;
	r = import_value_time(&v->created_s, row->created_date, &why);
	if ((r = keep_or_note(src, r, where, "created_date", why, err)) < 0)
		return r;
	r = import_value_time(&v->last_used_s, row->last_used, &why);
	if ((r = keep_or_note(src, r, where, "last_used", why, err)) < 0)
		return r;
	r = import_value_object(&v->metadata, row->metadata, &why);
	return keep_or_note(src, r, where, "metadata", why, err);
}

static uint32_t row_number(struct import_source *src, const char *text,
			   const char *where, const char *what)
{
	cleanup_buf struct buf buf = BUF_INIT;
	uint32_t number = text ? reference_version_number(text) : 0;

	if (number == 0)
		import_source_note(src, "%s: %s with the version %s was "
				   "skipped: versions are numbers from 1",
				   where, what, shown(&buf, text));
	return number;
}

int import_source_add_version(struct import_source *src,
			      const struct import_version_row *row,
			      const char *where, struct err *err)
{
	struct import_version v = { .problem = NULL }, *at;
	struct import_dataset *ds;
	int r = count_row(src, err);

	if (r < 0 || check_id(src, row->dataset_id, where) > 0)
		return r;
	v.number = row_number(src, row->version_id, where, "a version");
	if (v.number == 0)
		return 0;
	ds = find_or_add(src, row->dataset_id, err);
	if (!ds)
		return -ENOMEM;
	ds->has_details = true;
	at = grow(ds->versions, ds->n_versions, sizeof(*at));
	if (!at)
		return err_nomem(err);
	ds->versions = at;
	r = fill_version(src, &v, row, where, err);
	if (r < 0) {
		import_version_release(&v);
		return r;
	}
	ds->versions[ds->n_versions++] = v;
	return 0;
}

int import_source_add_tag(struct import_source *src,
			  const struct import_tag_row *row, const char *where,
			  struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct import_dataset *ds;
	struct import_tag *at;
	uint32_t number;
	int r = count_row(src, err);

	if (r < 0 || check_id(src, row->dataset_id, where) > 0)
		return r;
	if (!row->tag || !reference_is_name(row->tag, strlen(row->tag))) {
		import_source_note(src, "%s: the tag %s was skipped: tags are "
				   "[A-Za-z0-9_-]+", where,
				   shown(&buf, row->tag));
		return 0;
	}
	number = row_number(src, row->version_id, where, "a tag");
	if (number == 0)
		return 0;
	ds = find_or_add(src, row->dataset_id, err);
	if (!ds)
		return -ENOMEM;
	at = grow(ds->tags, ds->n_tags, sizeof(*at));
	if (!at)
		return err_nomem(err);
	ds->tags = at;
	at = &ds->tags[ds->n_tags];
	at->version = number;
	at->name = strdup(row->tag);
	if (!at->name)
		return err_nomem(err);
	ds->n_tags++;
	return 0;
}

int import_source_add_member(struct import_source *src,
			     const struct import_member_row *row,
			     const char *where, struct err *err)
{
	struct import_dataset *ds;
	struct import_member *at, member = { .id = NULL };
	int r = count_row(src, err);

	if (r < 0 || check_id(src, row->collection_id, where) > 0 ||
	    (row->dataset_id && check_id(src, row->dataset_id, where) > 0))
		return r;
	member.version = row_number(src, row->version_id, where, "a member");
	if (member.version == 0)
		return 0;
	ds = find_or_add(src, row->collection_id, err);
	if (!ds)
		return -ENOMEM;
	ds->has_details = true;
	at = grow(ds->members, ds->n_members, sizeof(*at));
	if (!at)
		return err_nomem(err);
	ds->members = at;
	if (row->dataset_id)
		member.id = strdup(row->dataset_id);
	else
		member.name = strdup(row->dataset_name ? row->dataset_name : "");
	if (!member.id && !member.name)
		return err_nomem(err);
	ds->members[ds->n_members++] = member;
	return 0;
}
