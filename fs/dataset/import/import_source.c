/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/import/import_source.h"
#include "fs/dataset/catalog_store/json_text.h"
#include "fs/dataset/reference.h"

#define SHOWN_MAX 80	/* bytes of a bad value in a note */

struct import_source *import_source_new(void)
{
	return calloc(1, sizeof(struct import_source));
}

static void import_version_release(struct import_version *v)
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

static int index_rebuild(struct import_source *src, size_t size,
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
	    index_rebuild(src, src->index_size ? src->index_size * 2 : 64,
			  err) < 0)
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

/* --- values ----------------------------------------------------------- */

/*
 * The parsers below return 0, -ENOMEM, or 1 with *why set to what is wrong
 * with the value (static text).
 */
static bool is_utf8(const char *s)
{
	json_t *v = json_string(s);
	bool is_good = v != NULL;

	json_decref(v);
	return is_good;
}

static int value_text(char **out, const char *s, size_t max, const char **why)
{
	if (!s)
		s = "";
	if (strlen(s) > max) {
		*why = "is too long";
		return 1;
	}
	if (!is_utf8(s)) {
		*why = "is not UTF-8";
		return 1;
	}
	free(*out);
	*out = strdup(s);
	return *out ? 0 : -ENOMEM;
}

static int value_size(uint64_t *out, const char *s, const char **why)
{
	char *end;

	*out = 0;
	if (!s || !*s)
		return 0;
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (*s < '0' || *s > '9' || *end || errno || *out > INT64_MAX) {
		*why = "is not a size";
		return 1;
	}
	return 0;
}

static int value_time(int64_t *out, const char *s, const char **why)
{
	*out = 0;
	if (!s || !*s || clock_parse_iso(s, out, NULL) == 0)
		return 0;
	*why = "is not a time";
	return 1;
}

/* An object of the user's; what cannot be kept is left out and said. */
static int value_object(char **out, const char *s, const char **why)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct err bad = ERR_INIT;
	struct json_t *obj;
	int r;

	if (!s || !*s || strcmp(s, "null") == 0)
		s = "{}";
	r = json_text_parse(&obj, s, strlen(s), &bad);
	if (r < 0) {
		*why = "is not JSON that can be kept (syntax, depth, or a "
		       "number beyond 64 bits)";
		return r == -ENOMEM ? r : 1;
	}
	r = json_is_object(obj) ? 0 : 1;
	json_decref(obj);
	*why = "is not a JSON object";
	if (r == 0)
		json_text_compact(&buf, s, strlen(s));
	if (buf_failed(&buf))
		return -ENOMEM;
	if (r == 0 && buf.len > CATALOG_OBJECT_MAX) {
		*why = "is too large";
		r = 1;
	}
	if (r == 0) {
		free(*out);
		*out = buf_steal(&buf);
	}
	return r;
}

static bool value_bool(const char *s)
{
	return s && (*s == 't' || *s == 'T' || *s == '1');
}

static int value_status(enum version_status *out, const char *s)
{
	for (int i = VERSION_READY; s && i <= VERSION_DELETED; i++) {
		*out = (enum version_status)i;
		if (strcmp(s, version_status_name(*out)) == 0)
			return 0;
	}
	return 1;
}

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
		ds->is_contradictory = true;
		return keep_or_problem(&ds->problem, 1, "its id",
				       "has two names in the source: they are "
				       "from different times", err);
	}
	if ((r = take_name(ds, row->name, err)) < 0)
		return r;
	r = value_text(&ds->bucket, row->bucket, CATALOG_TEXT_MAX, &why);
	if ((r = keep_or_problem(&ds->problem, r, "its bucket", why, err)) < 0)
		return r;
	r = value_text(&ds->hash_location, row->hash_location, CATALOG_URI_MAX,
		       &why);
	if ((r = keep_or_problem(&ds->problem, r, "hash_location", why,
				 err)) < 0)
		return r;
	ds->is_collection = value_bool(row->is_collection);
	r = value_text(&ds->created_by, row->created_by, CATALOG_TEXT_MAX,
		       &why);
	if ((r = keep_or_note(src, r, where, "created_by", why, err)) < 0)
		return r;
	r = value_time(&ds->created_s, row->created_date, &why);
	if ((r = keep_or_note(src, r, where, "created_date", why, err)) < 0)
		return r;
	r = value_size(&ds->stored_size, row->hash_location_size, &why);
	if ((r = keep_or_note(src, r, where, "hash_location_size", why,
			      err)) < 0)
		return r;
	r = value_object(&ds->labels, row->labels, &why);
	return keep_or_note(src, r, where, "labels", why, err);
}

static int fill_version(struct import_source *src, struct import_version *v,
			const struct import_version_row *row,
			const char *where, struct err *err)
{
	const char *why = NULL;
	int r;

	r = value_status(&v->status, row->status);
	if ((r = keep_or_problem(&v->problem, r, "its status", "is unknown",
				 err)) < 0)
		return r;
	r = value_text(&v->uri, row->location, CATALOG_URI_MAX, &why);
	if (r == 0 && !*v->uri) {
		why = "is missing";
		r = 1;
	}
	if ((r = keep_or_problem(&v->problem, r, "its location", why, err)) < 0)
		return r;
	r = value_text(&v->checksum, row->checksum, CATALOG_CHECKSUM_MAX, &why);
	if ((r = keep_or_problem(&v->problem, r, "its checksum", why, err)) < 0)
		return r;
	r = value_size(&v->size, row->size, &why);
	if ((r = keep_or_problem(&v->problem, r, "its size", why, err)) < 0)
		return r;
	r = value_text(&v->created_by, row->created_by, CATALOG_TEXT_MAX, &why);
	if ((r = keep_or_note(src, r, where, "created_by", why, err)) < 0)
		return r;
	r = value_time(&v->created_s, row->created_date, &why);
	if ((r = keep_or_note(src, r, where, "created_date", why, err)) < 0)
		return r;
	r = value_time(&v->last_used_s, row->last_used, &why);
	if ((r = keep_or_note(src, r, where, "last_used", why, err)) < 0)
		return r;
	r = value_object(&v->metadata, row->metadata, &why);
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

/* --- settling --------------------------------------------------------- */

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
			ds->is_contradictory = true;
			r = keep_or_problem(&ds->problem, 1, "a version",
					    "stands in the source twice, with "
					    "different content", err);
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
	r = index_rebuild(src, size, err);
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
