/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half of catalog_record.h.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>

#include "backends/base/clock.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/catalog_store/json_text.h"

static void put_member(struct buf *out, const char *member)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_char(out, ',');
	buf_printf(out, "\"%s\":", member);
}

static void put_text(struct buf *out, const char *member, const char *s)
{
	if (!s || !*s)
		return;
	put_member(out, member);
	json_text_string(out, s, strlen(s));
}

static void put_time(struct buf *out, const char *member, int64_t s)
{
	char text[CLOCK_ISO_MAX];

	if (s == 0)
		return;
	clock_format_iso(s, text);
	put_text(out, member, text);
}

static void put_number(struct buf *out, const char *member, uint64_t n)
{
	put_member(out, member);
	buf_printf(out, "%" PRIu64, n);
}

/* The user's own object, which is compact text already. */
static void put_object(struct buf *out, const char *member, const char *text)
{
	if (!text || strcmp(text, "{}") == 0)
		return;
	put_member(out, member);
	buf_str(out, text);
}

static void put_raw(struct buf *out, const struct json_text_walk *walk)
{
	if (out->len > 0 && out->data[out->len - 1] != '{')
		buf_char(out, ',');
	buf_char(out, '"');
	buf_bytes(out, walk->key, walk->key_len);
	buf_str(out, "\":");
	json_text_compact(out, walk->value, walk->value_len);
}

/* The members of an object that none of ours has the name of. */
static void put_unknown(struct buf *out, const char *text, size_t len,
			const char *const *ours)
{
	struct json_text_walk walk = json_text_walk(text, len);

	while (json_text_next(&walk)) {
		bool known = false;

		for (size_t i = 0; ours[i] && !known; i++)
			known = json_text_key_is(&walk, ours[i]);
		if (!known)
			put_raw(out, &walk);
	}
}

static int record_end(struct buf *out, size_t start, size_t limit,
		      struct err *err)
{
	buf_str(out, "}\n");
	if (buf_failed(out))
		return err_nomem(err);
	if (out->len - start > limit)
		return err_set(err, ERR_USAGE, EFBIG,
			       "a record of %zu bytes, limit %zu",
			       out->len - start, limit);
	return 0;
}

static int write_small(struct buf *out, const char *id, struct err *err)
{
	size_t start = out->len;

	buf_char(out, '{');
	put_number(out, "format", CATALOG_FORMAT);
	put_text(out, "id", id);
	return record_end(out, start, CATALOG_SMALL_MAX, err);
}

int catalog_write_format(struct buf *out, const char *id, struct err *err)
{
	return write_small(out, id, err);
}

int catalog_write_name(struct buf *out, const char *id, struct err *err)
{
	return write_small(out, id, err);
}

static void put_tags(struct buf *out, const struct dataset *ds)
{
	if (ds->n_tags == 0)
		return;
	put_member(out, "tags");
	buf_char(out, '{');
	for (size_t i = 0; i < ds->n_tags; i++)
		put_number(out, ds->tags[i].name, ds->tags[i].version);
	buf_char(out, '}');
}

static const char *const live_members[] = {
	"status", "last_used", "metadata", NULL
};

static void put_live_one(struct buf *out, const struct catalog_live *live,
			 const char *old, size_t old_len)
{
	char key[16];

	snprintf(key, sizeof(key), "%" PRIu32, live->number);
	put_member(out, key);
	buf_char(out, '{');
	if (live->status != VERSION_READY)
		put_text(out, "status", version_status_name(live->status));
	put_time(out, "last_used", live->last_used_s);
	if (live->metadata) {
		put_member(out, "metadata");
		buf_str(out, live->metadata);
	}
	put_unknown(out, old, old_len, live_members);
	buf_char(out, '}');
}

/*
 * What an older record says about one version, for its unknown members.  The
 * walk goes on from where it stood, as both sides are in ascending order when
 * we wrote them; another order costs a second round.
 */
static bool live_find(struct json_text_walk *walk, const char *text, size_t len,
		      uint32_t number)
{
	char key[16];

	snprintf(key, sizeof(key), "%" PRIu32, number);
	while (json_text_next(walk))
		if (json_text_key_is(walk, key))
			return true;
	*walk = json_text_walk(text, len);
	while (json_text_next(walk))
		if (json_text_key_is(walk, key))
			return true;
	*walk = json_text_walk(text, len);
	return false;
}

static void put_live(struct buf *out, const struct catalog_head *head,
		     const char *old, size_t old_len)
{
	struct json_text_walk top = json_text_walk(old, old_len), walk;
	const char *text = "";
	size_t len = 0;

	while (json_text_next(&top)) {
		if (json_text_key_is(&top, "versions")) {
			text = top.value;
			len = top.value_len;
		}
	}
	if (head->n_live == 0)
		return;
	put_member(out, "versions");
	buf_char(out, '{');
	walk = json_text_walk(text, len);
	for (size_t i = 0; i < head->n_live; i++) {
		const struct catalog_live *live = &head->live[i];

		if (len > 0 && live_find(&walk, text, len, live->number))
			put_live_one(out, live, walk.value, walk.value_len);
		else
			put_live_one(out, live, "", 0);
	}
	buf_char(out, '}');
}

static void put_deleted(struct buf *out, const struct catalog_head *head)
{
	if (head->n_deleted == 0)
		return;
	put_member(out, "deleted");
	for (size_t i = 0; i < head->n_deleted; i++)
		buf_printf(out, "%s%" PRIu32, i ? "," : "[", head->deleted[i]);
	buf_char(out, ']');
}

static void put_version_tags(struct buf *out, const struct version *v)
{
	if (v->n_tags == 0)
		return;
	put_member(out, "tags");
	for (size_t i = 0; i < v->n_tags; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "[", v->tags[i]);
	buf_char(out, ']');
}

static void put_members(struct buf *out, const struct dataset *ds)
{
	put_member(out, "members");
	buf_char(out, '[');
	for (size_t i = 0; i < ds->n_members; i++) {
		buf_str(out, i ? ",{" : "{");
		put_text(out, "id", ds->members[i].dataset_id);
		put_number(out, "version", ds->members[i].version);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static const char *const head_members[] = {
	"format", "id", "name", "type", "origin", "adopted", "renaming",
	"created_by", "created_date", "hash_location", "stored_size", "labels",
	"tags", "versions", "deleted", "tagged", "members", NULL
};

int catalog_write_head(struct buf *out, const struct catalog_head *head,
		       const char *old, size_t old_len, struct err *err)
{
	const struct dataset *ds = &head->ds;
	size_t start = out->len;

	buf_char(out, '{');
	put_number(out, "format", CATALOG_FORMAT);
	put_text(out, "id", ds->id);
	put_text(out, "name", ds->name);
	put_text(out, "type", ds->is_collection ? "collection" : "dataset");
	put_text(out, "origin", head->is_imported ? "osmo" : "native");
	if (head->is_adopted) {
		put_member(out, "adopted");
		buf_str(out, "true");
	}
	put_text(out, "renaming", head->renaming);
	put_text(out, "created_by", ds->created_by);
	put_time(out, "created_date", ds->created_s);
	put_text(out, "hash_location", ds->hash_location);
	if (ds->stored_size > 0)
		put_number(out, "stored_size", ds->stored_size);
	put_object(out, "labels", ds->labels);
	put_tags(out, ds);
	put_live(out, head, old, old_len);
	put_deleted(out, head);
	if (head->tagged > 0)
		put_number(out, "tagged", head->tagged);
	if (ds->is_collection)
		put_members(out, ds);
	put_unknown(out, old, old_len, head_members);
	return record_end(out, start, CATALOG_HEAD_MAX, err);
}

int catalog_write_version(struct buf *out, const char *id,
			  const struct version *v, struct err *err)
{
	static const char *const kinds[] = {
		[VERSION_OSMO] = "osmo",
		[VERSION_EMPTY] = "empty",
		[VERSION_LEGACY] = "legacy",
	};
	size_t start = out->len;

	buf_char(out, '{');
	put_number(out, "format", CATALOG_FORMAT);
	put_text(out, "dataset", id);
	put_number(out, "version", v->number);
	put_text(out, "kind", kinds[v->kind]);
	put_text(out, "manifest", v->manifest_uri);
	if (v->kind == VERSION_LEGACY)
		put_text(out, "location", v->location);
	put_text(out, "hash_location", v->hash_location);
	put_text(out, "checksum", v->checksum);
	put_number(out, "size", v->size);
	put_text(out, "created_by", v->created_by);
	put_time(out, "created_date", v->created_s);
	put_version_tags(out, v);
	put_object(out, "metadata", v->metadata);
	return record_end(out, start, CATALOG_VERSION_MAX, err);
}
