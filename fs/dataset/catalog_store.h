/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog as it lies in a store (datasetfs-format(5)): reads it into
 * snapshots, and writes its records.  Synchronous: never from a FUSE thread.
 */
#ifndef DATASETFS_DATASET_CATALOG_STORE_H
#define DATASETFS_DATASET_CATALOG_STORE_H

#include "backends/backend.h"
#include "fs/dataset/catalog.h"

struct catalog_store;

/*
 * b: the location that holds ".datasetfs/" (dataset_path, or the configured
 * catalog).  cache_dir (may be NULL): where a local copy of the last good
 * catalog is kept, below catalogs/.
 */
int catalog_store_new(struct catalog_store **out, struct backend *b,
		      const char *cache_dir, struct err *err) MUST_CHECK;
void catalog_store_free(struct catalog_store *store);

/*
 * One paged LIST, then a GET for each record whose ETag is new; what did not
 * change comes from the previous look.  An empty place gives an empty catalog.
 * A record that cannot be parsed, or a version record that differs from the
 * one seen before (pinned by digest), is left out or kept as it was, and
 * logged loudly; it never takes the others down.
 * *out may be the previous snapshot (with a new reference) when nothing
 * changed.  ERR_* of the backend when the store is away.
 */
int catalog_store_load(struct catalog_store *store, struct catalog **out,
		       int64_t deadline_ms, struct err *err) MUST_CHECK;

/* The local copy of the last good catalog; ERR_MISSING when there is none. */
int catalog_store_load_local(struct catalog_store *store, struct catalog **out,
			     struct err *err) MUST_CHECK;

/* Keys of records, below ".datasetfs/catalog/". */
#define CATALOG_KEY_MAX 256
void catalog_name_key(char out[CATALOG_KEY_MAX], const char *name);
void catalog_head_key(char out[CATALOG_KEY_MAX], const char *dataset_id);
void catalog_version_key(char out[CATALOG_KEY_MAX], const char *dataset_id,
			 uint32_t number);

/*
 * The bytes of a record as the last load saw it, confirmed or not; key is
 * below ".datasetfs/catalog/".  NULL where there is none.  Borrowed until the
 * next load.
 */
const char *catalog_store_record(const struct catalog_store *store,
				 const char *key, size_t *len);

/*
 * Which conditions the store honours is known afterwards (backend_caps()): as
 * kept from an earlier probe, or by a probe, which writes.  anew: by a probe in
 * any case.  Errors of backend_probe().  Not while others write.
 */
int catalog_store_conditions(struct catalog_store *store, bool anew,
			     int64_t deadline_ms, struct err *err) MUST_CHECK;

/*
 * Writing, as the import needs it.  All are idempotent: -EEXIST (ERR_CONFLICT)
 * only where other content stands there; -ENOTSUP (ERR_USAGE) where the store
 * does not hold the conditions.  bytes are the record's JSON.  After
 * catalog_store_init() several threads may write at once.
 */
int catalog_store_init(struct catalog_store *store, int64_t deadline_ms,
		       struct err *err) MUST_CHECK;	/* format.json */
int catalog_store_create_name(struct catalog_store *store, const char *name,
			      const char *dataset_id, int64_t deadline_ms,
			      struct err *err) MUST_CHECK;
/*
 * A name that its dataset's head does not confirm is replaced.  -EEXIST
 * (ERR_CONFLICT): it belongs to another dataset, which the text names.
 * delete: only while it still names dataset_id; a name of another is left.
 */
int catalog_store_delete_name(struct catalog_store *store, const char *name,
			      const char *dataset_id, int64_t deadline_ms,
			      struct err *err) MUST_CHECK;
int catalog_store_create_version(struct catalog_store *store,
				 const char *dataset_id, uint32_t number,
				 const void *bytes, size_t len,
				 int64_t deadline_ms, struct err *err)
	MUST_CHECK;
/*
 * Compare-and-swap of head.json: change() gets the current bytes (len 0: there
 * is none) and writes the new ones to *out; it is called again after a lost
 * race, at most CATALOG_CAS_TRIES times, then -EBUSY (ERR_RETRY).  change()
 * returning 1 means "nothing to change".  Two writers who want the same bytes
 * both succeed, by one write: a change says what is to be, it does not count.
 */
#define CATALOG_CAS_TRIES 20
typedef int (*catalog_head_change_fn)(void *arg, const void *bytes, size_t len,
				      struct buf *out, struct err *err);
int catalog_store_update_head(struct catalog_store *store,
			      const char *dataset_id,
			      catalog_head_change_fn change, void *arg,
			      int64_t deadline_ms, struct err *err) MUST_CHECK;

#endif
