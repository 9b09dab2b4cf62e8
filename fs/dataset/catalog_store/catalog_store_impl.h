/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the catalog store share.
 *
 * The store keeps every record of the last look as bytes, sorted by key, with
 * the validator under which it was read.  A snapshot is made from them; the
 * local copy is them on disk.  One thread at a time.
 */
#ifndef DATASETFS_DATASET_CATALOG_STORE_IMPL_H
#define DATASETFS_DATASET_CATALOG_STORE_IMPL_H

#include "backends/backend_sync.h"
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/catalog_store.h"

#define CATALOG_ROOT ".datasetfs/catalog/"
#define CATALOG_FORMAT_KEY ".datasetfs/format.json"

/* Of one catalog: more is refused rather than eating the daemon's memory. */
#define CATALOG_RECORDS_MAX 2000000
#define CATALOG_BYTES_MAX ((size_t)192 << 20)

enum record_kind { RECORD_OTHER, RECORD_NAME, RECORD_HEAD, RECORD_VERSION };

/* What a key below CATALOG_ROOT means. */
struct record_key {
	enum record_kind kind;
	char id[DATASET_ID_MAX];	/* HEAD, VERSION */
	char name[201];			/* NAME */
	uint32_t number;		/* VERSION */
};
struct record_key record_key_parse(const char *key);
size_t record_limit(enum record_kind kind);

struct record {
	char *key;	/* below CATALOG_ROOT */
	char *etag;	/* validator of the last look */
	char *bytes;	/* NULL: nothing good was ever read, or gone */
	size_t len;
	uint64_t listed_size;
	bool is_gone;	/* not listed any more; kept as the pin of a version */
	bool is_refused;	/* what lies under etag is not what bytes holds */
	bool is_pinned;		/* digest is valid (versions) */
	uint8_t digest[SHA256_SIZE];
};

struct records {
	struct record *at;	/* by key, each once */
	size_t n;
	size_t cap;
};
void records_release(struct records *records);
/* -ENOMEM; key is copied. */
struct record *records_append(struct records *records, const char *key,
			      size_t len, struct err *err);
void records_sort(struct records *records);
struct record *records_find(const struct records *records, const char *key);
/* The index of the first key >= key. */
size_t records_lower(const struct records *records, const char *key);

struct catalog_store {
	struct backend *backend;
	char *cache_dir;		/* NULL: no local copy */
	char id[DATASET_ID_MAX];	/* of format.json; "" unknown */
	struct records records;
	struct catalog *snapshot;	/* of records; NULL: none yet */
	bool local_tried;
	bool local_failed;	/* said once */
};

/* Fetches what is due, CATALOG_FETCHES at once.  See catalog_fetch.c. */
#define CATALOG_FETCHES 32
#define CATALOG_FETCH_BYTES ((size_t)32 << 20)	/* limits of those at once */
typedef void (*catalog_fetched_fn)(void *arg, size_t i, int r,
				   const struct buf *bytes, const char *etag,
				   const struct err *err);
/* keys[i] relative to the location; limits[i] bytes; each i is told once. */
int catalog_fetch(struct backend *b, char *const *keys, const size_t *limits,
		  size_t n, int64_t deadline_ms, catalog_fetched_fn done,
		  void *arg, struct err *err) MUST_CHECK;

int catalog_snapshot(struct catalog **out, const struct catalog_store *store,
		     struct err *err) MUST_CHECK;

/*
 * Where what is known of a name is kept: in a folder of the cache directory
 * that is there, and that nobody else writes to.
 */
int catalog_local_path(struct buf *out, const struct catalog_store *store,
		       const char *folder, const char *name, struct err *err)
	MUST_CHECK;
/* Best effort; a failure is logged once. */
void catalog_local_save(struct catalog_store *store);
/* Into store->id and ->records.  ERR_MISSING, ERR_CORRUPT. */
int catalog_local_read(struct catalog_store *store, struct err *err) MUST_CHECK;
/* From memory, for the fuzzer; location is what the file must be about. */
int catalog_local_parse(char id[DATASET_ID_MAX], struct records *records,
			const char *location, const void *bytes, size_t len,
			struct err *err) MUST_CHECK;

#endif
