/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a tree file front to back: sections grow side by side, an extent at
 * a time, and every block is hashed on its way out.  It knows blocks, not
 * entries.  One thread.
 */
#ifndef DATASETFS_DATASET_TREE_WRITER_H
#define DATASETFS_DATASET_TREE_WRITER_H

#include "backends/base/buf.h"
#include "fs/dataset/tree/temp_file.h"
#include "fs/dataset/tree/tree_format.h"

struct tree_writer_section {
	uint8_t *extent;	/* TREE_EXTENT bytes, allocated at first use */
	size_t fill;
	uint64_t bytes;		/* in all */
	struct buf hashes;	/* le64 a full block */
	struct buf extents;	/* le32 an extent: its first block */
};

struct tree_writer {
	struct temp_file file;
	uint32_t next_block;
	struct tree_writer_section sections[TREE_SECTIONS];
};

int tree_writer_init(struct tree_writer *w, int dirfd, struct err *err)
	MUST_CHECK;
void tree_writer_release(struct tree_writer *w);

/* The offset of the next byte added to a section. */
static inline uint64_t tree_writer_tell(const struct tree_writer *w,
					enum tree_section s)
{
	return w->sections[s].bytes;
}

int tree_writer_add(struct tree_writer *w, enum tree_section s,
		    const void *bytes, size_t len, struct err *err) MUST_CHECK;

/*
 * header: filled by the caller from TREE_H_IDENTITY up to TREE_H_TOTAL and in
 * TREE_H_PREFIXES; prefixes: as they stand in the trailer.  Fills in the rest,
 * writes trailer and header, and puts the file into place where it can: in any
 * case w->file.fd is the whole tree.
 */
int tree_writer_finish(struct tree_writer *w, uint8_t header[TREE_HEADER_SIZE],
		       const void *prefixes, size_t prefixes_len,
		       const char *name, struct err *err) MUST_CHECK;

#endif
