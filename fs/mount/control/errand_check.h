/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The errand "check": whether what the disk cache holds of a version is what
 * it should be.  Each record is read and compared with the checksum in its own
 * head; where all of a file is there, its content with the manifest's etag too.
 * What is not right is named and dropped; damaged records, up to
 * ERRAND_CHECK_REFETCH_MAX of a file, are fetched again at once, where the store
 * has them, the rest when somebody reads it.
 *
 *	check {"ref": REF, "paths": [PATH, ...], "from": INDEX}
 *
 * It takes ERRAND_CHECK_MS and a file at most: the answer's "next" is where to
 * go on, null at the end.  "tree" tells whether that is an index into the same
 * tree as the caller's.
 */
#ifndef DATASETFS_MOUNT_ERRAND_CHECK_H
#define DATASETFS_MOUNT_ERRAND_CHECK_H

#include <jansson.h>
#include "fs/mount/control/errand.h"

#define ERRAND_CHECK_MS 1000
#define ERRAND_CHECK_NAMED_MAX 1000u	/* in one answer */
#define ERRAND_CHECK_REFETCH_MAX 64u

/* text: the JSON of the question; adds the answer to doc. */
int errand_check(struct errand *errand, const char *text, json_t *doc,
		 struct err *err) MUST_CHECK;

#endif
