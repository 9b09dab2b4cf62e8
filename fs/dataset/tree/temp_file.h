/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are nobody's until they are finished: without a name where the
 * file system can do that (O_TMPFILE), so that a killed process leaves none.
 */
#ifndef DATASETFS_DATASET_TEMP_FILE_H
#define DATASETFS_DATASET_TEMP_FILE_H

#include "backends/base/err.h"

#define TEMP_FILE_NAME_MAX 64

struct temp_file {
	int fd;				/* read-write */
	int dirfd;			/* borrowed */
	char name[TEMP_FILE_NAME_MAX];	/* "": it has none */
};
#define TEMP_FILE_INIT { .fd = -1, .dirfd = -1 }

int temp_file_init(struct temp_file *t, int dirfd, struct err *err) MUST_CHECK;
/* Closes it; what was not published is gone. */
void temp_file_release(struct temp_file *t);

/* Replaces name by it atomically; the descriptor stays open.  No fsync. */
int temp_file_publish(struct temp_file *t, const char *name, struct err *err)
	MUST_CHECK;

#endif
