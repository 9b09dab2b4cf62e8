/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/client.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "fs/mount/mount.h"

/* The root's, which fuse/xattr.c answers. */
#define SOCKET_XATTR "user.datasetfs.socket"

void client_socket_name(char out[CLIENT_NAME_MAX], unsigned major,
			unsigned minor)
{
	snprintf(out, CLIENT_NAME_MAX, MOUNT_FS_NAME "/%u:%u", major, minor);
}

void client_process_name(char out[CLIENT_NAME_MAX], pid_t pid)
{
	snprintf(out, CLIENT_NAME_MAX, MOUNT_FS_NAME "/process/%d", (int)pid);
}

socklen_t client_address(struct sockaddr_un *out, const char *name)
{
	size_t len = strlen(name);

	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	if (len > sizeof(out->sun_path) - 1)
		len = sizeof(out->sun_path) - 1;
	memcpy(out->sun_path + 1, name, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
}

static int nobody(const struct mountinfo *m, struct err *err)
{
	return err_set(err, ERR_MISSING, ENOENT,
		       "no datasetfs answers for %s", m->point);
}

static int client_connect(const struct mountinfo *m, const char *name,
			  struct ucred *peer, struct err *err)
{
	cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;
	socklen_t len = client_address(&addr, name);
	socklen_t peer_len = sizeof(*peer);

	if (fd < 0)
		return err_errno(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&addr, len) < 0) {
		if (errno == EAGAIN)
			return err_set(err, ERR_RETRY, ETIMEDOUT,
				       "the datasetfs of %s is busy", m->point);
		return nobody(m, err);
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &peer_len) < 0)
		return err_errno(err, errno, "SO_PEERCRED");
	if (peer->uid != 0 && peer->uid != m->user_id)
		return nobody(m, err);
	return steal_fd(&fd);
}

/*
 * By device number; else by the name that the mount says itself.  *may_come:
 * its daemon lives, and may yet answer.
 */
static int client_open_now(const struct mountinfo *m, struct ucred *peer,
			   bool *may_come, struct err *err)
{
	char name[CLIENT_NAME_MAX];
	ssize_t n;
	int fd;

	client_socket_name(name, m->major, m->minor);
	fd = client_connect(m, name, peer, err);
	*may_come = fd == -ETIMEDOUT;
	if (fd != -ENOENT)
		return fd;
	n = getxattr(m->point, SOCKET_XATTR, name, sizeof(name) - 1);
	*may_come = n > 0;
	if (n <= 0)
		return fd;
	name[n] = '\0';
	err_clear(err);
	return client_connect(m, name, peer, err);
}

static int client_open(const struct mountinfo *m, struct ucred *peer,
		       struct err *err)
{
	const struct timespec step = {
		.tv_nsec = CLIENT_START_STEP_MS * 1000000L,
	};
	int64_t end = clock_ms() + CLIENT_START_MS;
	bool may_come;
	int fd;

	for (;;) {
		fd = client_open_now(m, peer, &may_come, err);
		if (fd >= 0 || !may_come || clock_ms() >= end)
			return fd;
		err_clear(err);
		(void)nanosleep(&step, NULL);
	}
}

int client_pid(const struct mountinfo *m, pid_t *pid, struct err *err)
{
	char name[CLIENT_NAME_MAX];
	struct ucred peer;
	int fd;

	client_socket_name(name, m->major, m->minor);
	fd = client_connect(m, name, &peer, err);
	if (fd < 0)
		return fd;
	close(fd);
	*pid = peer.pid;
	return 0;
}

static int late(const struct mountinfo *m, struct err *err)
{
	return err_set(err, ERR_RETRY, ETIMEDOUT,
		       "the datasetfs of %s does not answer", m->point);
}

/* silence_ms: how long nothing may come. */
static int read_answer(int fd, const struct mountinfo *m, int64_t silence_ms,
		       struct buf *out, struct err *err)
{
	int64_t end = clock_ms() + silence_ms;
	size_t before = out->len;
	char block[16384];

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_ms();
		ssize_t n;
		int r;

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			return late(m, err);
		n = read(fd, block, sizeof(block));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			break;
		if (n < 0)
			return err_errno(err, errno, "read the status");
		if (out->len - before > CLIENT_ANSWER_MAX)
			return err_set(err, ERR_CORRUPT, EFBIG,
				       "the answer is too long");
		r = buf_add(out, block, (size_t)n, err);
		if (r < 0)
			return r;
		end = clock_ms() + silence_ms;
	}
	if (out->len > before)
		return 0;
	return err_set(err, ERR_AUTH, EACCES,
		       "the datasetfs of %s tells its status to its owner only",
		       m->point);
}

static int ask(const char *mountpoint, const char *question,
	       int64_t silence_ms, struct buf *out, struct err *err)
{
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	cleanup_fd int fd = -1;
	struct ucred peer;
	int r;

	if (!m)
		return err_nomem(err);
	r = mountinfo_of(m, mountpoint, err);
	if (r < 0)
		return r;
	if (strcmp(m->type, MOUNT_FS_TYPE) != 0)
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s is a mount of %s, not of datasetfs",
			       m->point, m->type);
	fd = client_open(m, &peer, err);
	if (fd < 0)
		return fd;
	/* Who may not ask is hung up on, maybe before this. */
	if (send(fd, question, strlen(question), MSG_NOSIGNAL) < 0 &&
	    errno != EPIPE && errno != ECONNRESET)
		return late(m, err);
	r = read_answer(fd, m, silence_ms, out, err);
	/* It had no time for the question, see CONTROL_OWNER_MS. */
	if (r == -EACCES && (geteuid() == 0 || geteuid() == peer.uid)) {
		err_clear(err);
		return late(m, err);
	}
	return r;
}

int mount_status_fetch(const char *mountpoint, struct buf *out,
		       struct err *err)
{
	return ask(mountpoint, "status\n", CLIENT_TIMEOUT_MS, out, err);
}

int mount_errand(const char *mountpoint, const char *question,
		 struct buf *out, struct err *err)
{
	if (strlen(question) > MOUNT_QUESTION_MAX)
		return err_set(err, ERR_USAGE, E2BIG,
			       "too much for one request, which takes %d bytes: name fewer paths",
			       MOUNT_QUESTION_MAX);
	return ask(mountpoint, question, CLIENT_SILENCE_MS, out, err);
}
