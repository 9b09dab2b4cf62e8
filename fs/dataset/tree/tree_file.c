/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/tree_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/base/digest.h"
#include "backends/base/io.h"
#include "fs/dataset/tree/tree_cache.h"

int tree_file_corrupt(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, EIO, "tree file: %s", what);
}

static int header_read(uint8_t header[TREE_HEADER_SIZE], int fd,
		       struct err *err)
{
	ssize_t n = io_pread_full(fd, header, TREE_HEADER_SIZE, 0);

	if (n < 0)
		return err_errno(err, (int)-n, "tree file: read the header");
	if (n != TREE_HEADER_SIZE ||
	    memcmp(header, TREE_MAGIC, TREE_MAGIC_SIZE) != 0)
		return tree_file_corrupt(err, "it is none");
	if (get_le32(header + TREE_H_VERSION) != TREE_VERSION)
		return err_set(err, ERR_CONFLICT, ESTALE,
			       "tree file: format version %u, expected %u",
			       get_le32(header + TREE_H_VERSION), TREE_VERSION);
	if (get_le64(header + TREE_H_SELF) != digest_xxh3(header, TREE_H_SELF))
		return tree_file_corrupt(err, "damaged header");
	return 0;
}

static int trailer_read(struct tree_file *f, const uint8_t *header,
			uint64_t file_bytes, size_t *out_len, struct err *err)
{
	uint64_t at = get_le64(header + TREE_H_TRAILER);
	uint64_t len = get_le64(header + TREE_H_TRAILER + 8);
	ssize_t n;

	if (at > file_bytes || len != file_bytes - at ||
	    len > TREE_TRAILER_MAX)
		return tree_file_corrupt(err, "cut off");
	f->trailer = malloc(len + 1);
	if (!f->trailer)
		return err_nomem(err);
	n = io_pread_full(f->fd, f->trailer, (size_t)len, at);
	if (n < 0)
		return err_errno(err, (int)-n, "tree file: read the trailer");
	if ((uint64_t)n != len ||
	    get_le64(header + TREE_H_TRAILER + 16) !=
		    digest_xxh3(f->trailer, (size_t)len))
		return tree_file_corrupt(err, "damaged trailer");
	*out_len = (size_t)len;
	return 0;
}

static int trailer_parse(struct tree_file *f, const uint8_t *header, size_t len,
			 struct err *err)
{
	struct reader rd = reader_over(f->trailer, len);

	for (int i = 0; i < TREE_SECTIONS; i++) {
		struct tree_file_section *s = &f->sections[i];

		s->n_blocks = get_le32(header + TREE_H_BLOCKS + 4 * i);
		s->n_extents = s->n_blocks / TREE_EXTENT_BLOCKS +
			       (s->n_blocks % TREE_EXTENT_BLOCKS != 0);
		s->extents = reader_bytes(&rd, (size_t)4 * s->n_extents);
	}
	for (int i = 0; i < TREE_SECTIONS; i++)
		f->sections[i].hashes =
			reader_bytes(&rd, (size_t)8 * f->sections[i].n_blocks);

	f->n_prefixes = get_le32(header + TREE_H_PREFIXES);
	if (f->n_prefixes > TREE_PREFIXES_MAX)
		return tree_file_corrupt(err, "too many prefixes");
	f->prefixes = calloc(f->n_prefixes + 1, sizeof(*f->prefixes));
	if (!f->prefixes)
		return err_nomem(err);
	for (uint32_t i = 0; i < f->n_prefixes; i++) {
		f->prefixes[i].len = reader_le16(&rd);
		f->prefixes[i].text = reader_bytes(&rd, f->prefixes[i].len);
	}
	return reader_finish(&rd, err);
}

static void counts_parse(struct tree_file *f, const uint8_t *header,
			 uint64_t file_bytes)
{
	const uint8_t *counts = header + TREE_H_COUNTS;
	const uint8_t *notes = header + TREE_H_NOTES;

	f->info = (struct tree_info){
		.n_entries = get_le32(counts),
		.n_files = get_le32(counts + 4),
		.n_dirs = get_le32(counts + 8),
		.n_duplicates = get_le32(notes),
		.n_clashes = get_le32(notes + 4),
		.n_rejected = get_le32(notes + 8),
		.n_repaired = get_le32(notes + 12),
		.n_faults = get_le32(notes + 16),
		.total_size = get_le64(header + TREE_H_TOTAL),
		.checksum = get_le64(header + TREE_H_CHECKSUM),
		.file_bytes = file_bytes,
	};
}

static int counts_check(const struct tree_file *f, struct err *err)
{
	const struct tree_info *n = &f->info;

	if (n->n_entries == 0 || n->n_entries > TREE_ENTRIES_MAX ||
	    n->n_dirs == 0 || n->n_dirs > n->n_entries ||
	    n->n_files != n->n_entries - n->n_dirs ||
	    (uint64_t)f->sections[TREE_ENTRIES].n_blocks * TREE_BLOCK <
		    (uint64_t)n->n_entries * TREE_ENTRY_SIZE ||
	    (uint64_t)f->sections[TREE_DIRS].n_blocks * TREE_BLOCK <
		    (uint64_t)n->n_dirs * TREE_DIR_SIZE)
		return tree_file_corrupt(err,
					 "its counts contradict each other");
	return 0;
}

void tree_file_release(struct tree_file *f)
{
	tree_cache_drop(f->id);
	if (f->fd >= 0)
		close(f->fd);
	free(f->prefixes);
	free(f->trailer);
}

static int load(struct tree_file *f, const uint8_t *identity, struct err *err)
{
	uint8_t header[TREE_HEADER_SIZE];
	struct stat st;
	size_t len = 0;
	int r;

	if (fstat(f->fd, &st) < 0)
		return err_errno(err, errno, "tree file");
	if (!S_ISREG(st.st_mode))
		return tree_file_corrupt(err, "not a regular file");
	r = header_read(header, f->fd, err);
	if (r < 0)
		return r;
	if (memcmp(header + TREE_H_IDENTITY, identity, TREE_IDENTITY_SIZE))
		return err_set(err, ERR_CONFLICT, ESTALE,
			       "tree file: built from something else");
	counts_parse(f, header, (uint64_t)st.st_size);
	r = trailer_read(f, header, (uint64_t)st.st_size, &len, err);
	if (r == 0)
		r = trailer_parse(f, header, len, err);
	return r < 0 ? r : counts_check(f, err);
}

int tree_file_open(struct tree_file *f, int fd,
		   const uint8_t identity[TREE_IDENTITY_SIZE],
		   struct err *err)
{
	int r;

	*f = (struct tree_file){ .fd = fd, .id = tree_cache_id() };
	r = load(f, identity, err);
	if (r < 0)
		tree_file_release(f);
	return r;
}

/* ---- blocks ---- */

static int block_load(struct tree_file *f, const struct tree_file_section *s,
		      uint32_t index, uint32_t block, uint8_t bytes[TREE_BLOCK],
		      struct err *err)
{
	ssize_t n = io_pread_full(f->fd, bytes, TREE_BLOCK,
				  (uint64_t)block * TREE_BLOCK);

	if (n < 0)
		return err_errno(err, (int)-n, "tree file: read");
	if (n != TREE_BLOCK ||
	    digest_xxh3(bytes, TREE_BLOCK) !=
		    get_le64(s->hashes + (size_t)8 * index))
		return tree_file_corrupt(err, "a block is damaged");
	tree_cache_insert(f->id, block, bytes);
	return 0;
}

/* len bytes at offset of one block of a section. */
int tree_file_read(struct tree_file *f, enum tree_section which, uint32_t index,
		   size_t offset, void *dst, size_t len, struct err *err)
{
	const struct tree_file_section *s = &f->sections[which];
	uint8_t bytes[TREE_BLOCK];
	uint32_t block;
	int r;

	if (index >= s->n_blocks)
		return tree_file_corrupt(err, "it points beyond its end");
	block = get_le32(s->extents +
			 (size_t)4 * (index / TREE_EXTENT_BLOCKS));
	block += index % TREE_EXTENT_BLOCKS;
	if (tree_cache_copy(f->id, block, dst, offset, len))
		return 0;
	r = block_load(f, s, index, block, bytes, err);
	if (r == 0)
		memcpy(dst, bytes + offset, len);
	return r;
}

int tree_file_read_heap(struct tree_file *f, uint64_t at, void *dst, size_t len,
			struct err *err)
{
	uint8_t *p = dst;

	while (len) {
		size_t offset = (size_t)(at % TREE_BLOCK);
		size_t n = TREE_BLOCK - offset;
		int r;

		if (n > len)
			n = len;
		if (at / TREE_BLOCK > UINT32_MAX)
			return tree_file_corrupt(err,
						 "it points beyond its end");
		r = tree_file_read(f, TREE_HEAP, (uint32_t)(at / TREE_BLOCK),
				   offset, p, n, err);
		if (r < 0)
			return r;
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

