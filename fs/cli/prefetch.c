/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/prefetch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "backends/base/buf.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/pool.h"

#define PAGE 4096	/* what O_DIRECT is content with everywhere */
#define NUMBER_MAX 24

/* lock guards counts and n_jobs; changed: a job ended. */
struct prefetch {
	struct prefetch_options opt;
	struct pool *pool;
	bool is_reading;
	atomic_int fatal;	/* the errno of a mount that is gone */
	atomic_uint_fast64_t read_bytes;
	struct lock lock;
	struct cond changed;
	struct prefetch_counts counts;
	unsigned n_jobs;
};

struct job {
	struct prefetch *prefetch;
	char path[];
};

int prefetch_error(struct err *err, int code, const char *what)
{
	enum err_class class = ERR_SYSTEM;

	if (code == EACCES || code == EPERM)
		class = ERR_AUTH;
	else if (code == ETIMEDOUT || code == EAGAIN)
		class = ERR_RETRY;
	else if (code == ENOENT || code == ESTALE)
		class = ERR_MISSING;
	else if (code == EIO)
		class = ERR_CORRUPT;
	return err_set(err, class, code, "%s: %s", what, strerror(code));
}

/* The daemon ended: every further file would say the same. */
static bool is_fatal(int code)
{
	return code == ENOTCONN || code == ECONNABORTED || code == ENODEV;
}

static bool is_stopping(struct prefetch *p)
{
	return atomic_load(p->opt.is_interrupted) || atomic_load(&p->fatal);
}

/* ---- one file ---- */

static uint64_t cached_bytes_of(int fd)
{
	char text[NUMBER_MAX];
	ssize_t n = fgetxattr(fd, "user.datasetfs.cached_bytes", text,
			      sizeof(text) - 1);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

static void file_failed(struct prefetch *p, const char *path, int fd, int code)
{
	char why[ERR_TEXT_MAX];
	ssize_t n = fd < 0 ? -1 : fgetxattr(fd, "user.datasetfs.problem", why,
					    sizeof(why) - 1);

	if (n > 0)
		why[n] = '\0';
	p->opt.failed(p->opt.arg, path, code, n > 0 ? why : NULL);
}

/* 0 or -errno; -ECANCELED: it is to stop. */
static int file_read(struct prefetch *p, int fd, uint64_t size)
{
	size_t room = size < PREFETCH_READ ? (size_t)size : PREFETCH_READ;
	cleanup_free void *block = NULL;
	uint64_t at = 0;

	block = aligned_alloc(PAGE, (room + PAGE - 1) / PAGE * PAGE);
	if (!block)
		return -ENOMEM;
	while (at < size) {
		size_t len = size - at < room ? (size_t)(size - at) : room;
		ssize_t n;

		if (is_stopping(p))
			return -ECANCELED;
		n = pread(fd, block, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		atomic_fetch_add(&p->read_bytes, (uint64_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

/* 0 or -errno; what was found is in *c. */
static int file_look(struct prefetch *p, const char *path, int *fd,
		     struct prefetch_counts *c)
{
	struct stat st;
	int r;

	c->files = 1;
	*fd = openat(p->opt.root_fd, path,
		     O_RDONLY | O_DIRECT | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st) < 0)
		return -errno;
	c->bytes = (uint64_t)st.st_size;
	c->cached_bytes = c->bytes ? cached_bytes_of(*fd) : 0;
	if (c->cached_bytes >= c->bytes) {
		c->cached_bytes = c->bytes;
		c->cached_files = 1;
		return 0;
	}
	if (!p->is_reading)
		return 0;
	r = file_read(p, *fd, c->bytes);
	c->read_files = r == 0;
	return r;
}

static void counts_add(struct prefetch_counts *to,
		       const struct prefetch_counts *c)
{
	to->files += c->files;
	to->bytes += c->bytes;
	to->cached_files += c->cached_files;
	to->cached_bytes += c->cached_bytes;
	to->read_files += c->read_files;
	to->bad_files += c->bad_files;
	if (!to->bad_code)
		to->bad_code = c->bad_code;
}

static void job_run(void *arg)
{
	struct prefetch_counts c = { .files = 0 };
	struct job *job = arg;
	struct prefetch *p = job->prefetch;
	cleanup_fd int fd = -1;
	int r = 0;

	if (!is_stopping(p))
		r = file_look(p, job->path, &fd, &c);
	if (r < 0 && is_fatal(-r)) {
		atomic_store(&p->fatal, -r);
	} else if (r < 0 && r != -ECANCELED && p->is_reading) {
		c.bad_files = 1;
		c.bad_code = -r;
		file_failed(p, job->path, fd, -r);
	}
	free(job);
	lock_take(&p->lock);
	counts_add(&p->counts, &c);
	p->n_jobs--;
	cond_signal(&p->changed);
	lock_drop(&p->lock);
}

/* ---- the walk ---- */

static int walk_error(struct prefetch *p, int code, const char *path,
		      struct err *err)
{
	if (atomic_load(p->opt.is_interrupted))
		return err_set(err, ERR_SYSTEM, EINTR,
			       "interrupted: what came stays in the cache, the same command goes on");
	if (is_fatal(code))
		return err_set(err, ERR_RETRY, code,
			       "the mount of %s is gone: %s", p->opt.root,
			       strerror(code));
	(void)prefetch_error(err, code, *path ? path : p->opt.root);
	return -code;
}

/* Until fewer than max files wait. */
static int wait_below(struct prefetch *p, unsigned max, struct err *err)
{
	bool is_below;

	do {
		lock_take(&p->lock);
		if (p->n_jobs >= max)
			(void)cond_wait_until(&p->changed, &p->lock,
					      clock_ms() + PREFETCH_TICK_MS);
		is_below = p->n_jobs < max;
		lock_drop(&p->lock);
		p->opt.tick(p->opt.arg);
		if (is_stopping(p))
			return walk_error(p, atomic_load(&p->fatal), "", err);
	} while (!is_below);
	return 0;
}

static int file_push(struct prefetch *p, const char *path, struct err *err)
{
	size_t len = strlen(path) + 1;
	struct job *job;
	int r = wait_below(p, PREFETCH_JOBS_MAX, err);

	if (r < 0)
		return r;
	job = malloc(sizeof(*job) + len);
	if (!job)
		return err_nomem(err);
	job->prefetch = p;
	memcpy(job->path, path, len);
	lock_take(&p->lock);
	p->n_jobs++;
	lock_drop(&p->lock);
	r = pool_submit(p->pool, job_run, job, err);
	if (r < 0) {
		lock_take(&p->lock);
		p->n_jobs--;
		lock_drop(&p->lock);
		free(job);
	}
	return r;
}

static int walk(struct prefetch *p, int at, const char *name,
		struct buf *path, struct err *err);

static int walk_child(struct prefetch *p, DIR *dir, const struct dirent *e,
		      struct buf *path, struct err *err)
{
	size_t before = path->len;
	int r = 0;

	if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
		return 0;
	if (path->len)
		r = buf_add(path, "/", 1, err);
	if (r == 0)
		r = buf_add(path, e->d_name, strlen(e->d_name), err);
	if (r == 0 && e->d_type == DT_REG)
		r = file_push(p, path->data, err);
	else if (r == 0)
		r = walk(p, dirfd(dir), e->d_name, path, err);
	path->len = before;
	if (path->data)
		path->data[before] = '\0';
	return r;
}

static int walk_dir(struct prefetch *p, int fd, struct buf *path,
		    struct err *err)
{
	DIR *dir = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!dir) {
		r = walk_error(p, errno, path->data, err);
		close(fd);
		return r;
	}
	while (r == 0) {
		errno = 0;
		e = readdir(dir);
		if (!e && errno)
			r = walk_error(p, errno, path->data, err);
		if (!e)
			break;
		r = walk_child(p, dir, e, path, err);
	}
	closedir(dir);
	return r;
}

/*
 * name in the directory at, which is path from the root.  Links are those of a
 * collection to its versions: a version has none.
 */
static int walk(struct prefetch *p, int at, const char *name,
		struct buf *path, struct err *err)
{
	struct stat st;
	int fd;

	if (fstatat(at, name, &st, 0) < 0)
		return walk_error(p, errno, path->data, err);
	if (S_ISREG(st.st_mode))
		return file_push(p, path->data, err);
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return walk_error(p, errno, path->data, err);
	return walk_dir(p, fd, path, err);
}

int prefetch_pass(struct prefetch *p, const char *path, bool is_reading,
		  struct err *err)
{
	cleanup_buf struct buf name = BUF_INIT;
	int r;

	p->is_reading = is_reading;
	r = buf_add(&name, path, strlen(path), err);
	if (r == 0)
		r = walk(p, p->opt.root_fd, *path ? path : ".", &name, err);
	if (r == 0)
		r = wait_below(p, 1, err);
	return r;
}

/* ---- its life ---- */

void prefetch_counts(struct prefetch *p, struct prefetch_counts *out)
{
	lock_take(&p->lock);
	*out = p->counts;
	lock_drop(&p->lock);
	out->read_bytes = atomic_load(&p->read_bytes);
}

void prefetch_counts_reset(struct prefetch *p)
{
	lock_take(&p->lock);
	memset(&p->counts, 0, sizeof(p->counts));
	lock_drop(&p->lock);
	atomic_store(&p->read_bytes, 0);
}

int prefetch_new(struct prefetch **out, const struct prefetch_options *opt,
		 struct err *err)
{
	struct prefetch *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_nomem(err);
	p->opt = *opt;
	lock_init(&p->lock);
	cond_init(&p->changed);
	r = pool_new(&p->pool, "prefetch", PREFETCH_THREADS, PREFETCH_JOBS_MAX,
		     err);
	if (r < 0) {
		prefetch_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void prefetch_free(struct prefetch *p)
{
	int64_t end = clock_ms() + PREFETCH_STOP_MS;
	bool is_idle;

	if (!p)
		return;
	lock_take(&p->lock);
	while (p->n_jobs && cond_wait_until(&p->changed, &p->lock, end) == 0)
		;
	is_idle = !p->n_jobs;
	lock_drop(&p->lock);
	if (!is_idle)
		return;
	if (p->pool)
		pool_free(p->pool);
	cond_release(&p->changed);
	lock_release(&p->lock);
	free(p);
}
