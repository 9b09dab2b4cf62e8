/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are nobody's until they are finished: without a name where the
 * file system can do that (O_TMPFILE), so that a killed process leaves none.
 *
 * One that its directory does not take, be it full, read-only or gone, lies in
 * $TMPDIR or /tmp, without a name: it serves as well, but for this process
 * alone and no longer than it is open.  That is said once in the log, and again
 * only when it was well in between.
 */
#ifndef DATASETFS_DATASET_TEMP_FILE_H
#define DATASETFS_DATASET_TEMP_FILE_H

#include <stdint.h>
#include <sys/types.h>
#include "backends/base/err.h"

#define TEMP_FILE_NAME_MAX 64

struct temp_file {
	int fd;				/* read-write */
	int dirfd;			/* borrowed; -1: it lies elsewhere */
	char name[TEMP_FILE_NAME_MAX];	/* "": it has none */
};
#define TEMP_FILE_INIT { .fd = -1, .dirfd = -1 }

/* dirfd -1: elsewhere at once.  -EIO: there neither; the text names both. */
int temp_file_init(struct temp_file *t, int dirfd, struct err *err) MUST_CHECK;
/* Closes it; what was not published is gone. */
void temp_file_release(struct temp_file *t);

/* May move it elsewhere, with all that was written: t->fd becomes another. */
int temp_file_write(struct temp_file *t, const void *bytes, size_t len,
		    uint64_t offset, struct err *err) MUST_CHECK;

/*
 * Replaces name by it atomically; the descriptor stays open.  No fsync.  False
 * where that cannot be, or the file lies elsewhere.
 */
bool temp_file_publish(struct temp_file *t, const char *name);

/*
 * For files that are somebody's and so never lie elsewhere: in dirfd (O_PATH
 * will do) with open(2)'s mode, and in place of any name there that is no
 * directory.  0 or -errno.
 */
int temp_file_create(struct temp_file *t, int dirfd, mode_t mode) MUST_CHECK;
int temp_file_rename(struct temp_file *t, const char *name) MUST_CHECK;

/* Whether a directory takes a file and what is written to it. */
int temp_file_probe(int dirfd, struct err *err) MUST_CHECK;

#endif
