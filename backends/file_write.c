/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/file_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include "backends/base/clock.h"
#include "backends/base/io.h"

/* Between two looks at a lock that somebody else holds. */
#define LOCK_PAUSE_MIN_NS 500000L
#define LOCK_PAUSE_MAX_NS 16000000L

/* The directory of an object, open and (later) locked. */
struct place {
	int dir_fd;
	bool is_new_dir;
	bool is_locked;
	const char *name;	       /* in op->key */
	char dir[BACKEND_KEY_MAX + 1]; /* relative to the root, "." for it */
};

static int place_open(struct place *place, struct backend_op *op, bool create)
{
	int root_fd = file_backend(op)->root_fd;
	const char *slash = strrchr(op->key, '/');
	int r;

	memset(place, 0, sizeof(*place));
	place->dir_fd = -1;
	r = file_check_key(op->key, &op->err);
	if (r == -ENOENT && create)
		return err_set(&op->err, ERR_USAGE, EINVAL,
			       "no file can have this name");
	if (r < 0)
		return r;
	(void)snprintf(place->dir, sizeof(place->dir), "%.*s",
		       slash ? (int)(slash - op->key) : 1,
		       slash ? op->key : ".");
	place->name = slash ? slash + 1 : op->key;

	r = file_open_dir(root_fd, place->dir);
	if (r == -ENOENT && create) {
		r = io_mkdir_beneath(root_fd, place->dir, 0777);
		if (r == 0)
			r = file_open_dir(root_fd, place->dir);
		place->is_new_dir = true;
	}
	if (r == -ENOTDIR && create)
		return err_set(&op->err, ERR_USAGE, ENOTDIR,
			       "a part of the path is a file");
	if (r < 0)
		return file_error(&op->err, -r, "open its directory");
	place->dir_fd = r;
	return 0;
}

static void place_close(struct place *place)
{
	/* Drops the lock too: it belongs to the open directory. */
	if (place->dir_fd >= 0)
		(void)close(place->dir_fd);
}

/* -ENOTSUP where the file system has no locks on directories (some NFS). */
static int place_lock(struct place *place, struct backend_op *op)
{
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_MIN_NS};

	while (flock(place->dir_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return err_set(&op->err, ERR_USAGE, ENOTSUP,
				       "lock its directory: %s",
				       strerror(errno));
		if (clock_ms() >= op->deadline_ms)
			return err_set(&op->err, ERR_RETRY, ETIMEDOUT,
				       "another writer holds its directory");
		(void)nanosleep(&pause, NULL);
		if (pause.tv_nsec < LOCK_PAUSE_MAX_NS)
			pause.tv_nsec *= 2;
	}
	place->is_locked = true;
	return 0;
}

/* A lock that cannot be had matters to a compare-and-swap only. */
static int place_lock_for(struct place *place, struct backend_op *op)
{
	int r = place_lock(place, op);

	return r == -ENOTSUP && !op->if_match ? 0 : r;
}

/* *exists and st: the object that the key names now. */
static int place_look(struct place *place, struct backend_op *op, bool *exists,
		      struct stat *st)
{
	*exists = false;
	if (fstatat(place->dir_fd, place->name, st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : file_error(&op->err, errno, "stat");
	if (S_ISDIR(st->st_mode))
		return file_error(&op->err, EISDIR, "the key");
	if (!S_ISREG(st->st_mode))
		return err_set(&op->err, ERR_AUTH, EACCES,
			       "not a regular file");
	*exists = true;
	return 0;
}

static int check_if_match(struct backend_op *op, bool exists,
			  const struct stat *st)
{
	struct object_info now;

	if (!op->if_match)
		return 0;
	if (exists) {
		file_info(&now, st);
		if (!strcmp(now.etag, op->if_match))
			return 0;
	}
	return err_set(&op->err, ERR_CONFLICT, ESTALE,
		       exists ? "the file has changed" : "the file is gone");
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec
				      : a->tv_nsec > b->tv_nsec;
}

/*
 * A validator must never come back: see file_impl.h.  Where the file system
 * keeps whole seconds only, a second is added in place of a nanosecond.
 */
static int make_later(struct backend_op *op, int fd, const struct stat *old)
{
	struct timespec t[2] = {{.tv_nsec = UTIME_OMIT}, old->st_mtim};
	struct stat st;

	if (fstat(fd, &st) < 0)
		return file_error(&op->err, errno, "stat");
	if (is_later(&st.st_mtim, &old->st_mtim))
		return 0;
	if (++t[1].tv_nsec >= 1000000000L) {
		t[1].tv_nsec = 0;
		t[1].tv_sec++;
	}
	if (futimens(fd, t) < 0 || fstat(fd, &st) < 0)
		return file_error(&op->err, errno, "set its time");
	if (is_later(&st.st_mtim, &old->st_mtim))
		return 0;
	t[1].tv_sec = old->st_mtim.tv_sec + 2; /* vfat counts by two */
	if (futimens(fd, t) < 0)
		return file_error(&op->err, errno, "set its time");
	return 0;
}

static int put_new(struct place *place, const char *temp)
{
	int fd = place->dir_fd;

	if (!renameat2(fd, temp, fd, place->name, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (linkat(fd, temp, fd, place->name, 0) < 0)
		return -errno;
	return unlinkat(fd, temp, 0) < 0 ? -errno : 0;
}

static int put_in_place(struct place *place, struct backend_op *op, int fd,
			const char *temp)
{
	bool exists;
	struct stat st;
	int r;

	r = place_look(place, op, &exists, &st);
	if (r < 0)
		return r;
	r = check_if_match(op, exists, &st);
	if (r < 0)
		return r;
	if (op->create_only) {
		r = exists ? -EEXIST : put_new(place, temp);
		if (r == -EEXIST)
			return err_set(&op->err, ERR_CONFLICT, EEXIST,
				       "exists already");
	} else {
		if (exists && (r = make_later(op, fd, &st)) < 0)
			return r;
		r = renameat(place->dir_fd, temp, place->dir_fd, place->name);
		r = r < 0 ? -errno : 0;
	}
	return r < 0 ? file_error(&op->err, -r, "rename into place") : 0;
}

/* A new directory is durable when each of its parents is. */
static int sync_dirs(struct place *place, struct backend_op *op)
{
	if (fsync(place->dir_fd) < 0)
		return file_error(&op->err, errno, "sync its directory");
	while (place->is_new_dir && strcmp(place->dir, ".") != 0) {
		char *slash = strrchr(place->dir, '/');
		cleanup_fd int fd = -1;

		if (slash)
			*slash = '\0';
		else
			memcpy(place->dir, ".", 2);
		fd = file_open_dir(file_backend(op)->root_fd, place->dir);
		if (fd < 0)
			return file_error(&op->err, -fd, "open a parent");
		if (fsync(fd) < 0)
			return file_error(&op->err, errno, "sync a parent");
	}
	return 0;
}

static int write_in(struct place *place, struct backend_op *op,
		    file_feed_fn feed, const char *temp)
{
	cleanup_fd int fd = -1;
	struct stat st;
	int r;

	fd = openat(place->dir_fd, temp,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	if (fd < 0)
		return file_error(&op->err, errno, "create");
	r = feed(op, fd);
	if (r == 0 && fsync(fd) < 0)
		r = file_error(&op->err, errno, "sync");
	if (r == 0)
		r = place_lock_for(place, op);
	if (r == 0)
		r = put_in_place(place, op, fd, temp);
	if (r < 0) {
		(void)unlinkat(place->dir_fd, temp, 0);
		return r;
	}
	if (fstat(fd, &st) < 0)
		return file_error(&op->err, errno, "stat");
	file_info(&op->info, &st);
	return sync_dirs(place, op);
}

int file_write(struct backend_op *op, file_feed_fn feed)
{
	char temp[FILE_TEMP_SIZE];
	struct place place;
	int r;

	r = file_temp_name(temp, "put", &op->err);
	if (r < 0)
		return r;
	r = place_open(&place, op, true);
	if (r == 0)
		r = write_in(&place, op, feed, temp);
	place_close(&place);
	return r;
}

static int feed_data(struct backend_op *op, int fd)
{
	int r = io_write_full(fd, op->data, op->len);

	return r < 0 ? file_error(&op->err, -r, "write") : 0;
}

int file_put(struct backend_op *op)
{
	return file_write(op, feed_data);
}

static int delete_in(struct place *place, struct backend_op *op)
{
	bool exists;
	struct stat st;
	int r;

	r = place_lock_for(place, op);
	if (r < 0)
		return r;
	r = place_look(place, op, &exists, &st);
	if (r == -EISDIR || (r == 0 && !exists)) {
		err_clear(&op->err);
		return 0;
	}
	if (r == 0)
		r = check_if_match(op, exists, &st);
	if (r < 0)
		return r;
	if (unlinkat(place->dir_fd, place->name, 0) < 0)
		return file_error(&op->err, errno, "delete");
	if (fsync(place->dir_fd) < 0)
		return file_error(&op->err, errno, "sync its directory");
	return 0;
}

int file_delete(struct backend_op *op)
{
	struct place place;
	int r = place_open(&place, op, false);

	if (r == 0)
		r = delete_in(&place, op);
	if (r == -ENOENT) {
		err_clear(&op->err);
		r = 0;
	}
	place_close(&place);
	return r;
}
