/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <jansson.h>

#include "backends/base/clock.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/catalog_store/json_text.h"
#include "fs/dataset/reference.h"

static int corrupt(struct err *err, const char *member, const char *expected)
{
	return err_set(err, ERR_CORRUPT, EBADMSG, "member \"%s\": expected %s",
		       member, expected);
}

bool catalog_is_id(const char *s, size_t len)
{
	return len < DATASET_ID_MAX && reference_is_name(s, len);
}

void version_release(struct version *v)
{
	free(v->manifest_uri);
	free(v->location);
	free(v->hash_location);
	free(v->checksum);
	free(v->created_by);
	free(v->metadata);
	for (size_t i = 0; i < v->n_tags; i++)
		free(v->tags[i]);
	free(v->tags);
	memset(v, 0, sizeof(*v));
}

void dataset_release(struct dataset *ds)
{
	for (size_t i = 0; i < ds->n_versions; i++)
		version_release(&ds->versions[i]);
	for (size_t i = 0; i < ds->n_tags; i++)
		free(ds->tags[i].name);
	for (size_t i = 0; i < ds->n_members; i++)
		free(ds->members[i].dataset_id);
	free(ds->versions);
	free(ds->tags);
	free(ds->members);
	free(ds->name);
	free(ds->created_by);
	free(ds->hash_location);
	free(ds->labels);
	memset(ds, 0, sizeof(*ds));
}

void catalog_head_release(struct catalog_head *head)
{
	dataset_release(&head->ds);
	for (size_t i = 0; i < head->n_live; i++)
		free(head->live[i].metadata);
	free(head->live);
	free(head->deleted);
	free(head->renaming);
	memset(head, 0, sizeof(*head));
}

static int live_compare(const void *a, const void *b)
{
	const struct catalog_live *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int number_compare(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

struct catalog_live *catalog_head_live(const struct catalog_head *head,
				       uint32_t number)
{
	struct catalog_live key = { .number = number };

	if (head->n_live == 0)
		return NULL;
	return bsearch(&key, head->live, head->n_live, sizeof(key),
		       live_compare);
}

bool catalog_head_is_deleted(const struct catalog_head *head, uint32_t number)
{
	return head->n_deleted > 0 &&
	       bsearch(&number, head->deleted, head->n_deleted, sizeof(number),
		       number_compare);
}

/* --- members of an object ------------------------------------------- */

static int get_text(char **out, const json_t *obj, const char *member,
		    size_t max, bool required, struct err *err)
{
	const json_t *v = json_object_get(obj, member);

	if (!v && !required) {
		*out = NULL;
		return 0;
	}
	if (!json_is_string(v) || json_string_length(v) > max ||
	    (required && json_string_length(v) == 0))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "member \"%s\": expected a string of %d to "
			       "%zu bytes", member, required, max);
	*out = strdup(json_string_value(v));
	return *out ? 0 : err_nomem(err);
}

static int get_text_or_empty(char **out, const json_t *obj, const char *member,
			     size_t max, struct err *err)
{
	int r = get_text(out, obj, member, max, false, err);

	if (r < 0 || *out)
		return r;
	*out = strdup("");
	return *out ? 0 : err_nomem(err);
}

static int get_name(char **out, const json_t *obj, const char *member,
		    bool required, struct err *err)
{
	int r = get_text(out, obj, member, NAME_MAX_BYTES, required, err);

	if (r == 0 && *out && !reference_is_name(*out, strlen(*out)))
		return corrupt(err, member, "a name ([A-Za-z0-9_-]+)");
	return r;
}

static int get_id(char out[DATASET_ID_MAX], const json_t *obj,
		  const char *member, struct err *err)
{
	const json_t *v = json_object_get(obj, member);

	if (!json_is_string(v) ||
	    !catalog_is_id(json_string_value(v), json_string_length(v)))
		return corrupt(err, member, "a dataset id");
	memcpy(out, json_string_value(v), json_string_length(v) + 1);
	return 0;
}

static int get_time(int64_t *out, const json_t *obj, const char *member,
		    struct err *err)
{
	const json_t *v = json_object_get(obj, member);

	*out = 0;
	if (!v || (json_is_string(v) && json_string_length(v) == 0))
		return 0;
	if (!json_is_string(v) || json_string_length(v) > 64 ||
	    clock_parse_iso(json_string_value(v), out, NULL) < 0)
		return corrupt(err, member, "a time (2026-05-02T12:00:00Z)");
	return 0;
}

static int get_size(uint64_t *out, const json_t *obj, const char *member,
		    bool required, struct err *err)
{
	const json_t *v = json_object_get(obj, member);

	*out = 0;
	if (!v && !required)
		return 0;
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return corrupt(err, member, "an integer >= 0");
	*out = (uint64_t)json_integer_value(v);
	return 0;
}

static int get_bool(bool *out, const json_t *obj, const char *member,
		    struct err *err)
{
	const json_t *v = json_object_get(obj, member);

	*out = json_is_true(v);
	if (v && !json_is_boolean(v))
		return corrupt(err, member, "true or false");
	return 0;
}

static int to_number(uint32_t *out, const json_t *v, const char *member,
		     struct err *err)
{
	if (!json_is_integer(v) || json_integer_value(v) < 1 ||
	    json_integer_value(v) > UINT32_MAX)
		return corrupt(err, member, "a version number");
	*out = (uint32_t)json_integer_value(v);
	return 0;
}

/* The user's own object, as compact text; "{}" where there is none. */
static int get_object(char **out, const json_t *obj, const char *member,
		      const char *text, size_t len, struct err *err)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct json_text_walk walk = json_text_walk(text, len);
	const json_t *v = json_object_get(obj, member);

	if (v && !json_is_object(v))
		return corrupt(err, member, "an object");
	if (!v)
		buf_str(&buf, "{}");
	while (v && json_text_next(&walk))
		if (json_text_key_is(&walk, member))
			json_text_compact(&buf, walk.value, walk.value_len);
	if (buf_failed(&buf))
		return err_nomem(err);
	if (buf.len > CATALOG_OBJECT_MAX)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "member \"%s\": %zu bytes, limit %zu", member,
			       buf.len, CATALOG_OBJECT_MAX);
	*out = buf_steal(&buf);
	return *out ? 0 : err_nomem(err);
}

static int number_of_key(uint32_t *out, const char *key, const char *member,
			 struct err *err)
{
	*out = reference_version_number(key);
	if (*out == 0)
		return corrupt(err, member, "version numbers as members");
	return 0;
}

/* --- records -------------------------------------------------------- */

/*
 * Keys with escapes are refused, so that the raw walk and jansson's tree
 * always mean the same member.
 */
static int check_keys(const char *text, size_t len, struct err *err)
{
	struct json_text_walk walk = json_text_walk(text, len);

	while (json_text_next(&walk))
		if (memchr(walk.key, '\\', walk.key_len))
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "a member's name with an escape");
	return 0;
}

static int record_parse(json_t **out, const void *bytes, size_t len,
			size_t limit, struct err *err)
{
	const json_t *format;
	json_t *obj;
	int r;

	if (len > limit)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "%zu bytes, limit %zu", len, limit);
	r = json_text_parse(&obj, bytes, len, err);
	if (r < 0)
		return r;
	format = json_object_get(obj, "format");
	if (!json_is_object(obj))
		r = err_set(err, ERR_CORRUPT, EBADMSG, "not a JSON object");
	else if (!json_is_integer(format))
		r = corrupt(err, "format", "1");
	else if (json_integer_value(format) > CATALOG_FORMAT)
		r = err_set(err, ERR_USAGE, ENOTSUP,
			    "format %" JSON_INTEGER_FORMAT " was written by a "
			    "newer datasetfs; this one reads format %d",
			    json_integer_value(format), CATALOG_FORMAT);
	else if (json_integer_value(format) != CATALOG_FORMAT)
		r = corrupt(err, "format", "1");
	else
		r = check_keys(bytes, len, err);
	if (r < 0) {
		json_decref(obj);
		return r;
	}
	*out = obj;
	return 0;
}

static int parse_small(char id[DATASET_ID_MAX], const void *bytes, size_t len,
		       struct err *err)
{
	json_t *obj;
	int r = record_parse(&obj, bytes, len, CATALOG_SMALL_MAX, err);

	if (r < 0)
		return r;
	r = get_id(id, obj, "id", err);
	json_decref(obj);
	return r;
}

int catalog_parse_format(char id[DATASET_ID_MAX], const void *bytes, size_t len,
			 struct err *err)
{
	return parse_small(id, bytes, len, err);
}

int catalog_parse_name(char id[DATASET_ID_MAX], const void *bytes, size_t len,
		       struct err *err)
{
	return parse_small(id, bytes, len, err);
}

static int tag_compare(const void *a, const void *b)
{
	const struct tag *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int parse_tags(struct dataset *ds, json_t *obj, struct err *err)
{
	json_t *tags = json_object_get(obj, "tags"), *v;
	const char *name;
	int r;

	if (!tags)
		return 0;
	if (!json_is_object(tags) || json_object_size(tags) > CATALOG_TAGS_MAX)
		return corrupt(err, "tags", "an object of at most 100000 tags");
	ds->tags = calloc(json_object_size(tags) + 1, sizeof(*ds->tags));
	if (!ds->tags)
		return err_nomem(err);
	json_object_foreach(tags, name, v) {
		struct tag *tag = &ds->tags[ds->n_tags];

		if (!reference_is_name(name, strlen(name)))
			return corrupt(err, "tags", "tags of [A-Za-z0-9_-]+");
		r = to_number(&tag->version, v, "tags", err);
		if (r < 0)
			return r;
		tag->name = strdup(name);
		if (!tag->name)
			return err_nomem(err);
		ds->n_tags++;
	}
	qsort(ds->tags, ds->n_tags, sizeof(*ds->tags), tag_compare);
	return 0;
}

static int parse_status(enum version_status *out, const json_t *obj,
			struct err *err)
{
	const json_t *v = json_object_get(obj, "status");

	*out = VERSION_READY;
	if (!v)
		return 0;
	for (int s = VERSION_READY; s <= VERSION_DELETED; s++) {
		if (s != VERSION_PENDING && json_is_string(v) &&
		    strcmp(json_string_value(v),
			   version_status_name((enum version_status)s)) == 0) {
			*out = (enum version_status)s;
			return 0;
		}
	}
	return corrupt(err, "status", "READY, PENDING_DELETE or DELETED");
}

static int parse_live_one(struct catalog_live *live, json_t *v,
			  const struct json_text_walk *walk, struct err *err)
{
	int r;

	if (!json_is_object(v))
		return corrupt(err, "versions", "objects");
	r = check_keys(walk->value, walk->value_len, err);
	if (r == 0)
		r = parse_status(&live->status, v, err);
	if (r == 0)
		r = get_time(&live->last_used_s, v, "last_used", err);
	if (r == 0 && json_object_get(v, "metadata"))
		r = get_object(&live->metadata, v, "metadata", walk->value,
			       walk->value_len, err);
	return r;
}

static int parse_live(struct catalog_head *head, json_t *obj, const char *text,
		      size_t len, struct err *err)
{
	struct json_text_walk walk = json_text_walk(text, len);
	json_t *versions = json_object_get(obj, "versions"), *v;
	const char *key;
	int r;

	if (!versions)
		return 0;
	if (!json_is_object(versions) ||
	    json_object_size(versions) > CATALOG_VERSIONS_MAX)
		return corrupt(err, "versions",
			       "an object of at most 1000000 versions");
	head->live = calloc(json_object_size(versions) + 1,
			    sizeof(*head->live));
	if (!head->live)
		return err_nomem(err);
	while (json_text_next(&walk))
		if (json_text_key_is(&walk, "versions"))
			break;
	r = check_keys(walk.value, walk.value_len, err);
	if (r < 0)
		return r;
	/* Both walks go in the order of the text. */
	walk = json_text_walk(walk.value, walk.value_len);
	json_object_foreach(versions, key, v) {
		struct catalog_live *live = &head->live[head->n_live];

		r = number_of_key(&live->number, key, "versions", err);
		if (r < 0)
			return r;
		if (!json_text_next(&walk) || !json_text_key_is(&walk, key))
			return corrupt(err, "versions", "plain members");
		head->n_live++;
		r = parse_live_one(live, v, &walk, err);
		if (r < 0)
			return r;
	}
	qsort(head->live, head->n_live, sizeof(*head->live), live_compare);
	return 0;
}

static int parse_deleted(struct catalog_head *head, json_t *obj,
			 struct err *err)
{
	json_t *deleted = json_object_get(obj, "deleted"), *v;
	size_t i;
	int r;

	if (!deleted)
		return 0;
	if (!json_is_array(deleted) ||
	    json_array_size(deleted) > CATALOG_VERSIONS_MAX)
		return corrupt(err, "deleted",
			       "an array of at most 1000000 numbers");
	head->deleted = calloc(json_array_size(deleted) + 1,
			       sizeof(*head->deleted));
	if (!head->deleted)
		return err_nomem(err);
	json_array_foreach(deleted, i, v) {
		r = to_number(&head->deleted[i], v, "deleted", err);
		if (r < 0)
			return r;
		if (i > 0 && head->deleted[i] <= head->deleted[i - 1])
			return corrupt(err, "deleted", "ascending numbers");
		head->n_deleted = i + 1;
	}
	return 0;
}

static int member_compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return strcmp(x->dataset_id, y->dataset_id);
}

static int parse_members(struct dataset *ds, json_t *obj, struct err *err)
{
	json_t *members = json_object_get(obj, "members"), *v;
	char id[DATASET_ID_MAX];
	size_t i;
	int r;

	if (!ds->is_collection && !members)
		return 0;
	if (!ds->is_collection)
		return corrupt(err, "members", "nothing in a dataset");
	if (!json_is_array(members) ||
	    json_array_size(members) > CATALOG_MEMBERS_MAX)
		return corrupt(err, "members",
			       "an array of at most 100000 members");
	ds->members = calloc(json_array_size(members) + 1,
			     sizeof(*ds->members));
	if (!ds->members)
		return err_nomem(err);
	json_array_foreach(members, i, v) {
		r = get_id(id, v, "id", err);
		if (r == 0)
			r = to_number(&ds->members[i].version,
				      json_object_get(v, "version"), "version",
				      err);
		if (r < 0)
			return r;
		ds->members[i].dataset_id = strdup(id);
		if (!ds->members[i].dataset_id)
			return err_nomem(err);
		ds->n_members = i + 1;
	}
	qsort(ds->members, ds->n_members, sizeof(*ds->members), member_compare);
	for (i = 1; i < ds->n_members; i++)
		if (member_compare(&ds->members[i - 1], &ds->members[i]) == 0)
			return corrupt(err, "members", "each id once");
	return 0;
}

/* One of two words; the default where the member is absent. */
static int get_word(bool *out, const json_t *obj, const char *member,
		    const char *no, const char *yes, bool required,
		    struct err *err)
{
	const json_t *v = json_object_get(obj, member);
	const char *s = json_string_value(v);

	*out = s && strcmp(s, yes) == 0;
	if (*out || (s && strcmp(s, no) == 0) || (!v && !required))
		return 0;
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "member \"%s\": expected \"%s\" or \"%s\"", member, no,
		       yes);
}

/* Absent: 0. */
static int get_number(uint32_t *out, const json_t *obj, const char *member,
		      struct err *err)
{
	const json_t *v = json_object_get(obj, member);

	*out = 0;
	return v ? to_number(out, v, member, err) : 0;
}

static int head_fill(struct catalog_head *head, json_t *obj, const char *text,
		     size_t len, struct err *err)
{
	struct dataset *ds = &head->ds;
	int r;

	if ((r = get_name(&ds->name, obj, "name", true, err)) < 0 ||
	    (r = get_word(&ds->is_collection, obj, "type", "dataset",
			  "collection", true, err)) < 0 ||
	    (r = get_word(&head->is_imported, obj, "origin", "native", "osmo",
			  false, err)) < 0 ||
	    (r = get_bool(&head->is_adopted, obj, "adopted", err)) < 0 ||
	    (r = get_name(&head->renaming, obj, "renaming", false, err)) < 0 ||
	    (r = get_text_or_empty(&ds->created_by, obj, "created_by",
				   CATALOG_TEXT_MAX, err)) < 0 ||
	    (r = get_time(&ds->created_s, obj, "created_date", err)) < 0 ||
	    (r = get_text_or_empty(&ds->hash_location, obj, "hash_location",
				   CATALOG_URI_MAX, err)) < 0 ||
	    (r = get_size(&ds->stored_size, obj, "stored_size", false,
			  err)) < 0 ||
	    (r = get_object(&ds->labels, obj, "labels", text, len, err)) < 0 ||
	    (r = parse_tags(ds, obj, err)) < 0 ||
	    (r = parse_live(head, obj, text, len, err)) < 0 ||
	    (r = parse_deleted(head, obj, err)) < 0 ||
	    (r = get_number(&head->tagged, obj, "tagged", err)) < 0)
		return r;
	return parse_members(ds, obj, err);
}

int catalog_parse_head(struct catalog_head *out, const char *id,
		       const void *bytes, size_t len, struct err *err)
{
	json_t *obj;
	int r;

	memset(out, 0, sizeof(*out));
	r = record_parse(&obj, bytes, len, CATALOG_HEAD_MAX, err);
	if (r < 0)
		return r;
	r = get_id(out->ds.id, obj, "id", err);
	if (r == 0 && strcmp(out->ds.id, id) != 0)
		r = corrupt(err, "id", "the id that the key names");
	if (r == 0)
		r = head_fill(out, obj, bytes, len, err);
	json_decref(obj);
	if (r < 0)
		catalog_head_release(out);
	return r;
}

static int parse_kind(struct version *v, json_t *obj, struct err *err)
{
	const json_t *kind = json_object_get(obj, "kind");
	const char *s = json_string_value(kind);
	int r;

	if (!s)
		return corrupt(err, "kind", "osmo, empty or legacy");
	if (strcmp(s, "osmo") == 0)
		v->kind = VERSION_OSMO;
	else if (strcmp(s, "empty") == 0)
		v->kind = VERSION_EMPTY;
	else if (strcmp(s, "legacy") == 0)
		v->kind = VERSION_LEGACY;
	else
		return err_set(err, ERR_USAGE, ENOTSUP,
			       "a version of a kind that this datasetfs does "
			       "not know: a newer one is needed");
	r = get_text(&v->manifest_uri, obj, "manifest", CATALOG_URI_MAX,
		     v->kind == VERSION_OSMO, err);
	if (r < 0)
		return r;
	r = get_text(&v->location, obj, "location", CATALOG_URI_MAX,
		     v->kind == VERSION_LEGACY, err);
	if (r < 0)
		return r;
	if (v->kind == VERSION_LEGACY && v->manifest_uri)
		return corrupt(err, "manifest", "none in a legacy version");
	if (v->kind != VERSION_LEGACY && v->location)
		return corrupt(err, "location", "one in a legacy version only");
	return 0;
}

/* "latest" of our own versions is derived, so nobody can ask for it. */
static int parse_version_tags(struct version *v, json_t *obj, struct err *err)
{
	json_t *tags = json_object_get(obj, "tags"), *tag;
	size_t i;

	if (!tags)
		return 0;
	if (!json_is_array(tags) ||
	    json_array_size(tags) > CATALOG_VERSION_TAGS_MAX)
		return corrupt(err, "tags", "an array of at most 100 tags");
	v->tags = calloc(json_array_size(tags) + 1, sizeof(*v->tags));
	if (!v->tags)
		return err_nomem(err);
	json_array_foreach(tags, i, tag) {
		const char *name = json_string_value(tag);

		if (!name || !reference_is_name(name, strlen(name)) ||
		    strcmp(name, "latest") == 0)
			return corrupt(err, "tags",
				       "tags of [A-Za-z0-9_-]+, not \"latest\"");
		v->tags[i] = strdup(name);
		if (!v->tags[i])
			return err_nomem(err);
		v->n_tags = i + 1;
	}
	return 0;
}

static int version_fill(struct version *v, const char *id, json_t *obj,
			const char *text, size_t len, struct err *err)
{
	char own_id[DATASET_ID_MAX];
	uint32_t number;
	int r;

	if ((r = get_id(own_id, obj, "dataset", err)) < 0 ||
	    (r = to_number(&number, json_object_get(obj, "version"), "version",
			   err)) < 0)
		return r;
	if (strcmp(own_id, id) != 0 || number != v->number)
		return corrupt(err, "version",
			       "the dataset and number that the key names");
	if ((r = parse_kind(v, obj, err)) < 0 ||
	    (r = get_text(&v->hash_location, obj, "hash_location",
			  CATALOG_URI_MAX, false, err)) < 0 ||
	    (r = get_text_or_empty(&v->checksum, obj, "checksum",
				   CATALOG_CHECKSUM_MAX, err)) < 0 ||
	    (r = get_size(&v->size, obj, "size", true, err)) < 0 ||
	    (r = get_text_or_empty(&v->created_by, obj, "created_by",
				   CATALOG_TEXT_MAX, err)) < 0 ||
	    (r = get_time(&v->created_s, obj, "created_date", err)) < 0 ||
	    (r = parse_version_tags(v, obj, err)) < 0)
		return r;
	return get_object(&v->metadata, obj, "metadata", text, len, err);
}

int catalog_parse_version(struct version *out, const char *id, uint32_t number,
			  const void *bytes, size_t len, struct err *err)
{
	json_t *obj;
	int r;

	memset(out, 0, sizeof(*out));
	r = record_parse(&obj, bytes, len, CATALOG_VERSION_MAX, err);
	if (r < 0)
		return r;
	out->number = number;
	out->status = VERSION_READY;
	r = version_fill(out, id, obj, bytes, len, err);
	json_decref(obj);
	if (r < 0) {
		version_release(out);
		return r;
	}
	digest_sha256(out->digest, bytes, len);
	return 0;
}
