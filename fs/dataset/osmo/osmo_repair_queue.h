/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a manifest and a tree: entries go through in their order (of
 * duplicates the first wins), and those that may be damaged are looked up on
 * the way, up to OSMO_REPAIR_WINDOW at once.
 *
 * An entry keeps its storage_path when the object there has its size and, where
 * the store's ETag can be compared with the manifest's, its ETag.  Else it gets
 * the first candidate (osmo_repair.h) that fits.  Where ETags cannot be compared
 * size alone must decide: then exactly one of all may fit.  An entry whose
 * object is gone and that nothing fits becomes TREE_FAULT_MISSING; one whose
 * object is there but differs stays as it is: a read says what is wrong.
 *
 * A store that does not answer, or a place that may not be read, leaves entries
 * unchecked: the tree is good for use, not for keeping, as configuration and
 * credentials change.  After OSMO_REPAIR_GIVE_UP failures in a row nothing is
 * asked any more.
 *
 * One thread calls; the backends' threads answer.
 */
#ifndef DATASETFS_DATASET_OSMO_REPAIR_QUEUE_H
#define DATASETFS_DATASET_OSMO_REPAIR_QUEUE_H

#include "backends/backend.h"
#include "fs/dataset/osmo/osmo_manifest.h"
#include "fs/dataset/tree_build.h"

struct osmo_repair_queue;

#define OSMO_REPAIR_WINDOW 64
#define OSMO_REPAIR_GIVE_UP 64
#define OSMO_REPAIR_TIMEOUT_MS 30000	/* of one look */
#define OSMO_REPAIR_QUEUED_MAX 4096	/* entries behind one that waits */
#define OSMO_REPAIR_BYTES_MAX ((size_t)16 << 20)	/* that they take */

struct osmo_repair_options {
	struct tree_build *build;	/* borrowed */
	const char *label;		/* borrowed; "production/imagenet@2" */
	/* As bucket_locate(); any thread. */
	int (*locate)(void *arg, const char *uri, struct backend **backend,
		      const char **key, struct err *err);
	void *locate_arg;
};

int osmo_repair_queue_new(struct osmo_repair_queue **out,
			  const struct osmo_repair_options *opt,
			  struct err *err) MUST_CHECK;
/* Waits for what is under way. */
void osmo_repair_queue_free(struct osmo_repair_queue *queue);

int osmo_repair_queue_add(struct osmo_repair_queue *queue,
			  const struct osmo_entry *entry, struct err *err)
	MUST_CHECK;
/* Waits, and adds the rest. */
int osmo_repair_queue_finish(struct osmo_repair_queue *queue, struct err *err)
	MUST_CHECK;

/* Entries that could not be looked up, or not by us. */
uint64_t osmo_repair_queue_unchecked(const struct osmo_repair_queue *queue);

#endif
