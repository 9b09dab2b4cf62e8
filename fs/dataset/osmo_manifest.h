/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's manifest, read as a stream: a JSON array of objects with
 * relative_path, storage_path, url, size, etag in any order, extra members
 * accepted.  The result is the same for every split of the input.  Memory: one
 * entry.  Manifests reach gigabytes; no document is ever held.
 */
#ifndef DATASETFS_DATASET_OSMO_MANIFEST_H
#define DATASETFS_DATASET_OSMO_MANIFEST_H

#include <stdint.h>
#include "backends/base/err.h"

struct osmo_manifest;

#define OSMO_STRING_MAX (16 << 10)	/* bytes of one string value */
#define OSMO_DEPTH_MAX 16		/* of members that are skipped */

/* Decoded strings (UTF-8, no NUL), valid during the call only. */
struct osmo_entry {
	const char *relative_path;
	size_t relative_path_len;
	const char *storage_path;
	size_t storage_path_len;
	const char *etag;
	size_t etag_len;
	uint64_t size;
	uint64_t number;	/* of the entry, from 0 */
};
/* Non-zero ends the parse with that value. */
typedef int (*osmo_entry_fn)(void *arg, const struct osmo_entry *entry,
			     struct err *err);

int osmo_manifest_new(struct osmo_manifest **out, osmo_entry_fn each, void *arg,
		      struct err *err) MUST_CHECK;
void osmo_manifest_free(struct osmo_manifest *m);
/* ERR_CORRUPT -EBADMSG with the byte offset and the entry's number. */
int osmo_manifest_feed(struct osmo_manifest *m, const void *bytes, size_t len,
		       struct err *err) MUST_CHECK;
/* The end of the input: an array that is not closed is ERR_CORRUPT. */
int osmo_manifest_finish(struct osmo_manifest *m, struct err *err) MUST_CHECK;

#endif
