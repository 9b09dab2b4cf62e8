/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/point/point.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/mount/control/client.h"
#include "fs/mount/mount.h"
#include "fs/mount/point/holders.h"

#define POINT_STACKED_MAX 16	/* dead mounts on top of each other */
#define POINT_END_WAIT_MS 5000	/* for a daemon after its mount is gone */
#define FUSERMOUNT "fusermount3"

extern char **environ;

int point_fd(const char *mountpoint)
{
	int fd, n = 0;

	if (sscanf(mountpoint, "/dev/fd/%d%n", &fd, &n) != 1 ||
	    mountpoint[n] || fd < 0)
		return -1;
	return fd;
}

void point_words(int fd, char *out, size_t size)
{
	ssize_t n = io_pread_full(fd, out, size - 1, 0);

	if (n < 0)
		n = 0;
	while (n > 0 && out[n - 1] == '\n')
		n--;
	out[n] = '\0';
	for (char *p = out; *p; p++)
		if (*p == '\n')
			*p = ' ';
}

static int run_fusermount(const char *path, bool lazy, char *words,
			  size_t size, struct err *err)
{
	const char *argv[] = {
		FUSERMOUNT, "-u", lazy ? "-z" : "--", lazy ? "--" : path,
		lazy ? path : NULL, NULL,
	};
	posix_spawn_file_actions_t actions;
	cleanup_fd int out = memfd_create("fusermount", MFD_CLOEXEC);
	int r, status;
	pid_t pid;

	if (out < 0)
		return err_errno(err, errno, "memfd_create");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out, STDERR_FILENO);
	r = posix_spawnp(&pid, FUSERMOUNT, &actions, NULL,
			 (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		return err_errno(err, r, "start " FUSERMOUNT
				 " (Debian has it in the package fuse3)");
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno(err, errno, "wait for " FUSERMOUNT);
	point_words(out, words, size);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int busy_error(const struct mountinfo *m, struct err *err)
{
	cleanup_buf struct buf who = BUF_INIT;

	if (holders_find(m, &who) && !buf_failed(&who))
		return err_set(err, ERR_CONFLICT, EBUSY,
			       "%s is in use by %s; to unmount it behind them: datasetfs unmount --lazy %s",
			       m->point, who.data, m->point);
	return err_set(err, ERR_CONFLICT, EBUSY,
		       "%s is in use, by processes that cannot be seen from here; to unmount it behind them: datasetfs unmount --lazy %s",
		       m->point, m->point);
}

int point_unmount(const struct mountinfo *m, bool lazy, struct err *err)
{
	int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);
	char words[512] = "";

	if (umount2(m->point, flags) == 0)
		return 0;
	if (errno == EBUSY)
		return busy_error(m, err);
	if (errno != EPERM)
		return err_errno(err, errno, "unmount %s", m->point);

	if (m->user_id != (uid_t)-1 && m->user_id != getuid())
		return err_set(err, ERR_AUTH, EPERM,
			       "%s was mounted by the user with id %u",
			       m->point, (unsigned)m->user_id);
	if (run_fusermount(m->point, lazy, words, sizeof(words), err) == 0)
		return 0;
	if (!words[0])
		return -err->code;
	if (strstr(words, "busy"))
		return busy_error(m, err);
	return err_set(err, ERR_SYSTEM, EPERM, "unmount %s: %s", m->point,
		       words);
}

static int live_error(const char *path, pid_t pid, struct err *err)
{
	if (pid > 0)
		return err_set(err, ERR_CONFLICT, EBUSY,
			       "%s is mounted already, by the datasetfs with process id %d; unmount it with: datasetfs unmount %s",
			       path, (int)pid, path);
	return err_set(err, ERR_CONFLICT, EBUSY,
		       "%s is mounted already, by another datasetfs; unmount it with: datasetfs unmount %s",
		       path, path);
}

/* 1: a dead mount was taken away, look again; 0: nothing is in the way. */
static int clear_one(const char *path, struct mountinfo *m, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct statvfs st;
	pid_t pid;
	int r;

	r = mountinfo_find(m, path, err);
	if (r == -ENOENT) {
		err_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	if (strcmp(m->type, MOUNT_FS_TYPE) != 0)
		return 0;
	if (client_pid(m, &pid, &ignored) == 0)
		return live_error(path, pid, err);
	/* Never answered from what the kernel remembers of the dead one. */
	if (statvfs(path, &st) == 0 || errno != ENOTCONN)
		return live_error(path, 0, err);

	r = point_unmount(m, true, err);
	if (r < 0)
		return err_wrap(err, "the mount of a dead daemon");
	log_info("mount", "the mount of a dead daemon was taken away: mountpoint=%s",
		 path);
	return 1;
}

static int check_empty(const char *path, struct err *err)
{
	DIR *dir = opendir(path);
	struct dirent *de;
	bool empty = true;

	if (!dir)
		return err_errno(err, errno, "open %s", path);
	while (empty && (de = readdir(dir)))
		empty = strcmp(de->d_name, ".") == 0 ||
			strcmp(de->d_name, "..") == 0;
	closedir(dir);
	if (!empty)
		return err_set(err, ERR_USAGE, EINVAL,
			       "mount point %s is not empty; its files would be hidden (-o nonempty mounts all the same)",
			       path);
	return 0;
}

int point_missing(const char *path, struct err *err)
{
	return err_set(err, ERR_MISSING, ENOENT,
		       "mount point %s: there is no such directory; make it with: mkdir -p %s",
		       path, path);
}

int point_prepare(const char *path, bool nonempty, struct err *err)
{
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	struct stat st;
	int r = 1;

	if (!m)
		return err_nomem(err);
	for (int i = 0; r > 0 && i < POINT_STACKED_MAX; i++)
		r = clear_one(path, m, err);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0) {
		if (errno == ENOENT)
			return point_missing(path, err);
		return err_errno(err, errno, "mount point %s", path);
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE, EINVAL,
			       "mount point %s is not a directory", path);
	return nonempty ? 0 : check_empty(path, err);
}

/* A daemon ends by itself when its mount is gone. */
static void wait_for_end(pid_t pid)
{
	struct pollfd p = { .events = POLLIN };

	p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		return;
	if (poll(&p, 1, POINT_END_WAIT_MS) == 0)
		log_warn("mount", "the daemon has not ended yet: pid=%d",
			 (int)pid);
	close(p.fd);
}

int mount_unmount(const char *mountpoint, bool lazy, struct err *err)
{
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	struct err ignored = ERR_INIT;
	pid_t pid = 0;
	int r;

	if (!m)
		return err_nomem(err);
	r = mountinfo_of(m, mountpoint, err);
	if (r < 0)
		return r;
	if (strcmp(m->type, MOUNT_FS_TYPE) != 0)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s is a mount of %s, not of datasetfs",
			       m->point, m->type);
	if (client_pid(m, &pid, &ignored) < 0)
		pid = 0;
	r = point_unmount(m, lazy, err);
	if (r == 0 && pid > 0 && !lazy)
		wait_for_end(pid);
	return r;
}
