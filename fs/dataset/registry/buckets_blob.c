/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/buckets.h"

#include <errno.h>
#include <string.h>

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

int bucket_blob(struct bucket *b, struct tree *tree,
		const struct tree_entry *entry, struct buf *uri,
		struct buf *etag, struct blob *out, struct err *err)
{
	struct backend *backend;
	int r;

	r = tree_source(tree, entry->index, uri, etag, err);
	if (r < 0)
		return r;
	if (!uri->data)
		return err_set(err, ERR_MISSING, EIO,
			       "the manifest names no storage_path");
	if (entry->fault != TREE_OK)
		return fault_error(entry, uri->data, err);

	r = bucket_locate(b, uri->data, &backend, &out->key, err);
	if (r < 0)
		return r;
	out->backend = backend;
	out->size = entry->size;
	out->check = check_of(entry);
	memcpy(out->md5, entry->md5, sizeof(out->md5));
	out->has_md5 = entry->has_md5;
	out->parts = entry->parts;
	out->if_match = NULL;
	if (out->check == BLOB_CHECK_FOREIGN && etag->len)
		out->if_match = etag->data;
	return 0;
}
