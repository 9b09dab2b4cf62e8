/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the registry share: buckets.c (look up), bucket_set.c (one
 * configuration as it is served, and the next in its place), place.c (open
 * backends), buckets_locate.c (who may read what), buckets_catalog.c
 * (freshness), buckets_tree.c (one tree job a version).  Not for anybody else.
 */
#ifndef DATASETFS_DATASET_BUCKETS_IMPL_H
#define DATASETFS_DATASET_BUCKETS_IMPL_H

#include "backends/auth/cred.h"
#include "backends/base/lock.h"
#include "backends/base/pool.h"
#include "fs/dataset/buckets.h"

#define BUCKETS_CATALOG_THREADS 4u	/* looks at once; each has a deadline */
#define BUCKETS_TREE_THREADS 2u		/* builds at once: they use the CPU */
#define BUCKETS_QUEUE_MAX 65536u
#define BUCKETS_CATALOG_WAITERS_MAX 65536u
#define BUCKETS_BAD_TREES 16u		/* remembered at once */
#define BUCKETS_PLACES_MAX (2u * BUCKETS_EVER_MAX)	/* opened at once: as
					   none is ever closed, ever */
#define BUCKETS_GONE_KEPT 64u	/* of the buckets that went the last ones can
				   still tell where what is cached lies */

/*
 * A location that was opened, known by what it was opened with but for the
 * credential, which may be replaced.  It lives as long as the registry, so
 * whoever has its backend need not hold it.
 */
struct place {
	char *key;
	uint64_t hash;			/* of key */
	struct uri uri;
	struct backend *backend;
	struct cred_source *creds;	/* a switch; NULL: it needs none */
	struct settings_cred *cred;	/* what creds stands for; NULL: the
					   ambient chain */
	/* What holds once the set that is being built is served. */
	struct {
		bool is_set;
		bool read_only;
		struct cred_source *creds;	/* NULL: as it is */
		struct settings_cred *cred;
	} next;
};

/* Where entries may lie, and which bucket brings it. */
struct location {
	const struct uri *uri;
	struct backend *backend;	/* NULL: could not be opened ... */
	char *problem;			/* ... and why */
	const struct bucket *owner;
	const struct settings_bucket *settings;	/* the owner's */
	bool is_foreign;	/* from owner's foreign: list, for it alone */
};

/*
 * One configuration as it is served.  Immutable once it is; a reload puts
 * another in its place, and whoever still looks at the old one holds it.
 */
struct bucket_set {
	unsigned refs;			/* atomic */
	const struct settings *settings;
	struct settings *owned;		/* the same, unless it is borrowed */
	struct bucket **buckets;	/* as settings->buckets: by name */
	struct bucket *default_bucket;
	struct location *locations;	/* longest first */
	size_t n_locations;
};

struct catalog_waiter {
	struct catalog_waiter *next;
	bucket_catalog_fn done;
	void *arg;
	int64_t deadline_ms;
};

struct bucket {
	struct buckets *owner;
	size_t index;
	char *name;
	char *key;			/* see bucket_key() */
	uint64_t hash;			/* of key */
	char *problem;			/* NULL: usable */
	struct place *place;		/* of dataset_path */
	struct place *catalog_place;	/* the same one, or another */
	struct catalog_store *store;
	bool is_gone;			/* atomic: in no set that is served */
	uint64_t gone_nth;		/* later ones are greater; only the
					   reloading thread looks */

	struct lock lock;		/* guards all below */
	struct bucket_set *set;		/* the last one it was in; NULL: it is
					   gone and that was long ago */
	const struct settings_bucket *settings;	/* in set */
	struct bucket_access access;

	/* buckets_catalog.c */
	struct catalog *catalog;	/* last known, or NULL */
	int64_t confirmed_ms;		/* when a look succeeded; 0: never */
	int64_t tried_ms;		/* when the last look ended; 0: never */
	int64_t look_started_ms;	/* 0: none under way */
	struct catalog_waiter *waiters;
	unsigned n_waiters;
	char look_problem[ERR_TEXT_MAX];
};

struct tree_job;

/* A version that was found damaged. */
struct bad_tree {
	uint8_t identity[TREE_IDENTITY_SIZE];
	int64_t until_ms;	/* 0: none */
	struct err err;
};

struct buckets {
	const struct settings *settings;	/* the first: of this process,
						   whatever is reloaded */
	struct http_engine *engine;	/* atomic; NULL: nobody needed one */
	bool sync_only;
	bucket_new_fn on_new;
	void *on_new_arg;

	struct bucket **all;	/* BUCKETS_EVER_MAX; none ever leaves */
	size_t n_all;		/* atomic: written behind all[] */
	struct place **places;
	size_t n_places, cap_places;
	uint64_t n_gone;	/* that ever went */

	struct lock set_lock;	/* guards set */
	struct bucket_set *set;	/* what is served */

	struct pool *catalog_pool;
	struct pool *tree_pool;

	/* buckets_catalog.c: the thread that answers late waiters */
	pthread_t timer;
	bool has_timer;
	struct lock timer_lock;		/* guards the two flags */
	struct cond timer_cond;
	bool timer_kicked;		/* a waiter came while it looked */
	bool stopping;

	/* buckets_tree.c */
	bool trees_told;		/* atomic: that there is no cache */
	struct lock jobs_lock;		/* guards jobs, what hangs on them, bad */
	struct tree_job *jobs;
	struct bad_tree bad[BUCKETS_BAD_TREES];
	size_t next_bad;		/* the oldest: to be forgotten first */
};

/*
 * How a location is opened on behalf of bucket sb: region, endpoint and the
 * credential that is configured for exactly its profile.  spec->creds and
 * *cred get references of the caller's; *cred NULL: the ambient chain, which
 * asks by engine.
 */
int buckets_location_spec(struct http_engine *engine,
			  const struct settings *settings,
			  const struct settings_bucket *sb,
			  const struct uri *location, struct backend_spec *spec,
			  struct settings_cred **cred, struct err *err)
	MUST_CHECK;

enum place_use { PLACE_DATASETS, PLACE_CATALOG, PLACE_FOREIGN };
/*
 * The place of that location, opened unless it is already; one that is gets
 * the credential and mode of these settings with places_settle().
 */
int place_open(struct buckets *bs, struct place **out,
	       const struct settings *settings,
	       const struct settings_bucket *sb, enum place_use use,
	       const struct uri *uri, struct err *err) MUST_CHECK;
/* What place_open() prepared holds from now on; or it is forgotten. */
void places_settle(struct buckets *bs, bool take);
void places_free(struct buckets *bs);

/*
 * The set of that configuration: buckets that were here before are found by
 * their keys, others are made.  owned goes with the set, after an error too.
 * Only a lack of memory or of numbers is an error.
 */
int bucket_set_new(struct bucket_set **out, struct buckets *bs,
		   const struct settings *settings, struct settings *owned,
		   struct err *err) MUST_CHECK;
/* It is what is served from now on.  Takes the reference over. */
void bucket_set_serve(struct buckets *bs, struct bucket_set *set);
/* It is not: what was prepared for it is forgotten. */
void bucket_set_drop(struct buckets *bs, struct bucket_set *set);
struct bucket_set *bucket_set_get(struct buckets *bs);
void bucket_set_put(struct bucket_set *set);
static inline void bucket_set_cleanup_(struct bucket_set **set)
{
	if (*set)
		bucket_set_put(*set);
}
#define cleanup_bucket_set __attribute__((cleanup(bucket_set_cleanup_)))

/* -ESTALE (ERR_MISSING): what is not cached is not to be had any more. */
int bucket_gone(const struct bucket *b, struct err *err);
/* Opens the local copy of its catalog, where there is one. */
void bucket_load_local(struct bucket *b);
void buckets_free_all(struct buckets *bs);

int buckets_catalog_start(struct buckets *bs, struct err *err) MUST_CHECK;
void buckets_catalog_stop(struct buckets *bs);

int buckets_tree_start(struct buckets *bs, struct err *err) MUST_CHECK;
void buckets_tree_stop(struct buckets *bs);

#endif
