/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole reads, whole writes and confined opens on local files.  All functions
 * are thread-safe; EINTR is handled inside.
 */
#ifndef DATASETFS_BASE_IO_H
#define DATASETFS_BASE_IO_H

#include <stdint.h>
#include <sys/types.h>
#include "backends/base/buf.h"

/* The number of bytes read: less than len only at the end of the file. */
ssize_t io_pread_full(int fd, void *dst, size_t len, uint64_t offset)
	MUST_CHECK;			/* or -errno */
int io_pwrite_full(int fd, const void *src, size_t len, uint64_t offset)
	MUST_CHECK;			/* 0 or -errno */
int io_write_full(int fd, const void *src, size_t len) MUST_CHECK;

/*
 * The whole of a regular file (symlinks followed, opened O_NONBLOCK) appended
 * to *out.  ERR_USAGE: -EFBIG above limit bytes, -EISDIR for a directory,
 * -EINVAL for what else is no regular file; ERR_MISSING for ENOENT, ERR_SYSTEM
 * else.  The text names the path.
 */
int io_read_file(const char *path, size_t limit, struct buf *out,
		 struct err *err) MUST_CHECK;

/*
 * Replaces path atomically by len bytes (temporary name in the same
 * directory, then rename).  sync: fsync file and directory first.
 */
int io_replace_file(const char *path, const void *data, size_t len,
		    mode_t mode, bool sync, struct err *err) MUST_CHECK;

/*
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS):
 * relative is resolved below dirfd and never leaves it.  Returns the fd or
 * -errno (-EXDEV and -ELOOP both mean "it tried to leave").
 */
int io_open_beneath(int dirfd, const char *relative, int flags, mode_t mode)
	MUST_CHECK;

/* mkdir -p below dirfd with the same confinement; mode for new ones. */
int io_mkdir_beneath(int dirfd, const char *relative, mode_t mode) MUST_CHECK;

/* mkdir -p of an absolute or relative path; 0 or -errno. */
int io_mkdir_p(const char *path, mode_t mode) MUST_CHECK;

/*
 * A descriptor of path, or of the folder of the name below in it (NULL: of
 * path itself); both are made with mode 0700 if need be.  -EPERM where one is
 * another user's, or group or others may write there: what is in it may be
 * anybody's.  The text says what would mend that.
 */
int io_open_private_dir(const char *path, const char *below, struct err *err)
	MUST_CHECK;

#endif
