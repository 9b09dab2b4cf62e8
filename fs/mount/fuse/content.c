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

int content_locate(struct content *content, const struct slot_ref *ref,
		   struct err *err)
{
	int r = bucket_blob(ref->bucket, ref->tree, &content->entry,
			    &content->uri, &content->etag, &content->blob, err);

	content->has_blob = r == 0;
	return r;
}

static bool is_place_same(const struct fs *fs, const struct slot_ref *ref)
{
	struct catalog *known;
	bool is_same;

	if (bucket_is_gone(ref->bucket))
		return false;
	known = view_known(fs_view(fs, ref->bucket));
	is_same = !known || known == ref->catalog ||
		  strcmp(known->id, ref->catalog->id) == 0;
	if (known)
		catalog_put(known);
	return is_same;
}

int content_check_place(const struct content *content, const struct fs *fs,
			const struct slot_ref *ref, struct err *err)
{
	if (is_place_same(fs, ref) ||
	    fetcher_cached_bytes(fs->fetcher, &content->blob) >=
	    content->blob.size)
		return 0;
	if (bucket_is_gone(ref->bucket))
		return err_set(err, ERR_MISSING, ESTALE,
			       "the bucket is not configured any more");
	return err_set(err, ERR_MISSING, ESTALE,
		       "the bucket's place holds another catalog now");
}
