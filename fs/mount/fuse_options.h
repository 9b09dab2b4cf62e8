/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The string of "-o": what concerns our answers, and what goes to the kernel.
 * An option that is not known is an error, for a misspelt one would be silent.
 */
#ifndef DATASETFS_MOUNT_FUSE_OPTIONS_H
#define DATASETFS_MOUNT_FUSE_OPTIONS_H

#include <stdint.h>
#include <sys/types.h>
#include "backends/base/buf.h"

#define FUSE_OPTIONS_THREADS 4		/* more did not help on two cores */
#define FUSE_OPTIONS_THREADS_MAX 64

struct fuse_options {
	uid_t uid;		/* (uid_t)-1: the daemon's own */
	gid_t gid;
	mode_t umask;		/* bits taken away; 0 by default */
	bool exec;		/* files are 0555 rather than 0444 */
	bool inode32;
	bool noxattr;		/* the kernel is told once that there are none */
	bool allow_other;	/* default: as root */
	bool nonempty;
	int64_t timeout_ms;	/* of a read */
	unsigned threads;
	struct buf kernel;	/* the string for fuse_session_new() */
};

/* text may be NULL.  ERR_USAGE -EINVAL names the option and what is known. */
int fuse_options_parse(struct fuse_options *out, const char *text,
		       bool is_root, struct err *err) MUST_CHECK;
void fuse_options_release(struct fuse_options *opt);
#define cleanup_fuse_options __attribute__((cleanup(fuse_options_release)))

#endif
