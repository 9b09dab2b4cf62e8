/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asking side of the control socket.  The socket is abstract (unix(7)): it
 * is gone with its daemon.  Its name is made from the mount's device number;
 * where that is not to be had, by the process, and the root tells it by an
 * xattr.  Since anybody may bind such a name, who answers must be who mounted.
 */
#ifndef DATASETFS_MOUNT_CLIENT_H
#define DATASETFS_MOUNT_CLIENT_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include "backends/base/buf.h"
#include "fs/mount/point/mountinfo.h"

#define CLIENT_TIMEOUT_MS 5000
/* Of a mount that is there and does not answer yet, or is busy. */
#define CLIENT_START_MS 2000
#define CLIENT_START_STEP_MS 20
#define CLIENT_SILENCE_MS 60000	/* of a daemon at work on an errand */
#define CLIENT_ANSWER_MAX ((size_t)64 << 20)
#define CLIENT_NAME_MAX 64

/* The name without its leading NUL, for a mount's device number. */
void client_socket_name(char out[CLIENT_NAME_MAX], unsigned major,
			unsigned minor);
/* For a mount that cannot have such a name: its root tells it by an xattr. */
void client_process_name(char out[CLIENT_NAME_MAX], pid_t pid);
/* The address of a name; its length. */
socklen_t client_address(struct sockaddr_un *out, const char *name);

/* The daemon's process.  -ENOENT (ERR_MISSING): nobody answers. */
int client_pid(const struct mountinfo *m, pid_t *pid, struct err *err)
	MUST_CHECK;

#endif
