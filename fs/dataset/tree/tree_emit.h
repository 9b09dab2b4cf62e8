/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns sorted records into the entries of a tree file: numbers entries and
 * directories, drops what has a name that is taken, and says so.  Its invariant:
 * records come in the order of tree_path.h's keys, and before the children of
 * a directory there was its own record.  One thread.
 */
#ifndef DATASETFS_DATASET_TREE_EMIT_H
#define DATASETFS_DATASET_TREE_EMIT_H

#include "fs/dataset/tree/record_sort.h"
#include "fs/dataset/tree.h"
#include "fs/dataset/tree/tree_path.h"
#include "fs/dataset/tree/tree_writer.h"

#define TREE_RANK_DIR 0		/* stands before a file of the same path */
#define TREE_RANK_FILE 1

/* A file's payload: fixed part, then what goes to the heap behind the name. */
#define TREE_P_SIZE 0u		/* le64 */
#define TREE_P_MD5 8u		/* md5[16] le32 parts */
#define TREE_P_PREFIX 28u	/* le16 */
#define TREE_P_FLAGS 30u	/* u8 flags, u8 fault */
#define TREE_P_SOURCE_LEN 32u	/* le16 */
#define TREE_P_HEAP 34u

/* At 12 bytes a directory: 400 MB; more is refused. */
#define TREE_EMIT_DIRS_MAX (1u << 25)

/* Waits for its children as entry; then what is written of it. */
struct tree_emit_dir {
	uint32_t first;		/* before: its entry; after: its first child */
	uint32_t n_children;
	uint32_t n_dirs;
};

struct tree_emit {
	struct tree_writer *writer;
	const char *label;
	struct tree_info info;

	uint8_t key[TREE_KEY_MAX];	/* of the last entry */
	size_t key_len;
	uint8_t rank;

	struct tree_emit_dir *dirs;
	uint32_t dirs_cap;

	/* The directory whose children are being written. */
	size_t parent_len;	/* of its components in key */
	uint32_t dir;
	uint32_t dir_entry;
	unsigned depth;
	uint32_t first_dir;	/* number of its first sub-directory */
	/* For each level above: directories whose children are to come. */
	uint32_t next[TREE_DEPTH_MAX + 1], end[TREE_DEPTH_MAX + 1];
};

/* Writes the root's entry. */
int tree_emit_init(struct tree_emit *e, struct tree_writer *writer,
		   const char *label, struct err *err) MUST_CHECK;
void tree_emit_release(struct tree_emit *e);
int tree_emit_record(struct tree_emit *e, const struct record *rec,
		     struct err *err) MUST_CHECK;
/* Writes the directories. */
int tree_emit_finish(struct tree_emit *e, struct err *err) MUST_CHECK;

#endif
