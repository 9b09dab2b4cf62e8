/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/temp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_TRIES 100

static void next_name(char out[TEMP_FILE_NAME_MAX])
{
	static unsigned counter;
	unsigned n = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);

	snprintf(out, TEMP_FILE_NAME_MAX, ".tmp-%ld-%u", (long)getpid(), n);
}

/* For file systems without O_TMPFILE (EOPNOTSUPP, EISDIR, ENOENT by age). */
static int open_named(struct temp_file *t)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		next_name(t->name);
		t->fd = openat(t->dirfd, t->name,
			       O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (t->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	t->name[0] = '\0';
	return -errno;
}

int temp_file_init(struct temp_file *t, int dirfd, struct err *err)
{
	int r;

	t->dirfd = dirfd;
	t->name[0] = '\0';
	t->fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (t->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT &&
	    errno != EINVAL)
		return err_errno(err, errno, "temporary file");
	r = open_named(t);
	return r < 0 ? err_errno(err, -r, "temporary file") : 0;
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

static int give_name(struct temp_file *t)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", t->fd);
	for (int i = 0; i < NAME_TRIES; i++) {
		next_name(t->name);
		if (linkat(AT_FDCWD, self, t->dirfd, t->name,
			   AT_SYMLINK_FOLLOW) == 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	t->name[0] = '\0';
	return -errno;
}

int temp_file_publish(struct temp_file *t, const char *name, struct err *err)
{
	int r = t->name[0] ? 0 : give_name(t);

	/* linkat() would not replace what stands there: rename() does. */
	if (r == 0 && renameat(t->dirfd, t->name, t->dirfd, name) < 0)
		r = -errno;
	if (r < 0)
		return err_errno(err, -r, "put %s into place", name);
	t->name[0] = '\0';
	return 0;
}
