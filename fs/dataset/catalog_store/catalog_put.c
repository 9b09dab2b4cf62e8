/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half of catalog_store.h.  A refused condition, or a time-out, is
 * believed only after the object was read back: it may be our own earlier try
 * that the store has kept.
 */
#include <config.h>

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"

#define ID_BYTES 16
#define BACKOFF_MS 20

#define ROOT_LEN (sizeof(CATALOG_ROOT) - 1)
_Static_assert(ROOT_LEN + CATALOG_KEY_MAX <= BACKEND_KEY_MAX, "room for a key");

static void name_key(char out[BACKEND_KEY_MAX], const char *name)
{
	memcpy(out, CATALOG_ROOT, ROOT_LEN);
	catalog_name_key(out + ROOT_LEN, name);
}

static void head_key(char out[BACKEND_KEY_MAX], const char *id)
{
	memcpy(out, CATALOG_ROOT, ROOT_LEN);
	catalog_head_key(out + ROOT_LEN, id);
}

static void version_key(char out[BACKEND_KEY_MAX], const char *id,
			uint32_t number)
{
	memcpy(out, CATALOG_ROOT, ROOT_LEN);
	catalog_version_key(out + ROOT_LEN, id, number);
}

static int require_conditions(struct catalog_store *store, int64_t deadline_ms,
			      struct err *err)
{
	const struct backend_caps *caps = backend_caps(store->backend);
	int r = catalog_store_conditions(store, false, deadline_ms, err);

	if (r < 0)
		return r;
	if (caps->create_only && caps->if_match)
		return 0;
	return err_set(err, ERR_USAGE, ENOTSUP,
		       "%s does not honour %s: two writers could overwrite "
		       "each other unseen. Keep this bucket's catalog "
		       "elsewhere, for example with --catalog file:///DIR",
		       backend_name(store->backend),
		       caps->create_only ? "If-Match" : "If-None-Match");
}

static bool is_unsure(const struct err *err)
{
	return err->class == ERR_CONFLICT || err->class == ERR_RETRY;
}

/*
 * Under the condition.  1: other content stands there, which is in *found
 * under *info; 0: ours stands there, by whichever try.
 */
static int put_and_see(struct catalog_store *store, const struct backend_put *put,
		       struct buf *found, struct object_info *info,
		       struct err *err)
{
	struct err read_err = ERR_INIT;
	int r, read;

	r = backend_sync_put(store->backend, put, info, err);
	if (r == 0 || !is_unsure(err))
		return r;
	buf_clear(found);
	read = backend_sync_get_all(store->backend, put->key, CATALOG_HEAD_MAX,
				    found, info, put->deadline_ms, &read_err);
	if (read == 0 && found->len == put->len &&
	    memcmp(found->data, put->data, put->len) == 0)
		return 0;
	if (err->class != ERR_CONFLICT || read < 0)
		return r;
	return 1;
}

static int create(struct catalog_store *store, const char *key,
		  const void *bytes, size_t len, struct buf *found,
		  struct object_info *info, int64_t deadline_ms,
		  struct err *err)
{
	const struct backend_put put = {
		.key = key,
		.data = bytes,
		.len = len,
		.content_type = "application/json",
		.create_only = true,
		.deadline_ms = deadline_ms,
	};
	int r = require_conditions(store, deadline_ms, err);

	return r < 0 ? r : put_and_see(store, &put, found, info, err);
}

/* --- format.json ------------------------------------------------------ */

int catalog_new_id(char id[DATASET_ID_MAX], struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	uint8_t bytes[ID_BYTES];
	size_t n = 0;

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_errno(err, errno, "random bytes");
	encode_base64(&text, bytes, sizeof(bytes));
	if (buf_failed(&text))
		return err_nomem(err);
	for (const char *p = text.data; *p && *p != '='; p++)
		id[n++] = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	id[n] = '\0';
	return 0;
}

int catalog_store_init(struct catalog_store *store, int64_t deadline_ms,
		       struct err *err)
{
	cleanup_buf struct buf found = BUF_INIT, bytes = BUF_INIT;
	struct object_info info;
	char id[DATASET_ID_MAX];
	int r;

	r = require_conditions(store, deadline_ms, err);
	if (r < 0)
		return r;
	r = backend_sync_get_all(store->backend, CATALOG_FORMAT_KEY,
				 CATALOG_SMALL_MAX, &found, &info, deadline_ms,
				 err);
	if (r < 0 && err->class != ERR_MISSING)
		return err_wrap(err, CATALOG_FORMAT_KEY);
	if (r < 0) {
		err_clear(err);
		r = catalog_new_id(id, err);
		if (r == 0)
			r = catalog_write_format(&bytes, id, err);
		if (r == 0)
			r = create(store, CATALOG_FORMAT_KEY, bytes.data,
				   bytes.len, &found, &info, deadline_ms, err);
		if (r <= 0)
			return r < 0 ? err_wrap(err, CATALOG_FORMAT_KEY) : 0;
	}
	r = catalog_parse_format(id, found.data, found.len, err);
	return r < 0 ? err_wrap(err, CATALOG_FORMAT_KEY) : 0;
}

/* --- versions --------------------------------------------------------- */

int catalog_store_create_version(struct catalog_store *store,
				 const char *dataset_id, uint32_t number,
				 const void *bytes, size_t len,
				 int64_t deadline_ms, struct err *err)
{
	cleanup_buf struct buf found = BUF_INIT;
	struct object_info info;
	char key[BACKEND_KEY_MAX];
	int r;

	version_key(key, dataset_id, number);
	r = create(store, key, bytes, len, &found, &info, deadline_ms, err);
	if (r == 1)
		return err_set(err, ERR_CONFLICT, EEXIST,
			       "version %u of dataset %s exists with other "
			       "content", number, dataset_id);
	return r;
}

/* --- names ------------------------------------------------------------ */

/* 1: the dataset's head says that it has this name, or is about to. */
static int name_is_held(struct catalog_store *store, const char *name,
			const char *id, int64_t deadline_ms, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	cleanup_buf struct buf bytes = BUF_INIT;
	struct object_info info;
	char key[BACKEND_KEY_MAX];
	int r;

	head_key(key, id);
	r = backend_sync_get_all(store->backend, key, CATALOG_HEAD_MAX, &bytes,
				 &info, deadline_ms, err);
	if (r < 0 && err->class == ERR_MISSING) {
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = catalog_parse_head(&head, id, bytes.data, bytes.len, err);
	if (r < 0)
		return err_wrap(err, "%s", key);
	return strcmp(head.ds.name, name) == 0 ||
	       (head.renaming && strcmp(head.renaming, name) == 0);
}

static int name_replace(struct catalog_store *store, const char *name,
			const struct buf *bytes, struct buf *found,
			struct object_info *info, int64_t deadline_ms,
			struct err *err)
{
	struct backend_put put = {
		.data = bytes->data,
		.len = bytes->len,
		.content_type = "application/json",
		.deadline_ms = deadline_ms,
	};
	char key[BACKEND_KEY_MAX], other[DATASET_ID_MAX];
	char validator[BACKEND_ETAG_MAX];
	int r;

	name_key(key, name);
	r = catalog_parse_name(other, found->data, found->len, err);
	if (r == 0)
		r = name_is_held(store, name, other, deadline_ms, err);
	if (r < 0)
		return r;
	if (r == 0) {
		/* put_and_see() fills info anew. */
		(void)snprintf(validator, sizeof(validator), "%s",
			       object_validator(info));
		put.key = key;
		put.if_match = validator;
		r = put_and_see(store, &put, found, info, err);
		if (r <= 0)
			return r;
	}
	return err_set(err, ERR_CONFLICT, EEXIST,
		       "the name %s belongs to another dataset, %s", name,
		       other);
}

int catalog_store_create_name(struct catalog_store *store, const char *name,
			      const char *dataset_id, int64_t deadline_ms,
			      struct err *err)
{
	cleanup_buf struct buf bytes = BUF_INIT, found = BUF_INIT;
	struct object_info info;
	char key[BACKEND_KEY_MAX];
	int r;

	name_key(key, name);
	r = catalog_write_name(&bytes, dataset_id, err);
	if (r == 0)
		r = create(store, key, bytes.data, bytes.len, &found, &info,
			   deadline_ms, err);
	if (r == 1)
		r = name_replace(store, name, &bytes, &found, &info,
				 deadline_ms, err);
	return r;
}

int catalog_store_delete_name(struct catalog_store *store, const char *name,
			      const char *dataset_id, int64_t deadline_ms,
			      struct err *err)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	struct object_info info;
	char key[BACKEND_KEY_MAX], id[DATASET_ID_MAX];
	int r;

	/* Without the condition it is left: nobody takes it for valid. */
	if (!backend_caps(store->backend)->delete_if_match)
		return 0;
	name_key(key, name);
	r = backend_sync_get_all(store->backend, key, CATALOG_SMALL_MAX, &bytes,
				 &info, deadline_ms, err);
	if (r == 0)
		r = catalog_parse_name(id, bytes.data, bytes.len, err);
	if (r == 0 && strcmp(id, dataset_id) == 0)
		r = backend_sync_delete(store->backend, key,
					object_validator(&info), deadline_ms,
					err);
	if (r < 0 && (err->class == ERR_MISSING || err->class == ERR_CONFLICT)) {
		err_clear(err);
		return 0;
	}
	return r;
}

/* --- heads ------------------------------------------------------------ */

static void back_off(unsigned tries)
{
	uint32_t random = 0;
	struct timespec ts = { 0 };

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	ts.tv_nsec = (long)(random % (BACKOFF_MS * (tries + 1)) + 1) * 1000000;
	(void)nanosleep(&ts, NULL);
}

static int read_head(struct catalog_store *store, const char *key,
		     struct buf *now, struct object_info *info,
		     int64_t deadline_ms, struct err *err)
{
	int r;

	buf_clear(now);
	r = backend_sync_get_all(store->backend, key, CATALOG_HEAD_MAX, now,
				 info, deadline_ms, err);
	if (r < 0 && err->class == ERR_MISSING) {
		err_clear(err);
		buf_clear(now);
		return 0;
	}
	if (r == 0 && !*object_validator(info))
		return err_set(err, ERR_USAGE, ENOTSUP,
			       "the store gives no ETag, so a change could "
			       "overwrite another one");
	return r;
}

/* 1: a race was lost. */
static int head_try(struct catalog_store *store, const char *key,
		    catalog_head_change_fn change, void *arg,
		    int64_t deadline_ms, struct err *err)
{
	cleanup_buf struct buf now = BUF_INIT, next = BUF_INIT, found = BUF_INIT;
	struct backend_put put = {
		.key = key,
		.content_type = "application/json",
		.deadline_ms = deadline_ms,
	};
	struct object_info info, after;
	int r;

	r = read_head(store, key, &now, &info, deadline_ms, err);
	if (r < 0)
		return r;
	r = change(arg, now.data ? now.data : "", now.len, &next, err);
	if (r != 0)
		return r < 0 ? r : 0;
	if (now.len == next.len && memcmp(now.data, next.data, now.len) == 0)
		return 0;
	put.data = next.data;
	put.len = next.len;
	put.create_only = now.len == 0;
	put.if_match = now.len > 0 ? object_validator(&info) : NULL;
	r = put_and_see(store, &put, &found, &after, err);
	return r < 0 && err->class == ERR_CONFLICT ? 1 : r;
}

int catalog_store_update_head(struct catalog_store *store,
			      const char *dataset_id,
			      catalog_head_change_fn change, void *arg,
			      int64_t deadline_ms, struct err *err)
{
	char key[BACKEND_KEY_MAX];
	int r;

	head_key(key, dataset_id);
	r = require_conditions(store, deadline_ms, err);
	for (unsigned tries = 0; r == 0 && tries < CATALOG_CAS_TRIES; tries++) {
		r = head_try(store, key, change, arg, deadline_ms, err);
		if (r <= 0)
			return r < 0 ? err_wrap(err, "%s", key) : 0;
		if (clock_ms() > deadline_ms)
			return err_set(err, ERR_RETRY, ETIMEDOUT,
				       "%s: others were writing until the "
				       "deadline", key);
		err_clear(err);
		back_off(tries);
		r = 0;
	}
	if (r < 0)
		return r;
	return err_set(err, ERR_RETRY, EBUSY,
		       "%s: others were faster %d times", key,
		       CATALOG_CAS_TRIES);
}
