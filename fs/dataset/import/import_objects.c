/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_objects.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "fs/dataset/catalog_store/json_text.h"
#include "fs/dataset/osmo/osmo_etag.h"
#include "fs/dataset/tree/tree_path.h"

#define PAGE_TIMEOUT_MS 60000
#define PUT_TIMEOUT_MS 600000	/* up to IMPORT_OBJECTS_BYTES_MAX */

/*
 * Keys come in the order of their bytes, so what begins with a key follows it
 * closely: the keys that the latest one begins with, by their lengths.
 */
struct ancestors {
	struct buf last;
	size_t lens[BACKEND_KEY_MAX + 1];
	size_t n;
};

struct walk {
	const struct import_objects_options *opt;
	struct import_objects *out;
	struct osmo_checksum *sum;
	const char *location;	/* URI of the backend, without slash */
	const char *own[2];	/* ".datasetfs/" of the catalog and of the
				   dataset_path: not content */
	size_t skip;		/* bytes of a key before the relative path */
	struct ancestors ancestors;
};

void import_objects_release(struct import_objects *objects)
{
	buf_release(&objects->manifest);
	memset(objects, 0, sizeof(*objects));
}

static void put_entry(struct buf *out, const struct osmo_entry *e)
{
	buf_str(out, out->len ? ",\n{\"relative_path\":" :
				"[{\"relative_path\":");
	json_text_bytes(out, e->relative_path, e->relative_path_len);
	buf_str(out, ",\"storage_path\":");
	json_text_bytes(out, e->storage_path, e->storage_path_len);
	buf_printf(out, ",\"url\":\"\",\"size\":%" PRIu64 ",\"etag\":", e->size);
	json_text_bytes(out, e->etag, e->etag_len);
	buf_char(out, '}');
}

static int take(struct walk *w, const char *path, const char *uri,
		const struct object_info *info, struct err *err)
{
	struct import_objects *out = w->out;
	const char *etag = osmo_etag_of(info);
	const struct osmo_entry e = {
		.relative_path = path,
		.relative_path_len = strlen(path),
		.storage_path = uri,
		.storage_path_len = strlen(uri),
		.etag = etag,
		.etag_len = strlen(etag),
		.size = info->size,
	};

	put_entry(&out->manifest, &e);
	osmo_checksum_add(w->sum, &e);
	out->n_files++;
	out->bytes += e.size;
	out->n_unpinned += e.etag_len == 0;
	if (w->opt->tell)
		w->opt->tell(w->opt->arg, out->n_files, out->bytes);
	if (out->manifest.len > IMPORT_OBJECTS_BYTES_MAX)
		return err_set(err, ERR_USAGE, EFBIG,
			       "more objects than one manifest of %zu MiB "
			       "holds: import them in parts, by --regex or "
			       "a longer prefix",
			       IMPORT_OBJECTS_BYTES_MAX >> 20);
	return buf_failed(&out->manifest) ? err_nomem(err) : 0;
}

static void show(char out[256], const char *path, size_t len)
{
	cleanup_buf struct buf shown = BUF_INIT;

	encode_printable(&shown, path, len, 252);
	snprintf(out, 256, "%s", shown.data ? shown.data : "");
}

/*
 * The length of the key that path, being below it, hides: each is told once;
 * 0: none.
 */
static size_t newly_hidden(struct ancestors *a, const char *path)
{
	size_t len = strlen(path), hidden = 0;

	while (a->n && (a->lens[a->n - 1] >= len ||
			memcmp(a->last.data, path, a->lens[a->n - 1]) != 0))
		a->n--;
	if (a->n && path[a->lens[a->n - 1]] == '/')
		hidden = a->lens[--a->n];
	buf_clear(&a->last);
	buf_str(&a->last, path);
	if (!buf_failed(&a->last) && a->n < ARRAY_SIZE(a->lens))
		a->lens[a->n++] = len;
	return hidden;
}

static void note_shadowed(struct walk *w, const char *path)
{
	size_t hidden = newly_hidden(&w->ancestors, path);

	if (hidden && w->out->n_shadowed++ == 0)
		show(w->out->shadowed, path, hidden);
}

static bool can_be_path(struct import_objects *out, const char *path)
{
	uint8_t key[TREE_KEY_MAX];
	size_t key_len, name_at;

	if (!tree_path_key(key, &key_len, &name_at, path, strlen(path)))
		return true;
	if (out->n_unnamed++ == 0)
		show(out->unnamed, path, strlen(path));
	return false;
}

static bool is_own(const struct walk *w, const char *uri)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->own); i++)
		if (strncmp(uri, w->own[i], strlen(w->own[i])) == 0)
			return true;
	return false;
}

static int add_object(void *arg, const struct list_entry *e, struct err *err)
{
	struct walk *w = arg;
	cleanup_buf struct buf uri = BUF_INIT;
	const char *path = e->key + w->skip;
	size_t len = strlen(e->key);

	/* Directory markers are no files. */
	if (e->is_prefix || len <= w->skip || e->key[len - 1] == '/')
		return 0;
	buf_printf(&uri, "%s/%s", w->location, e->key);
	if (buf_failed(&uri))
		return err_nomem(err);
	if (is_own(w, uri.data) ||
	    (w->opt->is_wanted && !w->opt->is_wanted(w->opt->arg, path)) ||
	    !can_be_path(w->out, path))
		return 0;
	if (e->info.size == BACKEND_SIZE_UNKNOWN)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the store lists %s without a size", uri.data);
	note_shadowed(w, path);
	return take(w, path, uri.data, &e->info, err);
}

/* The URI names one object: its file has the last part of the name. */
static int add_single(struct walk *w, struct backend *backend, const char *key,
		      struct err *err)
{
	const char *slash = strrchr(key, '/');
	struct list_entry e = { .key = key };
	int r;

	r = backend_sync_head(backend, key, &e.info,
			      clock_ms() + PAGE_TIMEOUT_MS, err);
	if (r < 0)
		return r;
	w->skip = slash ? (size_t)(slash - key) + 1 : 0;
	return add_object(w, &e, err);
}

static int list_all(struct walk *w, struct backend *backend, const char *key,
		    struct err *err)
{
	cleanup_buf struct buf prefix = BUF_INIT;
	int r;

	if (*key)
		buf_printf(&prefix, "%s/", key);
	if (buf_failed(&prefix))
		return err_nomem(err);
	w->skip = prefix.len;
	r = backend_sync_list(backend, prefix.data ? prefix.data : "", NULL,
			      PAGE_TIMEOUT_MS, add_object, w, err);
	if (r < 0)
		return r;
	if (w->out->n_files == 0 && *key) {
		r = add_single(w, backend, key, err);
		if (r < 0 && err->class != ERR_MISSING)
			return r;
		err_clear(err);
	}
	if (w->out->n_files > 0)
		return 0;
	return err_set(err, ERR_MISSING, ENOENT,
		       "no object below %s%s", w->opt->uri,
		       w->opt->is_wanted ? " is wanted by the regex" : "");
}

int import_objects_list(struct bucket *b,
			const struct import_objects_options *opt,
			struct import_objects *out, struct err *err)
{
	cleanup_buf struct buf catalog = BUF_INIT, content = BUF_INIT;
	struct walk w = { .opt = opt, .out = out };
	struct backend *backend;
	const char *key;
	int r;

	r = bucket_locate_prefix(b, opt->uri, &backend, &key, err);
	if (r < 0)
		return r;
	buf_printf(&catalog, "%s/.datasetfs/", bucket_catalog_uri(b));
	buf_printf(&content, "%s/.datasetfs/", backend_name(bucket_backend(b)));
	w.sum = osmo_checksum_new();
	if (buf_failed(&catalog) || buf_failed(&content) || !w.sum) {
		osmo_checksum_free(w.sum);
		return err_nomem(err);
	}
	w.own[0] = catalog.data;
	w.own[1] = content.data;
	w.location = backend_name(backend);
	r = list_all(&w, backend, key, err);
	buf_str(&out->manifest, "]\n");
	osmo_checksum_finish(w.sum, out->checksum);
	osmo_checksum_free(w.sum);
	buf_release(&w.ancestors.last);
	if (r == 0 && buf_failed(&out->manifest))
		r = err_nomem(err);
	return r;
}

int import_objects_store(struct bucket *b, const struct import_objects *objects,
			 bool dry_run, struct buf *uri, struct err *err)
{
	struct backend *backend = bucket_catalog_backend(b);
	uint8_t sha256[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1], key[128];
	struct object_info info;
	struct backend_put put = {
		.key = key,
		.data = objects->manifest.data,
		.len = objects->manifest.len,
		.content_type = "application/json",
		.deadline_ms = clock_ms() + PUT_TIMEOUT_MS,
	};
	int r;

	digest_sha256(sha256, put.data, put.len);
	encode_hex(hex, sha256, sizeof(sha256));
	snprintf(key, sizeof(key), ".datasetfs/manifests/%.2s/%s", hex, hex);
	buf_printf(uri, "%s/%s", bucket_catalog_uri(b), key);
	if (buf_failed(uri))
		return err_nomem(err);
	if (dry_run)
		return 0;
	r = backend_sync_head(backend, key, &info, put.deadline_ms, err);
	if (r == 0 && info.size == put.len)
		return 0;
	err_clear(err);
	return backend_sync_put(backend, &put, &info, err);
}
