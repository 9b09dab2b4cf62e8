/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/dirents.h"

#include <errno.h>

#include "fs/mount/fuse/reply.h"

bool dirents_init(struct dirents *d, fuse_req_t req, size_t size, bool plus)
{
	if (size > DIRENTS_SIZE_MAX)
		size = DIRENTS_SIZE_MAX;
	*d = (struct dirents){ .req = req, .size = size, .plus = plus };
	d->bytes = malloc(size ? size : 1);
	if (d->bytes)
		return true;
	reply_error(req, ENOMEM);
	return false;
}

static bool dirents_put(struct dirents *d, const char *name,
			const struct fuse_entry_param *e, off_t next)
{
	char *at = d->bytes + d->used;
	size_t left = d->size - d->used;
	size_t n;

	n = d->plus ? fuse_add_direntry_plus(d->req, at, left, name, e, next) :
		      fuse_add_direntry(d->req, at, left, name, &e->attr, next);
	if (n > left)
		return false;
	d->used += n;
	return true;
}

bool dirents_add(struct dirents *d, const char *name, uint64_t nodeid,
		 const struct stat *attr, double timeout, off_t next)
{
	struct fuse_entry_param e = {
		.ino = nodeid,
		.attr = *attr,
		.attr_timeout = timeout,
		.entry_timeout = timeout,
	};

	return dirents_put(d, name, &e, next);
}

bool dirents_add_dot(struct dirents *d, const char *name, uint64_t ino,
		     off_t next)
{
	struct fuse_entry_param e = {
		.attr = { .st_ino = ino, .st_mode = S_IFDIR },
	};

	return dirents_put(d, name, &e, next);
}

void dirents_reply(struct dirents *d)
{
	reply_bytes(d->req, d->bytes, d->used);
	free(d->bytes);
}

void dirents_fail(struct dirents *d, int code)
{
	reply_error(d->req, code);
	free(d->bytes);
}

void dirents_drop(struct dirents *d)
{
	free(d->bytes);
}
