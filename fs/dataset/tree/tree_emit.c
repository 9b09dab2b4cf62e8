/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/tree_emit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/log.h"
#include "fs/dataset/tree_build.h"
#include "fs/dataset/tree/tree_format.h"

#define LOG "tree"
#define DIRS_FIRST 64u

static int too_many(struct err *err, const char *what, uint32_t limit)
{
	return err_set(err, ERR_USAGE, EFBIG, "more than %u %s", limit, what);
}

/* A number for a directory whose own entry is the next one. */
static int dir_new(struct tree_emit *e, struct err *err)
{
	uint32_t n = e->info.n_dirs;

	if (n == TREE_EMIT_DIRS_MAX)
		return too_many(err, "directories", TREE_EMIT_DIRS_MAX);
	if (n == e->dirs_cap) {
		uint32_t cap = n ? 2 * n : DIRS_FIRST;
		struct tree_emit_dir *dirs =
			reallocarray(e->dirs, cap, sizeof(*dirs));

		if (!dirs)
			return err_nomem(err);
		e->dirs = dirs;
		e->dirs_cap = cap;
	}
	e->dirs[n] = (struct tree_emit_dir){ .first = e->info.n_entries };
	e->info.n_dirs++;
	return 0;
}

static int write_entry(struct tree_emit *e, uint8_t raw[TREE_ENTRY_SIZE],
		       const uint8_t *name, size_t len, const uint8_t *text,
		       size_t text_len, struct err *err)
{
	size_t n = len < TREE_NAME_INLINE ? len : TREE_NAME_INLINE;
	uint64_t heap = tree_writer_tell(e->writer, TREE_HEAP);
	int r = 0;

	if (e->info.n_entries == TREE_ENTRIES_MAX)
		return too_many(err, "entries", TREE_ENTRIES_MAX);
	if (heap >= TREE_HEAP_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "too many long names");
	put_le32(raw + TREE_E_PARENT, e->dir_entry);
	put_le32(raw + TREE_E_HEAP, (uint32_t)heap);
	raw[TREE_E_HEAP_HIGH] = (uint8_t)(heap >> 32);
	raw[TREE_E_NAME_LEN] = (uint8_t)len;
	if (n)
		memcpy(raw + TREE_E_NAME, name, n);
	if (len > n)
		r = tree_writer_add(e->writer, TREE_HEAP, name + n, len - n,
				    err);
	if (r == 0 && text_len)
		r = tree_writer_add(e->writer, TREE_HEAP, text, text_len, err);
	if (r == 0)
		r = tree_writer_add(e->writer, TREE_ENTRIES, raw,
				    TREE_ENTRY_SIZE, err);
	e->info.n_entries++;
	return r;
}

static int write_dir(struct tree_emit *e, const uint8_t *name, size_t len,
		     struct err *err)
{
	uint8_t raw[TREE_ENTRY_SIZE] = { 0 };
	int r = dir_new(e, err);

	if (r < 0)
		return r;
	put_le32(raw + TREE_E_SIZE, e->info.n_dirs - 1);
	raw[TREE_E_FLAGS] = TREE_F_DIR;
	return write_entry(e, raw, name, len, NULL, 0, err);
}

static int write_file(struct tree_emit *e, const struct record *rec,
		      size_t name, struct err *err)
{
	const uint8_t *p = rec->payload;
	uint8_t raw[TREE_ENTRY_SIZE] = { 0 };
	uint64_t size = get_le64(p + TREE_P_SIZE);

	memcpy(raw + TREE_E_SIZE, p + TREE_P_SIZE, 8);
	memcpy(raw + TREE_E_MD5, p + TREE_P_MD5, 20);
	memcpy(raw + TREE_E_PREFIX, p + TREE_P_PREFIX, 2);
	memcpy(raw + TREE_E_FLAGS, p + TREE_P_FLAGS, 2);
	memcpy(raw + TREE_E_SOURCE_LEN, p + TREE_P_SOURCE_LEN, 2);
	e->info.n_files++;
	if (raw[TREE_E_FAULT])
		e->info.n_faults++;
	if (__builtin_add_overflow(e->info.total_size, size,
				   &e->info.total_size))
		e->info.total_size = UINT64_MAX;
	return write_entry(e, raw, rec->key + name, rec->key_len - name,
			   p + TREE_P_HEAP, rec->payload_len - TREE_P_HEAP,
			   err);
}

/* ---- directories ---- */

static void group_end(struct tree_emit *e)
{
	struct tree_emit_dir *d = &e->dirs[e->dir];

	d->n_children = e->info.n_entries - d->first;
	d->n_dirs = e->info.n_dirs - e->first_dir;
	e->next[e->depth] = e->first_dir;
	e->end[e->depth] = e->info.n_dirs;
}

static unsigned depth_of(const uint8_t *parent, size_t len)
{
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++)
		depth += parent[i] == '\0';
	return depth;
}

/*
 * The next directory in pre-order: as each has at least one child, it is the
 * first of its level that had none yet, and all below it are done.
 */
static int group_begin(struct tree_emit *e, const uint8_t *parent, size_t len,
		       struct err *err)
{
	unsigned depth = depth_of(parent, len);
	unsigned above = depth - 1;

	group_end(e);
	if (depth == 0 || depth > e->depth + 1 || depth > TREE_DEPTH_MAX ||
	    e->next[above] == e->end[above])
		return err_set(err, ERR_SYSTEM, EIO,
			       "the order of directories is broken");
	e->dir = e->next[above]++;
	e->dir_entry = e->dirs[e->dir].first;
	e->dirs[e->dir].first = e->info.n_entries;
	e->depth = depth;
	e->first_dir = e->info.n_dirs;
	e->parent_len = len;
	return 0;
}

/* ---- */

int tree_emit_init(struct tree_emit *e, struct tree_writer *writer,
		   const char *label, struct err *err)
{
	int r;

	memset(e, 0, sizeof(*e));
	e->writer = writer;
	e->label = label;
	r = write_dir(e, NULL, 0, err);
	if (r < 0)
		return r;
	e->dirs[0].first = 1;
	e->first_dir = 1;
	return 0;
}

void tree_emit_release(struct tree_emit *e)
{
	free(e->dirs);
	e->dirs = NULL;
}

static void log_taken(struct tree_emit *e, uint32_t n, const char *what)
{
	cleanup_buf struct buf path = BUF_INIT;

	if (n > TREE_BUILD_LOG_MAX)
		return;
	tree_key_print(&path, e->key, e->key_len);
	log_warn(LOG, "%s: version=%s path=\"%s\"", what, e->label,
		 path.data ? path.data : "");
}

/* The name is taken: by a directory, or by the file that came first. */
static void drop(struct tree_emit *e, const struct record *rec)
{
	if (rec->rank == TREE_RANK_DIR)
		return;
	if (e->rank == TREE_RANK_DIR)
		log_taken(e, ++e->info.n_clashes,
			  "file left out, a directory has its name");
	else
		log_taken(e, ++e->info.n_duplicates,
			  "file left out, the path stands twice");
}

int tree_emit_record(struct tree_emit *e, const struct record *rec,
		     struct err *err)
{
	size_t name, parent_len;
	int r = 0;

	if (rec->key_len == e->key_len &&
	    memcmp(rec->key, e->key, e->key_len) == 0) {
		drop(e, rec);
		return 0;
	}
	name = tree_key_name(rec->key, rec->key_len);
	if (name == 0 || rec->key_len > sizeof(e->key) ||
	    (rec->rank == TREE_RANK_FILE && rec->payload_len < TREE_P_HEAP))
		return err_set(err, ERR_SYSTEM, EIO, "a record is broken");
	parent_len = name - 1;
	if (parent_len != e->parent_len ||
	    memcmp(rec->key, e->key, parent_len) != 0)
		r = group_begin(e, rec->key, parent_len, err);
	if (r < 0)
		return r;
	memcpy(e->key, rec->key, rec->key_len);
	e->key_len = rec->key_len;
	e->rank = rec->rank;
	if (rec->rank == TREE_RANK_DIR)
		return write_dir(e, rec->key + name, rec->key_len - name, err);
	return write_file(e, rec, name, err);
}

int tree_emit_finish(struct tree_emit *e, struct err *err)
{
	group_end(e);
	for (uint32_t i = 0; i < e->info.n_dirs; i++) {
		uint8_t raw[TREE_DIR_SIZE] = { 0 };
		int r;

		put_le32(raw, e->dirs[i].first);
		put_le32(raw + 4, e->dirs[i].n_children);
		put_le32(raw + 8, e->dirs[i].n_dirs);
		r = tree_writer_add(e->writer, TREE_DIRS, raw, sizeof(raw),
				    err);
		if (r < 0)
			return r;
	}
	return 0;
}
