/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of operations: each hands its request to the part that knows the
 * node, upper (names) or inside (versions).  The mount is read-only and the
 * kernel refuses writes itself; where somebody else mounted without "ro"
 * (/dev/fd/N) they are refused here with the same error.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>

#include "fs/mount/fuse/fs.h"
#include "fs/mount/fuse/inside.h"
#include "fs/mount/fuse/read.h"
#include "fs/mount/fuse/reply.h"
#include "fs/mount/fuse/statfs.h"
#include "fs/mount/fuse/upper.h"
#include "fs/mount/fuse/xattr.h"

#define READ_AHEAD_MAX (1u << 20)	/* more did not help, less did harm */
/*
 * Reads ahead that wait for a store must not keep the kernel from sending
 * those that the cache can answer; a waiting one costs us some 100 bytes.
 */
#define BACKGROUND_MAX 4096

static bool is_upper(uint64_t nodeid)
{
	return nodeid_slot(nodeid) == NODEID_SLOT_NAMES;
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	/* One copy is cheaper than splicing pages (measured at 1 MiB). */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ |
				  FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE);
	/* The kernel waits for asynchronous direct reads without end. */
	conn->want &= ~(unsigned)FUSE_CAP_ASYNC_DIO;
	/* Names come with attributes: what is listed is opened next. */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* Pages are taken back by name, never because a time changed. */
	conn->want &= ~(unsigned)FUSE_CAP_AUTO_INVAL_DATA;
	conn->want |= conn->capable & (FUSE_CAP_EXPLICIT_INVAL_DATA |
				       FUSE_CAP_PARALLEL_DIROPS |
				       FUSE_CAP_ASYNC_READ |
				       FUSE_CAP_READDIRPLUS);
	fs->has_no_open = conn->capable & FUSE_CAP_NO_OPEN_SUPPORT;
	conn->max_readahead = READ_AHEAD_MAX;
	conn->max_background = BACKGROUND_MAX;
	conn->congestion_threshold = BACKGROUND_MAX / 4 * 3;
	__atomic_store_n(&fs->is_up, 1, __ATOMIC_RELEASE);
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (is_upper(parent))
		upper_lookup(req, parent, name);
	else
		inside_lookup(req, parent, name);
}

/* Numbers are computed: there is nothing to forget. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)ino;
	(void)nlookup;
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t count,
			    struct fuse_forget_data *forgets)
{
	(void)count;
	(void)forgets;
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	(void)fi;
	if (is_upper(ino))
		upper_getattr(req, ino);
	else
		inside_getattr(req, ino);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	if (is_upper(ino))
		upper_readlink(req, ino);
	else
		reply_error(req, EINVAL);
}

/* No state is kept for an open file; told once, the kernel asks no more. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);

	(void)ino;
	if ((fi->flags & O_ACCMODE) != O_RDONLY) {
		reply_error(req, EROFS);
		return;
	}
	if (fs->has_no_open) {
		reply_error(req, ENOSYS);
		return;
	}
	fi->keep_cache = 1;
	(void)fuse_reply_open(req, fi);
}

/*
 * Answered for real: after ENOSYS the kernel would keep the listings above the
 * versions as well.
 */
static void op_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *fi)
{
	if (is_upper(ino)) {
		upper_opendir(req, ino, fi);
		return;
	}
	fi->cache_readdir = 1;
	fi->keep_cache = 1;
	(void)fuse_reply_open(req, fi);
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	(void)fi;
	if (is_upper(ino))
		upper_readdir(req, ino, size, off, false);
	else
		inside_readdir(req, ino, size, off, false);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size,
			   off_t off, struct fuse_file_info *fi)
{
	(void)fi;
	if (is_upper(ino))
		upper_readdir(req, ino, size, off, true);
	else
		inside_readdir(req, ino, size, off, true);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t ino,
			  struct fuse_file_info *fi)
{
	(void)ino;
	(void)fi;
	reply_error(req, 0);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	(void)fi;
	read_file(req, ino, size, off);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	statfs_fill(fs_of(req), ino, &st);
	(void)fuse_reply_statfs(req, &st);
}

static void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			size_t size)
{
	if (fs_of(req)->options.noxattr)
		reply_error(req, ENOSYS);
	else
		xattr_get(req, ino, name, size);
}

/* Ours are there for those who know their names. */
static void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	(void)ino;
	if (fs_of(req)->options.noxattr)
		reply_error(req, ENOSYS);
	else if (size)
		reply_bytes(req, NULL, 0);
	else
		(void)fuse_reply_xattr(req, 0);
}

/* Everything that would change something. */
static void op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr,
		       int to_set, struct fuse_file_info *fi)
{
	(void)ino, (void)attr, (void)to_set, (void)fi;
	reply_error(req, EROFS);
}

static void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode, dev_t rdev)
{
	(void)parent, (void)name, (void)mode, (void)rdev;
	reply_error(req, EROFS);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
		     mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	reply_error(req, EROFS);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	reply_error(req, EROFS);
}

static void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent,
		       const char *name)
{
	(void)link, (void)parent, (void)name;
	reply_error(req, EROFS);
}

static void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
		      fuse_ino_t newparent, const char *newname,
		      unsigned flags)
{
	(void)parent, (void)name, (void)newparent, (void)newname, (void)flags;
	reply_error(req, EROFS);
}

static void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
		    const char *newname)
{
	(void)ino, (void)newparent, (void)newname;
	reply_error(req, EROFS);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes,
		     size_t size, off_t off, struct fuse_file_info *fi)
{
	(void)ino, (void)bytes, (void)size, (void)off, (void)fi;
	reply_error(req, EROFS);
}

static void op_create(fuse_req_t req, fuse_ino_t parent, const char *name,
		      mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	reply_error(req, EROFS);
}

static void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name,
			const char *value, size_t size, int flags)
{
	(void)ino, (void)name, (void)value, (void)size, (void)flags;
	reply_error(req, EROFS);
}

static void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino, (void)name;
	reply_error(req, EROFS);
}

static void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off,
			 off_t len, struct fuse_file_info *fi)
{
	(void)ino, (void)mode, (void)off, (void)len, (void)fi;
	reply_error(req, EROFS);
}

const struct fuse_lowlevel_ops fs_operations = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_unlink,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.write = op_write,
	.create = op_create,
	.setxattr = op_setxattr,
	.removexattr = op_removexattr,
	.fallocate = op_fallocate,
};
