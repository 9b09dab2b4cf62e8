/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request for a node inside a version.  It runs at once where the version's
 * tree is open, else when the tree was opened or built; no thread waits.
 */
#ifndef DATASETFS_MOUNT_TREE_CALL_H
#define DATASETFS_MOUNT_TREE_CALL_H

#include "fs/mount/fuse/parked.h"
#include "fs/mount/fuse/reply.h"

struct tree_call;
/* Gives the reply to call->parked.req; ref and its tree are borrowed. */
typedef void (*tree_call_fn)(struct tree_call *call,
			     const struct slot_ref *ref);

/* One request and its operands, copied when it has to wait. */
struct tree_call {
	struct parked parked;
	struct fs *fs;
	tree_call_fn fn;
	uint64_t nodeid;
	size_t size;			/* read, readdir, getxattr */
	off_t off;			/* read, readdir */
	bool plus;			/* readdir */
	bool is_second;			/* after damage to the tree was seen */
	char name[TREE_NAME_MAX + 1];	/* lookup, getxattr */
};

void tree_call_run(const struct tree_call *call, fuse_req_t req);

/*
 * For fn: the failure r of a tree function.  Damage closes the tree, which is
 * opened or built again, once, before the request fails.
 */
void tree_call_fail(struct tree_call *call, const struct slot_ref *ref,
		    enum reply_context context, int r, const struct err *err);

#endif
