/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager is told of our state: sd_notify(3), one datagram to
 * the socket that $NOTIFY_SOCKET names, a path or "@NAME" in the abstract
 * namespace.  Without the variable nothing is said.  A manager that does not
 * listen is no reason to stop serving: what fails goes to the log only.
 */
#ifndef DATASETFS_MOUNT_NOTIFY_H
#define DATASETFS_MOUNT_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	struct sockaddr_un address;
	socklen_t len;		/* 0: nobody is told */
};

/*
 * Takes the variable out of the environment, so that no child of ours speaks
 * for the service.  No thread may run yet.
 */
void notify_init(struct notify *notify);

/* "READY=1", "STOPPING=1".  Any thread. */
void notify_send(const struct notify *notify, const char *state);

#endif
