/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/inside.h"

#include <errno.h>
#include <string.h>

#include "fs/mount/fuse/attr.h"
#include "fs/mount/fuse/dirents.h"
#include "fs/mount/fuse/tree_call.h"
#include "fs/mount/fuse/upper.h"

/* readdir offsets: 0 ".", 1 "..", then the children in the tree's order. */
#define OFF_FIRST 2

static void lookup_fn(struct tree_call *call, const struct slot_ref *ref)
{
	struct tree_entry entry;
	struct stat attr;
	struct err err = ERR_INIT;
	int r;

	r = tree_lookup(ref->tree, nodeid_index(call->nodeid), call->name,
			strlen(call->name), &entry, &err);
	if (r == -ENOENT) {
		reply_absent(call->parked.req, FS_TIMEOUT_FOREVER);
	} else if (r < 0) {
		tree_call_fail(call, ref, REPLY_NAME, r, &err);
	} else {
		attr_entry(call->fs, ref, &entry, &attr);
		reply_entry(call->parked.req,
			    nodeid_make(ref->slot, entry.index), &attr,
			    FS_TIMEOUT_FOREVER);
	}
}

void inside_lookup(fuse_req_t req, uint64_t parent, const char *name)
{
	struct tree_call call = {
		.fs = fs_of(req), .nodeid = parent, .fn = lookup_fn,
	};

	if (strlen(name) > TREE_NAME_MAX) {
		reply_error(req, ENAMETOOLONG);
		return;
	}
	strcpy(call.name, name);
	tree_call_run(&call, req);
}

static void getattr_fn(struct tree_call *call, const struct slot_ref *ref)
{
	struct tree_entry entry;
	struct stat attr;
	struct err err = ERR_INIT;
	int r;

	r = tree_entry(ref->tree, nodeid_index(call->nodeid), &entry, &err);
	if (r < 0) {
		tree_call_fail(call, ref, REPLY_CONTENT, r, &err);
		return;
	}
	attr_entry(call->fs, ref, &entry, &attr);
	reply_attr(call->parked.req, &attr, FS_TIMEOUT_FOREVER);
}

void inside_getattr(fuse_req_t req, uint64_t nodeid)
{
	struct tree_call call = {
		.fs = fs_of(req), .nodeid = nodeid, .fn = getattr_fn,
	};
	cleanup_slot_ref struct slot_ref ref = { .tree = NULL };
	struct stat attr;
	struct err err = ERR_INIT;
	int r;

	if (nodeid_index(nodeid) != TREE_ROOT) {
		tree_call_run(&call, req);
		return;
	}
	r = slots_get(call.fs->slots, nodeid_slot(nodeid), &ref, &err);
	if (r < 0) {
		reply_failure(req, REPLY_NAME, r, &err);
		return;
	}
	attr_version(call.fs, ref.bucket, ref.slot, ref.ds, ref.v, &attr);
	reply_attr(req, &attr, FS_TIMEOUT_FOREVER);
}

/* What ".." is: a directory of the version, or the bucket's. */
static int parent_of(struct tree_call *call, const struct slot_ref *ref,
		     const struct tree_entry *dir, uint64_t *nodeid,
		     struct err *err)
{
	if (dir->index == TREE_ROOT)
		return upper_bucket_nodeid(call->fs, ref->bucket, nodeid, err);
	*nodeid = nodeid_make(ref->slot, dir->parent);
	return 0;
}

/* 1: go on, 0: the reply is full, -errno. */
static int add_child(struct tree_call *call, const struct slot_ref *ref,
		     struct dirents *d, const struct tree_entry *dir,
		     uint32_t i, struct err *err)
{
	struct tree_entry child;
	struct stat attr;
	int r;

	r = tree_entry(ref->tree, dir->first_child + i, &child, err);
	if (r < 0)
		return r;
	attr_entry(call->fs, ref, &child, &attr);
	return dirents_add(d, child.name, nodeid_make(ref->slot, child.index),
			   &attr, FS_TIMEOUT_FOREVER, (off_t)i + OFF_FIRST + 1);
}

static int add_all(struct tree_call *call, const struct slot_ref *ref,
		   struct dirents *d, const struct tree_entry *dir,
		   struct err *err)
{
	off_t at = call->off;
	uint64_t parent = 0;
	int r;

	r = parent_of(call, ref, dir, &parent, err);
	if (r < 0)
		return r;
	if (at == 0 && dirents_add_dot(d, ".", call->nodeid, 1))
		at = 1;
	if (at == 1 && dirents_add_dot(d, "..", parent, OFF_FIRST))
		at = OFF_FIRST;
	if (at < OFF_FIRST)
		return 0;
	r = 1;
	for (off_t i = at - OFF_FIRST; i < dir->n_children && r > 0; i++)
		r = add_child(call, ref, d, dir, (uint32_t)i, err);
	return r;
}

static void readdir_fn(struct tree_call *call, const struct slot_ref *ref)
{
	struct tree_entry dir;
	struct dirents d;
	struct err err = ERR_INIT;
	int r;

	r = tree_entry(ref->tree, nodeid_index(call->nodeid), &dir, &err);
	if (r < 0) {
		tree_call_fail(call, ref, REPLY_CONTENT, r, &err);
		return;
	}
	if (dir.type != TREE_DIR) {
		reply_error(call->parked.req, ENOTDIR);
		return;
	}
	if (!dirents_init(&d, call->parked.req, call->size, call->plus))
		return;
	r = add_all(call, ref, &d, &dir, &err);
	/* Entries that are there go out; the next call meets the failure. */
	if (r >= 0 || d.used) {
		dirents_reply(&d);
		return;
	}
	dirents_drop(&d);
	tree_call_fail(call, ref, REPLY_CONTENT, r, &err);
}

void inside_readdir(fuse_req_t req, uint64_t nodeid, size_t size, off_t off,
		    bool plus)
{
	struct tree_call call = {
		.fs = fs_of(req), .nodeid = nodeid, .fn = readdir_fn,
		.size = size, .off = off, .plus = plus,
	};

	if (off < 0)
		reply_error(req, EINVAL);
	else
		tree_call_run(&call, req);
}
