/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of fill_jobs.h, shared by fill_jobs.c (the list, and the thread
 * that runs what is on it) and fill_pass.c (one pass over what a job is about).
 */
#ifndef DATASETFS_MOUNT_FILL_IMPL_H
#define DATASETFS_MOUNT_FILL_IMPL_H

#include "backends/base/lock.h"
#include "fs/dataset/reference.h"
#include "fs/mount/control/fill_jobs.h"

#define FILL_REF_MAX (2 * NAME_MAX_BYTES + 16)

enum fill_state {
	FILL_FREE,
	FILL_WAITING,
	FILL_RUNNING,
	FILL_DONE,
	FILL_FAILED,
	FILL_CANCELLED,
};

struct fill_job {
	enum fill_state state;
	uint64_t number;	/* counts up */
	bool is_cancelled;
	char ref[FILL_REF_MAX];
	json_t *paths;
	/* What to read, until it has ended; v NULL: members of ds. */
	struct bucket *bucket;
	struct catalog *catalog;
	const struct dataset *ds;
	const struct version *v;

	uint64_t files, bytes;		/* of the last count, as are these two */
	uint64_t files_cached, bytes_cached;
	uint64_t bytes_read_now;	/* since then */
	uint64_t bytes_read;
	int64_t reading_since_ms, reading_ms;
	int64_t started_s, ended_s;
	struct err problem;
};

enum fill_read_state { READ_FREE, READ_BUSY, READ_OVER };

/* The runner takes a free one; done() makes a busy one over. */
struct fill_read {
	struct fill_jobs *jobs;
	struct fill_job *job;
	enum fill_read_state state;
	uint32_t index;		/* of the file in its tree */
	size_t len;
	int r;
	struct err err;
};

/*
 * lock guards all jobs and the reads' state; of a job that runs the first part
 * is the runner's.  changed: a job came or is cancelled, a read is over.
 */
struct fill_jobs {
	struct fs *fs;
	struct lock lock;
	struct cond changed;
	pthread_t runner;
	bool is_stopping;
	uint64_t n_started;
	struct fill_job jobs[FILL_JOBS_MAX];
	struct fill_read reads[FILL_READS_MAX];
};

/* The job is cancelled, or all are; under the lock. */
bool fill_must_stop(const struct fill_job *job, const struct fill_jobs *jobs);

/* --- fill_pass.c, for the runner --- */

/* Counts the job's files, and what of them is cached. */
int fill_count(struct fill_jobs *jobs, struct fill_job *job,
	       struct err *err) MUST_CHECK;
/* Reads what is not, and counts again; the first problem is told at once. */
int fill_read_missing(struct fill_jobs *jobs, struct fill_job *job,
		      struct err *err) MUST_CHECK;

#endif
