/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a download, shared by download.c and download_file.c only.
 *
 * Workers take the tree's entries one by one, in its order.  The fetcher moves
 * bytes and is told no digests: it would hold a large blob for unverified where
 * a part of it left memory before it was complete.  Each worker hashes what it
 * writes, in order, as it hashes what is there when a download is resumed.
 */
#ifndef DATASETFS_DATASET_DOWNLOAD_IMPL_H
#define DATASETFS_DATASET_DOWNLOAD_IMPL_H

#include "backends/base/lock.h"
#include "backends/base/pool.h"
#include "cache/fetcher.h"
#include "fs/dataset/download/download.h"

/* The folder of the entry that a thread was at last. */
struct place {
	uint32_t dir;		/* in the tree; TREE_NONE: none */
	int fd;			/* O_PATH; -1: it does not exist */
};
#define PLACE_INIT { .dir = TREE_NONE, .fd = -1 }

struct worker {
	struct download *download;
	struct place place;
	uint8_t *bytes;		/* DOWNLOAD_READ */
	/* under the download's lock */
	struct cond answered;
	bool is_reading;
	int r;
	struct err err;
	struct blob_id blob;	/* whose bytes it writes, if has_blob */
	bool has_blob;
	bool has_changed;	/* that blob, while it was read */
};

struct failure {
	char *path;
	struct err err;
};

/* lock guards all from next on. */
struct download {
	struct download_options opt;
	uint32_t n_entries;
	struct memory_budget *budget;
	struct fetcher *fetcher;
	struct pool *pool;
	struct worker workers[DOWNLOAD_WORKERS];
	unsigned n_workers;

	struct lock lock;
	struct cond told;	/* there is something for download_wait() */
	struct cond room;	/* for another failure */
	uint32_t next;		/* entry */
	unsigned n_running;
	bool is_stopping;
	unsigned n_retry_row;
	struct failure untold[DOWNLOAD_UNTOLD_MAX];	/* a ring */
	unsigned untold_at, n_untold;
	struct download_state state;
};

/* --- download.c --- */

/* Ends all by that error; the first one counts. */
void download_abort(struct download *d, const struct err *err);
bool download_is_stopping(struct download *d);

/* --- download_file.c: one file --- */

/*
 * Opens the folder of index dir, makes it first where is_made says so.
 * -ENOENT: it does not exist, and is_made is false.
 */
int place_enter(struct place *place, const struct download *d, uint32_t dir,
		bool is_made, struct err *err) MUST_CHECK;
void place_leave(struct place *place);

enum file_outcome { FILE_FETCHED, FILE_UNVERIFIED, FILE_PASSED, FILE_KNOWN };

/*
 * -EINTR: it is stopping.  Bytes count as fetched as they come; *n_bytes says
 * how many did.
 */
int download_file(struct worker *w, const struct tree_entry *e,
		  enum file_outcome *outcome, uint64_t *n_bytes,
		  struct err *err) MUST_CHECK;
/*
 * The same without a copy of it; FILE_PASSED: it was not read; FILE_KNOWN:
 * nor asked for.
 */
int download_check(struct worker *w, const struct tree_entry *e,
		   const char *path, enum file_outcome *outcome,
		   uint64_t *n_bytes, struct err *err) MUST_CHECK;

#endif
