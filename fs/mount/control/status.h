/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to "status": one JSON object, "datasetfs.status/1".
 */
#ifndef DATASETFS_MOUNT_STATUS_H
#define DATASETFS_MOUNT_STATUS_H

#include "fs/mount/control/fill_jobs.h"

/*
 * Appended to out.  Paths, errors and what is open are for the owner of the
 * mount and for root; others learn which buckets there are.
 */
int status_build(struct fs *fs, struct fill_jobs *jobs, bool is_owner,
		 struct buf *out, struct err *err) MUST_CHECK;

#endif
