/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/notify.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "backends/base/env.h"
#include "backends/base/log.h"

#define NOTIFY_VARIABLE "NOTIFY_SOCKET"

static bool parse_address(struct notify *notify, const char *name)
{
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 ||
	    len >= sizeof(notify->address.sun_path))
		return false;
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, name, len);
	/* An abstract name has no end but its length, see unix(7). */
	if (name[0] == '@')
		notify->address.sun_path[0] = '\0';
	notify->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

void notify_init(struct notify *notify)
{
	const char *name = env_get(NOTIFY_VARIABLE);

	memset(notify, 0, sizeof(*notify));
	if (!name)
		return;
	if (!parse_address(notify, name))
		log_warn("mount", "the service manager is not told: " NOTIFY_VARIABLE "=\"%s\"",
			 name);
	(void)unsetenv(NOTIFY_VARIABLE);
}

void notify_send(const struct notify *notify, const char *state)
{
	cleanup_fd int fd = -1;
	size_t len = strlen(state);

	if (!notify->len)
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 ||
	    sendto(fd, state, len, MSG_NOSIGNAL,
		   (const struct sockaddr *)&notify->address,
		   notify->len) != (ssize_t)len)
		log_warn("mount", "the service manager was not told: state=%s error=%d",
			 state, errno);
}
