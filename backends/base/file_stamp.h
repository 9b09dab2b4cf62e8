/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tells one content of a path from the next, without reading it.  A stamp
 * is taken before the content is read: what changes in between is then seen
 * the next time.
 */
#ifndef DATASETFS_BASE_FILE_STAMP_H
#define DATASETFS_BASE_FILE_STAMP_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

struct file_stamp {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	struct timespec ctime;
};

/* Symlinks are followed; a path that cannot be looked at does not exist. */
void file_stamp_take(const char *path, struct file_stamp *out);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

#endif
