/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answering side of the control socket: one thread, one question at a
 * time, each with a short limit.  Who asks is known by SO_PEERCRED.  Whoever
 * mounted, and root, may send it on an errand (errand.h): these wait for a
 * thread of their own, which sends a newline every second until the answer.
 */
#ifndef DATASETFS_MOUNT_CONTROL_H
#define DATASETFS_MOUNT_CONTROL_H

#include "fs/mount/fuse/fs.h"

struct control;

#define CONTROL_OWNER_MS 1000	/* for its question, and to take the answer */
#define CONTROL_OTHER_MS 100	/* ... so that others cannot keep it busy */

#define CONTROL_ERRANDS_MAX 8		/* waiting; then it is busy */
#define CONTROL_BEAT_MS 1000		/* between signs of life */

/* name: see client_socket_name().  -EADDRINUSE: somebody has that name. */
int control_new(struct control **out, struct fs *fs, const char *name,
		struct err *err) MUST_CHECK;
/*
 * Nobody new is answered, and the name is free: the kernel gives a device
 * number to the next mount as soon as this one is gone.
 */
void control_hang_up(struct control *control);
void control_free(struct control *control);

#endif
