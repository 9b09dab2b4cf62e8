/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/buckets.h"

#include <errno.h>
#include <string.h>

#include "backends/http/http.h"
#include "fs/dataset/registry/buckets_impl.h"
#include "fs/dataset/reference.h"

static void bucket_release(struct bucket *b)
{
	if (b->store)
		catalog_store_free(b->store);
	if (b->catalog)
		catalog_put(b->catalog);
	if (b->catalog_backend)
		backend_put_ref(b->catalog_backend);
	if (b->backend)
		backend_put_ref(b->backend);
	free(b->problem);
	lock_release(&b->lock);
}

/* A bucket that cannot be used keeps its place and says why. */
static int bucket_close(struct bucket *b, struct err *err)
{
	if (!b->problem)
		b->problem = strdup(err->text);
	if (!b->problem)
		return err_nomem(err);
	err_clear(err);
	return 0;
}

static int bucket_open_catalog(struct buckets *bs, struct bucket *b,
			       struct err *err)
{
	const struct settings_bucket *sb = b->settings;
	int r;

	if (sb->has_catalog) {
		struct backend_spec spec = { .location = &sb->catalog_location };

		r = buckets_location_spec(bs, b, &sb->catalog_location, &spec,
					  err);
		if (r == 0)
			r = backend_open(&b->catalog_backend, &spec,
					 bs->engine, err);
		if (spec.creds)
			cred_source_put_ref(spec.creds);
		if (r < 0)
			return err_wrap(err, "catalog %s", sb->catalog);
	} else {
		b->catalog_backend = backend_get_ref(b->backend);
	}
	return catalog_store_new(&b->store, b->catalog_backend,
				 bs->settings->cache_dir, err);
}

static int bucket_open(struct buckets *bs, struct bucket *b, struct err *err)
{
	const struct settings_bucket *sb = b->settings;
	struct backend_spec spec = { .location = &sb->location };
	int r;

	if (sb->problem) {
		b->problem = strdup(sb->problem);
		return b->problem ? 0 : err_nomem(err);
	}

	r = buckets_location_spec(bs, b, &sb->location, &spec, err);
	if (r == 0) {
		spec.read_only = sb->mode == BUCKET_READ_ONLY;
		r = backend_open(&b->backend, &spec, bs->engine, err);
	}
	if (spec.creds)
		cred_source_put_ref(spec.creds);
	if (r == 0)
		r = bucket_open_catalog(bs, b, err);
	if (r == -ENOMEM)
		return r;
	return r < 0 ? bucket_close(b, err) : 0;
}

/* Some bucket lies beyond this machine: the engine is needed. */
static bool settings_need_http(const struct settings *settings)
{
	for (size_t i = 0; i < settings->n_buckets; i++) {
		const struct settings_bucket *sb = &settings->buckets[i];

		if (sb->has_location && sb->location.scheme != URI_FILE)
			return true;
		if (sb->has_catalog && sb->catalog_location.scheme != URI_FILE)
			return true;
		for (size_t j = 0; j < sb->n_foreign; j++)
			if (sb->foreign[j].scheme != URI_FILE)
				return true;
	}
	return false;
}

int buckets_new(struct buckets **out, const struct settings *settings,
		const struct buckets_options *opt, struct err *err)
{
	struct buckets *bs = calloc(1, sizeof(*bs));
	size_t places = 1;
	int r;

	if (!bs)
		return err_nomem(err);
	bs->settings = settings;
	bs->sync_only = opt->sync_only;
	lock_init(&bs->timer_lock);
	cond_init(&bs->timer_cond);
	lock_init(&bs->jobs_lock);

	bs->buckets = calloc(settings->n_buckets + 1, sizeof(*bs->buckets));
	if (!bs->buckets) {
		r = err_nomem(err);
		goto fail;
	}
	/* One for each dataset_path, catalog and foreign place at the most. */
	for (size_t i = 0; i < settings->n_buckets; i++)
		places += 2 + settings->buckets[i].n_foreign;
	bs->client_creds = calloc(places, sizeof(struct settings_cred *));
	if (!bs->client_creds) {
		r = err_nomem(err);
		goto fail;
	}
	if (settings_need_http(settings)) {
		const struct http_options http = {
			.user_agent = "datasetfs/" PACKAGE_VERSION,
			.ca_file = settings->ca_file,
		};

		r = http_engine_new(&bs->engine, &http, err);
		if (r < 0)
			goto fail;
	}
	for (size_t i = 0; i < settings->n_buckets; i++) {
		struct bucket *b = &bs->buckets[i];

		b->owner = bs;
		b->settings = &settings->buckets[i];
		b->index = i;
		lock_init(&b->lock);
		bs->n_buckets = i + 1;
		r = bucket_open(bs, b, err);
		if (r < 0)
			goto fail;
	}
	r = buckets_open_locations(bs, err);
	if (r == 0)
		r = buckets_tree_start(bs, err);
	if (r == 0)
		r = buckets_catalog_start(bs, err);
	if (r < 0)
		goto fail;
	*out = bs;
	return 0;
fail:
	buckets_free(bs);
	return r;
}

void buckets_stop(struct buckets *bs)
{
	if (bs->engine)
		http_engine_stop(bs->engine);
}

void buckets_free(struct buckets *bs)
{
	if (!bs)
		return;
	buckets_stop(bs);
	buckets_catalog_stop(bs);
	buckets_tree_stop(bs);
	buckets_close_locations(bs);
	for (size_t i = 0; i < bs->n_buckets; i++)
		bucket_release(&bs->buckets[i]);
	free(bs->buckets);
	/* Last: operations in flight hold references of their own to backends. */
	if (bs->engine)
		http_engine_free(bs->engine);
	for (size_t i = 0; i < bs->n_client_creds; i++)
		settings_cred_free(bs->client_creds[i]);
	free(bs->client_creds);
	lock_release(&bs->jobs_lock);
	cond_release(&bs->timer_cond);
	lock_release(&bs->timer_lock);
	free(bs);
}

size_t buckets_count(const struct buckets *bs)
{
	return bs->n_buckets;
}

struct bucket *buckets_at(const struct buckets *bs, size_t i)
{
	return i < bs->n_buckets ? &bs->buckets[i] : NULL;
}

struct bucket *buckets_find(const struct buckets *bs, const char *name)
{
	for (size_t i = 0; i < bs->n_buckets; i++)
		if (strcmp(bs->buckets[i].settings->name, name) == 0)
			return &bs->buckets[i];
	return NULL;
}

struct bucket *buckets_default(const struct buckets *bs)
{
	const char *name = bs->settings->default_bucket;

	return name ? buckets_find(bs, name) : NULL;
}

const char *bucket_name(const struct bucket *b)
{
	return b->settings->name;
}

const struct settings_bucket *bucket_settings(const struct bucket *b)
{
	return b->settings;
}

size_t bucket_index(const struct bucket *b)
{
	return b->index;
}

const char *bucket_problem(const struct bucket *b)
{
	return b->problem;
}

struct catalog_store *bucket_store(struct bucket *b)
{
	return b->store;
}

struct backend *bucket_backend(struct bucket *b)
{
	return b->backend;
}

int buckets_find_or_default(struct buckets *bs, const char *name,
			    struct bucket **out, struct err *err)
{
	struct bucket *b;

	if (*name) {
		b = buckets_find(bs, name);
		if (!b)
			return err_set(err, ERR_MISSING, ENOENT,
				       "Bucket %s is not set in the configs: "
				       "run \"datasetfs bucket list\" for the "
				       "ones that are", name);
	} else {
		b = buckets_default(bs);
		if (!b)
			return err_set(err, ERR_USAGE, EINVAL,
				       "No default bucket set: write BUCKET/NAME, "
				       "or set default_bucket in %s",
				       bs->settings->path);
	}
	if (b->problem)
		return err_set(err, ERR_AUTH, EACCES,
			       "bucket %s cannot be used: %s",
			       b->settings->name, b->problem);
	*out = b;
	return 0;
}

int buckets_resolve_sync(struct buckets *bs, const struct reference *ref,
			 struct bucket **b, struct catalog **catalog,
			 const struct dataset **ds, const struct version **v,
			 struct err *err)
{
	struct bucket *found;
	struct catalog *c = NULL;
	int r;

	r = buckets_find_or_default(bs, ref->bucket, &found, err);
	if (r < 0)
		return r;
	r = bucket_catalog_sync(found, &c, err);
	if (r < 0)
		return r;
	r = catalog_resolve(c, found->settings->name, ref->name, ref->version,
			    ds, v, err);
	if (r < 0) {
		catalog_put(c);
		return r;
	}
	*b = found;
	*catalog = c;
	return 0;
}
