/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/verify_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/base/buf.h"
#include "backends/base/clock.h"
#include "backends/base/digest.h"
#include "backends/base/io.h"
#include "fs/dataset/tree.h"

#define FOLDER "verify"
#define MAGIC "dfsver01"
#define HEADER 48
#define CHECKSUM 8
#define ENTRIES_A_BYTE 4u
#define STATE_MAX (HEADER + TREE_ENTRIES_MAX / ENTRIES_A_BYTE + CHECKSUM)

struct verify_state {
	char *dir, *path;
	uint64_t name, tree;
	int64_t begun_s;
	uint32_t n_entries, cache_next;
	size_t n_bytes;
	_Atomic uint8_t *found;
	int64_t saved_ms;
	atomic_bool is_changed;
	bool is_unsaved;	/* the disk does not take it */
};

static void header_encode(const struct verify_state *s, uint8_t out[HEADER])
{
	memset(out, 0, HEADER);
	memcpy(out, MAGIC, 8);
	put_le64(out + 8, s->name);
	put_le64(out + 16, s->tree);
	put_le64(out + 24, (uint64_t)s->begun_s);
	put_le32(out + 32, s->n_entries);
	put_le32(out + 36, s->cache_next);
}

/* Of what is kept; false: it is nothing to go on from. */
static bool take_kept(struct verify_state *s, const struct buf *kept)
{
	const uint8_t *in = (const uint8_t *)kept->data;
	int64_t age_s;

	if (kept->len != HEADER + s->n_bytes + CHECKSUM ||
	    memcmp(in, MAGIC, 8) || get_le64(in + 8) != s->name ||
	    get_le64(in + 16) != s->tree ||
	    get_le32(in + 32) != s->n_entries ||
	    digest_xxh3(in, HEADER + s->n_bytes) !=
		    get_le64(in + HEADER + s->n_bytes))
		return false;
	age_s = s->begun_s - (int64_t)get_le64(in + 24);
	if (age_s < 0 || age_s > VERIFY_STATE_SECONDS)
		return false;
	s->begun_s -= age_s;
	s->cache_next = get_le32(in + 36);
	for (size_t i = 0; i < s->n_bytes; i++)
		atomic_init(&s->found[i], in[HEADER + i]);
	return true;
}

/* Of other versions, too: nobody goes on with them. */
static void remove_old(const char *dir, int64_t now_s)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		struct stat st;

		if (e->d_name[0] != '.' &&
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < now_s - VERIFY_STATE_SECONDS)
			(void)unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static int state_prepare(struct verify_state *s, const char *cache_dir,
			 struct tree *tree, struct err *err)
{
	struct tree_info info;

	tree_info(tree, &info);
	s->tree = info.checksum;
	s->n_entries = info.n_entries;
	s->n_bytes = (info.n_entries + ENTRIES_A_BYTE - 1) / ENTRIES_A_BYTE;
	s->begun_s = clock_wall_s();
	s->found = calloc(s->n_bytes ? s->n_bytes : 1, sizeof(*s->found));
	if (asprintf(&s->dir, "%s/" FOLDER, cache_dir) < 0)
		s->dir = NULL;
	if (s->dir && asprintf(&s->path, "%s/%016llx", s->dir,
			       (unsigned long long)s->name) < 0)
		s->path = NULL;
	return s->found && s->path ? 0 : err_nomem(err);
}

int verify_state_new(struct verify_state **out, const char *cache_dir,
		     uint64_t name, struct tree *tree, bool is_resumed,
		     struct err *err)
{
	struct verify_state *s = calloc(1, sizeof(*s));
	cleanup_buf struct buf kept = BUF_INIT;
	struct err ignored = ERR_INIT;
	int r;

	if (!s)
		return err_nomem(err);
	s->name = name;
	s->saved_ms = clock_ms();
	r = state_prepare(s, cache_dir, tree, err);
	if (r < 0) {
		verify_state_free(s);
		return r;
	}
	remove_old(s->dir, s->begun_s);
	if (is_resumed &&
	    io_read_file(s->path, STATE_MAX, &kept, &ignored) == 0)
		(void)take_kept(s, &kept);
	*out = s;
	return 0;
}

void verify_state_free(struct verify_state *s)
{
	if (!s)
		return;
	free(s->found);
	free(s->path);
	free(s->dir);
	free(s);
}

enum download_found verify_state_found(struct verify_state *s, uint32_t index)
{
	unsigned shift = 2 * (index % ENTRIES_A_BYTE);

	if (index >= s->n_entries)
		return DOWNLOAD_NOTHING;
	return (atomic_load(&s->found[index / ENTRIES_A_BYTE]) >> shift) & 3;
}

void verify_state_note(struct verify_state *s, uint32_t index,
		       enum download_found what)
{
	unsigned shift = 2 * (index % ENTRIES_A_BYTE);
	_Atomic uint8_t *byte;

	if (index >= s->n_entries)
		return;
	/* One thread an entry; others share its byte. */
	byte = &s->found[index / ENTRIES_A_BYTE];
	atomic_fetch_and(byte, (uint8_t)~(3u << shift));
	atomic_fetch_or(byte, (uint8_t)((unsigned)what << shift));
	atomic_store(&s->is_changed, true);
}

uint32_t verify_state_cache_next(const struct verify_state *s)
{
	return s->cache_next;
}

void verify_state_set_cache_next(struct verify_state *s, uint32_t next)
{
	s->cache_next = next;
	atomic_store(&s->is_changed, true);
}

static int state_write(struct verify_state *s, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_fd int dir = io_open_private_dir(s->dir, NULL, err);
	uint8_t *at;
	int r;

	if (dir < 0)
		return dir;
	r = buf_reserve(&out, HEADER + s->n_bytes + CHECKSUM, err);
	if (r < 0)
		return r;
	at = (uint8_t *)out.data;
	header_encode(s, at);
	for (size_t i = 0; i < s->n_bytes; i++)
		at[HEADER + i] = atomic_load(&s->found[i]);
	put_le64(at + HEADER + s->n_bytes,
		 digest_xxh3(at, HEADER + s->n_bytes));
	return io_replace_file(s->path, at, HEADER + s->n_bytes + CHECKSUM,
			       0600, false, err);
}

void verify_state_save(struct verify_state *s, bool is_due_only)
{
	struct err err = ERR_INIT;
	int64_t now = clock_ms();

	if (!atomic_load(&s->is_changed) || s->is_unsaved ||
	    (is_due_only && now - s->saved_ms < VERIFY_STATE_SAVE_MS))
		return;
	s->saved_ms = now;
	atomic_store(&s->is_changed, false);
	if (state_write(s, &err) == 0)
		return;
	s->is_unsaved = true;
	fprintf(stderr, "note: --resume will not find what this run did: %s\n",
		err.text);
}

void verify_state_remove(struct verify_state *s)
{
	(void)unlink(s->path);
}
