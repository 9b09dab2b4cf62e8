/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asking side of the control socket.  The socket is abstract (unix(7)): it
 * is gone with its daemon.  Its name is made from the mount's device number;
 * since anybody may bind such a name, who answers must be who mounted.
 */
#ifndef DATASETFS_MOUNT_CLIENT_H
#define DATASETFS_MOUNT_CLIENT_H

#include <sys/socket.h>
#include <sys/un.h>
#include "backends/base/buf.h"
#include "fs/mount/point/mountinfo.h"

#define CLIENT_TIMEOUT_MS 5000
#define CLIENT_SILENCE_MS 60000	/* of a daemon at work on an errand */
#define CLIENT_ANSWER_MAX ((size_t)64 << 20)
#define CLIENT_NAME_MAX 64

/* The name without its leading NUL, for a mount's device number. */
void client_socket_name(char out[CLIENT_NAME_MAX], unsigned major,
			unsigned minor);
/* The address of a name; its length. */
socklen_t client_address(struct sockaddr_un *out, const char *name);

/* The daemon's process.  -ENOENT (ERR_MISSING): nobody answers. */
int client_pid(const struct mountinfo *m, pid_t *pid, struct err *err)
	MUST_CHECK;

#endif
