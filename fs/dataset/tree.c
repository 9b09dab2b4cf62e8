/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/base/digest.h"
#include "backends/base/io.h"
#include "fs/dataset/osmo_etag.h"
#include "fs/dataset/tree/tree_cache.h"
#include "fs/dataset/tree/tree_format.h"

struct section {
	uint32_t n_blocks;
	uint32_t n_extents;
	const uint8_t *extents;	/* le32 each, in the trailer */
	const uint8_t *hashes;	/* le64 each, in the trailer */
};

struct prefix {
	const char *text;
	uint16_t len;
};

struct tree {
	unsigned refs;		/* atomic */
	int fd;
	uint64_t id;		/* in the block cache */
	struct tree_info info;
	uint8_t *trailer;
	struct section sections[TREE_SECTIONS];
	struct prefix *prefixes;
	uint32_t n_prefixes;
};

static int corrupt(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, EIO, "tree file: %s", what);
}

/* ---- opening ---- */

static int header_read(uint8_t header[TREE_HEADER_SIZE], int fd,
		       struct err *err)
{
	ssize_t n = io_pread_full(fd, header, TREE_HEADER_SIZE, 0);

	if (n < 0)
		return err_errno(err, (int)-n, "tree file: read the header");
	if (n != TREE_HEADER_SIZE ||
	    memcmp(header, TREE_MAGIC, TREE_MAGIC_SIZE) != 0)
		return corrupt(err, "it is none");
	if (get_le32(header + TREE_H_VERSION) != TREE_VERSION)
		return err_set(err, ERR_CONFLICT, ESTALE,
			       "tree file: format version %u, expected %u",
			       get_le32(header + TREE_H_VERSION), TREE_VERSION);
	if (get_le64(header + TREE_H_SELF) != digest_xxh3(header, TREE_H_SELF))
		return corrupt(err, "damaged header");
	return 0;
}

static int trailer_read(struct tree *t, const uint8_t *header,
			uint64_t file_bytes, size_t *out_len, struct err *err)
{
	uint64_t at = get_le64(header + TREE_H_TRAILER);
	uint64_t len = get_le64(header + TREE_H_TRAILER + 8);
	ssize_t n;

	if (at > file_bytes || len != file_bytes - at ||
	    len > TREE_TRAILER_MAX)
		return corrupt(err, "cut off");
	t->trailer = malloc(len + 1);
	if (!t->trailer)
		return err_nomem(err);
	n = io_pread_full(t->fd, t->trailer, (size_t)len, at);
	if (n < 0)
		return err_errno(err, (int)-n, "tree file: read the trailer");
	if ((uint64_t)n != len ||
	    get_le64(header + TREE_H_TRAILER + 16) !=
		    digest_xxh3(t->trailer, (size_t)len))
		return corrupt(err, "damaged trailer");
	*out_len = (size_t)len;
	return 0;
}

static int trailer_parse(struct tree *t, const uint8_t *header, size_t len,
			 struct err *err)
{
	struct reader rd = reader_over(t->trailer, len);

	for (int i = 0; i < TREE_SECTIONS; i++) {
		struct section *s = &t->sections[i];

		s->n_blocks = get_le32(header + TREE_H_BLOCKS + 4 * i);
		s->n_extents = s->n_blocks / TREE_EXTENT_BLOCKS +
			       (s->n_blocks % TREE_EXTENT_BLOCKS != 0);
		s->extents = reader_bytes(&rd, (size_t)4 * s->n_extents);
	}
	for (int i = 0; i < TREE_SECTIONS; i++)
		t->sections[i].hashes =
			reader_bytes(&rd, (size_t)8 * t->sections[i].n_blocks);

	t->n_prefixes = get_le32(header + TREE_H_PREFIXES);
	if (t->n_prefixes > TREE_PREFIXES_MAX)
		return corrupt(err, "too many prefixes");
	t->prefixes = calloc(t->n_prefixes + 1, sizeof(*t->prefixes));
	if (!t->prefixes)
		return err_nomem(err);
	for (uint32_t i = 0; i < t->n_prefixes; i++) {
		t->prefixes[i].len = reader_le16(&rd);
		t->prefixes[i].text = reader_bytes(&rd, t->prefixes[i].len);
	}
	return reader_finish(&rd, err);
}

static void counts_parse(struct tree *t, const uint8_t *header,
			 uint64_t file_bytes)
{
	const uint8_t *counts = header + TREE_H_COUNTS;
	const uint8_t *notes = header + TREE_H_NOTES;

	t->info = (struct tree_info){
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

static int counts_check(const struct tree *t, struct err *err)
{
	const struct tree_info *n = &t->info;

	if (n->n_entries == 0 || n->n_entries > TREE_ENTRIES_MAX ||
	    n->n_dirs == 0 || n->n_dirs > n->n_entries ||
	    n->n_files != n->n_entries - n->n_dirs ||
	    (uint64_t)t->sections[TREE_ENTRIES].n_blocks * TREE_BLOCK <
		    (uint64_t)n->n_entries * TREE_ENTRY_SIZE ||
	    (uint64_t)t->sections[TREE_DIRS].n_blocks * TREE_BLOCK <
		    (uint64_t)n->n_dirs * TREE_DIR_SIZE)
		return corrupt(err, "its counts contradict each other");
	return 0;
}

static void tree_free(struct tree *t)
{
	tree_cache_drop(t->id);
	if (t->fd >= 0)
		close(t->fd);
	free(t->prefixes);
	free(t->trailer);
	free(t);
}

static int tree_load(struct tree *t, const uint8_t *identity, struct err *err)
{
	uint8_t header[TREE_HEADER_SIZE];
	struct stat st;
	size_t len = 0;
	int r;

	if (fstat(t->fd, &st) < 0)
		return err_errno(err, errno, "tree file");
	if (!S_ISREG(st.st_mode))
		return corrupt(err, "not a regular file");
	r = header_read(header, t->fd, err);
	if (r < 0)
		return r;
	if (memcmp(header + TREE_H_IDENTITY, identity, TREE_IDENTITY_SIZE))
		return err_set(err, ERR_CONFLICT, ESTALE,
			       "tree file: built from something else");
	counts_parse(t, header, (uint64_t)st.st_size);
	r = trailer_read(t, header, (uint64_t)st.st_size, &len, err);
	if (r == 0)
		r = trailer_parse(t, header, len, err);
	return r < 0 ? r : counts_check(t, err);
}

int tree_open(struct tree **out, int dirfd, const char *name,
	      const uint8_t identity[TREE_IDENTITY_SIZE], struct err *err)
{
	struct tree *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_nomem(err);
	t->refs = 1;
	t->id = tree_cache_id();
	t->fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
				    O_NONBLOCK);
	if (t->fd < 0 && errno == ENOENT)
		r = err_set(err, ERR_MISSING, ENOENT, "tree file: none");
	else if (t->fd < 0)
		r = err_errno(err, errno, "tree file: open");
	else
		r = tree_load(t, identity, err);
	if (r < 0) {
		tree_free(t);
		return r;
	}
	*out = t;
	return 0;
}

struct tree *tree_get(struct tree *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void tree_put(struct tree *t)
{
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) == 0)
		tree_free(t);
}

void tree_info(const struct tree *t, struct tree_info *out)
{
	*out = t->info;
}

/* ---- blocks ---- */

static int block_load(struct tree *t, const struct section *s, uint32_t index,
		      uint32_t block, uint8_t bytes[TREE_BLOCK],
		      struct err *err)
{
	ssize_t n = io_pread_full(t->fd, bytes, TREE_BLOCK,
				  (uint64_t)block * TREE_BLOCK);

	if (n < 0)
		return err_errno(err, (int)-n, "tree file: read");
	if (n != TREE_BLOCK ||
	    digest_xxh3(bytes, TREE_BLOCK) !=
		    get_le64(s->hashes + (size_t)8 * index))
		return corrupt(err, "a block is damaged");
	tree_cache_insert(t->id, block, bytes);
	return 0;
}

/* len bytes at offset of one block of a section. */
static int block_read(struct tree *t, enum tree_section which, uint32_t index,
		      size_t offset, void *dst, size_t len, struct err *err)
{
	const struct section *s = &t->sections[which];
	uint8_t bytes[TREE_BLOCK];
	uint32_t block;
	int r;

	if (index >= s->n_blocks)
		return corrupt(err, "it points beyond its end");
	block = get_le32(s->extents + (size_t)4 * (index / TREE_EXTENT_BLOCKS)) +
		index % TREE_EXTENT_BLOCKS;
	if (tree_cache_copy(t->id, block, dst, offset, len))
		return 0;
	r = block_load(t, s, index, block, bytes, err);
	if (r == 0)
		memcpy(dst, bytes + offset, len);
	return r;
}

static int heap_read(struct tree *t, uint64_t at, void *dst, size_t len,
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
			return corrupt(err, "it points beyond its end");
		r = block_read(t, TREE_HEAP, (uint32_t)(at / TREE_BLOCK),
			       offset, p, n, err);
		if (r < 0)
			return r;
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

static int raw_read(struct tree *t, uint32_t index,
		    uint8_t raw[TREE_ENTRY_SIZE], struct err *err)
{
	return block_read(t, TREE_ENTRIES, index / TREE_ENTRIES_A_BLOCK,
			  (index % TREE_ENTRIES_A_BLOCK) * TREE_ENTRY_SIZE,
			  raw, TREE_ENTRY_SIZE, err);
}

/* ---- entries ---- */

static uint64_t raw_heap(const uint8_t *raw)
{
	return get_le32(raw + TREE_E_HEAP) |
	       (uint64_t)raw[TREE_E_HEAP_HIGH] << 32;
}

static size_t raw_inline(const uint8_t *raw)
{
	size_t len = raw[TREE_E_NAME_LEN];

	return len < TREE_NAME_INLINE ? len : TREE_NAME_INLINE;
}

static int dir_decode(struct tree *t, const uint8_t *raw,
		      struct tree_entry *out, struct err *err)
{
	uint32_t number = get_le32(raw + TREE_E_SIZE);
	const uint32_t a_block = TREE_BLOCK / TREE_DIR_SIZE;
	uint8_t dir[TREE_DIR_SIZE];
	int r;

	if (number >= t->info.n_dirs)
		return corrupt(err, "no such directory");
	r = block_read(t, TREE_DIRS, number / a_block,
		       number % a_block * TREE_DIR_SIZE, dir, sizeof(dir), err);
	if (r < 0)
		return r;
	out->first_child = get_le32(dir);
	out->n_children = get_le32(dir + 4);
	out->n_dirs = get_le32(dir + 8);
	if (out->first_child > t->info.n_entries ||
	    out->n_children > t->info.n_entries - out->first_child ||
	    out->n_dirs > out->n_children ||
	    (out->n_children && out->first_child <= out->index))
		return corrupt(err, "a directory lies beyond its end");
	return 0;
}

static int entry_decode(struct tree *t, uint32_t index, const uint8_t *raw,
			struct tree_entry *out, struct err *err)
{
	uint8_t flags = raw[TREE_E_FLAGS];
	size_t n = raw_inline(raw);
	int r;

	memset(out, 0, offsetof(struct tree_entry, name));
	memset(&out->name_len, 0,
	       sizeof(*out) - offsetof(struct tree_entry, name_len));
	out->index = index;
	out->parent = get_le32(raw + TREE_E_PARENT);
	out->name_len = raw[TREE_E_NAME_LEN];
	if ((index != TREE_ROOT) != (out->name_len != 0) ||
	    (index != TREE_ROOT && out->parent >= index))
		return corrupt(err, "an entry contradicts its place");
	memcpy(out->name, raw + TREE_E_NAME, n);
	out->name[out->name_len] = '\0';
	if (out->name_len > n) {
		r = heap_read(t, raw_heap(raw), out->name + n,
			      out->name_len - n, err);
		if (r < 0)
			return r;
	}
	if (flags & TREE_F_DIR) {
		out->type = TREE_DIR;
		return dir_decode(t, raw, out, err);
	}
	out->type = TREE_FILE;
	out->size = get_le64(raw + TREE_E_SIZE);
	out->fault = raw[TREE_E_FAULT] <= TREE_FAULT_MISSING ?
		     (enum tree_fault)raw[TREE_E_FAULT] : TREE_FAULT_SOURCE;
	out->is_hashed = flags & TREE_F_HASHED;
	memcpy(out->md5, raw + TREE_E_MD5, sizeof(out->md5));
	out->parts = get_le32(raw + TREE_E_PARTS);
	out->has_md5 = (flags & TREE_F_MD5) &&
		       (!out->is_hashed ||
			osmo_etag_fits(out->parts, out->size));
	return 0;
}

int tree_entry(struct tree *t, uint32_t index, struct tree_entry *out,
	       struct err *err)
{
	uint8_t raw[TREE_ENTRY_SIZE];
	int r;

	if (index >= t->info.n_entries)
		return err_set(err, ERR_USAGE, EINVAL,
			       "tree entry %u of %u", index, t->info.n_entries);
	r = raw_read(t, index, raw, err);
	return r < 0 ? r : entry_decode(t, index, raw, out, err);
}

/* ---- lookup ---- */

/* *order: as memcmp() of name and the entry's. */
static int name_compare(struct tree *t, const uint8_t *raw, const char *name,
			size_t len, int *order, struct err *err)
{
	size_t entry_len = raw[TREE_E_NAME_LEN];
	size_t both = len < entry_len ? len : entry_len;
	size_t n = both < TREE_NAME_INLINE ? both : TREE_NAME_INLINE;
	char rest[TREE_NAME_MAX];
	int r;

	*order = memcmp(name, raw + TREE_E_NAME, n);
	if (*order == 0 && both > n) {
		r = heap_read(t, raw_heap(raw), rest, both - n, err);
		if (r < 0)
			return r;
		*order = memcmp(name + n, rest, both - n);
	}
	if (*order == 0)
		*order = (len > entry_len) - (len < entry_len);
	return 0;
}

/*
 * Narrows [*lo, *hi) to entries of one block, by the first entry of blocks:
 * these few are read again and again, and stay in the cache.
 */
static int find_block(struct tree *t, uint32_t *lo, uint32_t *hi,
		      const char *name, size_t len, struct err *err)
{
	uint32_t first = *lo / TREE_ENTRIES_A_BLOCK;
	uint32_t last = (*hi - 1) / TREE_ENTRIES_A_BLOCK;

	while (first < last) {
		uint32_t mid = first + (last - first + 1) / 2;
		uint32_t index = mid * TREE_ENTRIES_A_BLOCK;
		uint8_t raw[TREE_ENTRY_SIZE];
		int order, r;

		r = raw_read(t, index, raw, err);
		if (r == 0)
			r = name_compare(t, raw, name, len, &order, err);
		if (r < 0)
			return r;
		if (order < 0) {
			last = mid - 1;
			*hi = index;
		} else {
			first = mid;
			*lo = index;
		}
	}
	return 0;
}

int tree_lookup(struct tree *t, uint32_t dir, const char *name, size_t len,
		struct tree_entry *out, struct err *err)
{
	uint8_t block[TREE_BLOCK];
	struct tree_entry d;
	uint32_t lo, hi;
	int r = tree_entry(t, dir, &d, err);

	if (r < 0)
		return r;
	if (d.type != TREE_DIR)
		return err_set(err, ERR_USAGE, ENOTDIR, "not a directory");
	lo = d.first_child;
	hi = lo + d.n_children;
	if (len == 0 || len > TREE_NAME_MAX || lo == hi)
		return err_set(err, ERR_MISSING, ENOENT, "no such entry");

	r = find_block(t, &lo, &hi, name, len, err);
	if (r == 0)
		r = block_read(t, TREE_ENTRIES, lo / TREE_ENTRIES_A_BLOCK, 0,
			       block, sizeof(block), err);
	while (r == 0 && lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		const uint8_t *raw = block + mid % TREE_ENTRIES_A_BLOCK *
						     TREE_ENTRY_SIZE;
		int order;

		r = name_compare(t, raw, name, len, &order, err);
		if (r == 0 && order == 0)
			return entry_decode(t, mid, raw, out, err);
		if (order < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	if (r < 0)
		return r;
	return err_set(err, ERR_MISSING, ENOENT, "no such entry");
}

int tree_lookup_path(struct tree *t, const char *path, struct tree_entry *out,
		     struct err *err)
{
	int r = tree_entry(t, TREE_ROOT, out, err);

	while (r == 0 && *path) {
		size_t len = strcspn(path, "/");

		r = tree_lookup(t, out->index, path, len, out, err);
		path += len;
		if (*path == '/')
			path++;
	}
	return r;
}

/* ---- what is asked for less often ---- */

/* The text in the heap: behind the rest of the name. */
static int text_read(struct tree *t, uint64_t *at, struct buf *out, size_t len,
		     struct err *err)
{
	int r;

	if (!out || len == 0) {
		*at += len;
		return 0;
	}
	r = buf_reserve(out, len, err);
	if (r < 0)
		return r;
	r = heap_read(t, *at, out->data + out->len, len, err);
	if (r < 0)
		return r;
	out->len += len;
	out->data[out->len] = '\0';
	*at += len;
	return 0;
}

static int etag_read(struct tree *t, const uint8_t *raw, uint64_t at,
		     struct buf *etag, struct err *err)
{
	uint8_t flags = raw[TREE_E_FLAGS];
	char text[OSMO_ETAG_TEXT_MAX];
	uint8_t len[2];
	int r;

	if (flags & TREE_F_ETAG_TEXT) {
		r = heap_read(t, at, len, sizeof(len), err);
		at += sizeof(len);
		return r < 0 ? r : text_read(t, &at, etag, get_le16(len), err);
	}
	if (!(flags & TREE_F_MD5))
		return 0;
	osmo_etag_format(text, raw + TREE_E_MD5, get_le32(raw + TREE_E_PARTS));
	return buf_add(etag, text, strlen(text), err);
}

static int prefix_add(const struct tree *t, const uint8_t *raw,
		      struct buf *uri, struct err *err)
{
	uint16_t number = get_le16(raw + TREE_E_PREFIX);
	int r;

	if (number >= t->n_prefixes)
		return corrupt(err, "no such prefix");
	r = buf_add(uri, t->prefixes[number].text, t->prefixes[number].len,
		    err);
	return r < 0 ? r : buf_add(uri, "/", 1, err);
}

int tree_source(struct tree *t, uint32_t index, struct buf *uri,
		struct buf *etag, struct err *err)
{
	const uint8_t with_prefix = TREE_F_SOURCE_ETAG | TREE_F_SOURCE_TAIL;
	uint8_t raw[TREE_ENTRY_SIZE];
	uint8_t flags;
	uint64_t at;
	int r;

	if (index >= t->info.n_entries)
		return err_set(err, ERR_USAGE, EINVAL,
			       "tree entry %u of %u", index, t->info.n_entries);
	r = raw_read(t, index, raw, err);
	if (r < 0)
		return r;
	flags = raw[TREE_E_FLAGS];
	if (flags & TREE_F_DIR)
		return err_set(err, ERR_USAGE, EISDIR, "a directory");

	at = raw_heap(raw) + raw[TREE_E_NAME_LEN] - raw_inline(raw);
	if (flags & with_prefix)
		r = prefix_add(t, raw, uri, err);
	if (r == 0)
		r = text_read(t, &at, uri, get_le16(raw + TREE_E_SOURCE_LEN),
			      err);
	if (r == 0 && (flags & TREE_F_SOURCE_ETAG))
		r = etag_read(t, raw, at, uri, err);
	if (r == 0 && etag)
		r = etag_read(t, raw, at, etag, err);
	return r;
}

int tree_path(struct tree *t, uint32_t index, struct buf *path,
	      struct err *err)
{
	uint32_t chain[TREE_DEPTH_MAX];
	struct tree_entry e;
	size_t depth = 0;
	int r;

	for (uint32_t i = index; i != TREE_ROOT; i = e.parent) {
		if (depth == TREE_DEPTH_MAX)
			return corrupt(err, "deeper than its limit");
		r = tree_entry(t, i, &e, err);
		if (r < 0)
			return r;
		chain[depth++] = i;
	}
	while (depth > 0) {
		r = tree_entry(t, chain[--depth], &e, err);
		if (r == 0)
			r = buf_add(path, e.name, e.name_len, err);
		if (r == 0 && depth)
			r = buf_add(path, "/", 1, err);
		if (r < 0)
			return r;
	}
	return 0;
}
