/* SPDX-License-Identifier: Apache-2.0 */
/* tree.c, tree_file.c and tree_build.c: what goes in, and what is found. */
#include <config.h>
#include "fs/dataset/tree_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include "backends/base/io.h"

#define MD5_A "0cc175b9c0f1b6a831c399e269772661"
#define MD5_B "92eb5ffee6ae2fec3ad71c777531578f"
#define HASHES "s3://b/p/ID/hashes"

static char dir[] = "/tmp/datasetfs-tree-test-XXXXXX";
static int dirfd_;
static struct tree_build_options options = {
	.name = "x.tree",
	.identity = "identity",
	.label = "b/ds@1",
	.hash_location = HASHES,
};

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dirfd_, 0);
	options.dirfd = dirfd_;
}

static void teardown(void)
{
	char line[256];

	close(dirfd_);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(tree, .init = setup, .fini = teardown);

static struct tree_build *begin(void)
{
	struct tree_build *b;
	struct err err = ERR_INIT;

	cr_assert_eq(tree_build_new(&b, &options, &err), 0, "%s", err.text);
	return b;
}

static void add_from(struct tree_build *b, const char *path, const char *source,
		     uint64_t size, const char *etag)
{
	struct err err = ERR_INIT;

	cr_assert_eq(tree_build_add(b, path, strlen(path), source,
				    strlen(source), size, etag, strlen(etag),
				    TREE_OK, &err), 0, "%s", err.text);
}

static void add(struct tree_build *b, const char *path, uint64_t size)
{
	add_from(b, path, HASHES "/" MD5_A, size, MD5_A);
}

static struct tree *finish(struct tree_build *b)
{
	struct tree *t;
	struct err err = ERR_INIT;

	cr_assert_eq(tree_build_finish(b, &t, &err), 0, "%s", err.text);
	tree_build_free(b);
	return t;
}

static struct tree_info info_of(const struct tree *t)
{
	struct tree_info info;

	tree_info(t, &info);
	return info;
}

/* Directories before their children: "a/ a/b/ a/b/c=3 ..." */
static void print(struct tree *t, uint32_t index, struct buf *out)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct tree_entry e;
	struct err err = ERR_INIT;

	cr_assert_eq(tree_entry(t, index, &e, &err), 0, "%s", err.text);
	cr_assert_eq(tree_path(t, index, &path, &err), 0, "%s", err.text);
	if (e.type == TREE_FILE) {
		buf_printf(out, "%s=%llu ", path.data,
			   (unsigned long long)e.size);
		return;
	}
	buf_printf(out, "%s/ ", path.data ? path.data : "");
	for (uint32_t i = 0; i < e.n_children; i++)
		print(t, e.first_child + i, out);
}

static void expect_tree(struct tree *t, const char *says)
{
	cleanup_buf struct buf out = BUF_INIT;

	print(t, TREE_ROOT, &out);
	cr_expect_str_eq(out.data, says);
}

static int look(struct tree *t, const char *path, struct tree_entry *e)
{
	struct err err = ERR_INIT;

	return tree_lookup_path(t, path, e, &err);
}

Test(tree, an_empty_version_is_an_empty_directory)
{
	struct tree *t = finish(begin());
	struct tree_entry e;

	expect_tree(t, "/ ");
	cr_expect_eq(info_of(t).n_entries, 1);
	cr_expect_eq(look(t, "", &e), 0);
	cr_expect_eq(e.type, TREE_DIR);
	cr_expect_eq(e.parent, TREE_ROOT);
	cr_expect_eq(look(t, "x", &e), -ENOENT);
	tree_put(t);
}

Test(tree, entries_in_any_order_give_the_same_tree)
{
	static const char *const paths[] = {
		"b/x/y/z", "a.b", "a/b", "a-b", "b/x/1", "c", "b/a", "A/q/r",
		"a/b.c/d", "b/x.y/k",
	};
	const char *says = "/ A/ A/q/ A/q/r=7 a/ a/b=2 a/b.c/ a/b.c/d=8 a-b=3 "
		"a.b=1 b/ b/a=6 b/x/ b/x/1=4 b/x/y/ b/x/y/z=0 b/x.y/ "
		"b/x.y/k=9 c=5 ";
	uint64_t checksum = 0;

	for (size_t shift = 0; shift < ARRAY_SIZE(paths); shift++) {
		struct tree_build *b = begin();
		struct tree *t;

		for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
			size_t n = (i + shift) % ARRAY_SIZE(paths);

			add(b, paths[n], n);
		}
		t = finish(b);
		expect_tree(t, says);
		cr_expect_eq(info_of(t).n_files, ARRAY_SIZE(paths));
		cr_expect_eq(info_of(t).n_dirs, 9);
		cr_expect_eq(info_of(t).total_size, 45);
		if (shift)
			cr_expect_eq(info_of(t).checksum, checksum);
		checksum = info_of(t).checksum;
		tree_put(t);
	}
}

Test(tree, directories_count_their_children_and_sub_directories)
{
	struct tree_build *b = begin();
	struct tree_entry e;
	struct tree *t;

	add(b, "d/x/1", 1);
	add(b, "d/y/1", 1);
	add(b, "d/1", 1);
	t = finish(b);
	cr_assert_eq(look(t, "d", &e), 0);
	cr_expect_eq(e.n_children, 3);
	cr_expect_eq(e.n_dirs, 2);
	cr_assert_eq(look(t, "d/y/1", &e), 0);
	cr_expect_eq(e.type, TREE_FILE);
	cr_expect_eq(look(t, "d/1/x", &e), -ENOTDIR);
	cr_expect_eq(look(t, "d/z", &e), -ENOENT);
	cr_expect_eq(look(t, "d//1", &e), -ENOENT);
	tree_put(t);
}

Test(tree, of_duplicates_the_first_wins)
{
	struct tree_build *b = begin();
	struct tree *t;

	add(b, "x", 1);
	add(b, "d/x", 2);
	add(b, "x", 3);
	add(b, "d/x", 4);
	add(b, "x", 5);
	t = finish(b);
	expect_tree(t, "/ d/ d/x=2 x=1 ");
	cr_expect_eq(info_of(t).n_duplicates, 3);
	cr_expect_eq(info_of(t).total_size, 3);
	tree_put(t);
}

Test(tree, where_file_and_directory_clash_the_directory_stays)
{
	struct tree_build *b = begin();
	struct tree *t;

	add(b, "a", 1);
	add(b, "a/b", 2);
	add(b, "a/b/c", 3);
	add(b, "a/b/c", 4);
	add(b, "a", 5);
	t = finish(b);
	expect_tree(t, "/ a/ a/b/ a/b/c=3 ");
	cr_expect_eq(info_of(t).n_clashes, 3);
	cr_expect_eq(info_of(t).n_duplicates, 1);
	tree_put(t);
}

static void add_bytes(struct tree_build *b, const char *path, size_t len)
{
	struct err err = ERR_INIT;

	cr_assert_eq(tree_build_add(b, path, len, "s3://b/k", 8, 1, "", 0,
				    TREE_OK, &err), 0);
}

Test(tree, hostile_paths_are_left_out_and_counted)
{
	static const char *const bad[] = {
		"", "/", "/abs", "..", ".", "../x", "a/../b", "a/..", "a/./b",
		"./a", "a//b", "a/", "a/b/",
	};
	struct tree_build *b = begin();
	char text[TREE_PATH_MAX + 2];
	struct tree *t;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		add(b, bad[i], 1);
	add_bytes(b, "a\0b", 3);
	memset(text, 'n', sizeof(text));
	add_bytes(b, text, TREE_NAME_MAX + 1);
	for (size_t i = 100; i < sizeof(text); i += 100)
		text[i] = '/';
	add_bytes(b, text, TREE_PATH_MAX + 1);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '/' : 'd';
	add_bytes(b, text, 2 * TREE_DEPTH_MAX + 1);
	t = finish(b);
	expect_tree(t, "/ ");
	cr_expect_eq(info_of(t).n_rejected, ARRAY_SIZE(bad) + 4);
	tree_put(t);
}

Test(tree, the_longest_names_and_paths_are_found)
{
	struct tree_build *b = begin();
	char text[TREE_PATH_MAX + 1], deep[2 * TREE_DEPTH_MAX];
	char name[TREE_NAME_MAX + 1];
	cleanup_buf struct buf path = BUF_INIT;
	struct err err = ERR_INIT;
	struct tree_entry e;
	struct tree *t;

	memset(text, 'n', sizeof(text));
	for (size_t i = 200; i < TREE_PATH_MAX - 1; i += 200)
		text[i] = '/';
	text[TREE_PATH_MAX] = '\0';
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = i % 2 ? '/' : 'd';
	deep[sizeof(deep) - 1] = '\0';
	memset(name, 0xff, sizeof(name));
	name[TREE_NAME_MAX] = '\0';
	add(b, text, 1);
	add(b, deep, 2);
	add(b, name, 3);
	name[TREE_NAME_MAX - 1] = 1;
	add(b, name, 4);
	t = finish(b);
	cr_expect_eq(look(t, text, &e), 0);
	cr_expect_eq(e.size, 1);
	cr_expect_eq(tree_path(t, e.index, &path, &err), 0);
	cr_expect_str_eq(path.data, text);
	cr_expect_eq(look(t, deep, &e), 0);
	cr_expect_eq(e.size, 2);
	cr_expect_eq(look(t, name, &e), 0);
	cr_expect_eq(e.size, 4);
	cr_expect_eq(e.name_len, TREE_NAME_MAX);
	cr_expect_str_eq(e.name, name);
	name[TREE_NAME_MAX - 1] = 2;
	cr_expect_eq(look(t, name, &e), -ENOENT);
	tree_put(t);
}

static void expect_source(struct tree *t, const char *path, const char *uri,
			  const char *etag)
{
	cleanup_buf struct buf u = BUF_INIT, g = BUF_INIT;
	struct err err = ERR_INIT;
	struct tree_entry e;

	cr_assert_eq(look(t, path, &e), 0, "%s", path);
	cr_assert_eq(tree_source(t, e.index, &u, &g, &err), 0, "%s", err.text);
	cr_expect_str_eq(u.data ? u.data : "", uri);
	cr_expect_str_eq(g.data ? g.data : "", etag);
}

Test(tree, sources_and_etags_come_back_verbatim)
{
	static const struct {
		const char *path, *uri, *etag;
	} files[] = {
		{ "own", HASHES "/" MD5_A, MD5_A },
		{ "parts", HASHES "/" MD5_A "-2", MD5_A "-2" },
		{ "upper", "s3://b/p/0CC175", "0CC175B9C0F1B6A831C399E269772661" },
		{ "foreign", "s3://other/d//x;y,#z?w%20*", MD5_B },
		{ "a-name-that-is-longer-than-twenty-bytes",
		  "s3://other/tail", "opaque-validator" },
		{ "none", "gs://g/k", "" },
		{ "zeros", HASHES "/" MD5_A "-02", MD5_A "-02" },
		{ "no-slash", "nonsense", "x" },
		{ "slash-at-end", "s3://b/k/", MD5_A },
		{ "empty", "", "" },
	};
	struct tree_build *b = begin();
	struct tree *t;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		add_from(b, files[i].path, files[i].uri, 10, files[i].etag);
	t = finish(b);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		expect_source(t, files[i].path, files[i].uri, files[i].etag);
	tree_put(t);
}

Test(tree, only_own_blobs_are_hashed_and_only_osmo_parts_verify)
{
	const uint64_t big = ((uint64_t)8 << 20) + 1;
	struct tree_build *b = begin();
	struct tree_entry e;
	struct tree *t;

	add_from(b, "own", HASHES "/" MD5_A, 10, MD5_A);
	add_from(b, "own-big", HASHES "/" MD5_A "-2", big, MD5_A "-2");
	add_from(b, "migrated", HASHES "/" MD5_A, big, MD5_A);
	add_from(b, "migrated-parts", HASHES "/" MD5_A "-9", big, MD5_A "-9");
	add_from(b, "migrated-azure", HASHES "/0x8D", 10, "0x8D");
	add_from(b, "elsewhere", "s3://b/p/OTHER/hashes/" MD5_A, 10, MD5_A);
	add_from(b, "elsewhere-parts", "s3://b/p/OTHER/hashes/" MD5_A "-9", big,
		 MD5_A "-9");
	add_from(b, "foreign", "s3://b/k", 10, MD5_B);
	add_from(b, "opaque", "s3://b/k", 10, "0x8D");
	t = finish(b);
	look(t, "own", &e);
	cr_expect(e.is_hashed && e.has_md5 && e.parts == 0);
	cr_expect_eq(e.md5[0], 0x0c);
	look(t, "own-big", &e);
	cr_expect(e.is_hashed && e.has_md5 && e.parts == 2);
	look(t, "migrated", &e);
	cr_expect(e.is_hashed && !e.has_md5);
	look(t, "migrated-parts", &e);
	cr_expect(e.is_hashed && !e.has_md5 && e.parts == 9);
	look(t, "migrated-azure", &e);
	cr_expect(e.is_hashed && !e.has_md5);
	look(t, "elsewhere", &e);
	cr_expect(e.is_hashed && e.has_md5);
	look(t, "elsewhere-parts", &e);
	cr_expect(!e.is_hashed && e.has_md5 && e.parts == 9);
	look(t, "foreign", &e);
	cr_expect(!e.is_hashed && e.has_md5);
	look(t, "opaque", &e);
	cr_expect(!e.is_hashed && !e.has_md5);
	tree_put(t);
}

Test(tree, in_a_local_directory_a_manifests_etag_is_the_contents)
{
	for (int i = 0; i < 2; i++) {
		struct tree_build *b;
		struct tree_entry e;
		struct tree *t;

		options.is_listing = i;
		b = begin();
		add_from(b, "x", "file:///srv/x", 10, MD5_A);
		add_from(b, "parts", "file:///srv/y", 10, MD5_A "-9");
		add_from(b, "none", "file:///srv/z", 10, "");
		t = finish(b);
		look(t, "x", &e);
		cr_expect(e.is_hashed == !i && e.has_md5);
		look(t, "parts", &e);
		cr_expect(e.is_hashed == !i && e.has_md5 == i);
		look(t, "none", &e);
		cr_expect(!e.is_hashed && !e.has_md5);
		tree_put(t);
	}
	options.is_listing = false;
}

/* There is room for TREE_PREFIXES_MAX of 4096. */
Test(tree, more_prefixes_than_fit_change_nothing)
{
	const unsigned n = 5000;
	struct tree_build *b = begin();
	char path[64], source[64];
	struct tree_entry e;
	struct tree *t;

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%u", i);
		(void)snprintf(source, sizeof(source), "s3://f/%u/x", i);
		add_from(b, path, source, 1, "");
	}
	add_from(b, "own", HASHES "/" MD5_A, 10, MD5_A);
	add_from(b, "other", "s3://g/hashes/" MD5_A, 10, MD5_A);
	t = finish(b);
	for (unsigned i = 0; i < n; i += 7) {
		(void)snprintf(path, sizeof(path), "%u", i);
		(void)snprintf(source, sizeof(source), "s3://f/%u/x", i);
		expect_source(t, path, source, "");
	}
	expect_source(t, "own", HASHES "/" MD5_A, MD5_A);
	look(t, "own", &e);
	cr_expect(e.is_hashed);
	expect_source(t, "other", "s3://g/hashes/" MD5_A, MD5_A);
	look(t, "other", &e);
	cr_expect(e.is_hashed);
	tree_put(t);
}

Test(tree, what_cannot_be_read_says_so)
{
	struct tree_build *b = begin();
	struct err err = ERR_INIT;
	struct tree_entry e;
	struct tree *t;

	add_from(b, "dots", "file:///srv/..", 1, "");
	add_from(b, "good-file", "file:///srv/k", 1, "");
	add_from(b, "scheme", "ftp://b/k", 1, "");
	add_from(b, "none", "", 1, "");
	add_from(b, "no-key", "s3://b", 1, "");
	add_from(b, "good", "s3://b/k", 1, "");
	cr_assert_eq(tree_build_add(b, "lost", 4, "s3://b/k", 8, 1, "", 0,
				    TREE_FAULT_MISSING, &err), 0);
	tree_build_count_repaired(b);
	t = finish(b);
	look(t, "dots", &e);
	cr_expect_eq(e.fault, TREE_FAULT_SOURCE);
	look(t, "good-file", &e);
	cr_expect_eq(e.fault, TREE_OK);
	look(t, "scheme", &e);
	cr_expect_eq(e.fault, TREE_FAULT_SOURCE);
	look(t, "none", &e);
	cr_expect_eq(e.fault, TREE_FAULT_SOURCE);
	look(t, "no-key", &e);
	cr_expect_eq(e.fault, TREE_FAULT_SOURCE);
	look(t, "lost", &e);
	cr_expect_eq(e.fault, TREE_FAULT_MISSING);
	look(t, "good", &e);
	cr_expect_eq(e.fault, TREE_OK);
	cr_expect_eq(info_of(t).n_faults, 5);
	cr_expect_eq(info_of(t).n_repaired, 1);
	tree_put(t);
}

Test(tree, a_tree_is_found_again_by_its_identity_only)
{
	uint8_t other[TREE_IDENTITY_SIZE] = "another";
	struct tree_build *b = begin();
	struct err err = ERR_INIT;
	struct tree *t, *again;
	uint64_t checksum;

	add(b, "d/x", 1);
	t = finish(b);
	checksum = info_of(t).checksum;
	tree_put(t);
	cr_assert_eq(tree_open(&again, dirfd_, "x.tree", options.identity,
			       &err), 0, "%s", err.text);
	expect_tree(again, "/ d/ d/x=1 ");
	cr_expect_eq(info_of(again).checksum, checksum);
	tree_put(again);
	cr_expect_eq(tree_open(&again, dirfd_, "x.tree", other, &err), -ESTALE);
	cr_expect_eq(tree_open(&again, dirfd_, "y.tree", other, &err), -ENOENT);
	cr_expect_eq(err.class, ERR_MISSING);
}

static void flip(uint64_t at)
{
	int fd = openat(dirfd_, "x.tree", O_RDWR);
	uint8_t c;

	cr_assert_eq(io_pread_full(fd, &c, 1, at), 1);
	c ^= 0x10;
	cr_assert_eq(io_pwrite_full(fd, &c, 1, at), 0);
	close(fd);
}

/* 0, or the error of the first use that notices. */
static int use_all(struct err *err)
{
	cleanup_buf struct buf uri = BUF_INIT, etag = BUF_INIT;
	struct tree_entry e;
	struct tree *t;
	int r = tree_open(&t, dirfd_, "x.tree", options.identity, err);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < info_of(t).n_entries && r == 0; i++) {
		r = tree_entry(t, i, &e, err);
		if (r == 0 && e.type == TREE_FILE)
			r = tree_source(t, i, &uri, &etag, err);
	}
	tree_put(t);
	return r;
}

Test(tree, no_damaged_byte_goes_unnoticed)
{
	struct tree_build *b = begin();
	struct err err = ERR_INIT;
	struct stat st;

	for (int i = 0; i < 30; i++) {
		char path[100];

		(void)snprintf(path, sizeof(path),
			       "dir%d/a name of more than twenty bytes %d",
			       i % 7, i);
		add_from(b, path, "s3://b/k", 1, "an etag of its own");
	}
	tree_put(finish(b));
	cr_assert_eq(fstatat(dirfd_, "x.tree", &st, 0), 0);
	cr_assert_eq(use_all(&err), 0, "%s", err.text);
	for (uint64_t at = 0; at < (uint64_t)st.st_size; at += at < 144 ? 1 : 37) {
		if (at >= 144 && at < 4096)
			at = 4096;	/* unused bytes of the header's block */
		flip(at);
		cr_expect_lt(use_all(&err), 0, "byte %llu",
			     (unsigned long long)at);
		cr_expect(err.class == ERR_CORRUPT || err.code == ESTALE,
			  "byte %llu: %s", (unsigned long long)at, err.text);
		flip(at);
	}
	cr_expect_eq(use_all(&err), 0);
}

Test(tree, a_tree_file_cut_anywhere_is_refused)
{
	struct tree_build *b = begin();
	struct err err = ERR_INIT;
	struct stat st;
	int fd;

	add(b, "d/x", 1);
	tree_put(finish(b));
	fd = openat(dirfd_, "x.tree", O_RDWR);
	cr_assert_eq(fstat(fd, &st), 0);
	for (off_t len = st.st_size - 1; len >= 0; len -= 511) {
		cr_assert_eq(ftruncate(fd, len), 0);
		cr_expect_lt(use_all(&err), 0);
		cr_expect_eq(err.class, ERR_CORRUPT, "%s", err.text);
	}
	close(fd);
}

Test(tree, an_open_tree_outlives_its_file)
{
	struct tree_build *b = begin();
	struct tree *t;

	add(b, "d/x", 1);
	t = finish(b);
	cr_assert_eq(unlinkat(dirfd_, "x.tree", 0), 0);
	expect_tree(t, "/ d/ d/x=1 ");
	tree_put(t);
}

Test(tree, nothing_is_left_behind_by_a_build_that_is_given_up)
{
	struct tree_build *b = begin();
	struct err err = ERR_INIT;
	struct tree *t;
	char line[300];

	add(b, "d/x", 1);
	tree_build_free(b);
	cr_expect_eq(tree_open(&t, dirfd_, "x.tree", options.identity, &err),
		     -ENOENT);
	(void)snprintf(line, sizeof(line), "test -z \"$(ls -A '%s')\"", dir);
	cr_expect_eq(system(line), 0);
}

Test(tree, what_spills_gives_the_same_tree)
{
	uint64_t checksum = 0;

	for (int pass = 0; pass < 3; pass++) {
		struct tree_build *b;
		struct tree *t;
		char path[64];

		/* 256 KiB a run: some 150 of them, more than are merged. */
		options.memory = pass ? 1 : 0;
		b = begin();
		for (unsigned i = 0; i < 200000; i++) {
			unsigned n = pass == 1 ? 199999 - i : i;

			(void)snprintf(path, sizeof(path), "d%u/e%u/%x",
				       n % 20, n % 300, n * 2654435761u);
			add(b, path, n);
		}
		t = finish(b);
		cr_expect_eq(info_of(t).n_files, 200000);
		if (pass)
			cr_expect_eq(info_of(t).checksum, checksum);
		checksum = info_of(t).checksum;
		tree_put(t);
	}
	options.memory = 0;
}

/* More than a block of entries in a directory; more than one extent. */
Test(tree, every_name_of_a_large_directory_is_found)
{
	struct tree_build *b = begin();
	struct err err = ERR_INIT;
	struct tree_entry e;
	struct tree *t;
	const unsigned n = 20000;
	char path[64];

	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "d%u/%x", i % 3,
			       i * 2654435761u);
		add(b, path, i);
	}
	t = finish(b);
	cr_assert_eq(info_of(t).n_files, n);
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "d%u/%x", i % 3,
			       i * 2654435761u);
		cr_assert_eq(look(t, path, &e), 0, "%s", path);
		cr_assert_eq(e.size, i);
		path[1] = (char)('0' + (i + 1) % 3);
		cr_assert_eq(look(t, path, &e), -ENOENT, "%s", path);
	}
	for (uint32_t i = 0; i + 1 < info_of(t).n_entries; i++) {
		struct tree_entry f;

		cr_assert_eq(tree_entry(t, i, &e, &err), 0);
		cr_assert_eq(tree_entry(t, i + 1, &f, &err), 0);
		if (e.parent == f.parent && i > 0)
			cr_assert_lt(strcmp(e.name, f.name), 0);
	}
	cr_expect_eq(tree_entry(t, info_of(t).n_entries, &e, &err), -EINVAL);
	tree_put(t);
}
