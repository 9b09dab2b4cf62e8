/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's datasets into a catalog.  The plan comes first, over everything: where
 * one dataset or version is refused, nothing is written.  Applying is
 * idempotent, so after a failure it is simply done again.
 *
 * Synchronous; one thread.
 */
#ifndef DATASETFS_DATASET_IMPORT_H
#define DATASETFS_DATASET_IMPORT_H

#include "backends/base/buf.h"
#include "fs/dataset/catalog_store.h"
#include "fs/dataset/import/import_source.h"

enum import_action {
	IMPORT_ADDED, IMPORT_UPDATED, IMPORT_UNCHANGED, IMPORT_SKIPPED,
	IMPORT_REFUSED,
};
#define IMPORT_ACTIONS (IMPORT_REFUSED + 1)
const char *import_action_name(enum import_action action);	/* "added" */

struct import_line {
	enum import_action action;
	const char *dataset;	/* its name; borrowed from the source */
	const char *id;
	bool is_collection;
	uint32_t version;	/* 0: about the dataset itself */
	char *text;		/* why, or what; "" where there is nothing */
};

struct import_report {
	struct import_line *lines;	/* in the order of names, numbers */
	size_t n_lines;
	size_t datasets[IMPORT_ACTIONS];	/* with collections */
	size_t versions[IMPORT_ACTIONS];
	size_t n_other_buckets;		/* datasets of other buckets: not taken */
	bool is_dry_run;
};
void import_report_release(struct import_report *report);
#define cleanup_import_report __attribute__((cleanup(import_report_release)))
/*
 * Lines for people, appended: "added      imagenet:2", and one with the sums.
 * verbose: unchanged ones too.
 */
void import_report_print(const struct import_report *report, bool verbose,
			 struct buf *out);

struct import_options {
	const char *bucket;	/* only rows of this one, OSMO's name for it */
	bool dry_run;		/* plan and report; write nothing */
	bool adopt;		/* the datasets are ours from now on */
	int64_t timeout_ms;	/* of each single request; 0: a default */
};

/*
 * src must be settled and live as long as the report.  -EEXIST (ERR_CONFLICT)
 * when something was refused: the report says what, nothing was written, and a
 * command exits 1.  ERR_MISSING: the source is about other buckets only, which
 * the text names.  Other errors are the store's; what was written until then
 * is consistent.  dry_run gives the same report and result.
 */
int import_apply(struct catalog_store *store, const struct import_source *src,
		 const struct import_options *opt,
		 struct import_report *report, struct err *err) MUST_CHECK;

#endif
