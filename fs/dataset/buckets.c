/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/buckets.h"

#include <errno.h>
#include <string.h>

#include "backends/http/http.h"
#include "fs/config/nearest.h"
#include "fs/dataset/registry/buckets_impl.h"
#include "fs/dataset/reference.h"

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

static int open_engine(struct buckets *bs, const struct settings *settings,
		       struct err *err)
{
	const struct http_options http = {
		.user_agent = "datasetfs/" PACKAGE_VERSION,
		.ca_file = bs->settings->ca_file,
	};
	struct http_engine *engine;
	int r;

	if (bs->engine || !settings_need_http(settings))
		return 0;
	r = http_engine_new(&engine, &http, err);
	if (r == 0)
		__atomic_store_n(&bs->engine, engine, __ATOMIC_RELEASE);
	return r;
}

static int start(struct buckets *bs, struct err *err)
{
	struct bucket_set *set = NULL;
	int r;

	bs->all = calloc(BUCKETS_EVER_MAX, sizeof(struct bucket *));
	if (!bs->all)
		return err_nomem(err);
	r = open_engine(bs, bs->settings, err);
	if (r == 0)
		r = bucket_set_new(&set, bs, bs->settings, NULL, err);
	if (r < 0)
		return r;
	bucket_set_serve(bs, set);
	r = buckets_tree_start(bs, err);
	return r < 0 ? r : buckets_catalog_start(bs, err);
}

int buckets_new(struct buckets **out, const struct settings *settings,
		const struct buckets_options *opt, struct err *err)
{
	struct buckets *bs = calloc(1, sizeof(*bs));
	int r;

	if (!bs)
		return err_nomem(err);
	bs->settings = settings;
	bs->sync_only = opt->sync_only;
	bs->on_new = opt->on_new;
	bs->on_new_arg = opt->on_new_arg;
	lock_init(&bs->set_lock);
	lock_init(&bs->timer_lock);
	cond_init(&bs->timer_cond);
	lock_init(&bs->jobs_lock);
	r = start(bs, err);
	if (r < 0) {
		buckets_free(bs);
		return r;
	}
	*out = bs;
	return 0;
}

/*
 * A mistake must not close a bucket that is in use: what is served stays, until
 * the file is right or does without that bucket.
 */
static int check_problems(struct buckets *bs, const struct bucket_set *next,
			  bool strict, struct err *err)
{
	for (size_t i = 0; i < next->settings->n_buckets; i++) {
		const struct bucket *b = next->buckets[i];
		const struct bucket *now = buckets_find(bs, b->name);

		if (b->problem && (strict || (now && !now->problem)))
			return err_set(err, ERR_USAGE, EINVAL, "bucket %s: %s",
				       b->name, b->problem);
	}
	return 0;
}

int buckets_reload(struct buckets *bs, struct settings *settings, bool strict,
		   struct err *err)
{
	struct bucket_set *set = NULL;
	int r = open_engine(bs, settings, err);

	if (r < 0) {
		settings_free(settings);
		return r;
	}
	r = bucket_set_new(&set, bs, settings, settings, err);
	if (r == 0)
		r = check_problems(bs, set, strict, err);
	if (r == 0)
		bucket_set_serve(bs, set);
	else if (set)
		bucket_set_drop(bs, set);
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
	if (bs->all)
		buckets_free_all(bs);
	if (bs->set)
		bucket_set_put(bs->set);
	places_free(bs);
	/* Last: operations in flight hold references of their own to backends. */
	if (bs->engine)
		http_engine_free(bs->engine);
	lock_release(&bs->jobs_lock);
	cond_release(&bs->timer_cond);
	lock_release(&bs->timer_lock);
	lock_release(&bs->set_lock);
	free(bs);
}

size_t buckets_count(const struct buckets *bs)
{
	return __atomic_load_n(&bs->n_all, __ATOMIC_ACQUIRE);
}

struct bucket *buckets_at(const struct buckets *bs, size_t i)
{
	if (i >= buckets_count(bs) || bucket_is_gone(bs->all[i]))
		return NULL;
	return bs->all[i];
}

size_t buckets_live(struct buckets *bs)
{
	cleanup_bucket_set struct bucket_set *set = bucket_set_get(bs);

	return set->settings->n_buckets;
}

struct bucket *buckets_find(struct buckets *bs, const char *name)
{
	cleanup_bucket_set struct bucket_set *set = bucket_set_get(bs);

	for (size_t i = 0; i < set->settings->n_buckets; i++)
		if (strcmp(set->settings->buckets[i].name, name) == 0)
			return set->buckets[i];
	return NULL;
}

struct bucket *buckets_default(struct buckets *bs)
{
	cleanup_bucket_set struct bucket_set *set = bucket_set_get(bs);

	return set->default_bucket;
}

const char *bucket_name(const struct bucket *b)
{
	return b->name;
}

const char *bucket_key(const struct bucket *b)
{
	return b->key;
}

bool bucket_is_gone(const struct bucket *b)
{
	return __atomic_load_n(&b->is_gone, __ATOMIC_ACQUIRE);
}

struct bucket_access bucket_access(struct bucket *b)
{
	struct bucket_access access;

	lock_take(&b->lock);
	access = b->access;
	lock_drop(&b->lock);
	return access;
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
	return b->place ? b->place->backend : NULL;
}

bool bucket_identity(struct bucket *b, struct cred_state *out)
{
	if (!b->place || !b->place->creds)
		return false;
	cred_source_state(b->place->creds, out);
	return true;
}

static int refuse_name(struct buckets *bs, const char *name, struct err *err)
{
	cleanup_bucket_set struct bucket_set *set = bucket_set_get(bs);
	const struct settings *st = set->settings;
	cleanup_free const char **names = calloc(st->n_buckets + 1,
						 sizeof(*names));
	const char *near;

	if (!names)
		return err_nomem(err);
	for (size_t i = 0; i < st->n_buckets; i++)
		names[i] = st->buckets[i].name;
	near = nearest_name(name, names, st->n_buckets);
	return err_set(err, ERR_MISSING, ENOENT,
		       "Bucket %s is not set in the configs%s%s%s: run "
		       "\"datasetfs bucket list\" for the ones that are",
		       name, near ? " (did you mean " : "", near ? near : "",
		       near ? "?)" : "");
}

int buckets_find_or_default(struct buckets *bs, const char *name,
			    struct bucket **out, struct err *err)
{
	struct bucket *b;

	if (*name) {
		b = buckets_find(bs, name);
		if (!b)
			return refuse_name(bs, name, err);
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
			       b->name, b->problem);
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
	r = catalog_resolve(c, found->name, ref->name, ref->version,
			    ds, v, err);
	if (r < 0) {
		catalog_put(c);
		return r;
	}
	*b = found;
	*catalog = c;
	return 0;
}

size_t buckets_endpoints(struct buckets *bs, struct http_endpoint_stats *out,
			 size_t max)
{
	struct http_engine *engine = __atomic_load_n(&bs->engine,
						     __ATOMIC_ACQUIRE);

	return engine ? http_engine_endpoints(engine, out, max) : 0;
}
