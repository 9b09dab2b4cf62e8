/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same operations for threads that may wait: commands and builders, never
 * a FUSE thread, never a callback of a backend.  Results and errors as in
 * backend.h.
 */
#ifndef DATASETFS_BACKENDS_BACKEND_SYNC_H
#define DATASETFS_BACKENDS_BACKEND_SYNC_H

#include "backends/backend.h"

int backend_sync_get(struct backend *b, const struct backend_get *get,
		     struct object_info *info, struct err *err) MUST_CHECK;
int backend_sync_get_all(struct backend *b, const char *key, size_t limit,
			 struct buf *out, struct object_info *info,
			 int64_t deadline_ms, struct err *err) MUST_CHECK;
int backend_sync_head(struct backend *b, const char *key,
		      struct object_info *info, int64_t deadline_ms,
		      struct err *err) MUST_CHECK;
int backend_sync_put(struct backend *b, const struct backend_put *put,
		     struct object_info *info, struct err *err) MUST_CHECK;
int backend_sync_delete(struct backend *b, const char *key,
			const char *if_match, int64_t deadline_ms,
			struct err *err) MUST_CHECK;

int backend_sync_multipart_create(struct backend *b, const char *key,
				  char upload_id[BACKEND_UPLOAD_ID_MAX],
				  int64_t deadline_ms, struct err *err)
	MUST_CHECK;
/* part->number is the caller's, part->etag the result. */
int backend_sync_multipart_put(struct backend *b, const char *key,
			       const char *upload_id, struct part_etag *part,
			       const void *data, size_t len,
			       int64_t deadline_ms, struct err *err) MUST_CHECK;
int backend_sync_multipart_complete(struct backend *b, const char *key,
				    const char *upload_id,
				    const struct part_etag *parts,
				    size_t n_parts, bool create_only,
				    struct object_info *info,
				    int64_t deadline_ms, struct err *err)
	MUST_CHECK;
int backend_sync_multipart_abort(struct backend *b, const char *key,
				 const char *upload_id, int64_t deadline_ms,
				 struct err *err) MUST_CHECK;

/*
 * All pages below prefix, in order; each() returning non-zero ends the walk
 * with that value.  A token that repeats is ERR_CORRUPT.  Each page has
 * page_timeout_ms of its own.
 */
typedef int (*backend_each_fn)(void *arg, const struct list_entry *entry,
			       struct err *err);
int backend_sync_list(struct backend *b, const char *prefix,
		      const char *delimiter, int64_t page_timeout_ms,
		      backend_each_fn each, void *arg, struct err *err)
	MUST_CHECK;

#endif
