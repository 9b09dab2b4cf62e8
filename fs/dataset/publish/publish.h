/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One more version of a dataset: its record, the head, and for a new dataset
 * the name, in the order that datasetfs-format(5) gives, so that a writer may
 * be cut off anywhere.  What the record names lies in the store already.
 *
 * Synchronous; for a command's thread.
 */
#ifndef DATASETFS_DATASET_PUBLISH_H
#define DATASETFS_DATASET_PUBLISH_H

#include "fs/dataset/catalog_store.h"

#define PUBLISH_TRIES 100	/* numbers that other writers took meanwhile */

struct publish_request {
	const char *name;		/* of the dataset */
	const struct version *record;	/* all but number, status, digest */
	bool dry_run;			/* check and tell; write nothing */
	int64_t timeout_ms;		/* of each single request */
};
struct published {
	uint32_t number;
	bool is_new_dataset;
	bool is_unchanged;	/* the newest READY version is that already,
				   with these tags: nothing was written */
};

/*
 * -EEXIST (ERR_CONFLICT): the name belongs to a collection, or to a dataset
 * that OSMO may still number (not adopted); -EBUSY (ERR_RETRY) after
 * PUBLISH_TRIES.  After another failure the version exists
 * or does not; it is never half there, and the call may be repeated.
 */
int publish_version(struct catalog_store *store,
		    const struct publish_request *request,
		    struct published *out, struct err *err) MUST_CHECK;

#endif
