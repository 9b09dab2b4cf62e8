/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"

#define LOG "catalog"
#define RECORD_GROWTH ((size_t)4 << 10)

int catalog_store_new(struct catalog_store **out, struct backend *b,
		      const char *cache_dir, struct err *err)
{
	struct catalog_store *store = calloc(1, sizeof(*store));

	if (!store)
		return err_nomem(err);
	if (cache_dir) {
		store->cache_dir = strdup(cache_dir);
		if (!store->cache_dir) {
			free(store);
			return err_nomem(err);
		}
	}
	store->backend = backend_get_ref(b);
	*out = store;
	return 0;
}

void catalog_store_free(struct catalog_store *store)
{
	if (!store)
		return;
	records_release(&store->records);
	if (store->snapshot)
		catalog_put(store->snapshot);
	backend_put_ref(store->backend);
	free(store->cache_dir);
	free(store);
}

/* --- one look --------------------------------------------------------- */

struct look {
	struct catalog_store *store;
	struct records listed;
	bool is_changed;
	/* what must be fetched: indices into listed */
	size_t *due;
	char **keys;
	size_t *limits;
	size_t n_due;
	size_t n_bytes;		/* of all content */
	int r;			/* the first failure that ends the look */
	struct err err;
};

static void look_release(struct look *look)
{
	for (size_t i = 0; look->keys && i < look->n_due; i++)
		free(look->keys[i]);
	free(look->keys);
	free(look->due);
	free(look->limits);
	records_release(&look->listed);
}

static int look_each(void *arg, const struct list_entry *entry,
		     struct err *err)
{
	struct look *look = arg;
	const size_t root = sizeof(CATALOG_ROOT) - 1;
	struct record *record;
	const char *key;

	if (entry->is_prefix || strncmp(entry->key, CATALOG_ROOT, root) != 0)
		return 0;
	key = entry->key + root;
	if (record_key_parse(key).kind == RECORD_OTHER)
		return 0;
	if (look->listed.n == CATALOG_RECORDS_MAX)
		return err_set(err, ERR_CORRUPT, EFBIG,
			       "more than %d records in a catalog",
			       CATALOG_RECORDS_MAX);
	record = records_append(&look->listed, key, strlen(key), err);
	if (!record)
		return -ENOMEM;
	record->listed_size = entry->info.size;
	record->etag = strdup(object_validator(&entry->info));
	return record->etag ? 0 : err_nomem(err);
}

/* Moves what was known under the same key; true: it must be read. */
static bool record_take(struct record *now, struct record *before)
{
	bool is_same = *now->etag && before->etag && !before->is_gone &&
		       strcmp(now->etag, before->etag) == 0;

	now->bytes = steal_pointer(&before->bytes);
	now->len = before->len;
	now->is_pinned = before->is_pinned;
	memcpy(now->digest, before->digest, sizeof(now->digest));
	now->is_refused = is_same && before->is_refused;
	return !is_same || (!now->bytes && !now->is_refused);
}

/* A version that is not listed any more leaves its digest behind. */
static int look_keep_pin(struct look *look, struct record *before,
			 struct err *err)
{
	struct record *pin;

	if (!before->is_gone)
		look->is_changed = true;
	if (!before->is_pinned)
		return 0;
	pin = records_append(&look->listed, before->key, strlen(before->key),
			     err);
	if (!pin)
		return -ENOMEM;
	pin->etag = strdup("");
	pin->is_gone = true;
	pin->is_pinned = true;
	memcpy(pin->digest, before->digest, sizeof(pin->digest));
	return pin->etag ? 0 : err_nomem(err);
}

/*
 * The kind's limit, or less where the listing promised less, so that many can
 * be under way at once; it may have grown a little since.
 */
static size_t record_get_limit(const struct record *record)
{
	size_t limit = record_limit(record_key_parse(record->key).kind);

	if (record->listed_size < limit - RECORD_GROWTH)
		return (size_t)record->listed_size + RECORD_GROWTH;
	return limit;
}

static int look_add_due(struct look *look, size_t i, struct err *err)
{
	cleanup_buf struct buf key = BUF_INIT;
	const struct record *record = &look->listed.at[i];

	buf_printf(&key, "%s%s", CATALOG_ROOT, record->key);
	if (buf_failed(&key))
		return err_nomem(err);
	look->due[look->n_due] = i;
	look->limits[look->n_due] = record_get_limit(record);
	look->keys[look->n_due++] = buf_steal(&key);
	look->is_changed = true;
	return 0;
}

/*
 * Merges the listing, which is sorted, with what is known.  From here on the
 * store's own table is empty until look_run() gives it the new one, whatever
 * happens.
 */
static int look_merge(struct look *look, struct err *err)
{
	struct records before = look->store->records;
	size_t n_listed, b = 0;
	int r = 0;

	memset(&look->store->records, 0, sizeof(before));
	n_listed = look->listed.n;
	look->due = calloc(n_listed + 1, sizeof(*look->due));
	look->keys = calloc(n_listed + 1, sizeof(*look->keys));
	look->limits = calloc(n_listed + 1, sizeof(*look->limits));
	if (!look->due || !look->keys || !look->limits)
		r = err_nomem(err);
	for (size_t i = 0; i < n_listed && r == 0; i++) {
		bool is_due = true;
		int order = 1;

		while (b < before.n && r == 0 &&
		       (order = strcmp(before.at[b].key,
				       look->listed.at[i].key)) < 0)
			r = look_keep_pin(look, &before.at[b++], err);
		if (b < before.n && order == 0)
			is_due = record_take(&look->listed.at[i],
					     &before.at[b++]);
		if (is_due && r == 0)
			r = look_add_due(look, i, err);
	}
	while (b < before.n && r == 0)
		r = look_keep_pin(look, &before.at[b++], err);
	records_release(&before);
	return r;
}

static int record_check(const struct record *record, const struct buf *bytes,
			struct err *err)
{
	struct record_key key = record_key_parse(record->key);
	struct catalog_head head;
	struct version v;
	char id[DATASET_ID_MAX];
	int r;

	switch (key.kind) {
	case RECORD_NAME:
		return catalog_parse_name(id, bytes->data, bytes->len, err);
	case RECORD_HEAD:
		r = catalog_parse_head(&head, key.id, bytes->data, bytes->len,
				       err);
		if (r == 0)
			catalog_head_release(&head);
		return r;
	case RECORD_VERSION:
		r = catalog_parse_version(&v, key.id, key.number, bytes->data,
					  bytes->len, err);
		if (r < 0)
			return r;
		if (record->is_pinned &&
		    memcmp(record->digest, v.digest, sizeof(v.digest)) != 0)
			r = err_set(err, ERR_CORRUPT, EBADMSG,
				    "an immutable version record was changed");
		version_release(&v);
		return r;
	case RECORD_OTHER:
		break;
	}
	return err_set(err, ERR_CORRUPT, EBADMSG, "not a record");
}

static int record_accept(struct look *look, struct record *record,
			 const struct buf *bytes, const char *etag,
			 struct err *err)
{
	struct buf copy = BUF_INIT;
	char *new_etag;
	int r;

	new_etag = strdup(etag);
	if (!new_etag)
		return err_nomem(err);
	free(record->etag);
	record->etag = new_etag;
	r = record_check(record, bytes, err);
	record->is_refused = r < 0;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = buf_add(&copy, bytes->data ? bytes->data : "", bytes->len, err);
	if (r < 0)
		return r;
	free(record->bytes);
	record->len = copy.len;
	record->bytes = buf_steal(&copy);
	if (record_key_parse(record->key).kind == RECORD_VERSION) {
		digest_sha256(record->digest, record->bytes, record->len);
		record->is_pinned = true;
	}
	look->n_bytes += record->len;
	return 0;
}

static void look_fetched(void *arg, size_t i, int r, const struct buf *bytes,
			 const char *etag, const struct err *err)
{
	struct look *look = arg;
	struct record *record = &look->listed.at[look->due[i]];
	struct err bad = ERR_INIT;

	if (r < 0) {
		/* It is read again at the next look, as its etag is unknown. */
		*record->etag = '\0';
		err_copy(&bad, err);
		if (bad.class == ERR_MISSING) {
			free(record->bytes);
			record->bytes = NULL;
			record->len = 0;
			return;
		}
		if (bad.class == ERR_CORRUPT || bad.class == ERR_AUTH ||
		    bad.class == ERR_USAGE)
			record->is_refused = true;
		else if (look->r == 0)
			look->r = r, look->err = bad;
		if (record->is_refused)
			log_error(LOG, "record cannot be read: place=%s "
				  "record=%s error=\"%s\"",
				  backend_name(look->store->backend),
				  record->key, bad.text);
		return;
	}
	r = record_accept(look, record, bytes, etag, &bad);
	if (r == 0 && look->n_bytes > CATALOG_BYTES_MAX)
		r = err_set(&bad, ERR_CORRUPT, EFBIG,
			    "more than %zu bytes of records",
			    CATALOG_BYTES_MAX);
	if (r < 0 && look->r == 0)
		look->r = r, look->err = bad;
	else if (record->is_refused)
		log_error(LOG, "record refused: place=%s record=%s kept=%s "
			  "error=\"%s\"", backend_name(look->store->backend),
			  record->key, record->bytes ? "yes" : "no", bad.text);
}

/*
 * The catalog's identity, whenever anything else changed.  Another id at the
 * same place is another catalog: nothing of the old one holds.
 */
static int look_format(struct look *look, int64_t deadline_ms, struct err *err)
{
	struct catalog_store *store = look->store;
	cleanup_buf struct buf bytes = BUF_INIT;
	struct object_info info;
	char id[DATASET_ID_MAX];
	int r;

	r = backend_sync_get_all(store->backend, CATALOG_FORMAT_KEY,
				 CATALOG_SMALL_MAX, &bytes, &info, deadline_ms,
				 err);
	if (r < 0 && err->class == ERR_MISSING)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "there are catalog records but no "
			       CATALOG_FORMAT_KEY);
	if (r == 0)
		r = catalog_parse_format(id, bytes.data, bytes.len, err);
	if (r < 0)
		return err_wrap(err, CATALOG_FORMAT_KEY);
	if (*store->id && strcmp(store->id, id) != 0) {
		log_warn(LOG, "another catalog stands here now: place=%s "
			 "before=%s now=%s", backend_name(store->backend),
			 store->id, id);
		records_release(&store->records);
	}
	memcpy(store->id, id, sizeof(id));
	return 0;
}

static bool look_is_same(const struct look *look)
{
	const struct records *now = &look->listed;
	const struct records *before = &look->store->records;
	size_t i = 0;

	for (size_t b = 0; b < before->n; b++) {
		if (before->at[b].is_gone)
			continue;
		if (i == now->n || !*now->at[i].etag ||
		    strcmp(now->at[i].key, before->at[b].key) != 0 ||
		    strcmp(now->at[i].etag, before->at[b].etag) != 0)
			return false;
		i++;
	}
	return i == now->n;
}

static void log_refused(const struct catalog_store *store)
{
	for (size_t i = 0; i < store->records.n; i++)
		if (store->records.at[i].is_refused)
			log_error(LOG, "record still refused: place=%s "
				  "record=%s", backend_name(store->backend),
				  store->records.at[i].key);
}

static int look_run(struct look *look, int64_t deadline_ms, struct err *err)
{
	struct catalog_store *store = look->store;
	int r;

	if (look->listed.n > 0) {
		r = look_format(look, deadline_ms, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < store->records.n; i++)
		look->n_bytes += store->records.at[i].len;
	r = look_merge(look, err);
	if (r == 0)
		r = catalog_fetch(store->backend, look->keys, look->limits,
				  look->n_due, deadline_ms, look_fetched, look,
				  err);
	records_sort(&look->listed);
	/* Even of a look that failed, what was read need not be read again. */
	store->records = look->listed;
	memset(&look->listed, 0, sizeof(look->listed));
	if (r == 0 && look->r < 0) {
		err_copy(err, &look->err);
		r = look->r;
	}
	return r;
}

static void local_once(struct catalog_store *store)
{
	struct err err = ERR_INIT;

	if (store->local_tried || !store->cache_dir)
		return;
	store->local_tried = true;
	if (catalog_local_read(store, &err) < 0 && err.class != ERR_MISSING)
		log_warn(LOG, "local copy discarded: place=%s error=\"%s\"",
			 backend_name(store->backend), err.text);
}

static int store_snapshot(struct catalog_store *store, struct catalog **out,
			  struct err *err)
{
	struct catalog *c;
	int r = catalog_snapshot(&c, store, err);

	if (r < 0)
		return r;
	if (store->snapshot)
		catalog_put(store->snapshot);
	store->snapshot = c;
	*out = catalog_get(c);
	return 0;
}

static int load(struct catalog_store *store, struct look *look,
		struct catalog **out, int64_t deadline_ms, struct err *err)
{
	int64_t left_ms = deadline_ms - clock_ms();
	int r;

	r = backend_sync_list(store->backend, CATALOG_ROOT, NULL,
			      left_ms > 1 ? left_ms : 1, look_each, look, err);
	if (r < 0)
		return r;
	records_sort(&look->listed);
	if (store->snapshot && look_is_same(look)) {
		log_refused(store);
		*out = catalog_get(store->snapshot);
	} else {
		r = look_run(look, deadline_ms, err);
		if (r < 0)
			return r;
		r = store_snapshot(store, out, err);
		if (r < 0)
			return r;
		if (look->is_changed)
			catalog_local_save(store);
	}
	return 0;
}

int catalog_store_load(struct catalog_store *store, struct catalog **out,
		       int64_t deadline_ms, struct err *err)
{
	struct look look = { .store = store };
	int r;

	local_once(store);
	r = load(store, &look, out, deadline_ms, err);
	look_release(&look);
	return r < 0 ? err_wrap(err, "catalog of %s",
				backend_name(store->backend)) : 0;
}

int catalog_store_load_local(struct catalog_store *store, struct catalog **out,
			     struct err *err)
{
	local_once(store);
	if (store->records.n == 0)
		return err_set(err, ERR_MISSING, ENOENT,
			       "no local copy of the catalog of %s",
			       backend_name(store->backend));
	return store_snapshot(store, out, err);
}

const char *catalog_store_record(const struct catalog_store *store,
				 const char *key, size_t *len)
{
	const struct record *record = records_find(&store->records, key);

	if (!record || !record->bytes || record->is_gone)
		return NULL;
	*len = record->len;
	return record->bytes;
}
