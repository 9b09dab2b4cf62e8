/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes above the versions: the root, buckets, collections and symlinks.
 * A number is bound to bucket (its key), dataset id and what the entry says, and is
 * never used for anything else; a node lives as long as the mount.
 *
 * Any thread may call.
 */
#ifndef DATASETFS_MOUNT_NAMES_H
#define DATASETFS_MOUNT_NAMES_H

#include "fs/dataset/buckets.h"
#include "fs/mount/nodes/state_file.h"

struct names;

#define NAMES_MAX (1u << 20)	/* nodes ever named; then -ENFILE */

enum name_kind {
	NAME_ROOT,
	NAME_BUCKET,		/* /BUCKET */
	NAME_COLLECTION,	/* /BUCKET/COLLECTION */
	NAME_TAG,		/* NAME@TAG -> NAME@N */
	NAME_BARE,		/* NAME -> NAME@latest */
	NAME_MEMBER,		/* COLLECTION/NAME@N -> ../NAME@N */
	NAME_MEMBER_BARE,	/* COLLECTION/NAME -> ../NAME@N */
	NAME_DEFAULT,		/* /NAME[@V] -> BUCKET/NAME@V */
};

struct name_node {
	enum name_kind kind;
	struct bucket *bucket;	/* NULL for the root only */
	const char *dataset_id;	/* of the dataset or the collection; "" */
	const char *text;	/* TAG: the tag; DEFAULT: behind '@', or "";
				   MEMBER*: the member's dataset id; else "" */
	uint32_t number;	/* MEMBER*: the version; else 0 */
};

int names_new(struct names **out, struct err *err) MUST_CHECK;
void names_free(struct names *names);
void names_restore(struct names *names, const struct state_record *record);
void names_set_state(struct names *names, struct state_file *state);

/* The number of a node (the strings are copied); -ENFILE, -ENOMEM. */
int names_bind(struct names *names, const struct name_node *node,
	       uint32_t *index, struct err *err) MUST_CHECK;
/* NULL: not of this mount. */
const struct name_node *names_get(struct names *names, uint32_t index);

#endif
