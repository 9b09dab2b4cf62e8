/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version's checksum as OSMO records it: MD5 over "PATH ETAG" of every entry
 * in the order of the manifest, nothing between them; "" without entries.  One
 * thread at a time.
 */
#ifndef DATASETFS_DATASET_OSMO_CHECKSUM_H
#define DATASETFS_DATASET_OSMO_CHECKSUM_H

#include "backends/base/digest.h"
#include "fs/dataset/osmo/osmo_manifest.h"

struct osmo_checksum;

#define OSMO_CHECKSUM_TEXT (2 * MD5_SIZE + 1)

struct osmo_checksum *osmo_checksum_new(void);	/* NULL: no memory */
void osmo_checksum_free(struct osmo_checksum *sum);
void osmo_checksum_add(struct osmo_checksum *sum,
		       const struct osmo_entry *entry);
/* Starts afresh after. */
void osmo_checksum_finish(struct osmo_checksum *sum,
			  char out[OSMO_CHECKSUM_TEXT]);

#endif
