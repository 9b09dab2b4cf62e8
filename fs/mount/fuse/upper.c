/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/upper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/dataset/reference.h"
#include "fs/mount/fuse/attr.h"
#include "fs/mount/fuse/reply.h"

const struct name_node *upper_node(struct fs *fs, uint64_t nodeid)
{
	const struct name_node *node = names_get(fs->names,
						 nodeid_index(nodeid));

	return node && node->bucket && bucket_is_gone(node->bucket) ? NULL :
								      node;
}

static void upper_have_catalog(void *arg, int r, struct catalog *catalog,
			       const struct err *err)
{
	struct upper_call *call = arg;

	if (parked_claim(&call->parked)) {
		if (r < 0)
			reply_failure(call->parked.req, REPLY_CONTENT, r, err);
		else
			call->fn(call, catalog);
	}
	parked_free(&call->parked);
}

void upper_run_fresh(const struct upper_call *call, fuse_req_t req,
		     struct bucket *b)
{
	struct upper_call *copy = malloc(sizeof(*copy));

	if (!copy) {
		reply_error(req, ENOMEM);
		return;
	}
	*copy = *call;
	if (parked_begin(&copy->parked, req, NULL))
		view_fresh(fs_view(call->fs, b), upper_have_catalog, copy);
}

static void reply_upper(fuse_req_t req, int r, const struct upper_entry *entry,
			const struct err *err)
{
	if (r < 0)
		reply_failure(req, REPLY_NAME, r, err);
	else
		reply_entry(req, entry->nodeid, &entry->attr, FS_TIMEOUT_NAMES);
}

/* NAME or NAME@V as far as the characters go; spares the store the rest. */
static bool is_plausible(const char *name)
{
	const char *at = strchr(name, '@');

	if (at && !reference_is_name(at + 1, strlen(at + 1)))
		return false;
	return reference_is_name(name, at ? (size_t)(at - name) : strlen(name));
}

static void lookup_in_bucket(struct upper_call *call, struct catalog *catalog)
{
	fuse_req_t req = call->parked.req;
	struct listing_entry entry;
	struct upper_entry bound;
	struct err err = ERR_INIT;
	bool is_bare;
	int r;

	if (!listing_find(catalog, call->name, &entry, &is_bare)) {
		reply_absent(req, 0);
		return;
	}
	r = upper_bind_listed(call->fs, call->node->bucket, catalog, &entry,
			      is_bare, &bound, &err);
	reply_upper(req, r, &bound, &err);
}

/* A version of the last catalog: true when the reply was given. */
static bool lookup_recent(struct upper_call *call, fuse_req_t req)
{
	struct catalog *catalog;
	struct listing_entry entry;
	struct upper_entry bound;
	struct err err = ERR_INIT;
	bool is_bare, found;
	int r;

	catalog = view_recent(fs_view(call->fs, call->node->bucket));
	if (!catalog)
		return false;
	found = listing_find(catalog, call->name, &entry, &is_bare) &&
		entry.kind == LISTING_VERSION;
	if (found) {
		r = upper_bind_listed(call->fs, call->node->bucket, catalog,
				      &entry, false, &bound, &err);
		reply_upper(req, r, &bound, &err);
	}
	catalog_put(catalog);
	return found;
}

static void lookup_in_collection(struct upper_call *call,
				 struct catalog *catalog)
{
	const struct dataset *coll, *ds, *best_ds = NULL;
	const struct version *v, *best = NULL;
	struct upper_entry bound;
	struct err err = ERR_INIT;
	bool is_bare = !strchr(call->name, '@');
	int r;

	coll = catalog_dataset_by_id(catalog, call->node->dataset_id);
	if (!coll) {
		reply_error(call->parked.req, ENOENT);
		return;
	}
	for (size_t i = 0; i < coll->n_members; i++) {
		char name[LISTING_NAME_MAX + 1];

		if (!listing_member(catalog, &coll->members[i], &ds, &v))
			continue;
		snprintf(name, sizeof(name), is_bare ? "%s" : "%s@%u",
			 ds->name, v->number);
		if (strcmp(name, call->name) != 0)
			continue;
		if (!best || v->number > best->number) {
			best = v;
			best_ds = ds;
		}
	}
	if (!best) {
		reply_absent(call->parked.req, 0);
		return;
	}
	r = upper_bind_member(call->fs, call->node->bucket, catalog, coll,
			      best_ds, best, is_bare, &bound, &err);
	reply_upper(call->parked.req, r, &bound, &err);
}

/* A name of the default bucket, seen from the root. */
static void lookup_default(struct upper_call *call, struct catalog *catalog)
{
	fuse_req_t req = call->parked.req;
	struct bucket *b = call->bucket;
	const char *at = strchr(call->name, '@');
	struct name_node node = { .kind = NAME_DEFAULT, .bucket = b };
	char target[UPPER_TARGET_MAX] = "";
	struct listing_entry entry;
	const struct dataset *ds;
	const struct version *v;
	struct stat attr;
	struct err err = ERR_INIT;
	bool is_bare;
	uint32_t index;
	int r;

	if (!listing_find(catalog, call->name, &entry, &is_bare)) {
		reply_absent(req, 0);
		return;
	}
	node.dataset_id = entry.ds->id;
	node.text = at ? at + 1 : "";
	if (!upper_target(catalog, &node, target, &ds, &v)) {
		reply_absent(req, 0);
		return;
	}
	r = names_bind(call->fs->names, &node, &index, &err);
	if (r < 0) {
		reply_failure(req, REPLY_NAME, r, &err);
		return;
	}
	attr_link(call->fs, nodeid_make(NODEID_SLOT_NAMES, index), b, ds, v,
		  strlen(target), &attr);
	reply_entry(req, nodeid_make(NODEID_SLOT_NAMES, index), &attr,
		    FS_TIMEOUT_NAMES);
}

static void lookup_in_root(struct upper_call *call, fuse_req_t req)
{
	struct bucket *b = buckets_find(call->fs->buckets, call->name);
	struct upper_entry bound;
	struct err err = ERR_INIT;
	int r;

	if (b) {
		r = upper_bind_bucket(call->fs, b, &bound, &err);
		reply_upper(req, r, &bound, &err);
		return;
	}
	b = buckets_default(call->fs->buckets);
	if (!b || bucket_problem(b)) {
		reply_absent(req, 0);
		return;
	}
	call->fn = lookup_default;
	call->bucket = b;
	upper_run_fresh(call, req, b);
}

void upper_lookup(fuse_req_t req, uint64_t parent, const char *name)
{
	struct upper_call call = { .fs = fs_of(req), .nodeid = parent };

	call.node = upper_node(call.fs, parent);
	if (!call.node) {
		reply_error(req, ESTALE);
		return;
	}
	if (strlen(name) > LISTING_NAME_MAX) {
		reply_error(req, ENAMETOOLONG);
		return;
	}
	strcpy(call.name, name);
	if (call.node->bucket && bucket_problem(call.node->bucket)) {
		reply_error(req, EACCES);
		return;
	}
	if (!is_plausible(name)) {
		reply_absent(req, 0);
		return;
	}
	switch (call.node->kind) {
	case NAME_ROOT:
		lookup_in_root(&call, req);
		break;
	case NAME_BUCKET:
		call.fn = lookup_in_bucket;
		if (!lookup_recent(&call, req))
			upper_run_fresh(&call, req, call.node->bucket);
		break;
	case NAME_COLLECTION:
		call.fn = lookup_in_collection;
		upper_run_fresh(&call, req, call.node->bucket);
		break;
	default:
		reply_error(req, ENOTDIR);
	}
}

/* Attributes of a collection or a link: false when it is gone. */
static bool attr_named(struct fs *fs, uint64_t nodeid,
		       const struct name_node *node,
		       const struct catalog *catalog, struct stat *st)
{
	char target[UPPER_TARGET_MAX] = "";
	const struct dataset *ds;
	const struct version *v;

	if (node->kind == NAME_COLLECTION) {
		ds = catalog_dataset_by_id(catalog, node->dataset_id);
		if (ds)
			attr_collection(fs, nodeid, node->bucket, ds, st);
		return ds != NULL;
	}
	if (!upper_target(catalog, node, target, &ds, &v))
		return false;
	attr_link(fs, nodeid, node->bucket, ds, v, strlen(target), st);
	return true;
}

static void getattr_fresh(struct upper_call *call, struct catalog *catalog)
{
	struct stat st;

	if (attr_named(call->fs, call->nodeid, call->node, catalog, &st))
		reply_attr(call->parked.req, &st, FS_TIMEOUT_NAMES);
	else
		reply_error(call->parked.req, ENOENT);
}

void upper_getattr(fuse_req_t req, uint64_t nodeid)
{
	struct upper_call call = {
		.fs = fs_of(req), .nodeid = nodeid, .fn = getattr_fresh,
	};
	struct catalog *known;
	struct stat st;
	bool found = false;

	call.node = upper_node(call.fs, nodeid);
	if (!call.node) {
		reply_error(req, ESTALE);
		return;
	}
	if (call.node->kind == NAME_ROOT) {
		attr_root(call.fs, &st);
		reply_attr(req, &st, FS_TIMEOUT_NAMES);
		return;
	}
	known = view_known(fs_view(call.fs, call.node->bucket));
	if (call.node->kind == NAME_BUCKET) {
		attr_bucket(call.fs, nodeid, call.node->bucket, known, &st);
		found = true;
	} else if (known) {
		found = attr_named(call.fs, nodeid, call.node, known, &st);
	}
	if (known)
		catalog_put(known);
	if (found)
		reply_attr(req, &st, FS_TIMEOUT_NAMES);
	else
		upper_run_fresh(&call, req, call.node->bucket);
}

static void readlink_fresh(struct upper_call *call, struct catalog *catalog)
{
	char target[UPPER_TARGET_MAX] = "";
	const struct dataset *ds;
	const struct version *v;

	if (upper_target(catalog, call->node, target, &ds, &v))
		(void)fuse_reply_readlink(call->parked.req, target);
	else
		reply_error(call->parked.req, ENOENT);
}

void upper_readlink(fuse_req_t req, uint64_t nodeid)
{
	struct upper_call call = {
		.fs = fs_of(req), .nodeid = nodeid, .fn = readlink_fresh,
	};

	call.node = upper_node(call.fs, nodeid);
	if (!call.node)
		reply_error(req, ESTALE);
	else if (call.node->kind == NAME_ROOT ||
		 call.node->kind == NAME_BUCKET ||
		 call.node->kind == NAME_COLLECTION)
		reply_error(req, EINVAL);
	else
		upper_run_fresh(&call, req, call.node->bucket);
}
