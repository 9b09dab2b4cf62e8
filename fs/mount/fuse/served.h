/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which nodes were given bytes of which blob before all of it was verified, so
 * that their pages can be taken back when it turns out wrong.  Any thread.
 */
#ifndef DATASETFS_MOUNT_SERVED_H
#define DATASETFS_MOUNT_SERVED_H

#include "cache/blob.h"
#include "backends/base/err.h"

struct served;

/* 16 MiB when full; then old ones are given up, with a warning. */
#define SERVED_MAX ((size_t)1 << 19)

int served_new(struct served **out, struct err *err) MUST_CHECK;
void served_free(struct served *served);

void served_note(struct served *served, const struct blob_id *id,
		 uint64_t nodeid);
/*
 * The nodes of that blob, *n of them; the caller frees.  NULL where there are
 * none; *n is not 0 then where memory is lacking.
 */
uint64_t *served_nodes(struct served *served, const struct blob_id *id,
		       size_t *n) MUST_CHECK;

#endif
