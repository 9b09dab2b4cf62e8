/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes, where they are, and how they are checked: what the file system
 * tells the fetcher about one blob.
 */
#ifndef DATASETFS_CACHE_BLOB_H
#define DATASETFS_CACHE_BLOB_H

#include <stdint.h>
#include "backends/backend.h"

#define BLOB_PART ((uint64_t)8 << 20)	/* OSMO hashes files in 8 MiB parts */

/*
 * (profile, full key, size), hashed: never the manifest's etag alone, or
 * another bucket could plant bytes under a victim's.  What the caller expects
 * of the content (check, md5, if_match) is hashed too: a manifest that expects
 * other content of the same key gets neither bytes that were checked against
 * something else, nor the power to declare a neighbour's blob bad.
 */
struct blob_id {
	uint64_t hi, lo;
};

enum blob_check {
	/* key named by its content: md5 (parts 0 or 1) or md5-N, 8 MiB parts */
	BLOB_CHECK_OSMO,
	/* the source's own ETag: If-Match from the first byte; md5 where the
	   etag is 32 digits is what the content usually has, so a mismatch of
	   content alone is reported, not refused */
	BLOB_CHECK_FOREIGN,
	/* nothing known but the size */
	BLOB_CHECK_SIZE,
};

struct blob {
	struct backend *backend;	/* borrowed for the call */
	const char *key;		/* relative to the backend's location */
	uint64_t size;
	enum blob_check check;
	uint8_t md5[16];		/* OSMO: expected; FOREIGN: if has_md5 */
	bool has_md5;
	uint32_t parts;			/* 0: plain MD5; N: "-N" */
	const char *if_match;		/* FOREIGN: the etag; else NULL */
};

/* How many parts content of that size has. */
static inline uint64_t blob_parts_of(uint64_t size)
{
	return (size + BLOB_PART - 1) / BLOB_PART;
}

static inline bool blob_id_equal(const struct blob_id *a,
				 const struct blob_id *b)
{
	return a->hi == b->hi && a->lo == b->lo;
}

/* SHA-256, truncated.  Aborts without memory, as digest.h does. */
void blob_identify(struct blob_id *out, const struct blob *blob);

#endif
