/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open tree file: its header and trailer, checked, and its blocks, each
 * compared with its hash when it is read from the disk.  It knows sections and
 * blocks, not entries.  Immutable once open; any thread may read.
 */
#ifndef DATASETFS_DATASET_TREE_FILE_H
#define DATASETFS_DATASET_TREE_FILE_H

#include "fs/dataset/tree.h"
#include "fs/dataset/tree/tree_format.h"

struct tree_file_section {
	uint32_t n_blocks;
	uint32_t n_extents;
	const uint8_t *extents;	/* le32 each, in the trailer */
	const uint8_t *hashes;	/* le64 each, in the trailer */
};

struct tree_file_prefix {
	const char *text;
	uint16_t len;
};

struct tree_file {
	int fd;
	uint64_t id;		/* in the block cache */
	struct tree_info info;
	uint8_t *trailer;
	struct tree_file_section sections[TREE_SECTIONS];
	struct tree_file_prefix *prefixes;
	uint32_t n_prefixes;
};

/* As tree_open_fd(); *f needs no release after a failure. */
int tree_file_open(struct tree_file *f, int fd,
		   const uint8_t identity[TREE_IDENTITY_SIZE],
		   struct err *err) MUST_CHECK;
void tree_file_release(struct tree_file *f);

/* Sets *err: the file is not what it must be.  Returns -EIO. */
int tree_file_corrupt(struct err *err, const char *what);

/* len bytes at offset of one block of a section. */
int tree_file_read(struct tree_file *f, enum tree_section section,
		   uint32_t block, size_t offset, void *dst, size_t len,
		   struct err *err) MUST_CHECK;
/* len bytes of the heap, over as many blocks as they lie in. */
int tree_file_read_heap(struct tree_file *f, uint64_t at, void *dst,
			size_t len, struct err *err) MUST_CHECK;

#endif
