/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is mounted where, from /proc/self/mountinfo (proc(5)): it never touches
 * a mount, so it cannot hang on one whose daemon is stuck.
 */
#ifndef DATASETFS_MOUNT_MOUNTINFO_H
#define DATASETFS_MOUNT_MOUNTINFO_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>
#include "backends/base/err.h"

#define MOUNTINFO_TYPE_MAX 64

struct mountinfo {
	int id;				/* as in /proc/PID/fdinfo */
	unsigned major, minor;		/* st_dev of what is in it */
	char root[PATH_MAX];		/* "/" unless it is a bind of a part */
	char point[PATH_MAX];
	char type[MOUNTINFO_TYPE_MAX];
	uid_t user_id;			/* FUSE: who mounted; (uid_t)-1: none */
};

/* One line without its newline; false where it is not of that form. */
bool mountinfo_parse(struct mountinfo *out, const char *line);

/*
 * The topmost mount at exactly that path (absolute, see mountinfo_path()).
 * -ENOENT (ERR_MISSING) where there is none.
 */
int mountinfo_find(struct mountinfo *out, const char *path, struct err *err)
	MUST_CHECK;

/*
 * An absolute path without links, for comparisons with mountinfo: resolved
 * without a request to what is mounted at it.  -ENOENT (ERR_MISSING) where its
 * directory is not there.
 */
int mountinfo_path(char out[PATH_MAX], const char *path, struct err *err)
	MUST_CHECK;

/* The topmost mount at what a user names: mountinfo_path(), then _find(). */
int mountinfo_of(struct mountinfo *out, const char *mountpoint,
		 struct err *err) MUST_CHECK;

/* A datasetfs mount, whole. */
bool mountinfo_is_ours(const struct mountinfo *m);

#endif
