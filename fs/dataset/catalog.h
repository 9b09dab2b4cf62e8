/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bucket offers, in memory: datasets by name, their versions and tags,
 * collections.  A struct catalog is an immutable snapshot, reference-counted;
 * any thread may read it.  Text in it comes from the store and was checked
 * (names, numbers, lengths, UTF-8) when the records were parsed.
 */
#ifndef DATASETFS_DATASET_CATALOG_H
#define DATASETFS_DATASET_CATALOG_H

#include <stdint.h>
#include "backends/base/digest.h"
#include "backends/base/err.h"

#define DATASET_ID_MAX 64	/* bytes with NUL; OSMO's have 22 */

enum version_status {
	VERSION_READY, VERSION_PENDING, VERSION_PENDING_DELETE, VERSION_DELETED,
};
const char *version_status_name(enum version_status s);	/* "READY", ... */

enum version_kind {
	VERSION_OSMO,		/* manifest_uri names an OSMO manifest */
	VERSION_EMPTY,		/* no manifest object, checksum "", size 0 */
	VERSION_LEGACY,		/* location is a prefix with plain files */
};

struct version {
	uint32_t number;
	enum version_status status;
	enum version_kind kind;
	char *manifest_uri;	/* OSMO; else NULL */
	char *location;		/* LEGACY: the prefix; else OSMO's link or NULL */
	char *hash_location;	/* OSMO: where hashed blobs lie; or NULL */
	char *checksum;		/* "" where there is none */
	char *created_by;	/* "" unknown */
	int64_t created_s;	/* 0 unknown */
	int64_t last_used_s;
	uint64_t size;
	char *metadata;		/* one JSON object as text, "{}" */
	char **tags;		/* that were asked for with it; see the head */
	size_t n_tags;
	uint8_t digest[SHA256_SIZE];	/* of the record's bytes */
};

struct tag {
	char *name;		/* may be all digits; see catalog_resolve() */
	uint32_t version;
};

struct member {			/* of a collection */
	char *dataset_id;
	uint32_t version;
};

struct dataset {
	char id[DATASET_ID_MAX];
	char *name;
	bool is_collection;
	char *created_by;
	int64_t created_s;
	char *hash_location;	/* "" for collections */
	uint64_t stored_size;	/* hash_location_size */
	char *labels;		/* one JSON object as text, "{}" */
	struct version *versions;	/* by number; deleted ones are absent */
	size_t n_versions;
	struct tag *tags;	/* by name; "latest" among them */
	size_t n_tags;
	struct member *members;
	size_t n_members;
};

struct catalog {
	unsigned refs;		/* atomic; use catalog_get/put */
	char id[DATASET_ID_MAX];	/* of format.json; "" for an empty place */
	struct dataset *datasets;	/* by name */
	size_t n_datasets;
};

struct catalog *catalog_get(struct catalog *c);
void catalog_put(struct catalog *c);
static inline void catalog_cleanup_(struct catalog **c)
{
	if (*c)
		catalog_put(*c);
}
#define cleanup_catalog __attribute__((cleanup(catalog_cleanup_)))

const struct dataset *catalog_dataset(const struct catalog *c, const char *name);
const struct dataset *catalog_dataset_by_id(const struct catalog *c,
					    const char *id);
const struct version *dataset_version(const struct dataset *ds, uint32_t n);
const struct tag *dataset_tag(const struct dataset *ds, const char *name);

/*
 * A READY version by number, tag ("" means "latest"); a number wins over a
 * tag of the same digits.  -ENOENT (ERR_MISSING) in OSMO's words: "There is no
 * READY dataset N with tag or id T in bucket B."; for a collection -EISDIR.
 */
int catalog_resolve(const struct catalog *c, const char *bucket,
		    const char *name, const char *version,
		    const struct dataset **ds, const struct version **v,
		    struct err *err) MUST_CHECK;

#endif
