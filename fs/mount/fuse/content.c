/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/content.h"

#include <errno.h>
#include <string.h>

void content_release(struct content *content)
{
	buf_release(&content->uri);
	buf_release(&content->etag);
}

int content_entry(struct content *out, const struct slot_ref *ref,
		  uint32_t index, struct err *err)
{
	int r = tree_entry(ref->tree, index, &out->entry, err);

	if (r == 0 && out->entry.type == TREE_DIR)
		return err_set(err, ERR_USAGE, EISDIR, "it is a directory");
	return r;
}

static enum blob_check check_of(const struct tree_entry *entry)
{
	if (!entry->is_hashed)
		return BLOB_CHECK_FOREIGN;
	return entry->has_md5 ? BLOB_CHECK_OSMO : BLOB_CHECK_SIZE;
}

static int fault_error(const struct tree_entry *entry, const char *uri,
		       struct err *err)
{
	if (entry->fault == TREE_FAULT_MISSING)
		return err_set(err, ERR_MISSING, EIO,
			       "the manifest's storage_path is damaged and no object fits it: %s",
			       uri);
	return err_set(err, ERR_MISSING, EIO,
		       "the manifest's storage_path is no URI that can be read: %s",
		       uri);
}

int content_locate(struct content *content, const struct slot_ref *ref,
		   struct err *err)
{
	const struct tree_entry *entry = &content->entry;
	struct blob *blob = &content->blob;
	struct backend *backend;
	int r;

	r = tree_source(ref->tree, entry->index, &content->uri,
			&content->etag, err);
	if (r < 0)
		return r;
	if (!content->uri.data)
		return err_set(err, ERR_MISSING, EIO,
			       "the manifest names no storage_path");
	if (entry->fault != TREE_OK)
		return fault_error(entry, content->uri.data, err);

	r = bucket_locate(ref->bucket, content->uri.data, &backend, &blob->key,
			  err);
	if (r < 0)
		return r;
	blob->backend = backend;
	blob->size = entry->size;
	blob->check = check_of(entry);
	memcpy(blob->md5, entry->md5, sizeof(blob->md5));
	blob->has_md5 = entry->has_md5;
	blob->parts = entry->parts;
	blob->if_match = NULL;
	if (blob->check == BLOB_CHECK_FOREIGN && content->etag.len)
		blob->if_match = content->etag.data;
	content->has_blob = true;
	return 0;
}

int content_check_place(const struct content *content, const struct fs *fs,
			const struct slot_ref *ref, struct err *err)
{
	struct catalog *known = view_known(fs_view(fs, ref->bucket));
	bool is_same = !known || known == ref->catalog ||
		       strcmp(known->id, ref->catalog->id) == 0;

	if (known)
		catalog_put(known);
	if (is_same ||
	    fetcher_cached_bytes(fs->fetcher, &content->blob) >=
	    content->blob.size)
		return 0;
	return err_set(err, ERR_MISSING, ESTALE,
		       "the bucket's place holds another catalog now");
}
