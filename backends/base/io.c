/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_STEP ((size_t)64 << 10)

/*
 * A rename somewhere below makes openat2(RESOLVE_BENEATH) answer EAGAIN, and
 * somebody who renames without end must not hold us (openat2(2)).
 */
#define OPENAT2_TRIES 32

ssize_t io_pread_full(int fd, void *dst, size_t len, uint64_t offset)
{
	size_t done = 0;

	if (len > SSIZE_MAX || offset > INT64_MAX ||
	    len > (uint64_t)INT64_MAX - offset)
		return -EINVAL;
	while (done < len) {
		ssize_t n = pread(fd, (char *)dst + done, len - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int io_pwrite_full(int fd, const void *src, size_t len, uint64_t offset)
{
	size_t done = 0;

	if (len > SSIZE_MAX || offset > INT64_MAX ||
	    len > (uint64_t)INT64_MAX - offset)
		return -EINVAL;
	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)src + done, len - done,
				   (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

int io_write_full(int fd, const void *src, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)src + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

/*
 * Up to the end of the file or one byte more than limit, whatever st_size
 * says: it is 0 in /proc, and the file may grow meanwhile.
 */
static int read_to_end(int fd, const char *path, size_t limit, struct buf *out,
		       struct err *err)
{
	size_t total = 0;

	for (;;) {
		size_t want = READ_STEP;
		ssize_t n;
		int r;

		if (limit - total < want)
			want = limit - total + 1;
		r = buf_reserve(out, want, err);
		if (r < 0)
			return err_wrap(err, "%s", path);
		n = read(fd, out->data + out->len, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "%s", path);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > limit)
			return err_set(err, ERR_USAGE, EFBIG,
				       "%s: larger than %zu bytes", path,
				       limit);
		out->len += (size_t)n;
	}
}

int io_read_file(const char *path, size_t limit, struct buf *out,
		 struct err *err)
{
	cleanup_fd int fd = -1;
	size_t start = out->len;
	struct stat st;
	int r;

	do {
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s: no such file", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "%s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE,
			       S_ISDIR(st.st_mode) ? EISDIR : EINVAL,
			       "%s: not a regular file", path);

	/* SIZE_MAX would overflow "one byte more". */
	if (limit > SSIZE_MAX)
		limit = SSIZE_MAX;
	r = read_to_end(fd, path, limit, out, err);
	if (r < 0)
		out->len = start;
	if (out->data)
		out->data[out->len] = '\0';
	return r;
}

/* The directory part of path; "." where it has none. */
static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int sync_dir(const char *dir)
{
	cleanup_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* 0 or -errno; *step names what failed. */
static int fill_file(int fd, const void *data, size_t len, mode_t mode,
		     bool sync, const char **step)
{
	int r;

	*step = "write";
	r = io_write_full(fd, data, len);
	if (r < 0)
		return r;
	*step = "chmod";
	if (fchmod(fd, mode & 07777) < 0)
		return -errno;
	*step = "fsync";
	if (sync && fsync(fd) < 0)
		return -errno;
	return 0;
}

int io_replace_file(const char *path, const void *data, size_t len,
		    mode_t mode, bool sync, struct err *err)
{
	cleanup_free char *dir = parent_of(path);
	cleanup_free char *temp = NULL;
	const char *step;
	int fd;
	int r;

	if (!dir || asprintf(&temp, "%s/.tmp-XXXXXX", dir) < 0) {
		temp = NULL;
		return err_nomem(err);
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%s: create a file in %s", path,
				 dir);

	r = fill_file(fd, data, len, mode, sync, &step);
	/* Where a file system reports a full quota or a lost server. */
	if (close(fd) < 0 && r == 0) {
		step = "close";
		r = -errno;
	}
	if (r == 0 && rename(temp, path) < 0) {
		step = "rename";
		r = -errno;
	}
	if (r < 0) {
		(void)unlink(temp);
		return err_errno(err, -r, "%s: %s", path, step);
	}
	if (sync) {
		r = sync_dir(dir);
		if (r < 0)
			return err_errno(err, -r, "%s: fsync of %s", path, dir);
	}
	return 0;
}

int io_open_beneath(int dirfd, const char *relative, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	int tries = 0;
	long fd;

	/* openat2() refuses a mode that would not be used. */
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;
	do {
		fd = syscall(SYS_openat2, dirfd, relative, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR ||
			    (errno == EAGAIN && ++tries < OPENAT2_TRIES)));
	return fd < 0 ? -errno : (int)fd;
}

int io_mkdir_beneath(int dirfd, const char *relative, mode_t mode)
{
	cleanup_free char *copy = NULL;
	cleanup_fd int dir = -1;
	char *rest;
	char *name;

	if (relative[0] == '/')
		return -EXDEV;
	copy = strdup(relative);
	if (!copy)
		return -ENOMEM;
	dir = io_open_beneath(dirfd, ".", O_PATH | O_DIRECTORY, 0);
	if (dir < 0)
		return dir;

	rest = copy;
	while ((name = strsep(&rest, "/")) != NULL) {
		int next;

		if (name[0] == '\0' || strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0)
			return -EXDEV;
		if (mkdirat(dir, name, mode) < 0 && errno != EEXIST)
			return -errno;
		/* One that was there may be a symlink: refused here. */
		next = io_open_beneath(dir, name, O_PATH | O_DIRECTORY, 0);
		if (next < 0)
			return next;
		(void)close(dir);
		dir = next;
	}
	return 0;
}

/* 0 where path is a directory, made now or there before. */
static int mkdir_one(const char *path, mode_t mode)
{
	struct stat st;
	int saved;

	if (mkdir(path, mode) == 0)
		return 0;
	saved = errno;
	/* A read-only or foreign parent may say EROFS or EACCES first. */
	if (stat(path, &st) < 0)
		return saved == EEXIST ? -ENOTDIR : -saved;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int io_mkdir_p(const char *path, mode_t mode)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	if (path[0] == '\0')
		return -ENOENT;
	for (char *p = copy + 1; *p; p++) {
		int r;

		if (*p != '/')
			continue;
		*p = '\0';
		r = mkdir_one(copy, mode);
		*p = '/';
		if (r < 0)
			return r;
	}
	return mkdir_one(copy, mode);
}

/* -EPERM where somebody else can have put anything into it. */
static int check_private(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "%s", path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_SYSTEM, EPERM,
			       "%s belongs to user %u, who may have written what is in it: empty it, then chown %u %s",
			       path, (unsigned)st.st_uid, (unsigned)geteuid(),
			       path);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return err_set(err, ERR_SYSTEM, EPERM,
			       "%s has the mode %04o, others may have written what is in it: empty it, then chmod go-w %s",
			       path, (unsigned)(st.st_mode & 07777), path);
	return 0;
}

static int open_private(const char *path, struct err *err)
{
	cleanup_fd int fd = -1;
	int r = io_mkdir_p(path, 0700);

	if (r < 0)
		return err_errno(err, -r, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "%s", path);
	r = check_private(fd, path, err);
	return r < 0 ? r : steal_fd(&fd);
}

int io_open_private_dir(const char *path, const char *below, struct err *err)
{
	cleanup_free char *all = NULL;
	cleanup_fd int fd = open_private(path, err);

	if (fd < 0)
		return fd;
	if (!below)
		return steal_fd(&fd);
	/* Nobody else can exchange what is found there now. */
	if (asprintf(&all, "%s/%s", path, below) < 0) {
		all = NULL;
		return err_nomem(err);
	}
	return open_private(all, err);
}
