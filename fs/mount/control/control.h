/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answering side of the control socket: one thread, one question at a
 * time, each with a short limit.  Who asks is known by SO_PEERCRED; nothing
 * that can be asked changes anything.
 */
#ifndef DATASETFS_MOUNT_CONTROL_H
#define DATASETFS_MOUNT_CONTROL_H

#include "fs/mount/fuse/fs.h"

struct control;

#define CONTROL_OWNER_MS 1000	/* for its question, and to take the answer */
#define CONTROL_OTHER_MS 100	/* ... so that others cannot keep it busy */

/* name: see client_socket_name().  -EADDRINUSE: somebody has that name. */
int control_new(struct control **out, struct fs *fs, const char *name,
		struct err *err) MUST_CHECK;
void control_free(struct control *control);

#endif
