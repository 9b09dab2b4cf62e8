/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fork that makes a daemon.  The parent stays until the daemon says that
 * it serves, or why it does not.
 */
#ifndef DATASETFS_MOUNT_DAEMON_H
#define DATASETFS_MOUNT_DAEMON_H

#include "backends/base/err.h"

/* A daemon that says nothing for so long is ended. */
#define DAEMON_START_MS 120000

/*
 * What a serving process needs of its limits: no core file, which would hold
 * secrets, nobody of the same user who looks into its memory (so that its
 * /proc/PID belongs to root), and as many descriptors as it may have.
 */
void daemon_limits(void);

struct daemon_link {
	int fd;		/* to the parent; -1: none, or it was told */
};

/*
 * 0 in the daemon, which goes on; 1 in the parent when the daemon serves, or
 * there -errno with the daemon's own error.  No thread may run yet.
 */
int daemon_start(struct daemon_link *link, struct err *err) MUST_CHECK;

/* In the daemon: it serves.  Standard files go to /dev/null. */
void daemon_ready(struct daemon_link *link);
/* In the daemon: it does not, and will end. */
void daemon_failed(struct daemon_link *link, const struct err *err);

#endif
