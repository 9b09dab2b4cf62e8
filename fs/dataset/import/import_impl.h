/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the import share: the plan of one dataset.
 */
#ifndef DATASETFS_DATASET_IMPORT_IMPL_H
#define DATASETFS_DATASET_IMPORT_IMPL_H

#include <string.h>
#include "fs/dataset/catalog_store/catalog_record.h"
#include "fs/dataset/import/import.h"

#define IMPORT_TIMEOUT_MS 60000

struct plan_version {
	const struct import_version *v;
	bool is_new;		/* its record is to be created */
	bool has_record;	/* it is here, or will be */
	bool differs_metadata;	/* from the record's: the head overrides it */
};

struct plan {
	const struct import_dataset *ds;
	bool is_new;		/* no head stands here yet */
	bool is_left_alone;	/* skipped, adopted or refused: nothing to do */
	bool has_head_change;
	bool needs_name;	/* names/NAME.json is missing or another's */
	char *rename_from;	/* NULL, or the name that the head has now */
	bool is_done;		/* its name is in place */
	struct plan_version *versions;
	size_t n_versions;
};

struct import {
	struct catalog_store *store;
	const struct import_source *src;
	const struct import_options *opt;
	struct import_report *report;
	struct plan *plans;
	size_t n_plans;
};

/* -ENOMEM only. */
int import_report_add(struct import_report *report, enum import_action action,
		      const struct import_dataset *ds, uint32_t version,
		      struct err *err, const char *fmt, ...) PRINTF_LIKE(6, 7)
	MUST_CHECK;

/* Fills im->plans and the report; writes nothing. */
int import_plan(struct import *im, struct err *err) MUST_CHECK;

/* The kind that a version gets by its row. */
enum version_kind import_kind(const struct import_version *v);

/*
 * The head that plan's dataset should have, over the one that stands there
 * (len 0: none); name as given.  *what (may be NULL) gets a few words about
 * what differs.
 */
int import_head(struct buf *out, const struct plan *plan, const char *name,
		const char *renaming, bool adopt, const char *old,
		size_t old_len, struct buf *what, struct err *err) MUST_CHECK;

int import_version_bytes(struct buf *out, const struct import_dataset *ds,
			 const struct import_version *v, struct err *err)
	MUST_CHECK;

/* No text is the empty one. */
static inline bool import_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* When a request that begins now has to have ended. */
int64_t import_deadline(const struct import *im);

/* Writes what the plans say, with threads of its own. */
int import_write(struct import *im, struct err *err) MUST_CHECK;

#endif
