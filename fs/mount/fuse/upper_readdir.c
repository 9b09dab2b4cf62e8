/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings above the versions.  There is no state per open directory: an
 * offset carries the generation of the listing that it belongs to, so that a
 * catalog that changes between two reads neither repeats nor skips entries.
 */
#include <config.h>

#include "fs/mount/fuse/upper.h"

#include <errno.h>
#include <stdio.h>

#include "fs/mount/fuse/dirents.h"
#include "fs/mount/fuse/reply.h"

#define OFF_DOT 0u
#define OFF_DOTDOT 1u
#define OFF_FIRST 2u

static off_t off_make(uint32_t generation, uint32_t index)
{
	return (off_t)((uint64_t)generation << 32 | index);
}

/* True when the offset is still before the first entry and all fitted. */
static bool add_dots(struct dirents *d, uint64_t self, uint64_t parent,
		     uint32_t generation, uint32_t *at)
{
	if (*at == OFF_DOT) {
		if (!dirents_add_dot(d, ".", self,
				     off_make(generation, OFF_DOTDOT)))
			return false;
		*at = OFF_DOTDOT;
	}
	if (*at == OFF_DOTDOT) {
		if (!dirents_add_dot(d, "..", parent,
				     off_make(generation, OFF_FIRST)))
			return false;
		*at = OFF_FIRST;
	}
	return true;
}

static void readdir_root(fuse_req_t req, struct fs *fs, size_t size, off_t off,
			 bool plus)
{
	uint32_t at = (uint32_t)off;
	struct dirents d;
	struct err err = ERR_INIT;

	if (!dirents_init(&d, req, size, plus))
		return;
	if (!add_dots(&d, NODEID_ROOT, NODEID_ROOT, 0, &at)) {
		dirents_reply(&d);
		return;
	}
	/* Indices are never reused, so an offset means the same for ever. */
	for (size_t i = at - OFF_FIRST; i < buckets_count(fs->buckets); i++) {
		struct bucket *b = buckets_at(fs->buckets, i);
		struct upper_entry e;

		if (!b)
			continue;
		if (upper_bind_bucket(fs, b, &e, &err) < 0) {
			dirents_fail(&d, reply_errno(REPLY_NAME, -err.code,
						     &err));
			return;
		}
		if (!dirents_add(&d, bucket_name(b), e.nodeid, &e.attr,
				 FS_TIMEOUT_NAMES,
				 off_make(0, (uint32_t)i + OFF_FIRST + 1)))
			break;
	}
	dirents_reply(&d);
}

/* An entry that cannot be bound (no memory, limits) ends the listing badly. */
static int add_listed(struct upper_call *call, struct dirents *d,
		      const struct listing *l, uint32_t i, struct err *err)
{
	char name[LISTING_NAME_MAX + 1];
	struct upper_entry e;
	int r;

	if (!listing_name(&l->entries[i], name))
		return 1;
	r = upper_bind_listed(call->fs, call->node->bucket, l->catalog,
			      &l->entries[i], false, &e, err);
	if (r < 0)
		return r;
	return dirents_add(d, name, e.nodeid, &e.attr, FS_TIMEOUT_NAMES,
			   off_make(l->generation, i + OFF_FIRST + 1));
}

static int add_member(struct upper_call *call, struct dirents *d,
		      const struct listing *l, const struct dataset *coll,
		      uint32_t i, struct err *err)
{
	char name[LISTING_NAME_MAX + 1];
	const struct dataset *ds;
	const struct version *v;
	struct upper_entry e;
	int r;

	if (!listing_member(l->catalog, &coll->members[i], &ds, &v))
		return 1;
	snprintf(name, sizeof(name), "%s@%u", ds->name, v->number);
	r = upper_bind_member(call->fs, call->node->bucket, l->catalog, coll,
			      ds, v, false, &e, err);
	if (r < 0)
		return r;
	return dirents_add(d, name, e.nodeid, &e.attr, FS_TIMEOUT_NAMES,
			   off_make(l->generation, i + OFF_FIRST + 1));
}

static void readdir_listing(struct upper_call *call, const struct listing *l)
{
	const struct dataset *coll = NULL;
	uint32_t at = (uint32_t)call->off, n = l->n;
	struct dirents d;
	struct err err = ERR_INIT;
	uint64_t bucket;
	int more = 1;

	if (call->node->kind == NAME_COLLECTION) {
		coll = catalog_dataset_by_id(l->catalog,
					     call->node->dataset_id);
		if (!coll) {
			reply_error(call->parked.req, ENOENT);
			return;
		}
		n = (uint32_t)coll->n_members;
	}
	if (upper_bucket_nodeid(call->fs, call->node->bucket, &bucket,
				&err) < 0) {
		reply_failure(call->parked.req, REPLY_NAME, -err.code, &err);
		return;
	}
	if (!dirents_init(&d, call->parked.req, call->size, call->plus))
		return;
	if (!add_dots(&d, call->nodeid, coll ? bucket : NODEID_ROOT,
		      l->generation, &at)) {
		dirents_reply(&d);
		return;
	}
	for (uint32_t i = at - OFF_FIRST; i < n && more > 0; i++)
		more = coll ? add_member(call, &d, l, coll, i, &err) :
			      add_listed(call, &d, l, i, &err);
	if (more < 0 && !d.used)
		dirents_fail(&d, reply_errno(REPLY_NAME, more, &err));
	else
		dirents_reply(&d);
}

static void readdir_fresh(struct upper_call *call, struct catalog *catalog)
{
	struct listing *l;
	struct err err = ERR_INIT;
	int r;

	r = view_listing(fs_view(call->fs, call->node->bucket), catalog, &l,
			 &err);
	if (r < 0) {
		reply_failure(call->parked.req, REPLY_CONTENT, r, &err);
		return;
	}
	readdir_listing(call, l);
	listing_put(l);
}

void upper_opendir(fuse_req_t req, uint64_t nodeid, struct fuse_file_info *fi)
{
	const struct name_node *node = upper_node(fs_of(req), nodeid);

	if (!node)
		reply_error(req, ESTALE);
	else if (node->bucket && bucket_problem(node->bucket))
		reply_error(req, EACCES);
	else
		(void)fuse_reply_open(req, fi);
}

void upper_readdir(fuse_req_t req, uint64_t nodeid, size_t size, off_t off,
		   bool plus)
{
	struct upper_call call = {
		.fs = fs_of(req), .nodeid = nodeid, .size = size, .off = off,
		.plus = plus, .fn = readdir_fresh,
	};
	struct listing *l;

	call.node = upper_node(call.fs, nodeid);
	if (!call.node) {
		reply_error(req, ESTALE);
		return;
	}
	if (call.node->kind == NAME_ROOT) {
		readdir_root(req, call.fs, size, off, plus);
		return;
	}
	if (call.node->kind != NAME_BUCKET &&
	    call.node->kind != NAME_COLLECTION) {
		reply_error(req, ENOTDIR);
		return;
	}
	if (bucket_problem(call.node->bucket)) {
		reply_error(req, EACCES);
		return;
	}
	l = off ? view_listing_old(fs_view(call.fs, call.node->bucket),
				   (uint32_t)((uint64_t)off >> 32)) : NULL;
	if (!l) {
		upper_run_fresh(&call, req, call.node->bucket);
		return;
	}
	call.parked.req = req;
	readdir_listing(&call, l);
	listing_put(l);
}
