/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies the files of a version into a folder, without a mount: several at
 * once, each under a temporary name until all of it was read, and, where the
 * manifest says what it must be, was that.
 *
 * What the manifest names is hostile: nothing outside of the folder is made,
 * and no symlink in it is followed.  What cannot be read is told and passed
 * over; what the machine cannot do (a full disk), or a store that answers
 * nobody any more, ends the whole.
 *
 * With is_checked nothing is written: each file's object must be there, with
 * the size and, where it is the source's own, the etag that the manifest says;
 * of those that is_read picks all bytes are read and checked as well.
 *
 * A struct download belongs to one thread; its own are behind it.
 */
#ifndef DATASETFS_DATASET_DOWNLOAD_H
#define DATASETFS_DATASET_DOWNLOAD_H

#include "fs/dataset/buckets.h"

struct download;

#define DOWNLOAD_WORKERS 32	/* files at once */
#define DOWNLOAD_READ ((size_t)512 << 10)	/* bytes of each at once */
#define DOWNLOAD_READ_MS 120000	/* that a store may take for them */
/* So many files in a row that a store had no time for: it has none. */
#define DOWNLOAD_RETRY_ROW_MAX 64
/* Failures that nobody asked for yet; then the workers wait. */
#define DOWNLOAD_UNTOLD_MAX 256

/* What a check found of a file, from the least on. */
enum download_found {
	DOWNLOAD_NOTHING,
	DOWNLOAD_THERE,		/* its object, as far as is_checked goes */
	DOWNLOAD_VERIFIED,	/* all of its content, too */
	DOWNLOAD_READ_ONLY,	/* it was read, but cannot be verified */
};

/* Borrowed until download_free(). */
struct download_options {
	struct bucket *bucket;
	struct tree *tree;
	int dirfd;		/* the folder; O_PATH will do */
	uint64_t memory;	/* for content under way; 0: the default */
	/* A file that is there and is what the manifest says is passed over,
	   any other replaced; without it none may be there. */
	bool is_resumed;
	bool is_checked;
	/* Asked by several threads at once.  is_wanted NULL: all are. */
	bool (*is_wanted)(void *arg, const char *path);
	bool (*is_read)(void *arg, const char *path);
	/* is_checked: what was found of an entry by an earlier run, which is
	   not looked for again, and by this one.  NULL: nobody keeps it. */
	enum download_found (*found_before)(void *arg, uint32_t index);
	void (*found)(void *arg, uint32_t index, enum download_found what);
	void *arg;
};

/*
 * Counts what there is to do.  -EEXIST (ERR_CONFLICT): a file is there;
 * ERR_CORRUPT: the tree is damaged.
 */
int download_new(struct download **out, const struct download_options *opt,
		 struct err *err) MUST_CHECK;
/* Stops it first. */
void download_free(struct download *d);

int download_start(struct download *d, struct err *err) MUST_CHECK;
/* What is whole stays, what is under way is dropped.  Waits for nothing. */
void download_stop(struct download *d);
/*
 * Until deadline_ms (clock_ms() time), all is done, or there is a failure to
 * be told.  True: all is done.
 */
bool download_wait(struct download *d, int64_t deadline_ms);

/* The next file that failed; false: none now.  *path is the caller's. */
bool download_failure(struct download *d, char **path, struct err *err);

struct download_state {
	uint64_t files, bytes;			/* that are wanted */
	uint64_t files_fetched, bytes_fetched;	/* bytes: of parts too */
	/* Were there; is_checked: and were not read. */
	uint64_t files_passed, bytes_passed;
	/* Were found by an earlier run. */
	uint64_t files_known, bytes_known;
	uint64_t files_failed, bytes_failed;
	/* Fetched, but nothing but their size is known for certain. */
	uint64_t files_unverified;
	struct err failure;	/* the first of a file; ERR_NONE: none */
	bool is_mixed;		/* others were of another class */
	struct err fatal;	/* what ended the whole; ERR_NONE: nothing */
};
void download_state(struct download *d, struct download_state *out);

#endif
