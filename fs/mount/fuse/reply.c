/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/reply.h"

#include <errno.h>

/* What says the same whatever was asked. */
static int errno_common(int code)
{
	switch (code) {
	case EINTR:
	case ETIMEDOUT:
	case ENOMEM:
	case EACCES:
	case ENFILE:
		return code;
	case EPERM:
		return EACCES;
	case ESHUTDOWN:
	case ECANCELED:
		return ENOTCONN;	/* as after the unmount that is under way */
	default:
		return 0;
	}
}

int reply_errno(enum reply_context context, int r, const struct err *err)
{
	int code = errno_common(-r);

	if (code)
		return code;
	if (err && err->class == ERR_AUTH)
		return EACCES;
	/* Not a store's condition that does not hold any more. */
	if (r == -ESTALE && err && err->class == ERR_MISSING)
		return ESTALE;
	if (context == REPLY_NAME)
		switch (-r) {
		case ENOENT:
		case ENOTDIR:
		case EISDIR:
		case ESTALE:
		case ENAMETOOLONG:
			return -r;
		default:
			break;
		}
	return EIO;
}

void reply_error(fuse_req_t req, int code)
{
	(void)fuse_reply_err(req, code);
}

void reply_failure(fuse_req_t req, enum reply_context context, int r,
		   const struct err *err)
{
	reply_error(req, reply_errno(context, r, err));
}

void reply_absent(fuse_req_t req, double timeout)
{
	struct fuse_entry_param e = { .ino = 0, .entry_timeout = timeout };

	if (timeout > 0)
		(void)fuse_reply_entry(req, &e);
	else
		reply_error(req, ENOENT);
}

void reply_entry(fuse_req_t req, uint64_t nodeid, const struct stat *attr,
		 double timeout)
{
	struct fuse_entry_param e = {
		.ino = nodeid,
		.attr = *attr,
		.attr_timeout = timeout,
		.entry_timeout = timeout,
	};

	(void)fuse_reply_entry(req, &e);
}

void reply_attr(fuse_req_t req, const struct stat *attr, double timeout)
{
	(void)fuse_reply_attr(req, attr, timeout);
}

void reply_bytes(fuse_req_t req, const void *bytes, size_t len)
{
	(void)fuse_reply_buf(req, bytes, len);
}

void reply_iov(fuse_req_t req, const struct iovec *iov, int n)
{
	/* libfuse answers nothing itself when it has no memory. */
	if (fuse_reply_iov(req, iov, n) == -ENOMEM)
		reply_error(req, ENOMEM);
}
