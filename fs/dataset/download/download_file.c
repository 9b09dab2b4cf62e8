/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file: is it there, what are its bytes, are they right, and its name.
 */
#include <config.h>
#include "fs/dataset/download/download_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "fs/dataset/entry_sum.h"
#include "fs/dataset/tree/temp_file.h"

#define NEW_FOLDER 0777	/* and the user's umask */
#define NEW_FILE 0666

void place_leave(struct place *place)
{
	if (place->fd >= 0)
		close(place->fd);
	*place = (struct place)PLACE_INIT;
}

int place_enter(struct place *place, const struct download *d, uint32_t dir,
		bool is_made, struct err *err)
{
	cleanup_buf struct buf path = BUF_INIT;
	const char *name = ".";
	int fd, r = 0;

	if (place->dir == dir && (place->fd >= 0 || !is_made))
		return place->fd < 0 ? -ENOENT : 0;
	place_leave(place);
	if (dir != TREE_ROOT) {
		r = tree_path(d->opt.tree, dir, &path, err);
		if (r < 0)
			return r;
		name = path.data;
	}
	fd = io_open_beneath(d->opt.dirfd, name, O_PATH | O_DIRECTORY, 0);
	if (fd == -ENOENT && is_made) {
		r = io_mkdir_beneath(d->opt.dirfd, name, NEW_FOLDER);
		fd = r < 0 ? r : io_open_beneath(d->opt.dirfd, name,
						 O_PATH | O_DIRECTORY, 0);
	}
	if (fd == -ELOOP || fd == -EXDEV || fd == -ENOTDIR)
		return err_set(err, ERR_CONFLICT, EEXIST,
			       "a file or a symlink stands in place of its folder");
	if (fd < 0 && (is_made || fd != -ENOENT))
		return err_errno(err, -fd, "its folder");
	place->dir = dir;
	place->fd = fd < 0 ? -1 : fd;
	return fd < 0 ? -ENOENT : 0;
}

/* ---- is it there ---- */

static int sum_file(struct worker *w, int fd, struct osmo_etag_sum *sum,
		    uint64_t size)
{
	for (uint64_t at = 0; at < size;) {
		ssize_t n = io_pread_full(fd, w->bytes, DOWNLOAD_READ, at);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		if (download_is_stopping(w->download))
			return -EINTR;
		osmo_etag_sum_add(sum, w->bytes, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

/* 1: yes, 0: not so that it could stay, -EINTR, -ENOMEM. */
static int is_there(struct worker *w, const struct tree_entry *e)
{
	/* What is there may be a FIFO. */
	cleanup_fd int fd = io_open_beneath(w->place.fd, e->name,
					    O_RDONLY | O_NONBLOCK, 0);
	struct err ignored = ERR_INIT;
	struct osmo_etag_sum *sum;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size != e->size)
		return 0;
	if (!entry_has_sum(e))
		return 1;
	sum = entry_sum_new(e);
	if (!sum)
		return -ENOMEM;
	r = sum_file(w, fd, sum, e->size);
	if (r == 0)
		r = entry_sum_agrees(sum, e, &ignored);
	osmo_etag_sum_free(sum);
	return r < 0 && r != -EINTR ? 0 : r;
}

/* ---- its bytes ---- */

static void read_done(void *arg, int r, const struct iovec *iov, int n,
		      const struct err *err)
{
	struct worker *w = arg;
	uint8_t *to = w->bytes;

	for (int i = 0; r == 0 && i < n; i++) {
		memcpy(to, iov[i].iov_base, iov[i].iov_len);
		to += iov[i].iov_len;
	}
	lock_take(&w->download->lock);
	w->r = r;
	if (r < 0)
		w->err = *err;
	w->is_reading = false;
	cond_signal(&w->answered);
	lock_drop(&w->download->lock);
}

static int stopped(struct err *err)
{
	return err_set(err, ERR_SYSTEM, EINTR, "interrupted");
}

/* len bytes at offset into w->bytes. */
static int read_bytes(struct worker *w, const struct blob *blob,
		      uint64_t offset, size_t len, struct err *err)
{
	struct download *d = w->download;
	bool has_changed;
	int r;

	lock_take(&d->lock);
	w->is_reading = !d->is_stopping;
	r = w->is_reading ? 0 : stopped(err);
	lock_drop(&d->lock);
	if (r < 0)
		return r;
	fetcher_read(d->fetcher, blob, offset, len,
		     clock_ms() + DOWNLOAD_READ_MS, read_done, w, NULL);
	lock_take(&d->lock);
	while (w->is_reading)
		cond_wait(&w->answered, &d->lock);
	r = w->r;
	has_changed = w->has_changed;
	lock_drop(&d->lock);
	if (r < 0)
		err_copy(err, &w->err);
	else if (has_changed)
		r = err_set(err, ERR_RETRY, ESTALE,
			    "its object changed while it was read");
	return r;
}

static void count_bytes(struct download *d, uint64_t n)
{
	lock_take(&d->lock);
	d->state.bytes_fetched += n;
	lock_drop(&d->lock);
}

/* sum: NULL where nothing is known of the content; fd -1: it is not kept. */
static int copy_bytes(struct worker *w, const struct blob *blob, int fd,
		      struct osmo_etag_sum *sum, uint64_t *n_bytes,
		      struct err *err)
{
	int r = 0;

	for (uint64_t at = 0; r == 0 && at < blob->size;) {
		size_t n = blob->size - at < DOWNLOAD_READ ?
				   (size_t)(blob->size - at) : DOWNLOAD_READ;

		r = read_bytes(w, blob, at, n, err);
		if (r < 0)
			return r;
		if (sum)
			osmo_etag_sum_add(sum, w->bytes, n);
		r = fd < 0 ? 0 : io_pwrite_full(fd, w->bytes, n, at);
		if (r < 0)
			return err_errno(err, -r, "write");
		at += n;
		*n_bytes += n;
		count_bytes(w->download, n);
	}
	return 0;
}

/* NULL: none. */
static void watch_blob(struct worker *w, const struct blob *blob)
{
	struct blob_id id = { .hi = 0 };

	if (blob)
		blob_identify(&id, blob);
	lock_take(&w->download->lock);
	w->has_blob = blob != NULL;
	w->has_changed = false;
	w->blob = id;
	lock_drop(&w->download->lock);
}

/* All of it, checked, into fd, or nowhere (-1). */
static int fill(struct worker *w, const struct tree_entry *e,
		const struct blob *blob, int fd, enum file_outcome *outcome,
		uint64_t *n_bytes, struct err *err)
{
	struct osmo_etag_sum *sum = entry_has_sum(e) ? entry_sum_new(e) : NULL;
	struct err damage = ERR_INIT;
	int r;

	if (entry_has_sum(e) && !sum)
		return err_nomem(err);
	watch_blob(w, blob);
	r = copy_bytes(w, blob, fd, sum, n_bytes, err);
	watch_blob(w, NULL);
	if (r == 0) {
		bool is_right = sum && entry_sum_agrees(sum, e, &damage);

		if (sum && !is_right && e->is_hashed) {
			err_copy(err, &damage);
			r = -EBADMSG;
		}
		/* A foreign etag usually is the MD5, but need not be. */
		*outcome = is_right || !e->size ? FILE_FETCHED :
						  FILE_UNVERIFIED;
	}
	osmo_etag_sum_free(sum);
	return r;
}

/* What a server says of quotas and lost space at close(2), told of a copy. */
static int flush_errors(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 || close(copy) < 0 ? -errno : 0;
}

static int fetch(struct worker *w, const struct tree_entry *e,
		 const struct blob *blob, enum file_outcome *outcome,
		 uint64_t *n_bytes, struct err *err)
{
	struct temp_file t = TEMP_FILE_INIT;
	int r = temp_file_create(&t, w->place.fd, NEW_FILE);

	if (r < 0)
		return err_errno(err, -r, "create a file");
	r = fill(w, e, blob, t.fd, outcome, n_bytes, err);
	if (r == 0) {
		r = flush_errors(t.fd);
		if (r == 0)
			r = temp_file_rename(&t, e->name);
		if (r == -EISDIR)
			err_set(err, ERR_CONFLICT, EEXIST,
				"a folder stands in its place");
		else if (r < 0)
			err_errno(err, -r, "write");
	}
	temp_file_release(&t);
	return r;
}

/* The tree's names were checked when it was built; it lay on a disk since. */
static bool is_file_name(const struct tree_entry *e)
{
	return e->name_len && strlen(e->name) == e->name_len &&
	       !strchr(e->name, '/') && strcmp(e->name, ".") != 0 &&
	       strcmp(e->name, "..") != 0;
}

/* What the fetcher is told: all checks are the worker's. */
static void leave_checks_to_us(struct blob *blob)
{
	if (blob->check == BLOB_CHECK_OSMO)
		blob->check = BLOB_CHECK_SIZE;
	blob->has_md5 = false;
}

/* Before anything is read nothing but the tree itself can be damaged. */
static void abort_if_damaged(struct download *d, const struct err *err)
{
	if (err->class == ERR_CORRUPT)
		download_abort(d, err);
}

int download_file(struct worker *w, const struct tree_entry *e,
		  enum file_outcome *outcome, uint64_t *n_bytes,
		  struct err *err)
{
	cleanup_buf struct buf uri = BUF_INIT, etag = BUF_INIT;
	struct download *d = w->download;
	struct blob blob;
	int r;

	*n_bytes = 0;
	if (!is_file_name(e))
		return err_set(err, ERR_USAGE, EINVAL,
			       "its name is none that a file can have");
	r = bucket_blob(d->opt.bucket, d->opt.tree, e, &uri, &etag, &blob, err);
	if (r == 0)
		r = place_enter(&w->place, d, e->parent, true, err);
	if (r < 0) {
		abort_if_damaged(d, err);
		return r;
	}
	if (d->opt.is_resumed) {
		r = is_there(w, e);
		if (r > 0) {
			*outcome = FILE_PASSED;
			return 0;
		}
		if (r < 0)
			return r == -EINTR ? stopped(err) : err_nomem(err);
	}
	leave_checks_to_us(&blob);
	return fetch(w, e, &blob, outcome, n_bytes, err);
}

/* The store's word for it. */
static int check_object(const struct blob *blob, struct err *err)
{
	struct object_info info;
	int r = backend_sync_head(blob->backend, blob->key, &info,
				  clock_ms() + DOWNLOAD_READ_MS, err);

	if (r < 0)
		return r;
	if (info.size != blob->size)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "its object has %llu bytes, expected %llu",
			       (unsigned long long)info.size,
			       (unsigned long long)blob->size);
	if (blob->if_match && *info.etag && !object_is(&info, blob->if_match))
		return err_set(err, ERR_CORRUPT, ESTALE,
			       "its object changed: its etag is %s, expected %s",
			       object_validator(&info), blob->if_match);
	return 0;
}

/* By an earlier run, which looked at it as closely as this one would. */
static bool is_found_already(const struct download *d,
			     const struct tree_entry *e, bool is_read)
{
	enum download_found found = d->opt.found_before ?
		d->opt.found_before(d->opt.arg, e->index) : DOWNLOAD_NOTHING;

	return found > DOWNLOAD_THERE || (found == DOWNLOAD_THERE && !is_read);
}

int download_check(struct worker *w, const struct tree_entry *e,
		   const char *path, enum file_outcome *outcome,
		   uint64_t *n_bytes, struct err *err)
{
	cleanup_buf struct buf uri = BUF_INIT, etag = BUF_INIT;
	struct download *d = w->download;
	struct blob blob;
	bool is_read;
	int r;

	*n_bytes = 0;
	*outcome = FILE_PASSED;
	if (download_is_stopping(d))
		return stopped(err);
	r = bucket_blob(d->opt.bucket, d->opt.tree, e, &uri, &etag, &blob, err);
	if (r < 0) {
		abort_if_damaged(d, err);
		return r;
	}
	is_read = e->size && d->opt.is_read(d->opt.arg, path);
	if (is_found_already(d, e, is_read)) {
		*outcome = FILE_KNOWN;
		return 0;
	}
	r = check_object(&blob, err);
	if (r == 0 && is_read) {
		leave_checks_to_us(&blob);
		r = fill(w, e, &blob, -1, outcome, n_bytes, err);
	}
	if (r == 0 && d->opt.found)
		d->opt.found(d->opt.arg, e->index,
			     *outcome == FILE_PASSED	 ? DOWNLOAD_THERE :
			     *outcome == FILE_UNVERIFIED ? DOWNLOAD_READ_ONLY :
							   DOWNLOAD_VERIFIED);
	return r;
}
