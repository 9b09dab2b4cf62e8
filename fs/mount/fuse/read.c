/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/read.h"

#include <errno.h>

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "fs/mount/fuse/ahead.h"
#include "fs/mount/fuse/content.h"
#include "fs/mount/fuse/invalidate.h"
#include "fs/mount/fuse/read_faults.h"
#include "fs/mount/fuse/served.h"
#include "fs/mount/fuse/tree_call.h"

struct read_call {
	struct parked parked;
	struct fs *fs;
	struct slot_ref ref;
	uint32_t index;
	uint64_t off;
	size_t size;
	bool is_large;		/* may be served before all of it is verified */
	struct blob_id blob;	/* then */
};

/* Failures that say something about the file, not about who reads it. */
static bool is_fault(int code)
{
	return code != EINTR && code != ENOTCONN && code != ENOMEM &&
	       code != EAGAIN;
}

static void read_failed(struct fs *fs, fuse_req_t req,
			const struct slot_ref *ref, uint32_t index, int code,
			const struct err *err)
{
	if (is_fault(code))
		read_faults_log(fs, ref, index, code, err->text);
	reply_error(req, code);
}

static void fetch_failed(struct read_call *call, int r, const struct err *err)
{
	int code = reply_errno(REPLY_CONTENT, r, err);

	if (is_fault(code))
		read_faults_note(call->fs->faults,
				 nodeid_make(call->ref.slot, call->index),
				 call->off, call->size, code);
	read_failed(call->fs, call->parked.req, &call->ref, call->index, code,
		    err);
}

static void read_done(void *arg, int r, const struct iovec *iov, int n,
		      const struct err *err)
{
	struct read_call *call = arg;
	fuse_req_t req = call->parked.req;

	if (parked_claim(&call->parked)) {
		if (r < 0) {
			fetch_failed(call, r, err);
		} else {
			/* Noted first: on_bad may come at any time after. */
			if (call->is_large)
				served_note(call->fs->served, &call->blob,
					    nodeid_make(call->ref.slot,
							call->index));
			reply_iov(req, iov, n);
		}
	}
	slot_ref_release(&call->ref);
	parked_free(&call->parked);
}

static void read_cancel(struct parked *p)
{
	struct read_call *call = (struct read_call *)p;

	fetcher_cancel(call->fs->fetcher, call);
}

static void read_blob(struct tree_call *call, const struct slot_ref *ref,
		      const struct content *content, size_t size)
{
	fuse_req_t req = call->parked.req;
	struct fs *fs = call->fs;
	struct read_call *rc;
	uint64_t off = (uint64_t)call->off;
	int code = read_faults_recent(fs->faults, call->nodeid, off, size);

	if (code) {
		reply_error(req, code);
		return;
	}
	rc = malloc(sizeof(*rc));
	if (!rc) {
		reply_error(req, ENOMEM);
		return;
	}
	rc->fs = fs;
	rc->index = content->entry.index;
	rc->off = off;
	rc->size = size;
	rc->is_large = content->blob.size > FETCHER_WHOLE_MAX;
	if (rc->is_large)
		blob_identify(&rc->blob, &content->blob);
	rc->ref = *ref;
	rc->ref.catalog = catalog_get(ref->catalog);
	rc->ref.tree = tree_get(ref->tree);
	if (!parked_begin(&rc->parked, req, read_cancel)) {
		/* *rc is gone; its references are ours still. */
		catalog_put(ref->catalog);
		tree_put(ref->tree);
		return;
	}
	fetcher_read(fs->fetcher, &content->blob, off, size,
		     clock_ms() + fs->options.timeout_ms, read_done, rc, NULL);
	if (off == 0 && content->blob.size <= FETCHER_WHOLE_MAX)
		ahead_note(fs, ref, &content->entry);
}

static void read_fn(struct tree_call *call, const struct slot_ref *ref)
{
	cleanup_content struct content content = CONTENT_INIT;
	uint64_t off = (uint64_t)call->off;
	size_t size = call->size;
	struct err err = ERR_INIT;
	int r;

	r = content_entry(&content, ref, nodeid_index(call->nodeid), &err);
	if (r == -EISDIR) {
		reply_error(call->parked.req, EISDIR);
		return;
	}
	if (r < 0) {
		tree_call_fail(call, ref, REPLY_CONTENT, r, &err);
		return;
	}
	if (off >= content.entry.size || !size) {
		reply_bytes(call->parked.req, NULL, 0);
		return;
	}
	if (size > content.entry.size - off)
		size = (size_t)(content.entry.size - off);

	r = content_locate(&content, ref, &err);
	if (r < 0 && err.class == ERR_CORRUPT) {
		tree_call_fail(call, ref, REPLY_CONTENT, r, &err);
		return;
	}
	if (r == 0)
		r = content_check_place(&content, call->fs, ref, &err);
	if (r < 0)
		read_failed(call->fs, call->parked.req, ref,
			    content.entry.index,
			    reply_errno(REPLY_CONTENT, r, &err), &err);
	else
		read_blob(call, ref, &content, size);
}

void read_file(fuse_req_t req, uint64_t nodeid, size_t size, off_t off)
{
	struct tree_call call = {
		.fs = fs_of(req), .nodeid = nodeid, .fn = read_fn,
		.size = size, .off = off,
	};

	if (nodeid_slot(nodeid) == NODEID_SLOT_NAMES)
		reply_error(req, EISDIR);
	else if (off < 0)
		reply_error(req, EINVAL);
	else
		tree_call_run(&call, req);
}

void read_blob_is_bad(void *arg, const struct blob_id *id)
{
	struct fs *fs = arg;
	size_t n;
	cleanup_free uint64_t *nodes = served_nodes(fs->served, id, &n);

	if (n && !nodes)
		log_error("mount", "pages of damaged content stay: no memory");
	for (size_t i = 0; i < n && nodes && fs->invalidate; i++) {
		log_error("mount", "content that was read is damaged, its pages are dropped: node=%llx",
			  (unsigned long long)nodes[i]);
		invalidate_node(fs->invalidate, nodes[i]);
	}
}
