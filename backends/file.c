/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/file_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include "backends/base/clock.h"
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "backends/base/io.h"
#include "backends/base/lock.h"
#include "backends/base/pool.h"

/* A file that changes under each of so many reads is being written. */
#define READ_TRIES 3

/*
 * One queue and one pool for the process.  The queue is the ops themselves, so
 * that queueing cannot fail; at most FILE_THREADS pool jobs drain it.
 * queue.lock guards everything here.
 */
static struct {
	struct lock lock;
	struct backend_op *first;
	struct backend_op **last;
	unsigned n_drains;
	struct pool *pool;
} queue = {.lock = LOCK_INIT, .last = &queue.first};

static void drain(void *arg)
{
	(void)arg;
	lock_take(&queue.lock);
	while (queue.first) {
		struct backend_op *op = queue.first;

		queue.first = op->next;
		if (!queue.first)
			queue.last = &queue.first;
		lock_drop(&queue.lock);
		op->run(op);
		lock_take(&queue.lock);
	}
	queue.n_drains--;
	lock_drop(&queue.lock);
}

/* A child has none of the threads: it starts afresh. */
static void after_fork(void)
{
	lock_init(&queue.lock);
	queue.first = NULL;
	queue.last = &queue.first;
	queue.n_drains = 0;
	queue.pool = NULL;
}

static int ensure_pool(struct err *err)
{
	static bool has_fork_handler;
	struct pool *pool = NULL;
	int r = 0;

	lock_take(&queue.lock);
	if (!queue.pool)
		r = pool_new(&pool, "file", FILE_THREADS, 2 * FILE_THREADS,
			     err);
	if (pool)
		queue.pool = pool;
	if (pool && !has_fork_handler)
		has_fork_handler = !pthread_atfork(NULL, NULL, after_fork);
	lock_drop(&queue.lock);
	return r;
}

static void file_later(struct backend_op *op, void (*run)(struct backend_op *))
{
	struct err err = ERR_INIT;
	bool wants_drain;

	/* file_open() made it; only a fork since then can lead to an error. */
	if (ensure_pool(&err) < 0)
		abort();

	op->run = run;
	op->next = NULL;
	lock_take(&queue.lock);
	*queue.last = op;
	queue.last = &op->next;
	wants_drain = queue.n_drains < FILE_THREADS;
	if (wants_drain)
		queue.n_drains++;
	lock_drop(&queue.lock);

	/* The pool's queue holds more jobs than there can be drains. */
	if (wants_drain && pool_submit(queue.pool, drain, NULL, &err) < 0)
		abort();
}

void file_info(struct object_info *out, const struct stat *st)
{
	uint8_t record[6 * 8], digest[SHA256_SIZE];

	put_le64(record, (uint64_t)st->st_ino);
	put_le64(record + 8, (uint64_t)st->st_size);
	put_le64(record + 16, (uint64_t)st->st_mtim.tv_sec);
	put_le64(record + 24, (uint64_t)st->st_mtim.tv_nsec);
	put_le64(record + 32, (uint64_t)st->st_ctim.tv_sec);
	put_le64(record + 40, (uint64_t)st->st_ctim.tv_nsec);
	digest_sha256(digest, record, sizeof(record));

	memset(out, 0, sizeof(*out));
	out->size = (uint64_t)st->st_size;
	out->mtime_s = st->st_mtim.tv_sec;
	encode_hex(out->etag, digest, FILE_VALIDATOR_BYTES);
}

int file_error(struct err *err, int code, const char *what)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return err_set(err, ERR_MISSING, ENOENT, "%s: does not exist",
			       what);
	case ELOOP:
	case EXDEV:
		return err_set(err, ERR_AUTH, EACCES,
			       "%s: a symlink, or a path that leaves the "
			       "configured directory",
			       what);
	case EACCES:
	case EPERM:
		return err_set(err, ERR_AUTH, EACCES, "%s: %s", what,
			       strerror(code));
	case EROFS:
	case EISDIR:
	case ENAMETOOLONG:
		return err_set(err, ERR_USAGE, code, "%s: %s", what,
			       strerror(code));
	case EAGAIN:
		return err_set(err, ERR_RETRY, EIO, "%s: %s", what,
			       strerror(code));
	default:
		return err_errno(err, code, "%s", what);
	}
}

int file_check_key(const char *key, struct err *err)
{
	const char *p = key;

	for (;;) {
		size_t len = strcspn(p, "/");

		if (len == 2 && p[0] == '.' && p[1] == '.')
			return err_set(err, ERR_AUTH, EACCES,
				       "'..' leaves the configured directory");
		if (!len || (len == 1 && p[0] == '.') ||
		    !strncmp(p, FILE_HIDDEN, strlen(FILE_HIDDEN)))
			return err_set(err, ERR_MISSING, ENOENT,
				       "no file can have this name");
		if (!p[len])
			return 0;
		p += len + 1;
	}
}

int file_temp_name(char name[FILE_TEMP_SIZE], const char *kind, struct err *err)
{
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_errno(err, errno, "getrandom");
	encode_hex(hex, random, sizeof(random));
	(void)snprintf(name, FILE_TEMP_SIZE, FILE_HIDDEN "%s-%s", kind, hex);
	return 0;
}

static int open_object(struct backend_op *op, struct stat *st)
{
	int r, fd;

	r = file_check_key(op->key, &op->err);
	if (r < 0)
		return r;
	fd = io_open_beneath(file_backend(op)->root_fd, op->key,
			     O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
	if (fd < 0)
		return file_error(&op->err, -fd, "open");

	if (fstat(fd, st) < 0)
		r = file_error(&op->err, errno, "stat");
	else if (S_ISDIR(st->st_mode))
		r = file_error(&op->err, ENOENT, "a directory, so the key");
	else if (!S_ISREG(st->st_mode))
		r = err_set(&op->err, ERR_AUTH, EACCES, "not a regular file");
	if (r < 0) {
		(void)close(fd);
		return r;
	}
	file_info(&op->info, st);
	return fd;
}

static int check_wanted(struct backend_op *op)
{
	if (op->if_match && strcmp(op->if_match, op->info.etag) != 0)
		return err_set(&op->err, ERR_CONFLICT, ESTALE,
			       "the file has changed");
	if (op->kind == BACKEND_OP_GET_ALL) {
		if (op->info.size > op->limit)
			return err_set(&op->err, ERR_CORRUPT, EFBIG,
				       "%llu bytes, the limit is %zu",
				       (unsigned long long)op->info.size,
				       op->limit);
		op->len = (size_t)op->info.size;
		return 0;
	}
	if (op->expect_size != BACKEND_SIZE_UNKNOWN &&
	    op->expect_size != op->info.size)
		return err_set(&op->err, ERR_CORRUPT, EBADMSG,
			       "%llu bytes, not %llu",
			       (unsigned long long)op->info.size,
			       (unsigned long long)op->expect_size);
	if (op->offset + op->len > op->info.size)
		return err_set(&op->err, ERR_CORRUPT, EBADMSG,
			       "the range ends at %llu of %llu bytes",
			       (unsigned long long)(op->offset + op->len),
			       (unsigned long long)op->info.size);
	return 0;
}

/* 1: the file changed under the read. */
static int read_once(struct backend_op *op, void *dst, int fd)
{
	struct object_info after;
	struct stat st;
	ssize_t n;

	n = io_pread_full(fd, dst, op->len, op->offset);
	if (n < 0)
		return file_error(&op->err, (int)-n, "read");
	if (fstat(fd, &st) < 0)
		return file_error(&op->err, errno, "stat");
	file_info(&after, &st);
	if (strcmp(after.etag, op->info.etag) != 0)
		return 1;
	if ((size_t)n != op->len)
		return err_set(&op->err, ERR_CORRUPT, EBADMSG,
			       "%zd of %zu bytes could be read", n, op->len);
	return 0;
}

static int read_object(struct backend_op *op)
{
	for (int i = 0; i < READ_TRIES; i++) {
		cleanup_free void *whole = NULL;
		cleanup_fd int fd = -1;
		struct stat st;
		int r;

		fd = open_object(op, &st);
		if (fd < 0)
			return fd;
		r = check_wanted(op);
		if (r < 0)
			return r;
		if (op->kind == BACKEND_OP_GET_ALL) {
			whole = malloc(op->len + 1);
			if (!whole)
				return err_nomem(&op->err);
		}
		r = read_once(op, whole ? whole : op->dst, fd);
		if (r == 0 && whole)
			r = buf_add(op->out, whole, op->len, &op->err);
		if (r <= 0)
			return r;
	}
	return err_set(&op->err, ERR_RETRY, EIO, "the file is being written");
}

static int head(struct backend_op *op)
{
	struct stat st;
	int fd = open_object(op, &st);

	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

static void run(struct backend_op *op)
{
	static int (*const run_kind[BACKEND_OP_KINDS])(struct backend_op *) = {
		[BACKEND_OP_GET] = read_object,
		[BACKEND_OP_GET_ALL] = read_object,
		[BACKEND_OP_HEAD] = head,
		[BACKEND_OP_PUT] = file_put,
		[BACKEND_OP_DELETE] = file_delete,
		[BACKEND_OP_LIST] = file_list,
		[BACKEND_OP_MULTIPART_CREATE] = file_multipart_create,
		[BACKEND_OP_MULTIPART_PUT] = file_multipart_put,
		[BACKEND_OP_MULTIPART_COMPLETE] = file_multipart_complete,
		[BACKEND_OP_MULTIPART_ABORT] = file_multipart_abort,
	};
	int r = backend_op_expired(op);

	if (r == 0)
		r = run_kind[op->kind](op);
	backend_op_end(op, r);
}

static void start(struct backend_op *op)
{
	file_later(op, run);
}

static void file_release(struct backend *b)
{
	(void)close(((struct file_backend *)b)->root_fd);
}

static const struct backend_ops file_ops = {
	.start =
		{
			[BACKEND_OP_GET] = start,
			[BACKEND_OP_GET_ALL] = start,
			[BACKEND_OP_HEAD] = start,
			[BACKEND_OP_PUT] = start,
			[BACKEND_OP_DELETE] = start,
			[BACKEND_OP_LIST] = start,
			[BACKEND_OP_MULTIPART_CREATE] = start,
			[BACKEND_OP_MULTIPART_PUT] = start,
			[BACKEND_OP_MULTIPART_COMPLETE] = start,
			[BACKEND_OP_MULTIPART_ABORT] = start,
		},
	.later = file_later,
	.release = file_release,
};

int file_open(struct backend **out, const struct backend_spec *spec,
	      struct err *err)
{
	const char *path = spec->location->key;
	cleanup_free struct file_backend *fb = NULL;
	cleanup_fd int fd = -1;
	int r;

	r = ensure_pool(err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		int code = errno;

		if (code == ENOTDIR)
			return err_set(err, ERR_USAGE, code,
				       "open %s: not a directory", path);
		r = file_error(err, code, "the directory");
		return err_wrap(err, "open %s", path);
	}
	fb = calloc(1, sizeof(*fb));
	if (!fb)
		return err_nomem(err);
	r = backend_init(&fb->base, &file_ops, spec, err);
	if (r < 0) {
		backend_release(&fb->base);
		return r;
	}
	fb->root_fd = steal_fd(&fd);
	/* Nothing is probed: a file system holds what this code promises. */
	fb->base.caps = (struct backend_caps){
		.probed = true,
		.create_only = true,
		.complete_create_only = true,
		.if_match = true,
		.delete_if_match = true,
	};
	*out = &steal_pointer(&fb)->base;
	return 0;
}
