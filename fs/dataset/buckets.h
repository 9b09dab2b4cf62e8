/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buckets of a running command or daemon: settings turned into open
 * backends and catalogs.  It decides which credential serves which location,
 * which storage_path may be read, keeps catalogs fresh, and builds trees.
 *
 * All but the *_sync functions return at once and may be called from FUSE
 * threads; callbacks run on a thread of the registry's pool or inside the call
 * and must not block.
 */
#ifndef DATASETFS_DATASET_BUCKETS_H
#define DATASETFS_DATASET_BUCKETS_H

#include "backends/backend.h"
#include "cache/blob.h"
#include "fs/config/settings.h"
#include "fs/dataset/catalog.h"
#include "fs/dataset/catalog_store.h"
#include "fs/dataset/tree.h"

struct buckets;
struct bucket;
struct bucket_set;

/*
 * Buckets that one registry ever has: a reload that needs more is refused
 * until the next mount.
 */
#define BUCKETS_EVER_MAX 65536u

#define CATALOG_FRESH_MS 8000	/* at most one LIST a used bucket for so long;
				   below the 10 s that DESIGN.md promises */
#define CATALOG_WAIT_MS 3000	/* a lookup waits so long for a look that is
				   due, then takes the last known catalog */
#define CATALOG_TIMEOUT_MS 30000
#define TREE_BAD_MS 5000	/* a version whose manifest was found damaged is
				   not read again for so long */

/* A bucket that nobody can find yet; an error ends what made it. */
typedef int (*bucket_new_fn)(void *arg, struct bucket *b, struct err *err);

struct buckets_options {
	bool sync_only;		/* a command: no background threads */
	bucket_new_fn on_new;	/* may be NULL */
	void *on_new_arg;
};
/*
 * settings is borrowed and must outlive the registry.  Nothing is asked of the
 * network here.  A bucket that cannot be opened gets a problem; only a lack of
 * memory or threads fails the whole.
 */
int buckets_new(struct buckets **out, const struct settings *settings,
		const struct buckets_options *opt, struct err *err) MUST_CHECK;
/*
 * Whether the cache directory can be made and takes a file; if not, that is
 * said in the log: all is served all the same, but expanded again when it was
 * forgotten.  buckets_new() asks this for itself.
 */

/*
 * Another configuration in place of the one that is served; takes settings
 * over, whatever comes of it.  A bucket with the same key (see bucket_key)
 * stays the same object, with its catalog and whoever is in it; its mode and
 * access are as they are now, its credential is replaced.  One that is not in
 * the configuration any more is gone, and comes back with its key.  Where the
 * cache lies, how much is taken, and the ca_file stay as they were at first.
 *
 * One caller at a time.  -EINVAL (ERR_USAGE) when a bucket that is usable now
 * would have a problem, with strict when any has.  After an error everything
 * is served as before.
 */
int buckets_reload(struct buckets *buckets, struct settings *settings,
		   bool strict, struct err *err) MUST_CHECK;

int buckets_cache_check(const struct settings *settings);
/*
 * Ends all requests to stores, now and from now on, so that a daemon that ends
 * waits for nobody.  Local directories answer by themselves.
 */
void buckets_stop(struct buckets *buckets);
/* Every callback has run when it returns. */
void buckets_free(struct buckets *buckets);

/* Bytes that the trees of versions take in the cache directory. */
uint64_t buckets_trees_bytes(const struct buckets *buckets);

/* All that were ever registered, by their indices, which are never reused. */
size_t buckets_count(const struct buckets *buckets);
/* NULL where it is gone. */
struct bucket *buckets_at(const struct buckets *buckets, size_t i);
size_t buckets_live(struct buckets *buckets);	/* that are not gone */
/* NULL where there is none of that name. */
struct bucket *buckets_find(struct buckets *buckets, const char *name);
/* The default bucket, or NULL. */
struct bucket *buckets_default(struct buckets *buckets);

/* A bucket lives as long as the registry, whatever is reloaded. */
const char *bucket_name(const struct bucket *b);
/*
 * What makes it this bucket and no other: its name, where it lies and how it
 * is reached (but the credential), or why it cannot be used.  Never changes.
 */
const char *bucket_key(const struct bucket *b);
size_t bucket_index(const struct bucket *b);	/* in buckets_at() order */
/*
 * It is not configured any more.  Whoever is in it keeps what is cached;
 * catalogs and trees that would have to be fetched are -ESTALE (ERR_MISSING).
 */
bool bucket_is_gone(const struct bucket *b);
/* Who may see it, as of now; what is not given is -1. */
struct bucket_access {
	uid_t uid;
	gid_t gid;
	int access;
};
struct bucket_access bucket_access(struct bucket *b);
/*
 * All that the file says of it, as of now, until hold is put.  NULL for one
 * that went long ago.
 */
const struct settings_bucket *bucket_settings_get(struct bucket *b,
						  struct bucket_set **hold);
void bucket_settings_put(struct bucket_set *hold);
/* The same for a command, which reloads nothing. */
const struct settings_bucket *bucket_settings(const struct bucket *b);
/* NULL: usable; else why it refuses entry. */
const char *bucket_problem(const struct bucket *b);
struct catalog_store *bucket_store(struct bucket *b);
/* Of dataset_path, borrowed; NULL only where there is a problem. */
struct backend *bucket_backend(struct bucket *b);

/* Who reads it as of now; false where it needs nobody (file://). */
struct cred_state;
bool bucket_identity(struct bucket *b, struct cred_state *out);

/* Milliseconds since the catalog was confirmed; -1: never. */
int64_t bucket_catalog_age_ms(struct bucket *b);
/* The last error of a look at the catalog, "" if the last one succeeded. */
void bucket_catalog_problem(struct bucket *b, char *out, size_t size);

/*
 * The catalog, fresh within CATALOG_FRESH_MS, or the last known one (marked
 * stale) when the store does not answer within CATALOG_WAIT_MS.  done may run
 * inside the call; catalog is borrowed for it (take a reference to keep it).
 * r: 0, or -EIO where no catalog was ever known.
 */
typedef void (*bucket_catalog_fn)(void *arg, int r, struct catalog *catalog,
				  const struct err *err);
void bucket_catalog(struct bucket *b, bucket_catalog_fn done, void *arg);
int bucket_catalog_sync(struct bucket *b, struct catalog **out,
			struct err *err) MUST_CHECK;

/*
 * The tree of a version: opened from the cache directory, or built (which may
 * take as long as it makes progress).  One build a version however many ask,
 * and none within TREE_BAD_MS of one that met damage: its error is the answer.
 * done may run inside the call.  catalog is the snapshot that ds and v are of.
 */
typedef void (*bucket_tree_fn)(void *arg, int r, struct tree *tree,
			       const struct err *err);
void bucket_tree(struct bucket *b, struct catalog *catalog,
		 const struct dataset *ds, const struct version *v,
		 bucket_tree_fn done, void *arg);
/* Waits; never from a FUSE thread. */
int bucket_tree_sync(struct bucket *b, struct catalog *catalog,
		     const struct dataset *ds, const struct version *v,
		     struct tree **out, struct err *err) MUST_CHECK;
/* Only one that is in the cache directory already.  -ENOENT (ERR_MISSING). */
int bucket_tree_known(struct bucket *b, const struct dataset *ds,
		      const struct version *v, struct tree **out,
		      struct err *err) MUST_CHECK;
/*
 * A block of the version's tree was seen to be damaged: its file is removed,
 * so that the next bucket_tree() builds it again.  Trees that are open stay.
 */
void bucket_tree_discard(struct bucket *b, const struct dataset *ds,
			 const struct version *v);
/* "building: 31 of 260 MiB", for status; "" when nothing is built. */
void buckets_building(struct buckets *buckets, struct buf *out);
/* How the stores' endpoints are doing, as http_engine_endpoints() tells it. */
struct http_endpoint_stats;
size_t buckets_endpoints(struct buckets *buckets,
			 struct http_endpoint_stats *out, size_t max);

/*
 * The backend and relative key for an entry's storage URI, below any
 * configured dataset_path or a foreign: prefix of bucket b (the longest match
 * wins).  The backend is borrowed from the registry (it lives as long); *key
 * points into uri.  A bucket that is gone: as it was configured last, or
 * -ESTALE (ERR_MISSING) where that was long ago.  -EACCES (ERR_AUTH): not allowed; the text names the
 * profile and the line to configure.
 */
int bucket_locate(struct bucket *b, const char *uri, struct backend **backend,
		  const char **key, struct err *err) MUST_CHECK;

/* A location that holds it is configured for b, but cannot be opened. */
bool bucket_location_is_broken(struct bucket *b, const char *uri);

/*
 * The same for a place that is listed: it may be a dataset_path or a foreign:
 * prefix itself, *key is "" then.
 */
int bucket_locate_prefix(struct bucket *b, const char *uri,
			 struct backend **backend, const char **key,
			 struct err *err) MUST_CHECK;
/* The same for a version's manifest, which may lie beside the catalog. */
int bucket_locate_manifest(struct bucket *b, const char *uri,
			   struct backend **backend, const char **key,
			   struct err *err) MUST_CHECK;
/* Where the catalog lies, "s3://b/p"; the bucket has no problem. */
const char *bucket_catalog_uri(const struct bucket *b);
struct backend *bucket_catalog_backend(struct bucket *b);

/*
 * The blob that holds a file's bytes.  It points into *uri and *etag, which
 * are appended to and are the caller's.  -EACCES (ERR_AUTH) where the bucket
 * may not read it; -EIO for a source that cannot be read (ERR_CORRUPT never:
 * that is the tree's own damage).
 */
int bucket_blob(struct bucket *b, struct tree *tree,
		const struct tree_entry *entry, struct buf *uri,
		struct buf *etag, struct blob *out, struct err *err) MUST_CHECK;

/*
 * The bucket of that name, "" for the default one.  ERR_MISSING, ERR_USAGE
 * (no default bucket), ERR_AUTH (it cannot be used) in OSMO's words.
 */
int buckets_find_or_default(struct buckets *buckets, const char *name,
			    struct bucket **out, struct err *err) MUST_CHECK;

/*
 * Resolves a user's reference, waiting for the catalog.  On success *catalog
 * is a reference that keeps *ds and *v alive.
 */
struct reference;
int buckets_resolve_sync(struct buckets *buckets, const struct reference *ref,
			 struct bucket **b, struct catalog **catalog,
			 const struct dataset **ds, const struct version **v,
			 struct err *err) MUST_CHECK;

#endif
