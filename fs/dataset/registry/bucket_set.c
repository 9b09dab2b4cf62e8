/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One configuration as it is served, and how the next one takes its place.
 *
 * Whatever a bucket is made of never changes; what its configuration says of
 * it (mode, access, who else's places it may read) it finds in its set.  A
 * bucket is known by its key: a set that is built finds it there, with its
 * catalog and whoever is in it, or makes it.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/digest.h"
#include "fs/dataset/registry/buckets_impl.h"

/* ---- a bucket ---- */

static struct bucket *bucket_by_key(const struct buckets *bs, const char *key)
{
	uint64_t hash = digest_xxh3(key, strlen(key));

	for (size_t i = 0; i < bs->n_all; i++)
		if (bs->all[i]->hash == hash &&
		    strcmp(bs->all[i]->key, key) == 0)
			return bs->all[i];
	return NULL;
}

/* Gone, until a set that has it is served. */
static int bucket_make(struct bucket **out, struct buckets *bs,
		       const char *name, const char *key, const char *problem,
		       struct err *err)
{
	struct bucket *b = calloc(1, sizeof(*b));

	if (!b)
		return err_nomem(err);
	b->owner = bs;
	b->is_gone = true;
	b->name = strdup(name);
	b->key = strdup(key);
	b->hash = digest_xxh3(key, strlen(key));
	b->problem = problem ? strdup(problem) : NULL;
	lock_init(&b->lock);
	*out = b;
	return !b->name || !b->key || (problem && !b->problem) ?
	       err_nomem(err) : 0;
}

static void bucket_free(struct bucket *b)
{
	if (b->store)
		catalog_store_free(b->store);
	if (b->catalog)
		catalog_put(b->catalog);
	if (b->set)
		bucket_set_put(b->set);
	free(b->problem);
	free(b->key);
	free(b->name);
	lock_release(&b->lock);
	free(b);
}

void buckets_free_all(struct buckets *bs)
{
	for (size_t i = 0; i < bs->n_all; i++)
		bucket_free(bs->all[i]);
	free(bs->all);
}

/* It can be seen by its index from here on. */
static int bucket_register(struct buckets *bs, struct bucket *b,
			   struct err *err)
{
	int r = 0;

	if (bs->n_all == BUCKETS_EVER_MAX)
		return err_set(err, ERR_SYSTEM, ENOSPC,
			       "more than %u buckets were registered since the mount: mount again",
			       BUCKETS_EVER_MAX);
	b->index = bs->n_all;
	if (bs->on_new)
		r = bs->on_new(bs->on_new_arg, b, err);
	if (r < 0)
		return r;
	bs->all[b->index] = b;
	__atomic_store_n(&bs->n_all, b->index + 1, __ATOMIC_RELEASE);
	return 0;
}

/* What a bucket's part of the file was opened as. */
struct opened {
	struct place *place, *catalog;
	struct buf problem;	/* empty: usable */
	struct buf key;
};

static void opened_release(struct opened *o)
{
	buf_release(&o->problem);
	buf_release(&o->key);
}

static int bucket_new(struct bucket **out, struct buckets *bs,
		      const struct settings_bucket *sb, const struct opened *o,
		      struct err *err)
{
	struct bucket *b = NULL;
	int r = bucket_make(&b, bs, sb->name, o->key.data,
			    o->problem.len ? o->problem.data : NULL, err);

	if (r == 0 && !b->problem) {
		b->place = o->place;
		b->catalog_place = o->catalog;
		r = catalog_store_new(&b->store, b->catalog_place->backend,
				      bs->settings->cache_dir, err);
	}
	if (r == 0) {
		bucket_load_local(b);
		r = bucket_register(bs, b, err);
	}
	if (r < 0) {
		if (b)
			bucket_free(b);
		return r;
	}
	*out = b;
	return 0;
}

static int open_places(struct buckets *bs, const struct settings *settings,
		       const struct settings_bucket *sb, struct opened *o,
		       struct err *err)
{
	int r = place_open(bs, &o->place, settings, sb, PLACE_DATASETS,
			   &sb->location, err);

	if (r < 0)
		return r;
	o->catalog = o->place;
	if (!sb->has_catalog)
		return 0;
	r = place_open(bs, &o->catalog, settings, sb, PLACE_CATALOG,
		       &sb->catalog_location, err);
	return r < 0 ? err_wrap(err, "catalog %s", sb->catalog) : 0;
}

/* A bucket that cannot be used keeps its place and says why. */
static int open_bucket(struct buckets *bs, const struct settings *settings,
		       const struct settings_bucket *sb, struct opened *o,
		       struct err *err)
{
	int r = 0;

	if (sb->problem)
		buf_str(&o->problem, sb->problem);
	else
		r = open_places(bs, settings, sb, o, err);
	if (r == -ENOMEM || r == -ENOSPC)
		return r;
	if (r < 0)
		buf_str(&o->problem, err->text);
	err_clear(err);

	if (o->problem.len)
		buf_printf(&o->key, "closed\n%s\n%s", sb->name,
			   o->problem.data);
	else
		buf_printf(&o->key, "%s\n%s", o->place->key,
			   o->catalog->key);
	return buf_failed(&o->problem) || buf_failed(&o->key) ?
	       err_nomem(err) : 0;
}

/* ---- a set ---- */

/* There is room for all of them. */
static struct location *add_location(struct bucket_set *set,
				     const struct settings_bucket *sb,
				     const struct bucket *owner)
{
	struct location *loc = &set->locations[set->n_locations++];

	loc->owner = owner;
	loc->settings = sb;
	return loc;
}

static int add_foreign(struct buckets *bs, struct bucket_set *set,
		       const struct settings_bucket *sb,
		       const struct bucket *owner, const struct uri *uri,
		       struct err *err)
{
	struct location *loc = add_location(set, sb, owner);
	struct place *place = NULL;
	int r = place_open(bs, &place, set->settings, sb, PLACE_FOREIGN, uri,
			   err);

	loc->uri = uri;
	loc->is_foreign = true;
	if (r == 0) {
		loc->backend = place->backend;
		return 0;
	}
	if (r == -ENOMEM || r == -ENOSPC)
		return r;
	loc->problem = strdup(err->text);
	err_clear(err);
	return loc->problem ? 0 : err_nomem(err);
}

static int add_bucket(struct buckets *bs, struct bucket_set *set, size_t i,
		      struct err *err)
{
	const struct settings_bucket *sb = &set->settings->buckets[i];
	__attribute__((cleanup(opened_release))) struct opened o = {
		.place = NULL,
	};
	struct bucket *b;
	int r = open_bucket(bs, set->settings, sb, &o, err);

	if (r < 0)
		return r;
	b = bucket_by_key(bs, o.key.data);
	if (!b)
		r = bucket_new(&b, bs, sb, &o, err);
	if (r < 0)
		return r;
	set->buckets[i] = b;
	if (!b->problem) {
		struct location *loc = add_location(set, sb, b);

		loc->uri = &sb->location;
		loc->backend = b->place->backend;
	}
	for (size_t j = 0; r == 0 && j < sb->n_foreign; j++)
		r = add_foreign(bs, set, sb, b, &sb->foreign[j], err);
	return r;
}

static int longest_first(const void *a, const void *b)
{
	const struct location *x = a, *y = b;
	size_t lx = strlen(x->uri->text), ly = strlen(y->uri->text);

	if (lx != ly)
		return lx > ly ? -1 : 1;
	return strcmp(x->uri->text, y->uri->text);
}

static int set_fill(struct buckets *bs, struct bucket_set *set,
		    struct err *err)
{
	const struct settings *st = set->settings;
	size_t n_locations = 0;
	int r = 0;

	for (size_t i = 0; i < st->n_buckets; i++)
		n_locations += 1 + st->buckets[i].n_foreign;
	set->buckets = calloc(st->n_buckets + 1, sizeof(*set->buckets));
	set->locations = calloc(n_locations + 1, sizeof(*set->locations));
	if (!set->buckets || !set->locations)
		return err_nomem(err);
	for (size_t i = 0; r == 0 && i < st->n_buckets; i++) {
		r = add_bucket(bs, set, i, err);
		if (r == 0 && st->default_bucket &&
		    strcmp(st->buckets[i].name, st->default_bucket) == 0)
			set->default_bucket = set->buckets[i];
	}
	qsort(set->locations, set->n_locations, sizeof(*set->locations),
	      longest_first);
	return r;
}

int bucket_set_new(struct bucket_set **out, struct buckets *bs,
		   const struct settings *settings, struct settings *owned,
		   struct err *err)
{
	struct bucket_set *set = calloc(1, sizeof(*set));
	int r;

	if (!set) {
		settings_free(owned);
		return err_nomem(err);
	}
	set->refs = 1;
	set->settings = settings;
	set->owned = owned;
	r = set_fill(bs, set, err);
	if (r < 0) {
		bucket_set_drop(bs, set);
		return r;
	}
	*out = set;
	return 0;
}

void bucket_set_drop(struct buckets *bs, struct bucket_set *set)
{
	places_settle(bs, false);
	bucket_set_put(set);
}

void bucket_set_put(struct bucket_set *set)
{
	if (__atomic_sub_fetch(&set->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < set->n_locations; i++)
		free(set->locations[i].problem);
	free(set->locations);
	free(set->buckets);
	settings_free(set->owned);
	free(set);
}

static struct bucket_set *set_hold(struct bucket_set *set)
{
	__atomic_fetch_add(&set->refs, 1, __ATOMIC_RELAXED);
	return set;
}

struct bucket_set *bucket_set_get(struct buckets *bs)
{
	struct bucket_set *set;

	lock_take(&bs->set_lock);
	set = set_hold(bs->set);
	lock_drop(&bs->set_lock);
	return set;
}

const struct settings_bucket *bucket_settings_get(struct bucket *b,
						  struct bucket_set **hold)
{
	const struct settings_bucket *sb;

	lock_take(&b->lock);
	sb = b->settings;
	*hold = b->set ? set_hold(b->set) : NULL;
	lock_drop(&b->lock);
	return sb;
}

void bucket_settings_put(struct bucket_set *hold)
{
	if (hold)
		bucket_set_put(hold);
}

/* ---- one in place of another ---- */

/* set NULL: its last one goes, too. */
static void bucket_move(struct bucket *b, struct bucket_set *set,
			const struct settings_bucket *sb)
{
	struct bucket_set *before;

	lock_take(&b->lock);
	before = b->set;
	b->set = set ? set_hold(set) : NULL;
	b->settings = sb;
	if (sb)
		b->access = (struct bucket_access){
			.uid = sb->uid, .gid = sb->gid, .access = sb->access,
		};
	lock_drop(&b->lock);
	if (before)
		bucket_set_put(before);
}

static bool set_has(const struct bucket_set *set, const struct bucket *b)
{
	for (size_t i = 0; i < set->settings->n_buckets; i++)
		if (set->buckets[i] == b)
			return true;
	return false;
}

/* Buckets that went keep what they were configured with, but not for ever. */
static void forget_oldest(struct buckets *bs)
{
	for (size_t i = 0; i < bs->n_all; i++) {
		struct bucket *b = bs->all[i];

		if (b->is_gone && b->set &&
		    bs->n_gone - b->gone_nth >= BUCKETS_GONE_KEPT)
			bucket_move(b, NULL, NULL);
	}
}

/*
 * What comes is there before anybody can find it, and what goes is found by
 * nobody before it is gone.
 */
void bucket_set_serve(struct buckets *bs, struct bucket_set *set)
{
	const struct settings *st = set->settings;
	struct bucket_set *before;

	places_settle(bs, true);
	for (size_t i = 0; i < st->n_buckets; i++) {
		bucket_move(set->buckets[i], set, &st->buckets[i]);
		__atomic_store_n(&set->buckets[i]->is_gone, false,
				 __ATOMIC_RELEASE);
	}
	lock_take(&bs->set_lock);
	before = bs->set;
	bs->set = set;
	lock_drop(&bs->set_lock);
	if (!before)
		return;
	for (size_t i = 0; i < before->settings->n_buckets; i++) {
		struct bucket *b = before->buckets[i];

		if (set_has(set, b))
			continue;
		b->gone_nth = bs->n_gone++;
		__atomic_store_n(&b->is_gone, true, __ATOMIC_RELEASE);
	}
	bucket_set_put(before);
	forget_oldest(bs);
}
