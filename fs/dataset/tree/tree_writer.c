/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/tree_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/digest.h"

int tree_writer_init(struct tree_writer *w, int dirfd, struct err *err)
{
	*w = (struct tree_writer){
		.file = TEMP_FILE_INIT,
		.next_block = 1,	/* behind the header */
	};
	return temp_file_init(&w->file, dirfd, err);
}

void tree_writer_release(struct tree_writer *w)
{
	for (int i = 0; i < TREE_SECTIONS; i++) {
		free(w->sections[i].extent);
		w->sections[i].extent = NULL;
		buf_release(&w->sections[i].hashes);
		buf_release(&w->sections[i].extents);
	}
	temp_file_release(&w->file);
}

static int write_at(struct tree_writer *w, const void *bytes, size_t len,
		    uint64_t offset, struct err *err)
{
	int r = temp_file_write(&w->file, bytes, len, offset, err);

	return r < 0 ? err_wrap(err, "write the tree file") : 0;
}

/* Writes what the extent holds, the last block filled up with NUL. */
static int flush(struct tree_writer *w, struct tree_writer_section *sec,
		 struct err *err)
{
	uint32_t n_blocks = (uint32_t)((sec->fill + TREE_BLOCK - 1) /
				       TREE_BLOCK);
	size_t len = (size_t)n_blocks * TREE_BLOCK;
	uint8_t number[8];
	int r;

	if (n_blocks == 0)
		return 0;
	if (n_blocks > UINT32_MAX - w->next_block)
		return err_set(err, ERR_SYSTEM, EFBIG,
			       "the tree file would have too many blocks");
	memset(sec->extent + sec->fill, 0, len - sec->fill);
	put_le32(number, w->next_block);
	r = buf_add(&sec->extents, number, 4, err);
	for (uint32_t i = 0; i < n_blocks && r == 0; i++) {
		put_le64(number, digest_xxh3(sec->extent + i * TREE_BLOCK,
					     TREE_BLOCK));
		r = buf_add(&sec->hashes, number, 8, err);
	}
	if (r == 0)
		r = write_at(w, sec->extent, len,
			     (uint64_t)w->next_block * TREE_BLOCK, err);
	w->next_block += n_blocks;
	sec->fill = 0;
	return r;
}

int tree_writer_add(struct tree_writer *w, enum tree_section s,
		    const void *bytes, size_t len, struct err *err)
{
	struct tree_writer_section *sec = &w->sections[s];
	const uint8_t *p = bytes;

	if (!sec->extent) {
		sec->extent = malloc(TREE_EXTENT);
		if (!sec->extent)
			return err_nomem(err);
	}
	sec->bytes += len;
	while (len) {
		size_t room = TREE_EXTENT - sec->fill;
		size_t n = len < room ? len : room;
		int r;

		memcpy(sec->extent + sec->fill, p, n);
		sec->fill += n;
		p += n;
		len -= n;
		if (sec->fill < TREE_EXTENT)
			break;
		r = flush(w, sec, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int trailer_make(struct tree_writer *w, struct buf *trailer,
			size_t *hashes_at, const void *prefixes,
			size_t prefixes_len, struct err *err)
{
	int r = 0;

	for (int i = 0; i < TREE_SECTIONS && r == 0; i++)
		r = buf_add(trailer, w->sections[i].extents.data,
			    w->sections[i].extents.len, err);
	*hashes_at = trailer->len;
	for (int i = 0; i < TREE_SECTIONS && r == 0; i++)
		r = buf_add(trailer, w->sections[i].hashes.data,
			    w->sections[i].hashes.len, err);
	if (r == 0)
		r = buf_add(trailer, prefixes, prefixes_len, err);
	return r;
}

static int checksum_tree(uint8_t *header, const struct buf *trailer,
			 size_t hashes_at, struct err *err)
{
	cleanup_buf struct buf all = BUF_INIT;
	int r = buf_add(&all, header + TREE_H_COUNTS,
			TREE_H_NOTES - TREE_H_COUNTS, err);

	if (r == 0)
		r = buf_add(&all, trailer->data + hashes_at,
			    trailer->len - hashes_at, err);
	if (r == 0)
		put_le64(header + TREE_H_CHECKSUM,
			 digest_xxh3(all.data, all.len));
	return r;
}

int tree_writer_finish(struct tree_writer *w, uint8_t header[TREE_HEADER_SIZE],
		       const void *prefixes, size_t prefixes_len,
		       const char *name, struct err *err)
{
	cleanup_buf struct buf trailer = BUF_INIT_LIMIT(TREE_TRAILER_MAX);
	size_t hashes_at;
	uint64_t at;
	int r = 0;

	for (int i = 0; i < TREE_SECTIONS && r == 0; i++) {
		r = flush(w, &w->sections[i], err);
		put_le32(header + TREE_H_BLOCKS + 4 * i,
			 (uint32_t)(w->sections[i].hashes.len / 8));
	}
	if (r == 0)
		r = trailer_make(w, &trailer, &hashes_at, prefixes,
				 prefixes_len, err);
	if (r == 0)
		r = checksum_tree(header, &trailer, hashes_at, err);
	if (r < 0)
		return r;

	at = (uint64_t)w->next_block * TREE_BLOCK;
	memcpy(header, TREE_MAGIC, TREE_MAGIC_SIZE);
	put_le32(header + TREE_H_VERSION, TREE_VERSION);
	put_le64(header + TREE_H_TRAILER, at);
	put_le64(header + TREE_H_TRAILER + 8, trailer.len);
	put_le64(header + TREE_H_TRAILER + 16,
		 digest_xxh3(trailer.data, trailer.len));
	put_le64(header + TREE_H_SELF, digest_xxh3(header, TREE_H_SELF));
	r = write_at(w, trailer.data, trailer.len, at, err);
	if (r == 0)
		r = write_at(w, header, TREE_HEADER_SIZE, 0, err);
	if (r == 0)
		(void)temp_file_publish(&w->file, name);
	return r;
}
