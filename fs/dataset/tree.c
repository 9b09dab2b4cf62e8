/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/dataset/osmo/osmo_etag.h"
#include "fs/dataset/tree/tree_file.h"

struct tree {
	unsigned refs;		/* atomic */
	struct tree_file file;
};

int tree_open(struct tree **out, int dirfd, const char *name,
	      const uint8_t identity[TREE_IDENTITY_SIZE], struct err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW |
				     O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING, ENOENT, "tree file: none");
	if (fd < 0)
		return err_errno(err, errno, "tree file: open");
	return tree_open_fd(out, fd, identity, err);
}

int tree_open_fd(struct tree **out, int fd,
		 const uint8_t identity[TREE_IDENTITY_SIZE], struct err *err)
{
	struct tree *t = calloc(1, sizeof(*t));
	int r;

	if (!t) {
		close(fd);
		return err_nomem(err);
	}
	t->refs = 1;
	r = tree_file_open(&t->file, fd, identity, err);
	if (r < 0) {
		free(t);
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
	if (__atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL))
		return;
	tree_file_release(&t->file);
	free(t);
}

void tree_info(const struct tree *t, struct tree_info *out)
{
	*out = t->file.info;
}
/* ---- entries ---- */

static int raw_read(struct tree *t, uint32_t index,
		    uint8_t raw[TREE_ENTRY_SIZE], struct err *err)
{
	if (index >= t->file.info.n_entries)
		return err_set(err, ERR_USAGE, EINVAL,
			       "tree entry %u of %u", index,
			       t->file.info.n_entries);
	return tree_file_read(&t->file, TREE_ENTRIES,
			      index / TREE_ENTRIES_A_BLOCK,
			      index % TREE_ENTRIES_A_BLOCK * TREE_ENTRY_SIZE,
			      raw, TREE_ENTRY_SIZE, err);
}
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

	if (number >= t->file.info.n_dirs)
		return tree_file_corrupt(err, "no such directory");
	r = tree_file_read(&t->file, TREE_DIRS, number / a_block,
			   number % a_block * TREE_DIR_SIZE, dir, sizeof(dir),
			   err);
	if (r < 0)
		return r;
	out->first_child = get_le32(dir);
	out->n_children = get_le32(dir + 4);
	out->n_dirs = get_le32(dir + 8);
	if (out->first_child > t->file.info.n_entries ||
	    out->n_children > t->file.info.n_entries - out->first_child ||
	    out->n_dirs > out->n_children ||
	    (out->n_children && out->first_child <= out->index))
		return tree_file_corrupt(err,
					 "a directory lies beyond its end");
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
		return tree_file_corrupt(err, "an entry contradicts its place");
	memcpy(out->name, raw + TREE_E_NAME, n);
	out->name[out->name_len] = '\0';
	if (out->name_len > n) {
		r = tree_file_read_heap(&t->file, raw_heap(raw), out->name + n,
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
	int r = raw_read(t, index, raw, err);

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
		r = tree_file_read_heap(&t->file, raw_heap(raw), rest,
					both - n, err);
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
		r = tree_file_read(&t->file, TREE_ENTRIES,
				   lo / TREE_ENTRIES_A_BLOCK, 0, block,
				   sizeof(block), err);
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
	r = tree_file_read_heap(&t->file, *at, out->data + out->len, len, err);
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
		r = tree_file_read_heap(&t->file, at, len, sizeof(len), err);
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

	if (number >= t->file.n_prefixes)
		return tree_file_corrupt(err, "no such prefix");
	r = buf_add(uri, t->file.prefixes[number].text,
		    t->file.prefixes[number].len, err);
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

bool tree_is_within(const char *path, const char *top)
{
	size_t len = strlen(top);

	return !len || (strncmp(path, top, len) == 0 &&
			(path[len] == '/' || path[len] == '\0'));
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
			return tree_file_corrupt(err, "deeper than its limit");
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
