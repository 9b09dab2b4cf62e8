/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the registry share: buckets.c (open and look up),
 * buckets_locate.c (who may read what), buckets_catalog.c (freshness),
 * buckets_tree.c (one tree job a version).  Not for anybody else.
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

/* One place that entries may lie in, with the identity that reads it. */
struct location {
	const struct uri *uri;
	struct backend *backend;	/* NULL: could not be opened ... */
	char *problem;			/* ... and why */
	const struct bucket *owner;
	bool is_foreign;	/* from owner's foreign: list, for it alone */
};

struct catalog_waiter {
	struct catalog_waiter *next;
	bucket_catalog_fn done;
	void *arg;
	int64_t deadline_ms;
};

struct bucket {
	struct buckets *owner;
	const struct settings_bucket *settings;
	size_t index;
	char *problem;			/* NULL: usable */
	struct backend *backend;	/* of dataset_path */
	struct backend *catalog_backend;	/* the same one, or another */
	struct catalog_store *store;

	/* buckets_catalog.c; the lock guards all below */
	struct lock lock;
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
	const struct settings *settings;
	struct http_engine *engine;
	bool sync_only;
	struct bucket *buckets;
	size_t n_buckets;
	struct location *locations;	/* longest first */
	size_t n_locations;
	struct settings_cred **client_creds;	/* one a location at the most */
	size_t n_client_creds;

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
 * How a location is opened on behalf of bucket b: region, endpoint and the
 * credential that is configured for exactly its profile (spec->creds gets a
 * reference of the caller's).
 */
int buckets_location_spec(struct buckets *bs, const struct bucket *b,
			  const struct uri *location, struct backend_spec *spec,
			  struct err *err) MUST_CHECK;

int buckets_open_locations(struct buckets *bs, struct err *err) MUST_CHECK;
void buckets_close_locations(struct buckets *bs);

int buckets_catalog_start(struct buckets *bs, struct err *err) MUST_CHECK;
void buckets_catalog_stop(struct buckets *bs);

int buckets_tree_start(struct buckets *bs, struct err *err) MUST_CHECK;
void buckets_tree_stop(struct buckets *bs);

#endif
