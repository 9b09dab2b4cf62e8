/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the object of a damaged entry may really lie.  OSMO 6.0 to 6.3 took
 * the *characters* of a remote source's prefix, not the prefix, from the left
 * of each key: with the source s3://b/data/raw the key data/raw/train/x became
 * "in/x", as t, r, a are letters of "data/raw", and the manifest says
 * s3://b/data/raw/in/x.  What was cut off still stands in relative_path:
 *
 *	storage_path = PREFIX "/" TAIL, where relative_path ends in CUT TAIL,
 *	CUT consists of characters of PREFIX (which holds a slash), and TAIL
 *	does not begin with one; the object is PREFIX "/" CUT TAIL.
 *
 * Also a key with two slashes in a row is tried with one.  Whether a candidate
 * is the object is for the caller to find out: size and ETag must agree.
 * Pure functions.
 */
#ifndef DATASETFS_DATASET_OSMO_REPAIR_H
#define DATASETFS_DATASET_OSMO_REPAIR_H

#include <stddef.h>
#include "backends/base/err.h"

#define OSMO_REPAIR_MAX 16	/* candidates of one entry */

struct osmo_repair {
	char *uris[OSMO_REPAIR_MAX];	/* the likely ones first */
	size_t n;
};

/*
 * n 0: the entry is not damaged, or not in a way that is known.  Strings may
 * hold any byte.
 */
int osmo_repair_init(struct osmo_repair *out, const char *relative_path,
		     size_t path_len, const char *source, size_t source_len,
		     struct err *err) MUST_CHECK;
void osmo_repair_release(struct osmo_repair *repair);

#endif
