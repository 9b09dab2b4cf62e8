/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/tree_call.h"

#include <errno.h>

#include "backends/base/log.h"

/* The reference with a tree, though another request may have closed it. */
static int ref_with_tree(struct fs *fs, uint32_t slot, struct tree *tree,
			 struct slot_ref *ref, struct err *err)
{
	int r = slots_set_tree(fs->slots, slot, tree, err);

	if (r == 0)
		r = slots_get(fs->slots, slot, ref, err);
	if (r == 0 && !ref->tree)
		ref->tree = tree_get(tree);
	return r;
}

static void tree_call_go_on(struct tree_call *call, const struct slot_ref *ref)
{
	if (!fs_enter(call->fs)) {
		reply_error(call->parked.req, ENOTCONN);
		return;
	}
	call->fn(call, ref);
	fs_leave(call->fs);
}

static void tree_call_have(void *arg, int r, struct tree *tree,
			   const struct err *err)
{
	struct tree_call *call = arg;
	cleanup_slot_ref struct slot_ref ref = { .tree = NULL };
	struct err stale = ERR_INIT;

	/* Even when nobody waits any more, the next one finds it open. */
	if (r == 0) {
		r = ref_with_tree(call->fs, nodeid_slot(call->nodeid), tree,
				  &ref, &stale);
		if (parked_claim(&call->parked)) {
			if (r < 0)
				reply_failure(call->parked.req, REPLY_NAME, r,
					      &stale);
			else
				tree_call_go_on(call, &ref);
		}
	} else if (parked_claim(&call->parked)) {
		reply_failure(call->parked.req, REPLY_CONTENT, r, err);
	}
	parked_free(&call->parked);
}

void tree_call_run(const struct tree_call *call, fuse_req_t req)
{
	cleanup_slot_ref struct slot_ref ref = { .tree = NULL };
	struct tree_call *copy;
	struct err err = ERR_INIT;
	int r;

	r = slots_get(call->fs->slots, nodeid_slot(call->nodeid), &ref, &err);
	if (r < 0) {
		reply_failure(req, REPLY_NAME, r, &err);
		return;
	}
	if (ref.tree) {
		struct tree_call here = *call;

		here.parked.req = req;
		call->fn(&here, &ref);
		return;
	}
	copy = malloc(sizeof(*copy));
	if (!copy) {
		reply_error(req, ENOMEM);
		return;
	}
	*copy = *call;
	if (parked_begin(&copy->parked, req, NULL))
		bucket_tree(ref.bucket, ref.catalog, ref.ds, ref.v,
			    tree_call_have, copy);
}

void tree_call_fail(struct tree_call *call, const struct slot_ref *ref,
		    enum reply_context context, int r, const struct err *err)
{
	if (err->class != ERR_CORRUPT || call->is_second) {
		reply_failure(call->parked.req, context, r, err);
		return;
	}
	log_warn("mount", "tree is damaged: version=%s/%s@%u error=\"%s\"",
		 bucket_name(ref->bucket), ref->ds->name, ref->v->number,
		 err->text);
	slots_drop_tree(call->fs->slots, ref->slot, ref->tree);
	bucket_tree_discard(ref->bucket, ref->ds, ref->v);
	call->is_second = true;
	tree_call_run(call, call->parked.req);
}
