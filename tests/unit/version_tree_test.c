/* SPDX-License-Identifier: Apache-2.0 */
/* With bucket_locate() of its own: one place may be read, no registry. */
#include <config.h>
#include "fs/dataset/registry/version_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/dataset/registry/buckets_impl.h"
#include "fs/dataset/registry/manifest_source.h"

#define MD5_A "0cc175b9c0f1b6a831c399e269772661"

static char dir[] = "/tmp/datasetfs-version-test-XXXXXX";
static char place[160];		/* "file:///tmp/.../b" */
static int trees_fd;
static struct backend *store;
static struct bucket bucket;
static struct place catalog_place;
static struct dataset dataset = { .id = "ID", .name = (char *)"ds" };
static struct version version = { .number = 7 };

int bucket_locate(struct bucket *b, const char *uri, struct backend **backend,
		  const char **key, struct err *err)
{
	size_t len = strlen(place);

	cr_assert_eq(b, &bucket);
	if (strncmp(uri, place, len) || uri[len] != '/')
		return err_set(err, ERR_AUTH, EACCES, "not allowed: %s", uri);
	*backend = store;
	*key = uri + len + 1;
	return 0;
}

static void setup(void)
{
	cleanup_uri struct uri uri;
	struct backend_spec spec = { .location = &uri };
	char path[128];
	struct err err = ERR_INIT;

	cr_assert_not_null(mkdtemp(dir));
	trees_fd = open(dir, O_RDONLY | O_DIRECTORY);
	(void)snprintf(path, sizeof(path), "%s/b", dir);
	cr_assert_eq(io_mkdir_p(path, 0700), 0);
	(void)snprintf(place, sizeof(place), "file://%s", path);
	cr_assert_eq(uri_parse_location(&uri, place, &err), 0);
	cr_assert_eq(backend_open(&store, &spec, NULL, &err), 0, "%s",
		     err.text);
	catalog_place.backend = store;
	catalog_place.uri.text = (char *)"file:///elsewhere";
	bucket.catalog_place = &catalog_place;
}

static void teardown(void)
{
	char line[256];

	backend_put_ref(store);
	close(trees_fd);
	free(version.manifest_uri);
	free(version.location);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(version_tree, .init = setup, .fini = teardown);

static void put(const char *key, const void *bytes, size_t len)
{
	char path[300], *slash;
	struct err err = ERR_INIT;

	(void)snprintf(path, sizeof(path), "%s/b/%s", dir, key);
	slash = strrchr(path, '/');
	*slash = '\0';
	cr_assert_eq(io_mkdir_p(path, 0700), 0);
	*slash = '/';
	cr_assert_eq(io_replace_file(path, bytes, len, 0600, false, &err), 0);
}

static void manifest_is(const char *text)
{
	char uri[300];

	put("ID/manifests/7.json", text, strlen(text));
	(void)snprintf(uri, sizeof(uri), "%s/ID/manifests/7.json", place);
	free(version.manifest_uri);
	version.manifest_uri = strdup(uri);
	version.kind = VERSION_OSMO;
}

static void entry(struct buf *text, const char *path, const char *source,
		  uint64_t size, const char *etag)
{
	buf_printf(text, "%s{\"relative_path\": \"%s\", \"storage_path\": "
			 "\"%s\", \"url\": \"\", \"size\": %llu, \"etag\": "
			 "\"%s\"}",
		   text->len ? ",\n" : "[\n", path, source,
		   (unsigned long long)size, etag);
}

static int build(struct tree **out, struct err *err)
{
	struct version_tree_progress progress = { 0 };
	const struct tree_build_options opt = {
		.dirfd = trees_fd,
		.name = "x.tree",
		.label = "b/ds@7",
	};
	int r = version_tree_build(&bucket, &version, &opt, &progress,
				   out, err);

	if (r == 0)
		cr_expect_eq(progress.done_bytes, progress.all_bytes);
	return r;
}

static struct tree *build_good(void)
{
	struct err err = ERR_INIT;
	struct tree *t;

	cr_assert_eq(build(&t, &err), 0, "%s", err.text);
	return t;
}

static void expect(struct tree *t, const char *path, const char *tail,
		   enum tree_fault fault)
{
	cleanup_buf struct buf uri = BUF_INIT;
	struct err err = ERR_INIT;
	struct tree_entry e;
	char says[300];

	cr_assert_eq(tree_lookup_path(t, path, &e, &err), 0, "%s", path);
	cr_assert_eq(tree_source(t, e.index, &uri, NULL, &err), 0);
	(void)snprintf(says, sizeof(says), "%s/%s", place, tail);
	cr_expect_str_eq(uri.data, says);
	cr_expect_eq(e.fault, fault, "%s", path);
}

Test(version_tree, a_manifest_becomes_a_tree)
{
	cleanup_buf struct buf text = BUF_INIT;
	char source[300];
	struct tree *t;

	(void)snprintf(source, sizeof(source), "%s/ID/hashes/" MD5_A, place);
	entry(&text, "d/x", source, 1, MD5_A);
	entry(&text, "y", source, 1, MD5_A);
	buf_str(&text, "\n]");
	manifest_is(text.data);
	t = build_good();
	expect(t, "d/x", "ID/hashes/" MD5_A, TREE_OK);
	expect(t, "y", "ID/hashes/" MD5_A, TREE_OK);
	tree_put(t);
}

/* Larger than the ranges in which it is read. */
Test(version_tree, a_manifest_of_several_ranges_is_read_whole)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[32], source[300];
	struct tree_info info;
	unsigned n = 0;
	struct tree *t;

	(void)snprintf(source, sizeof(source), "%s/ID/hashes/" MD5_A, place);
	while (text.len < 2 * MANIFEST_RANGE + 1000) {
		(void)snprintf(path, sizeof(path), "d%u/%u", n % 10, n);
		entry(&text, path, source, n++, MD5_A);
	}
	buf_str(&text, "\n]");
	manifest_is(text.data);
	t = build_good();
	tree_info(t, &info);
	cr_expect_eq(info.n_files, n);
	tree_put(t);
}

Test(version_tree, damaged_entries_are_repaired)
{
	cleanup_buf struct buf text = BUF_INIT;
	char source[300];
	struct tree_info info;
	struct tree *t;

	/* "!" is no letter of the prefix, whatever mkdtemp() made of it. */
	put("data/raw/da!one", "one", 3);
	put("data/raw/aa!gone", "xx", 2);
	(void)snprintf(source, sizeof(source), "%s/data/raw/!one", place);
	entry(&text, "raw/da!one", source, 3, "");
	(void)snprintf(source, sizeof(source), "%s/data/raw/!gone", place);
	entry(&text, "raw/aa!gone", source, 3, "");
	(void)snprintf(source, sizeof(source), "%s/data//raw/da!one", place);
	entry(&text, "slashes", source, 3, "");
	buf_str(&text, "\n]");
	manifest_is(text.data);
	t = build_good();
	expect(t, "raw/da!one", "data/raw/da!one", TREE_OK);
	expect(t, "raw/aa!gone", "data/raw/!gone", TREE_FAULT_MISSING);
	expect(t, "slashes", "data/raw/da!one", TREE_OK);
	tree_info(t, &info);
	cr_expect_eq(info.n_repaired, 2);
	cr_expect_eq(info.n_faults, 1);
	tree_put(t);
	cr_expect_eq(faccessat(trees_fd, "x.tree", R_OK, 0), 0);
}

static void expect_fails(int code, enum err_class class, const char *says)
{
	struct err err = ERR_INIT;
	struct tree *t;

	cr_expect_eq(build(&t, &err), -code, "%s", err.text);
	cr_expect_eq(err.class, class, "%s", err.text);
	cr_expect(strstr(err.text, says), "%s", err.text);
	cr_expect(strstr(err.text, "manifests/7.json") ||
		  strstr(err.text, "elsewhere"), "%s", err.text);
	cr_expect_eq(faccessat(trees_fd, "x.tree", R_OK, 0), -1);
}

Test(version_tree, a_manifest_that_is_damaged_or_gone_makes_no_tree)
{
	manifest_is("[{\"relative_path\": \"a\", \"storage_path\": \"s3://b/k\""
		    ", \"size\": 1}");
	expect_fails(EBADMSG, ERR_CORRUPT, "cut off");
	manifest_is("<html>");
	expect_fails(EBADMSG, ERR_CORRUPT, "not a JSON array");
	manifest_is("");
	expect_fails(EBADMSG, ERR_CORRUPT, "cut off");
	memcpy(strstr(version.manifest_uri, "/ID/"), "/XX/", 4);
	expect_fails(ENOENT, ERR_MISSING, "");
	strcpy(version.manifest_uri, "s3://elsewhere/7");
	expect_fails(EACCES, ERR_AUTH, "not allowed");
}

Test(version_tree, an_empty_version_is_an_empty_directory)
{
	struct tree_info info;
	struct tree *t;

	version.kind = VERSION_EMPTY;
	t = build_good();
	tree_info(t, &info);
	cr_expect_eq(info.n_entries, 1);
	tree_put(t);
}

Test(version_tree, a_legacy_version_is_what_lies_below_its_prefix)
{
	char location[300];
	struct err err = ERR_INIT;
	struct tree_entry e;
	struct tree_info info;
	struct tree *t;

	put("old/v1/a", "1", 1);
	put("old/v1/d/b", "22", 2);
	put("old/v10/c", "3", 1);
	(void)snprintf(location, sizeof(location), "%s/old/v1//", place);
	version.location = strdup(location);
	version.kind = VERSION_LEGACY;
	t = build_good();
	expect(t, "a", "old/v1/a", TREE_OK);
	expect(t, "d/b", "old/v1/d/b", TREE_OK);
	tree_info(t, &info);
	cr_expect_eq(info.n_files, 2);
	cr_expect_eq(info.total_size, 3);
	/* A directory's validator says nothing of the content. */
	cr_assert_eq(tree_lookup_path(t, "a", &e, &err), 0);
	cr_expect(!e.is_hashed && !e.has_md5);
	tree_put(t);
}

Test(version_tree, a_legacy_prefix_that_is_gone_is_told_and_asked_for_again)
{
	char location[300], line[1024];
	struct tree_info info;
	struct tree *t;

	(void)snprintf(location, sizeof(location), "%s/gone/v1", place);
	version.location = strdup(location);
	version.kind = VERSION_LEGACY;
	version.size = 0;
	tree_put(build_good());
	log_last_problem(line, sizeof(line));
	cr_expect_str_empty(line, "%s", line);
	cr_expect_eq(faccessat(trees_fd, "x.tree", F_OK, 0), 0);

	version.size = 3;
	t = build_good();
	tree_info(t, &info);
	cr_expect_eq(info.n_files, 0);
	tree_put(t);
	log_last_problem(line, sizeof(line));
	cr_expect(strstr(line, "a version of 3 bytes has no files") &&
			  strstr(line, "/gone/v1"), "%s", line);
	cr_expect_neq(faccessat(trees_fd, "x.tree", F_OK, 0), 0);
}

Test(version_tree, the_identity_tells_versions_apart)
{
	uint8_t a[TREE_IDENTITY_SIZE], b[TREE_IDENTITY_SIZE];

	version_tree_identity(&bucket, &dataset, &version, a);
	version_tree_identity(&bucket, &dataset, &version, b);
	cr_expect_arr_eq(a, b, sizeof(a));
	version.digest[3] ^= 1;
	version_tree_identity(&bucket, &dataset, &version, b);
	cr_expect_arr_neq(a, b, sizeof(a));
	version.digest[3] ^= 1;
	version.number++;
	version_tree_identity(&bucket, &dataset, &version, b);
	cr_expect_arr_neq(a, b, sizeof(a));
	version.number--;
	strcpy(dataset.id, "JD");
	version_tree_identity(&bucket, &dataset, &version, b);
	cr_expect_arr_neq(a, b, sizeof(a));
}
