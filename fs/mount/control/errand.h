/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process that holds a cache can be sent to do, which takes longer
 * than a status.  A question is one line:
 *
 *	evict all | evict ref REF | evict bucket NAME
 *	stat
 *	check {...}	(see errand_check.h)
 *	prefetch {"ref": REF, "paths": [PATH, ...]} | cancel REF
 *
 * The answer is one JSON object, {"error": {"class", "code", "text"}} where it
 * could not be done.  One errand at a time; it may wait for stores, and looks
 * at the files of versions one by one, so its caller is asked again and again
 * whether anybody waits still.
 */
#ifndef DATASETFS_MOUNT_ERRAND_H
#define DATASETFS_MOUNT_ERRAND_H

#include "fs/mount/control/fill_jobs.h"

#define ERRAND_FLUSH_EVERY 1024u	/* blobs evicted, before the disk is waited for */
#define ERRAND_DISK_MS 60000		/* for it to write what is gone */
/*
 * "stat" and the count of "evict all" look at so many files; versions behind
 * them are not counted.
 */
#define ERRAND_STAT_FILES_MAX 4000000u

struct errand {
	struct fs *fs;
	struct fill_jobs *jobs;	/* NULL: no mount runs */
	bool (*beat)(void *arg);	/* false: it is to end */
	void *arg;
};

bool errand_is_one(const char *question);
void errand_answer(struct errand *errand, const char *question,
		   struct buf *answer);
/* The answer of who does not even begin. */
void errand_refuse(struct buf *answer, const struct err *err);

#endif
