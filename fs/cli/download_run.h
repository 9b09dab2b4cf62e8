/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A download or a check from its start to its end, as a command has it: with
 * progress, failures told as they come, and an end when it is interrupted.
 */
#ifndef DATASETFS_CLI_DOWNLOAD_RUN_H
#define DATASETFS_CLI_DOWNLOAD_RUN_H

#include "fs/cli/cli.h"
#include "fs/cli/progress.h"
#include "fs/dataset/download/download.h"

#define DOWNLOAD_RUN_TICK_MS 200	/* how soon an interruption is seen */
#define DOWNLOAD_RUN_FAILED_MAX 1000	/* in the JSON; stderr has all */

struct download_run {
	struct download *download;
	struct buckets *buckets;	/* interrupted, all their requests end;
					   NULL: reads end by themselves */
	bool has_no_bytes;		/* its progress is one of files */
	json_t *failed;			/* an array, or NULL */
	void (*tick)(void *arg);	/* now and then, meanwhile; or NULL */
	void *arg;
	struct progress progress;
	int64_t started_ms;		/* 0: when it runs */
};
int download_run(struct download_run *run, struct err *err) MUST_CHECK;

/* What both commands tell in JSON: begun with the version ... */
json_t *download_run_json(const struct resolved *ref);
json_t *download_run_count(uint64_t files, uint64_t bytes);
/* ... and ended with how the run went; takes doc over. */
void download_run_print_json(const struct download_run *run,
			     const struct download_state *state, json_t *doc,
			     const char *schema);

#endif
