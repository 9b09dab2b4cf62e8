/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fs/dataset/catalog_store/json_text.h"
#include "fs/dataset/import/osmo_json.h"

/* --- documents in a text ---------------------------------------------- */

struct scan {
	const char *text;
	const char *end;
	const char *p;
	unsigned line;		/* of p, from 1 */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/*
 * Goes to the next line that begins with a document; everything else is what
 * the client says to people ("No Datasets fit your query.").
 */
static bool scan_to_document(struct scan *scan)
{
	bool is_line_start = true;

	for (; scan->p < scan->end; scan->p++) {
		char c = *scan->p;

		if (is_line_start && (c == '{' || c == '['))
			return true;
		if (c == '\n') {
			scan->line++;
			is_line_start = true;
		} else if (!is_blank(c)) {
			is_line_start = false;
		}
	}
	return false;
}

/*
 * Copies one document, without commas that stand before a closing bracket.
 * 0: it is whole; 1: the text ends in it.  -EBADMSG: nested too deep.
 */
static int scan_document(struct scan *scan, struct buf *out, struct err *err)
{
	bool in_string = false, is_comma = false;
	unsigned depth = 0;

	for (; scan->p < scan->end; scan->p++) {
		char c = *scan->p;

		scan->line += c == '\n';
		if (in_string) {
			buf_char(out, c);
			if (c == '\\' && scan->p + 1 < scan->end)
				buf_char(out, *++scan->p);
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (is_blank(c)) {
			buf_char(out, c);
			continue;
		}
		if (is_comma && c != '}' && c != ']')
			buf_char(out, ',');
		is_comma = c == ',';
		if (is_comma)
			continue;
		buf_char(out, c);
		in_string = c == '"';
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (depth > JSON_TEXT_DEPTH)
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "line %u: nested deeper than %d",
				       scan->line, JSON_TEXT_DEPTH);
		if (depth == 0) {
			scan->p++;
			return 0;
		}
	}
	return 1;
}

static void scan_skip_line(struct scan *scan)
{
	const char *nl = memchr(scan->p, '\n', (size_t)(scan->end - scan->p));

	scan->p = nl ? nl : scan->end;
}

/* --- numbers ---------------------------------------------------------- */

/* jansson holds 64 bits and a double, and refuses the document beyond. */
static bool is_number_held(const char *number, size_t len)
{
	bool is_whole = true;

	for (size_t i = 0; i < len; i++)
		is_whole &= number[i] != '.' && (number[i] | 0x20) != 'e';
	errno = 0;
	if (is_whole) {
		(void)strtoll(number, NULL, 10);
		return errno != ERANGE;
	}
	return !isinf(strtod(number, NULL));
}

static bool is_number_char(char c)
{
	return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' ||
	       c == 'e' || c == 'E';
}

/*
 * A copy in which a number that cannot be held is -1, of the same length: one
 * in a user's metadata must not hide the datasets, and no size or version is
 * negative.  The user's own objects are taken from the text as it was.
 */
static int tame_numbers(struct buf *out, const struct buf *text, struct err *err)
{
	bool in_string = false;
	size_t end;
	int r = buf_add(out, text->data, text->len, err);

	for (size_t i = 0; r == 0 && i < out->len; i = end) {
		char c = out->data[i];

		end = i + 1;
		if (in_string) {
			end += c == '\\';
			in_string = c != '"';
			continue;
		}
		in_string = c == '"';
		if (c != '-' && (c < '0' || c > '9'))
			continue;
		/* A document ends in a bracket, so a number ends before it. */
		while (end < out->len && is_number_char(out->data[end]))
			end++;
		if (end == out->len || end - i < 2 ||
		    is_number_held(out->data + i, end - i))
			continue;
		memset(out->data + i, ' ', end - i);
		memcpy(out->data + i, "-1", 2);
	}
	return r;
}

/* --- members as text -------------------------------------------------- */

/* A member as the database's text, valid until the buffer is used again. */
struct member_text {
	char number[32];
	char *object;
};

static const char *member(const json_t *obj, const char *name,
			  struct member_text *keep)
{
	const json_t *v = json_object_get(obj, name);

	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_boolean(v))
		return json_is_true(v) ? "t" : "f";
	if (json_is_integer(v)) {
		snprintf(keep->number, sizeof(keep->number),
			 "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return keep->number;
	}
	return NULL;
}

/*
 * The user's own object from the document's text, so that its numbers stay as
 * they are; range is where obj stands in it.
 */
static const char *member_object(const struct json_text_walk *range,
				 const char *name, struct member_text *keep)
{
	struct json_text_walk walk = json_text_walk(range->value,
						    range->value_len);

	free(keep->object);
	keep->object = NULL;
	while (json_text_next(&walk))
		if (json_text_key_is(&walk, name))
			keep->object = strndup(walk.value, walk.value_len);
	return keep->object;
}

/* --- one info --------------------------------------------------------- */

struct info {
	struct import_source *src;
	const char *where;
	const json_t *obj;
	struct json_text_walk range;
	const char *id;
	bool is_collection;
	bool is_whole;		/* all versions were asked for, and shown */
};

static int add_tags(const struct info *info, const json_t *v,
		    const char *number, struct err *err)
{
	const json_t *tags = json_object_get(v, "tags"), *tag;
	size_t i;
	int r = 0;

	json_array_foreach(tags, i, tag) {
		const struct import_tag_row row = {
			.dataset_id = info->id,
			.version_id = number,
			.tag = json_string_value(tag),
		};

		if (r == 0)
			r = import_source_add_tag(info->src, &row, info->where,
						  err);
	}
	return r;
}

static int add_version(const struct info *info, const json_t *v,
		       const struct json_text_walk *range, struct err *err)
{
	struct member_text number, size, metadata = { .object = NULL };
	const struct import_version_row row = {
		.dataset_id = info->id,
		.version_id = member(v, "version", &number),
		.location = json_string_value(json_object_get(v, "uri")),
		.status = json_string_value(json_object_get(v, "status")),
		.created_by = json_string_value(json_object_get(v,
								"created_by")),
		.created_date = json_string_value(
			json_object_get(v, "created_date")),
		.last_used = json_string_value(json_object_get(v, "last_used")),
		.size = member(v, "size", &size),
		.checksum = json_string_value(json_object_get(v, "checksum")),
		.metadata = member_object(range, "metadata", &metadata),
	};
	int r;

	r = import_source_add_version(info->src, &row, info->where, err);
	free(metadata.object);
	return r < 0 ? r : add_tags(info, v, row.version_id, err);
}

static int add_member(const struct info *info, const json_t *v, struct err *err)
{
	struct member_text number;
	const struct import_member_row row = {
		.collection_id = info->id,
		.dataset_name = json_string_value(json_object_get(v, "name")),
		.version_id = member(v, "version", &number),
	};

	return import_source_add_member(info->src, &row, info->where, err);
}

/* The elements of an array, as ranges of the text. */
static bool next_element(const char **p, const char *end,
			 struct json_text_walk *range)
{
	/* An array of objects reads like an object without keys. */
	while (*p < end && *(*p) != '{') {
		if (*(*p) == ']')
			return false;
		(*p)++;
	}
	if (*p >= end)
		return false;
	range->value = *p;
	struct json_text_walk inner = json_text_walk(*p, (size_t)(end - *p));

	while (json_text_next(&inner))
		;
	while (inner.p < end && *inner.p != '}')
		inner.p++;
	if (inner.p >= end)
		return false;
	range->value_len = (size_t)(inner.p - *p) + 1;
	*p = inner.p + 1;
	return true;
}

static int add_versions(const struct info *info, const json_t *versions,
			struct err *err)
{
	struct json_text_walk walk = json_text_walk(info->range.value,
						    info->range.value_len);
	struct json_text_walk range = walk;
	const char *p = "", *end = p;
	const json_t *v;
	size_t i;
	int r = 0;

	while (json_text_next(&walk)) {
		if (json_text_key_is(&walk, "versions")) {
			p = walk.value;
			end = p + walk.value_len;
		}
	}
	json_array_foreach(versions, i, v) {
		if (!json_is_object(v))
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "a version that is no object");
		if (!next_element(&p, end, &range))
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "versions cannot be told apart");
		r = info->is_collection ? add_member(info, v, err) :
					  add_version(info, v, &range, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_info(struct info *info, struct err *err)
{
	struct member_text size, labels = { .object = NULL };
	const json_t *obj = info->obj;
	const json_t *versions = json_object_get(obj, "versions");
	const char *type = json_string_value(json_object_get(obj, "type"));
	const struct import_dataset_row row = {
		.name = json_string_value(json_object_get(obj, "name")),
		.id = json_string_value(json_object_get(obj, "id")),
		.created_by = json_string_value(json_object_get(obj,
								"created_by")),
		.created_date = json_string_value(
			json_object_get(obj, "created_date")),
		.is_collection = type && strcmp(type, "COLLECTION") == 0 ?
				 "t" : "f",
		.labels = member_object(&info->range, "labels", &labels),
		.hash_location = json_string_value(
			json_object_get(obj, "hash_location")),
		.hash_location_size = member(obj, "hash_location_size", &size),
		.bucket = json_string_value(json_object_get(obj, "bucket")),
	};
	struct import_dataset *ds;
	int r;

	r = import_source_add_dataset(info->src, &row, info->where, err);
	free(labels.object);
	if (r < 0)
		return r;
	info->id = row.id;
	info->is_collection = *row.is_collection == 't';
	r = add_versions(info, versions, err);
	if (r < 0)
		return r;
	ds = row.id ? import_source_find(info->src, row.id) : NULL;
	if (ds) {
		ds->has_details = true;
		ds->is_whole |= info->is_whole;
	}
	if (!info->is_collection && !info->is_whole &&
	    json_array_size(versions) == OSMO_JSON_INFO_MAX)
		import_source_note(info->src, "%s: %s shows exactly %d "
				   "versions, which is where 'osmo dataset "
				   "info' stops: get the rest with "
				   "'osmo dataset info %s/%s -a -c 100000 "
				   "-t json'", info->where,
				   row.name ? row.name : "?",
				   OSMO_JSON_INFO_MAX,
				   row.bucket ? row.bucket : "BUCKET",
				   row.name ? row.name : "?");
	return 0;
}

/* --- one list --------------------------------------------------------- */

/*
 * A list says that a dataset exists, not what is in it: its values count only
 * until an info has said them.
 */
static int add_list(struct import_source *src, const char *where,
		    const json_t *list, struct err *err)
{
	struct member_text size;
	const json_t *v;
	size_t i;
	int r;

	json_array_foreach(list, i, v) {
		const char *id = json_string_value(json_object_get(v, "id"));
		const char *type = json_string_value(json_object_get(v,
								     "type"));
		const struct import_dataset *known = NULL;
		const struct import_dataset_row row = {
			.name = json_string_value(json_object_get(v, "name")),
			.id = id,
			.created_date = json_string_value(
				json_object_get(v, "create_time")),
			.is_collection = type &&
				strcmp(type, "COLLECTION") == 0 ? "t" : "f",
			.hash_location = json_string_value(
				json_object_get(v, "hash_location")),
			.hash_location_size = member(v, "hash_location_size",
						     &size),
			.bucket = json_string_value(json_object_get(v,
								    "bucket")),
		};

		if (id && strlen(id) < DATASET_ID_MAX)
			known = import_source_find(src, id);
		if (known && known->name)
			continue;
		r = import_source_add_dataset(src, &row, where, err);
		if (r < 0)
			return r;
	}
	if (json_array_size(list) >= OSMO_JSON_LIST_MAX)
		import_source_note(src, "%s: the list has %zu datasets, and %d "
				   "is the most that OSMO shows: there may be "
				   "more. List by name or owner too, or take a "
				   "pg_dump (datasetfs-format(5), IMPORT)",
				   where, json_array_size(list),
				   OSMO_JSON_LIST_MAX);
	if (json_array_size(list) == OSMO_JSON_LIST_DEFAULT)
		import_source_note(src, "%s: the list has exactly %d datasets, "
				   "which is where 'osmo dataset list' stops: "
				   "get the rest with 'osmo dataset list -a -c "
				   "%d -t json'", where, OSMO_JSON_LIST_DEFAULT,
				   OSMO_JSON_LIST_MAX);
	return 0;
}

/* 1: neither a list nor an info. */
static int add_document(struct import_source *src, const char *where,
			const json_t *obj, const struct buf *text,
			struct err *err)
{
	const json_t *list = json_object_get(obj, "datasets");
	const json_t *versions = json_object_get(obj, "versions");
	struct info info = {
		.src = src,
		.where = where,
		.obj = obj,
		.range = { .value = text->data, .value_len = text->len },
	};

	if (json_is_array(list))
		return add_list(src, where, list, err);
	if (json_is_array(versions) && json_object_get(obj, "id"))
		return add_info(&info, err);
	return 1;
}

int osmo_json_read(struct import_source *src, const char *where,
		   const void *text, size_t len, struct err *err)
{
	struct scan scan = {
		.text = text, .p = text, .end = (const char *)text + len,
		.line = 1,
	};
	cleanup_buf struct buf doc = BUF_INIT_LIMIT(OSMO_JSON_MAX);
	cleanup_buf struct buf tame = BUF_INIT_LIMIT(OSMO_JSON_MAX);
	size_t n_used = 0;
	int r;

	if (len > OSMO_JSON_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "%s: %zu bytes, limit %zu",
			       where, len, OSMO_JSON_MAX);
	while (scan_to_document(&scan)) {
		struct scan start = scan;
		struct err bad = ERR_INIT;
		json_t *obj = NULL;

		buf_clear(&doc);
		buf_clear(&tame);
		r = scan_document(&scan, &doc, &bad);
		if (buf_failed(&doc))
			return err_nomem(err);
		if (r == 0)
			r = tame_numbers(&tame, &doc, &bad);
		if (r == 0)
			r = json_text_parse(&obj, tame.data, tame.len, &bad);
		if (r == 1)
			r = err_set(&bad, ERR_CORRUPT, EBADMSG,
				    "the text ends inside the document");
		if (r < 0 && *start.p == '[') {
			/* "[WARNING] …" is for people. */
			scan = start;
			scan_skip_line(&scan);
			continue;
		}
		if (r == 0)
			r = add_document(src, where, obj, &doc, &bad);
		json_decref(obj);
		if (r < 0) {
			err_copy(err, &bad);
			return err_wrap(err, "%s: the document at line %u",
					where, start.line);
		}
		if (r == 1)
			import_source_note(src, "%s: the document at line %u "
					   "is neither a list nor an info of "
					   "datasets; it was skipped", where,
					   start.line);
		n_used += r == 0;
	}
	if (n_used == 0)
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s: it holds neither the JSON of 'osmo dataset "
			       "list -t json' nor of 'osmo dataset info "
			       "-t json'", where);
	return 0;
}

int osmo_json_read_info(struct import_source *src, const char *where,
			const void *text, size_t len, struct err *err)
{
	const struct buf doc = { .data = (char *)(uintptr_t)text, .len = len };
	cleanup_buf struct buf tame = BUF_INIT_LIMIT(OSMO_JSON_MAX);
	json_t *obj = NULL;
	struct info info = {
		.src = src,
		.where = where,
		.range = { .value = text, .value_len = len },
		.is_whole = true,
	};
	int r;

	if (len > OSMO_JSON_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "%s: %zu bytes, limit %zu",
			       where, len, OSMO_JSON_MAX);
	r = tame_numbers(&tame, &doc, err);
	if (r == 0)
		r = json_text_parse(&obj, tame.data ? tame.data : "", tame.len,
				    err);
	if (r == 0 && (!json_is_array(json_object_get(obj, "versions")) ||
		       !json_object_get(obj, "id")))
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    "no info of a dataset");
	info.obj = obj;
	if (r == 0)
		r = add_info(&info, err);
	json_decref(obj);
	return r < 0 ? err_wrap(err, "%s", where) : 0;
}
