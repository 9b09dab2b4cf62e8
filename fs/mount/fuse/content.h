/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file of a version to the blob that holds its bytes.
 */
#ifndef DATASETFS_MOUNT_CONTENT_H
#define DATASETFS_MOUNT_CONTENT_H

#include "cache/blob.h"
#include "fs/mount/fuse/fs.h"

struct content {
	struct tree_entry entry;
	struct buf uri, etag;	/* as the manifest says; the blob points here */
	struct blob blob;
	bool has_blob;
};
#define CONTENT_INIT { .uri = BUF_INIT, .etag = BUF_INIT }
void content_release(struct content *content);
#define cleanup_content __attribute__((cleanup(content_release)))

/* The entry alone.  The errors of tree_entry(); -EISDIR. */
int content_entry(struct content *out, const struct slot_ref *ref,
		  uint32_t index, struct err *err) MUST_CHECK;
/* Then where its bytes lie.  The errors of bucket_blob(). */
int content_locate(struct content *content, const struct slot_ref *ref,
		   struct err *err) MUST_CHECK;

/*
 * -ESTALE (ERR_MISSING) when the bucket's place now holds another catalog, or
 * the bucket is gone, and not all of the blob is cached.
 */
int content_check_place(const struct content *content, const struct fs *fs,
			const struct slot_ref *ref, struct err *err) MUST_CHECK;

#endif
