/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees from hostile entries, and tree files with damage.  The input is a list
 * of lines "PATH TAB SOURCE TAB ETAG"; of a line that begins with a digit and
 * '!' the digits say which byte of the finished file is changed.
 * fuzz-covers: fs/dataset/tree.c fs/dataset/tree_build.c
 * fuzz-covers: fs/dataset/tree/tree_file.c fs/dataset/tree/tree_emit.c
 * fuzz-covers: fs/dataset/tree/tree_path.c fs/dataset/tree/tree_prefix.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/dataset/tree_build.h"

#define ENTRIES_MAX 200
#define FLIPS_MAX 16
#define INPUT_MAX 16384	/* so no source is too long to be taken */

struct line {
	const char *path, *source, *etag;
	size_t path_len, source_len, etag_len;
};

struct input {
	struct line lines[ENTRIES_MAX];
	size_t n;
	uint64_t flips[FLIPS_MAX];
	size_t n_flips;
};

static char scratch_path[64];

static void scratch_remove(void)
{
	(void)rmdir(scratch_path);
}

/* Empty between two inputs. */
static int scratch(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	(void)snprintf(scratch_path, sizeof(scratch_path),
		       "%s/fuzz-tree-XXXXXX",
		       access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	FUZZ_CHECK(mkdtemp(scratch_path));
	fd = open(scratch_path, O_RDONLY | O_DIRECTORY);
	FUZZ_CHECK(fd >= 0);
	(void)atexit(scratch_remove);
	log_init(LOG_TO_STDERR, LOG_LEVEL_ERROR);
	return fd;
}

static size_t field(const char **at, const char *end, const char **out)
{
	const char *tab = memchr(*at, '\t', (size_t)(end - *at));
	size_t len = (size_t)((tab ? tab : end) - *at);

	*out = *at;
	*at = tab ? tab + 1 : end;
	return len;
}

static void read_line(struct input *in, const char *at, const char *end)
{
	struct line *line = &in->lines[in->n];

	if (at < end && *at >= '0' && *at <= '9' &&
	    memchr(at, '!', (size_t)(end - at))) {
		if (in->n_flips < FLIPS_MAX)
			in->flips[in->n_flips++] = strtoull(at, NULL, 10);
		return;
	}
	if (in->n == ENTRIES_MAX)
		return;
	line->path_len = field(&at, end, &line->path);
	line->source_len = field(&at, end, &line->source);
	line->etag_len = field(&at, end, &line->etag);
	in->n++;
}

static void read_input(struct input *in, const char *text, size_t size)
{
	const char *end = text + size;

	in->n = in->n_flips = 0;
	while (text < end) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));

		read_line(in, text, nl ? nl : end);
		text = nl ? nl + 1 : end;
	}
}

static struct tree *build(const struct input *in)
{
	const struct tree_build_options opt = {
		.dirfd = scratch(),
		.name = "t",
		.label = "fuzz",
		.hash_location = "s3://b/hashes",
		.memory = 1,	/* the least that there is */
	};
	struct err err = ERR_INIT;
	struct tree_build *b;
	struct tree *tree;

	FUZZ_CHECK(tree_build_new(&b, &opt, &err) == 0);
	for (size_t i = 0; i < in->n; i++) {
		const struct line *l = &in->lines[i];

		FUZZ_CHECK(tree_build_add(b, l->path, l->path_len, l->source,
					  l->source_len, i, l->etag,
					  l->etag_len, TREE_OK, &err) == 0);
	}
	FUZZ_CHECK(tree_build_finish(b, &tree, &err) == 0);
	tree_build_free(b);
	return tree;
}

static bool is_same(const struct buf *a, const char *p, size_t len)
{
	return a->len == len && (len == 0 || memcmp(a->data, p, len) == 0);
}

/* Everything in the tree was in the input, and is where its path leads. */
static void check_file(struct tree *tree, const struct input *in,
		       const struct tree_entry *e)
{
	cleanup_buf struct buf path = BUF_INIT, uri = BUF_INIT, etag = BUF_INIT;
	const struct line *l = &in->lines[e->size];
	struct err err = ERR_INIT;
	struct tree_entry again;

	FUZZ_CHECK(e->size < in->n);
	FUZZ_CHECK(tree_path(tree, e->index, &path, &err) == 0);
	FUZZ_CHECK(tree_source(tree, e->index, &uri, &etag, &err) == 0);
	FUZZ_CHECK(is_same(&path, l->path, l->path_len));
	FUZZ_CHECK(is_same(&uri, l->source, l->source_len));
	FUZZ_CHECK(is_same(&etag, l->etag, l->etag_len));
	FUZZ_CHECK(tree_lookup_path(tree, path.data, &again, &err) == 0);
	FUZZ_CHECK(again.index == e->index);
	for (size_t i = 0; i < e->size; i++)	/* the first one wins */
		FUZZ_CHECK(!is_same(&path, in->lines[i].path,
				    in->lines[i].path_len));
}

static void check_tree(struct tree *tree, const struct input *in)
{
	struct err err = ERR_INIT;
	struct tree_info info;
	struct tree_entry e, before = { .parent = TREE_NONE };
	uint32_t n_files = 0;

	tree_info(tree, &info);
	for (uint32_t i = 0; i < info.n_entries; i++) {
		FUZZ_CHECK(tree_entry(tree, i, &e, &err) == 0);
		FUZZ_CHECK(e.index == i);
		FUZZ_CHECK(!memchr(e.name, '/', e.name_len));
		FUZZ_CHECK(strlen(e.name) == e.name_len);
		FUZZ_CHECK(strcmp(e.name, ".") && strcmp(e.name, ".."));
		if (i > 1 && e.parent == before.parent)
			FUZZ_CHECK(strcmp(before.name, e.name) < 0);
		if (e.type == TREE_FILE) {
			check_file(tree, in, &e);
			n_files++;
		} else {
			FUZZ_CHECK(i == TREE_ROOT || e.n_children > 0);
		}
		before = e;
	}
	FUZZ_CHECK(n_files == info.n_files);
	FUZZ_CHECK(in->n == (size_t)info.n_files + info.n_duplicates +
			    info.n_clashes + info.n_rejected);
}

/* Reads all of a tree that may be damaged: an error, never a fault. */
static void use(const uint8_t identity[TREE_IDENTITY_SIZE])
{
	cleanup_buf struct buf path = BUF_INIT, uri = BUF_INIT, etag = BUF_INIT;
	struct err err = ERR_INIT;
	struct tree_entry e, found;
	struct tree_info info;
	struct tree *tree;
	int r = tree_open(&tree, scratch(), "t", identity, &err);

	if (r < 0) {
		FUZZ_CHECK(err.class == ERR_CORRUPT || r == -ESTALE);
		return;
	}
	tree_info(tree, &info);
	for (uint32_t i = 0; i < info.n_entries && r == 0; i++) {
		r = tree_entry(tree, i, &e, &err);
		buf_clear(&path);
		if (r == 0)
			r = tree_path(tree, i, &path, &err);
		if (r == 0 && e.type == TREE_FILE)
			r = tree_source(tree, i, &uri, &etag, &err);
		if (r == 0)
			r = tree_lookup(tree, e.parent, e.name, e.name_len,
					&found, &err);
		if (i == TREE_ROOT && r == -ENOENT)
			r = 0;
	}
	FUZZ_CHECK(r == 0 || err.class == ERR_CORRUPT);
	tree_put(tree);
}

static void damage(const struct input *in)
{
	int fd = openat(scratch(), "t", O_RDWR | O_CLOEXEC);
	struct stat st;

	FUZZ_CHECK(fd >= 0 && fstat(fd, &st) == 0);
	for (size_t i = 0; i < in->n_flips; i++) {
		uint64_t at = in->flips[i] % (uint64_t)st.st_size;
		uint8_t c;

		FUZZ_CHECK(io_pread_full(fd, &c, 1, at) == 1);
		c ^= (uint8_t)(1 + in->flips[i] % 255);
		FUZZ_CHECK(io_pwrite_full(fd, &c, 1, at) == 0);
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t identity[TREE_IDENTITY_SIZE];
	static struct input in;
	struct tree *tree;
	char *text;

	if (size > INPUT_MAX)
		return 0;
	text = fuzz_string(data, size);
	read_input(&in, text, size);
	tree = build(&in);
	check_tree(tree, &in);
	tree_put(tree);
	if (in.n_flips) {
		damage(&in);
		use(identity);
	}
	FUZZ_CHECK(unlinkat(scratch(), "t", 0) == 0);
	free(text);
	return 0;
}
