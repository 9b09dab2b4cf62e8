/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/temp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/base/env.h"
#include "backends/base/io.h"
#include "backends/base/log.h"

#define NAME_TRIES 100
#define COPY_STEP ((size_t)64 << 10)
#define PROBE_BYTES 4096
#define TEMP_MODE 0600

static const char *elsewhere(void)
{
	const char *dir = env_get("TMPDIR");

	return dir ? dir : "/tmp";
}

static bool is_told;	/* atomic */

static void tell_once(const char *what, int code)
{
	struct err err = ERR_INIT;

	if (__atomic_exchange_n(&is_told, true, __ATOMIC_RELAXED))
		return;
	err_errno(&err, code, "%s", what);
	log_warn("tree", "cache directory does not take a file, it is kept elsewhere while it is open: elsewhere=%s error=\"%s\"",
		 elsewhere(), err.text);
}

static void next_name(char out[TEMP_FILE_NAME_MAX])
{
	static unsigned counter;
	unsigned n = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);

	snprintf(out, TEMP_FILE_NAME_MAX, ".tmp-%ld-%u", (long)getpid(), n);
}

/* For file systems without O_TMPFILE (EOPNOTSUPP, EISDIR, ENOENT by age). */
static int open_named(struct temp_file *t, mode_t mode)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		next_name(t->name);
		t->fd = openat(t->dirfd, t->name,
			       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (t->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	t->name[0] = '\0';
	return -errno;
}

/* In t->dirfd: 0 or -errno. */
static int open_there(struct temp_file *t, mode_t mode)
{
	t->name[0] = '\0';
	t->fd = openat(t->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (t->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT &&
	    errno != EINVAL)
		return -errno;
	return open_named(t, mode);
}

static int open_elsewhere(struct temp_file *t)
{
	cleanup_fd int dir = open(elsewhere(),
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dir < 0)
		return -errno;
	t->dirfd = dir;
	r = open_there(t, TEMP_MODE);
	if (r == 0 && t->name[0] && unlinkat(dir, t->name, 0) < 0)
		r = -errno;
	t->name[0] = '\0';
	t->dirfd = -1;
	return r;
}

/* why: of the directory where it should lie; 0: the caller knows. */
static int neither(struct err *err, int why, int r)
{
	struct err first = ERR_INIT;

	if (why)
		err_errno(&first, why, "in the cache directory");
	return err_set(err, ERR_SYSTEM, EIO, "temporary file: %s%sin %s: %s",
		       first.text, why ? ", " : "", elsewhere(), strerror(-r));
}

int temp_file_init(struct temp_file *t, int dirfd, struct err *err)
{
	int why = 0, r;

	*t = (struct temp_file){ .fd = -1, .dirfd = dirfd };
	if (dirfd >= 0) {
		why = -open_there(t, TEMP_MODE);
		if (!why)
			return 0;
		tell_once("create", why);
	}
	r = open_elsewhere(t);
	return r < 0 ? neither(err, why, r) : 0;
}

void temp_file_release(struct temp_file *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->name[0])
		(void)unlinkat(t->dirfd, t->name, 0);
	t->fd = -1;
	t->name[0] = '\0';
}

static int copy(int to, int from)
{
	cleanup_free char *block = malloc(COPY_STEP);
	uint64_t at = 0;

	if (!block)
		return -ENOMEM;
	for (;;) {
		ssize_t n = io_pread_full(from, block, COPY_STEP, at);
		int r;

		if (n <= 0)
			return (int)n;
		r = io_pwrite_full(to, block, (size_t)n, at);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
}

static int move(struct temp_file *t)
{
	struct temp_file to = TEMP_FILE_INIT;
	int r = open_elsewhere(&to);

	if (r == 0)
		r = copy(to.fd, t->fd);
	if (r < 0) {
		temp_file_release(&to);
		return r;
	}
	temp_file_release(t);
	*t = to;
	return 0;
}

int temp_file_write(struct temp_file *t, const void *bytes, size_t len,
		    uint64_t offset, struct err *err)
{
	int r = io_pwrite_full(t->fd, bytes, len, offset), why = 0;

	if (r < 0 && t->dirfd >= 0) {
		why = -r;
		tell_once("write", why);
		r = move(t);
		if (r == 0)
			r = io_pwrite_full(t->fd, bytes, len, offset);
	}
	return r < 0 ? neither(err, why, r) : 0;
}

static int link_as(const struct temp_file *t, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", t->fd);
	return linkat(AT_FDCWD, self, t->dirfd, name, AT_SYMLINK_FOLLOW) < 0 ?
		       -errno : 0;
}

static int give_name(struct temp_file *t)
{
	int r = -EEXIST;

	for (int i = 0; r == -EEXIST && i < NAME_TRIES; i++) {
		next_name(t->name);
		r = link_as(t, t->name);
	}
	if (r < 0)
		t->name[0] = '\0';
	return r;
}

int temp_file_create(struct temp_file *t, int dirfd, mode_t mode)
{
	*t = (struct temp_file){ .fd = -1, .dirfd = dirfd };
	return open_there(t, mode);
}

int temp_file_rename(struct temp_file *t, const char *name)
{
	int r = 0;

	/* linkat() does not replace what stands there: rename() does. */
	if (!t->name[0]) {
		r = link_as(t, name);
		if (r != -EEXIST)
			return r;
		r = give_name(t);
	}
	if (r < 0)
		return r;
	if (renameat(t->dirfd, t->name, t->dirfd, name) < 0)
		return -errno;
	t->name[0] = '\0';
	return 0;
}

bool temp_file_publish(struct temp_file *t, const char *name)
{
	int r;

	if (t->dirfd < 0)
		return false;
	r = temp_file_rename(t, name);
	/* A folder is nobody's where it is empty; else its errno tells. */
	if (r == -EISDIR)
		r = unlinkat(t->dirfd, name, AT_REMOVEDIR) < 0 ?
			    -errno : temp_file_rename(t, name);
	if (r < 0) {
		tell_once(name, -r);
		return false;
	}
	__atomic_store_n(&is_told, false, __ATOMIC_RELAXED);
	return true;
}

int temp_file_probe(int dirfd, struct err *err)
{
	static const char bytes[PROBE_BYTES];
	struct temp_file t = { .fd = -1, .dirfd = dirfd };
	int r = open_there(&t, TEMP_MODE);

	if (r == 0)
		r = io_pwrite_full(t.fd, bytes, sizeof(bytes), 0);
	temp_file_release(&t);
	return r < 0 ? err_errno(err, -r, "temporary file") : 0;
}
