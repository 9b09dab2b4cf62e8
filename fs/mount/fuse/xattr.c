/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/xattr.h"

#include <errno.h>
#include <string.h>

#include "backends/base/encode.h"
#include "fs/mount/fuse/content.h"
#include "fs/mount/fuse/tree_call.h"

static void reply_value(fuse_req_t req, const struct buf *value, size_t size)
{
	if (buf_failed(value))
		reply_error(req, ENOMEM);
	else if (!size)
		(void)fuse_reply_xattr(req, value->len);
	else if (size < value->len)
		reply_error(req, ERANGE);
	else
		reply_bytes(req, value->data, value->len);
}

void xattr_plain_uri(struct buf *out, const char *uri)
{
	const char *authority = strstr(uri, "://");
	size_t len = strcspn(uri, "?#");
	const char *at;

	if (authority && (size_t)(authority - uri) < len) {
		size_t host = strcspn(authority + 3, "/?#");

		at = memrchr(authority + 3, '@', host);
		if (at) {
			buf_bytes(out, uri, (size_t)(authority + 3 - uri));
			len -= (size_t)(at + 1 - uri);
			uri = at + 1;
		}
	}
	buf_bytes(out, uri, len);
}

/* What the record of the version says.  False: no such attribute. */
static bool value_of_version(const struct slot_ref *ref, const char *key,
			     struct buf *out)
{
	char hex[2 * SHA256_SIZE + 1];

	if (strcmp(key, "bucket") == 0) {
		buf_str(out, bucket_name(ref->bucket));
	} else if (strcmp(key, "dataset") == 0) {
		buf_str(out, ref->ds->name);
	} else if (strcmp(key, "dataset_id") == 0) {
		buf_str(out, ref->ds->id);
	} else if (strcmp(key, "version") == 0) {
		buf_printf(out, "%u", ref->v->number);
	} else if (strcmp(key, "record") == 0) {
		encode_hex(hex, ref->v->digest, SHA256_SIZE);
		buf_str(out, hex);
	} else {
		return false;
	}
	return true;
}

static bool value_of_root(const struct slot_ref *ref, const char *key,
			  struct buf *out)
{
	const struct version *v = ref->v;
	const char *source = v->manifest_uri ? v->manifest_uri : v->location;

	if (strcmp(key, "digest") == 0 && v->checksum && v->checksum[0])
		buf_str(out, v->checksum);
	else if (strcmp(key, "size") == 0)
		buf_printf(out, "%llu", (unsigned long long)v->size);
	else if (strcmp(key, "source") == 0 && source)
		xattr_plain_uri(out, source);
	else
		return false;
	return true;
}

static void verification(struct buf *out, const struct content *content)
{
	const struct blob *blob = &content->blob;

	if (blob->check == BLOB_CHECK_OSMO)
		buf_str(out, blob->size > FETCHER_WHOLE_MAX ?
			     "md5 of parts, once all of it was read" : "md5");
	else if (blob->check == BLOB_CHECK_FOREIGN && blob->if_match)
		buf_str(out, "etag of the store");
	else
		buf_str(out, "size");
}

/* 0, -ENODATA, or the error of looking. */
static int value_of_file(const struct fs *fs, const struct slot_ref *ref,
			 struct content *content, const char *key,
			 struct buf *out, struct err *err)
{
	int r = content_locate(content, ref, err);

	if (r < 0 && err->class == ERR_CORRUPT)
		return r;
	if (strcmp(key, "size") == 0)
		buf_printf(out, "%llu",
			   (unsigned long long)content->entry.size);
	else if (strcmp(key, "source") == 0 && content->uri.len)
		xattr_plain_uri(out, content->uri.data);
	else if (strcmp(key, "digest") == 0 && content->etag.len)
		buf_bytes(out, content->etag.data, content->etag.len);
	else if (strcmp(key, "cached_bytes") == 0 && content->has_blob)
		buf_printf(out, "%llu", (unsigned long long)
			   fetcher_cached_bytes(fs->fetcher, &content->blob));
	else if (strcmp(key, "verified_by") == 0 && content->has_blob)
		verification(out, content);
	else if (strcmp(key, "problem") == 0 && r < 0)
		buf_str(out, err->text);
	else
		return -ENODATA;
	return 0;
}

static void entry_fn(struct tree_call *call, const struct slot_ref *ref)
{
	cleanup_content struct content content = CONTENT_INIT;
	cleanup_buf struct buf value = BUF_INIT;
	struct err err = ERR_INIT;
	int r;

	r = content_entry(&content, ref, nodeid_index(call->nodeid), &err);
	if (r == 0)
		r = value_of_file(call->fs, ref, &content, call->name, &value,
				  &err);
	else if (r == -EISDIR)
		r = -ENODATA;
	if (r == -ENODATA)
		reply_error(call->parked.req, ENODATA);
	else if (r < 0)
		tree_call_fail(call, ref, REPLY_CONTENT, r, &err);
	else
		reply_value(call->parked.req, &value, call->size);
}

static void get_inside(fuse_req_t req, struct fs *fs, uint64_t nodeid,
		       const char *key, size_t size)
{
	struct tree_call call = {
		.fs = fs, .nodeid = nodeid, .fn = entry_fn, .size = size,
	};
	cleanup_slot_ref struct slot_ref ref = { .tree = NULL };
	cleanup_buf struct buf value = BUF_INIT;
	struct err err = ERR_INIT;
	int r;

	r = slots_get(fs->slots, nodeid_slot(nodeid), &ref, &err);
	if (r < 0) {
		reply_failure(req, REPLY_NAME, r, &err);
		return;
	}
	if (value_of_version(&ref, key, &value) ||
	    (nodeid_index(nodeid) == TREE_ROOT &&
	     value_of_root(&ref, key, &value))) {
		reply_value(req, &value, size);
		return;
	}
	if (nodeid_index(nodeid) == TREE_ROOT) {
		reply_error(req, ENODATA);
		return;
	}
	memcpy(call.name, key, strlen(key) + 1);
	tree_call_run(&call, req);
}

static bool source_of_bucket(struct bucket *b, struct buf *out)
{
	struct bucket_set *hold;
	const struct settings_bucket *sb = bucket_settings_get(b, &hold);
	bool is_known = sb && sb->dataset_path;

	if (is_known)
		xattr_plain_uri(out, sb->dataset_path);
	bucket_settings_put(hold);
	return is_known;
}

static void get_upper(fuse_req_t req, struct fs *fs, uint64_t nodeid,
		      const char *key, size_t size)
{
	const struct name_node *node = names_get(fs->names,
						 nodeid_index(nodeid));
	cleanup_buf struct buf value = BUF_INIT;

	if (node && node->kind == NAME_ROOT && strcmp(key, "socket") == 0 &&
	    fs->socket_name)
		buf_str(&value, fs->socket_name);
	else if (node && node->bucket && strcmp(key, "bucket") == 0)
		buf_str(&value, bucket_name(node->bucket));
	else if (node && node->kind == NAME_BUCKET &&
		 strcmp(key, "problem") == 0 && bucket_problem(node->bucket))
		buf_str(&value, bucket_problem(node->bucket));
	else if (!node || node->kind != NAME_BUCKET ||
		 strcmp(key, "source") != 0 ||
		 !source_of_bucket(node->bucket, &value)) {
		reply_error(req, ENODATA);
		return;
	}
	reply_value(req, &value, size);
}

void xattr_get(fuse_req_t req, uint64_t nodeid, const char *name, size_t size)
{
	size_t prefix = strlen(XATTR_PREFIX);

	/*
	 * Labels and ACLs are not supported, rather than not there: ls -l then
	 * does not ask for them again, of each of a million files.
	 */
	if (strncmp(name, "user.", strlen("user.")) != 0)
		reply_error(req, EOPNOTSUPP);
	else if (strncmp(name, XATTR_PREFIX, prefix) != 0 ||
	    strlen(name) - prefix > TREE_NAME_MAX)
		reply_error(req, ENODATA);
	else if (nodeid_slot(nodeid) == NODEID_SLOT_NAMES)
		get_upper(req, fs_of(req), nodeid, name + prefix, size);
	else
		get_inside(req, fs_of(req), nodeid, name + prefix, size);
}
