/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/log.h"

/* Both ends are one binary: the struct is its own format. */
struct report {
	bool serves;
	struct err err;
};

void daemon_limits(void)
{
	const struct rlimit none = { .rlim_cur = 0, .rlim_max = 0 };
	struct rlimit files;

	/* The limit alone does not hold for a core_pattern that is a pipe. */
	if (setrlimit(RLIMIT_CORE, &none) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		log_warn("mount", "core files stay possible: error=%d", errno);
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		log_debug("mount", "descriptors stay limited: error=%d", errno);
}

static int parent_error(pid_t pid, struct err *err)
{
	int status;

	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, EIO,
			       "the daemon was ended by signal %d before it served",
			       WTERMSIG(status));
	return err_set(err, ERR_SYSTEM, EIO,
		       "the daemon ended before it served");
}

static int parent_wait(pid_t pid, int fd, struct err *err)
{
	int64_t end = clock_ms() + DAEMON_START_MS;
	struct report report;
	size_t used = 0;

	while (used < sizeof(report)) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int64_t left = end - clock_ms();
		ssize_t n;

		if (left <= 0 || poll(&p, 1, (int)left) == 0) {
			kill(pid, SIGTERM);
			return err_set(err, ERR_SYSTEM, ETIMEDOUT,
				       "the daemon did not serve within %d s",
				       DAEMON_START_MS / 1000);
		}
		n = read(fd, (char *)&report + used, sizeof(report) - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return parent_error(pid, err);
		used += (size_t)n;
	}
	if (report.serves)
		return 1;
	/* It is about to end: whoever starts the next one finds its locks free. */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*err = report.err;
	return -err->code;
}

int daemon_start(struct daemon_link *link, struct err *err)
{
	int fds[2];
	pid_t pid;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, errno, "pipe");
	fflush(NULL);
	pid = fork();
	if (pid < 0) {
		r = err_errno(err, errno, "fork");
		close(fds[0]);
		close(fds[1]);
		return r;
	}
	if (pid == 0) {
		close(fds[0]);
		link->fd = fds[1];
		(void)setsid();
		return 0;
	}
	close(fds[1]);
	r = parent_wait(pid, fds[0], err);
	close(fds[0]);
	return r;
}

static void daemon_tell(struct daemon_link *link, const struct report *report)
{
	if (link->fd < 0)
		return;
	/* A parent that was ended is no reason to end as well. */
	if (io_write_full(link->fd, report, sizeof(*report)) < 0)
		errno = 0;
	close(link->fd);
	link->fd = -1;
}

void daemon_ready(struct daemon_link *link)
{
	struct report report;
	int null;

	if (link->fd < 0)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
	if (null > STDERR_FILENO)
		close(null);
	memset(&report, 0, sizeof(report));
	report.serves = true;
	daemon_tell(link, &report);
}

void daemon_failed(struct daemon_link *link, const struct err *err)
{
	struct report report;

	memset(&report, 0, sizeof(report));
	err_copy(&report.err, err);
	daemon_tell(link, &report);
}
