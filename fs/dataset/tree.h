/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version's files and directories, expanded into a local file of fixed-width
 * entries, so that an index is enough to find everything: entry 0 is the root;
 * the children of a directory stand together, sorted by name (memcmp).
 *
 * The file is hostile until checked: every block carries an XXH3-64 that is
 * compared when the block is read; a mismatch is ERR_CORRUPT and the owner
 * rebuilds the tree.  It is read with pread into a small cache of blocks,
 * never through a mapping.  A struct tree is immutable and any thread may
 * call; the block cache has a lock of its own.
 */
#ifndef DATASETFS_DATASET_TREE_H
#define DATASETFS_DATASET_TREE_H

#include <stdint.h>
#include "backends/base/buf.h"

struct tree;

#define TREE_ROOT 0u
#define TREE_NONE UINT32_MAX
#define TREE_NAME_MAX 255	/* bytes of one name */
#define TREE_PATH_MAX 4096
#define TREE_DEPTH_MAX 128
#define TREE_ENTRIES_MAX (1u << 28)	/* files and directories of a version */

enum tree_type { TREE_DIR, TREE_FILE };

/* A file whose content cannot be read says why. */
enum tree_fault {
	TREE_OK = 0,
	TREE_FAULT_SOURCE,	/* storage_path is no URI that can be read */
	TREE_FAULT_MISSING,	/* damaged source that could not be repaired */
};

struct tree_entry {
	enum tree_type type;
	uint32_t index;
	uint32_t parent;	/* index of the directory; root: itself */
	char name[TREE_NAME_MAX + 1];
	size_t name_len;
	uint64_t size;		/* files */
	uint32_t first_child;	/* directories: [first, first + n) */
	uint32_t n_children;
	uint32_t n_dirs;	/* of the children: for st_nlink */
	/* files */
	enum tree_fault fault;
	bool is_hashed;		/* the etag names the content, and is not what
				   the store answers as ETag */
	uint8_t md5[16];	/* when has_md5 */
	bool has_md5;		/* false for is_hashed: a blob that was migrated,
				   its etag has parts of another size than 8 MiB
				   and cannot be verified */
	uint32_t parts;		/* "-N" of the etag; 0: none */
};

/*
 * identity: what the tree was built from; a file with another identity or
 * format version is -ESTALE.  ERR_CORRUPT for damage, ERR_MISSING for ENOENT.
 */
#define TREE_IDENTITY_SIZE 32
int tree_open(struct tree **out, int dirfd, const char *name,
	      const uint8_t identity[TREE_IDENTITY_SIZE], struct err *err)
	MUST_CHECK;
/* The same by a descriptor, which it takes over whatever it returns. */
int tree_open_fd(struct tree **out, int fd,
		 const uint8_t identity[TREE_IDENTITY_SIZE], struct err *err)
	MUST_CHECK;
struct tree *tree_get(struct tree *tree);
void tree_put(struct tree *tree);
static inline void tree_cleanup_(struct tree **t)
{
	if (*t)
		tree_put(*t);
}
#define cleanup_tree __attribute__((cleanup(tree_cleanup_)))

struct tree_info {
	uint32_t n_entries;	/* with directories and the root */
	uint32_t n_files;
	uint32_t n_dirs;
	uint64_t total_size;	/* of the files, as the manifest says */
	uint64_t checksum;	/* of the tree: a slot is bound to it */
	uint32_t n_duplicates, n_clashes, n_rejected, n_repaired, n_faults;
	uint64_t file_bytes;	/* of the tree's own file */
};
void tree_info(const struct tree *tree, struct tree_info *out);

/* -EINVAL for an index beyond the end; -EIO (ERR_CORRUPT) for damage. */
int tree_entry(struct tree *tree, uint32_t index, struct tree_entry *out,
	       struct err *err) MUST_CHECK;
/* -ENOENT (ERR_MISSING), -ENOTDIR. */
int tree_lookup(struct tree *tree, uint32_t dir, const char *name, size_t len,
		struct tree_entry *out, struct err *err) MUST_CHECK;
/* "a/b/c" from the root. */
int tree_lookup_path(struct tree *tree, const char *path,
		     struct tree_entry *out, struct err *err) MUST_CHECK;

/* Appends a file's storage URI, verbatim, and its etag as written. */
int tree_source(struct tree *tree, uint32_t index, struct buf *uri,
		struct buf *etag, struct err *err) MUST_CHECK;
/* The path is that one, or lies below it; "" is the root. */
bool tree_is_within(const char *path, const char *top);
/* Appends the path from the root. */
int tree_path(struct tree *tree, uint32_t index, struct buf *path,
	      struct err *err) MUST_CHECK;

#endif
