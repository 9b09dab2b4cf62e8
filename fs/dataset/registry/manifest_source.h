/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An object of any size as a stream: ranges of MANIFEST_RANGE bytes, the next
 * one under way while this one is worked on, all under the validator of the
 * first.  Synchronous: for threads that may wait.
 */
#ifndef DATASETFS_DATASET_MANIFEST_SOURCE_H
#define DATASETFS_DATASET_MANIFEST_SOURCE_H

#include <stdint.h>
#include "backends/backend.h"
#include "fs/dataset/osmo/osmo_manifest.h"

#define MANIFEST_RANGE ((size_t)4 << 20)
#define MANIFEST_BYTES_MAX ((uint64_t)64 << 30)
#define MANIFEST_RANGE_TIMEOUT_MS 30000	/* without a range: no progress */

/* Non-zero ends the stream with that value. */
typedef int (*manifest_bytes_fn)(void *arg, const void *bytes, size_t len,
				 struct err *err);

/*
 * Feeds the whole object to each(), front to back.  done_bytes and all_bytes
 * (may be NULL) are updated on the way, for progress.  ERR_MISSING without the
 * object, ERR_CONFLICT -ESTALE when it changed under the read.
 */
int manifest_source_read(struct backend *b, const char *key,
			 manifest_bytes_fn each, void *arg,
			 _Atomic uint64_t *done_bytes,
			 _Atomic uint64_t *all_bytes, struct err *err)
	MUST_CHECK;

/*
 * The same for an OSMO manifest, to its end: each() gets its entries.  Also
 * ERR_CORRUPT -EBADMSG, see osmo_manifest_feed().
 */
int manifest_source_entries(struct backend *b, const char *key,
			    osmo_entry_fn each, void *arg,
			    _Atomic uint64_t *done_bytes,
			    _Atomic uint64_t *all_bytes, struct err *err)
	MUST_CHECK;

#endif
