/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file://: objects in a local directory, with the contract of an object store.
 *
 * Confinement.  Every open is resolved beneath the configured directory
 * without following a symlink; what is not a regular file, or would leave the
 * directory, answers EACCES.  A listing leaves it out and says so in the log.
 * A key is a relative path: "a//b", "./a" and "a/"
 * name nothing here (-ENOENT, -EINVAL for a put).
 *
 * Validator (etag): a digest of (inode, size, mtime, ctime), the same from
 * get, head, put and list, and checked again after every read.  It costs no
 * read of the content, and so serves for terabytes.  It is longer than an MD5,
 * for which nobody can take it then.  A compare-and-swap takes flock on the
 * object's directory, compares, renames, and makes the new mtime later than the
 * old one by at least a nanosecond: a validator never comes back, so that a
 * writer who saw A cannot overwrite an A' that looks like it.
 *
 * Writing: a temporary file in the same directory (hidden from every
 * operation), fsync, renameat2(RENAME_NOREPLACE) where the key must be new
 * (link and unlink where the file system lacks it; rename is first because the
 * unlink would change ctime under a reader), rename otherwise, fsync of the
 * directory.  Both take the lock, so all writers of a directory, in all
 * processes, come one after the other.
 *
 * The work runs on FILE_THREADS threads of the process.  A read that the
 * kernel holds (a dead NFS server) cannot be abandoned: such an operation ends
 * later than its deadline.
 */
#ifndef DATASETFS_BACKENDS_FILE_IMPL_H
#define DATASETFS_BACKENDS_FILE_IMPL_H

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include "backends/backend_impl.h"
#include "backends/base/io.h"

#define FILE_THREADS 4

/* Names that begin so are ours: never listed, read or written by key. */
#define FILE_HIDDEN ".~datasetfs-"

#define FILE_VALIDATOR_BYTES (BACKEND_FILE_ETAG_LEN / 2)

/* A page when the caller does not say: about 3 MB of entries. */
#define FILE_LIST_MAX 10000

struct file_backend {
	struct backend base;
	int root_fd;
	atomic_ullong told;	/* which names a listing left out, hashed */
};

static inline struct file_backend *file_backend(struct backend_op *op)
{
	return (struct file_backend *)op->backend;
}

void file_info(struct object_info *out, const struct stat *st);

/* The class and errno that callers expect for what the kernel said. */
int file_error(struct err *err, int code, const char *what);

/* A directory below dir_fd: an fd or -errno. */
static inline int file_open_dir(int dir_fd, const char *relative)
{
	return io_open_beneath(dir_fd, relative,
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

/* 0; -EACCES for "..", -ENOENT for what can be no path here. */
int file_check_key(const char *key, struct err *err) MUST_CHECK;

/* A hidden name with random digits. */
#define FILE_TEMP_SIZE 48
int file_temp_name(char name[FILE_TEMP_SIZE], const char *kind,
		   struct err *err) MUST_CHECK;

/*
 * A whole object, written by feed(): opened in the key's directory (made where
 * it is missing), synced, and put in place under op's conditions.  op->info is
 * the new object's.
 */
typedef int (*file_feed_fn)(struct backend_op *op, int fd);
int file_write(struct backend_op *op, file_feed_fn feed) MUST_CHECK;

/* One for each kind of operation; they return 0 or -errno with op->err. */
int file_put(struct backend_op *op);
int file_delete(struct backend_op *op);
int file_list(struct backend_op *op);
int file_multipart_create(struct backend_op *op);
int file_multipart_put(struct backend_op *op);
int file_multipart_complete(struct backend_op *op);
int file_multipart_abort(struct backend_op *op);

#endif
