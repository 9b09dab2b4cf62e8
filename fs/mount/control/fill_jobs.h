/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Versions that the daemon makes local in its cache while nobody waits for
 * them: one after another, in the order they came, behind all that is read (see
 * fetcher_fill()).  What is cached is skipped, so a job that was cancelled, or
 * that ended with the daemon, is taken up by the same job anew; nothing of the
 * list outlives the daemon.
 *
 * At most FILL_JOBS_MAX are remembered: of those that have ended the oldest
 * makes room.  Any thread may call; fs must have everything but a session until
 * fill_jobs_free() returns.
 */
#ifndef DATASETFS_MOUNT_FILL_JOBS_H
#define DATASETFS_MOUNT_FILL_JOBS_H

#include <jansson.h>
#include "fs/mount/fuse/fs.h"

#define FILL_JOBS_MAX 16u
#define FILL_READS_MAX 16	/* at once; the fetcher has no more in flight */
#define FILL_READ_MS 120000	/* for one of them: readers go first */
/* What a store did not give or the disk not take is read again so often ... */
#define FILL_PASSES_MAX 4u
#define FILL_PAUSE_MS 5000	/* ... after so long */

struct fill_jobs;

/* Of one job, as long as the call lasts that tells of it. */
struct fill_job_info {
	const char *ref;	/* BUCKET/NAME@VERSION, or of a collection */
	const json_t *paths;	/* array of text; empty: all */
	const char *state;	/* waiting, running, done, failed, cancelled */
	const char *problem;	/* "": none */
	uint64_t files, bytes;	/* 0 until they were counted */
	uint64_t bytes_done;	/* of them; those that were there too */
	uint64_t files_missing;	/* as of the last count */
	uint64_t bytes_read;	/* from a store or the disk */
	int64_t reading_ms;	/* for so long */
	int64_t started_s, ended_s;	/* 0: not yet */
};

int fill_jobs_new(struct fill_jobs **out, struct fs *fs, struct err *err)
	MUST_CHECK;
/* Cancels them; stores are not waited for once buckets_stop() was called. */
void fill_jobs_free(struct fill_jobs *jobs);

/* -EINVAL (ERR_USAGE) for what is no array of text. */
int fill_check_paths(const json_t *paths, struct err *err) MUST_CHECK;

/*
 * Of the version or collection ref all, or what lies at or below paths (an
 * array of text, copied).  Waits for the bucket's catalog.  *is_new is false
 * where the same job waits or runs already.  Not there: ERR_MISSING; -EBUSY
 * (ERR_CONFLICT): FILL_JOBS_MAX wait or run.
 */
int fill_jobs_start(struct fill_jobs *jobs, const char *ref, json_t *paths,
		    bool *is_new, struct err *err) MUST_CHECK;
/* All of ref that wait or run: *n of them. */
int fill_jobs_cancel(struct fill_jobs *jobs, const char *ref, unsigned *n,
		     struct err *err) MUST_CHECK;
/* In the order they came; fn must not call these functions. */
void fill_jobs_each(struct fill_jobs *jobs,
		    void (*fn)(void *arg, const struct fill_job_info *info),
		    void *arg);

#endif
