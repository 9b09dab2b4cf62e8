/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's manifest, read as a stream: a JSON array of objects with
 * relative_path, storage_path, url, size, etag in any order, extra members
 * accepted.  The result, errors and their positions included, is the same for
 * every split of the input.  Memory: one entry.  Manifests reach gigabytes; no
 * document is ever held.
 *
 * Strict, as a stored manifest has no excuse: no byte order mark, no trailing
 * comma, nothing behind the array, none of the five members twice.  A size is
 * a whole number up to 2^53, written without fraction or exponent.  url is not
 * looked at; a missing or null etag is "", which verifies nothing.
 */
#ifndef DATASETFS_DATASET_OSMO_MANIFEST_H
#define DATASETFS_DATASET_OSMO_MANIFEST_H

#include <stdint.h>
#include "backends/base/err.h"

struct osmo_manifest;

#define OSMO_STRING_MAX (16 << 10)	/* bytes of one string value */
#define OSMO_DEPTH_MAX 16		/* of members that are skipped */

/*
 * Decoded strings, valid during the call only.  They may hold any byte: NUL
 * from \u0000, and what Python's surrogateescape wrote for a file name that
 * was not UTF-8 (\udc80 to \udcff) is given back as that one byte.
 */
struct osmo_entry {
	const char *relative_path;
	size_t relative_path_len;
	const char *storage_path;
	size_t storage_path_len;
	const char *etag;
	size_t etag_len;
	uint64_t size;
	uint64_t number;	/* of the entry, from 0 */
	bool is_malformed;	/* a string had a surrogate without its half,
				   which no name can mean: kept as three bytes */
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
