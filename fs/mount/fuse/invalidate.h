/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the kernel what it must forget, from a thread of its own: such a
 * notification may wait in the kernel for pages that another request holds, so
 * it must never come from a thread that serves requests.
 *
 * Any thread may queue; nothing blocks.  What does not fit is dropped with a
 * warning: names above the versions expire by themselves within a second.
 */
#ifndef DATASETFS_MOUNT_INVALIDATE_H
#define DATASETFS_MOUNT_INVALIDATE_H

#include "fs/mount/fuse/fs.h"

struct invalidate;

#define INVALIDATE_QUEUE_MAX 65536

/* Starts the thread; session must outlive it. */
int invalidate_new(struct invalidate **out, struct fuse_session *session,
		   struct err *err) MUST_CHECK;
/* From here on nothing is sent any more: the mount goes away. */
void invalidate_stop(struct invalidate *inv);
/* Joins the thread: the connection to the kernel must be over. */
void invalidate_free(struct invalidate *inv);

/* A name in a directory. */
void invalidate_name(struct invalidate *inv, uint64_t parent, const char *name);
/* Attributes and all pages of a node. */
void invalidate_node(struct invalidate *inv, uint64_t nodeid);

/* For view_new(): what a new catalog changes in the bucket's directory. */
void invalidate_changed(struct fs *fs, struct bucket *b,
			struct catalog *before, struct catalog *now);

#endif
