/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store honours, probed once and kept in stores/ below the cache
 * directory, one file a place and web address: datasetfs-format(5), "The local
 * copy".  Best effort: a file that is old, odd or not there is a probe more.
 */
#include <config.h>

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "backends/backend_look.h"
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/json.h"
#include "backends/base/log.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"

#define LOG "catalog"
#define CAPS_FORMAT 1
#define CAPS_BYTES_MAX 4096
#define CAPS_DEPTH 2
#define CAPS_KEPT_S (30 * 86400)	/* stores learn new conditions */

struct caps_member {
	const char *name;
	size_t offset;
};
#define MEMBER(name) { #name, offsetof(struct backend_caps, name) }

static const struct caps_member members[] = {
	MEMBER(create_only), MEMBER(complete_create_only), MEMBER(if_match),
	MEMBER(if_match_unquoted), MEMBER(delete_if_match), MEMBER(checks_md5),
};

static bool *member_of(struct backend_caps *caps, const struct caps_member *m)
{
	return (bool *)((char *)caps + m->offset);
}

/* The place and the web address that its objects have: "PLACE ORIGIN". */
static int place_of(const struct catalog_store *store, struct buf *out,
		    struct err *err)
{
	buf_printf(out, "%s ", backend_name(store->backend));
	backend_origin(store->backend, out);
	return buf_failed(out) ? err_nomem(err) : 0;
}

/* Each member is there, with its type, and the file is of that place. */
static bool read_doc(const json_t *doc, const char *place,
		     struct backend_caps *caps)
{
	const char *said = json_string_value(json_object_get(doc, "place"));
	json_int_t seen_s = json_integer_value(json_object_get(doc, "seen"));
	int64_t age_s = clock_wall_s() - (int64_t)seen_s;

	if (json_integer_value(json_object_get(doc, "format")) != CAPS_FORMAT ||
	    !said || strcmp(said, place) || age_s < 0 || age_s > CAPS_KEPT_S)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const json_t *v = json_object_get(doc, members[i].name);

		if (!json_is_boolean(v))
			return false;
		*member_of(caps, &members[i]) = json_is_true(v);
	}
	caps->probed = true;
	return true;
}

static bool load(const struct catalog_store *store, struct backend_caps *caps)
{
	cleanup_buf struct buf place = BUF_INIT, path = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	json_t *doc = NULL;
	bool is_good;

	if (!store->cache_dir || place_of(store, &place, &ignored) < 0 ||
	    catalog_local_path(&path, store, "stores", place.data,
			       &ignored) < 0 ||
	    io_read_file(path.data, CAPS_BYTES_MAX, &text, &ignored) < 0 ||
	    !text.len ||
	    json_parse(&doc, text.data, text.len, CAPS_DEPTH, &ignored) < 0)
		return false;
	is_good = read_doc(doc, place.data, caps);
	json_decref(doc);
	return is_good;
}

static int save(const struct catalog_store *store,
		const struct backend_caps *caps, struct err *err)
{
	cleanup_buf struct buf place = BUF_INIT, path = BUF_INIT;
	struct backend_caps copy = *caps;
	cleanup_free char *text = NULL;
	json_t *doc;
	int r;

	r = place_of(store, &place, err);
	if (r == 0)
		r = catalog_local_path(&path, store, "stores", place.data, err);
	if (r < 0)
		return r;
	doc = json_object();
	json_object_set_new(doc, "format", json_integer(CAPS_FORMAT));
	json_object_set_new(doc, "place", json_string(place.data));
	json_object_set_new(doc, "seen", json_integer(clock_wall_s()));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_object_set_new(doc, members[i].name,
				    json_boolean(*member_of(&copy,
							    &members[i])));
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	if (!text)
		return err_nomem(err);
	return io_replace_file(path.data, text, strlen(text), 0600, false, err);
}

int catalog_store_conditions(struct catalog_store *store, bool anew,
			     int64_t deadline_ms, struct err *err)
{
	struct backend *b = store->backend;
	struct backend_caps kept = { .probed = false };
	struct err why = ERR_INIT;
	int r;

	if (anew)
		backend_caps_forget(b);
	if (backend_caps(b)->probed)
		return 0;
	if (!anew && load(store, &kept)) {
		backend_caps_set(b, &kept);
		return 0;
	}
	r = backend_probe(b, deadline_ms, err);
	if (r == 0 && store->cache_dir &&
	    save(store, backend_caps(b), &why) < 0)
		log_warn(LOG, "what the store honours is not kept: place=%s error=\"%s\"",
			 backend_name(b), why.text);
	return r;
}
