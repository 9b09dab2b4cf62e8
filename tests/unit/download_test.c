/* SPDX-License-Identifier: Apache-2.0 */
/* Downloads over file://: what is made, what is kept, what is told. */
#include <config.h>

#include "fs/dataset/download/download.h"

#include <fcntl.h>
#include <unistd.h>
#include "backends/base/encode.h"
#include "cache/memory_budget.h"
#include "tests/unit/catalog_place.h"

#define SOON_MS 20000

static struct place place;
static struct settings *settings;
static struct buckets *bs;
static struct bucket *bucket;
static struct catalog *catalog;
static struct tree *tree;
static struct buf manifest;
static int target = -1;

/* An entry of the version, and its object with that text. */
static void has_file(const char *path, const char *text, const char *content)
{
	uint8_t md5[MD5_SIZE];
	char hex[2 * MD5_SIZE + 1], key[128];

	digest_md5(md5, text, strlen(text));
	encode_hex(hex, md5, sizeof(md5));
	(void)snprintf(key, sizeof(key), "ID/hashes/%s", hex);
	if (content)
		place_write(&place, key, content);
	buf_printf(&manifest,
		   "%s{\"relative_path\":\"%s\",\"storage_path\":\"file://%s/bucket/%s\","
		   "\"url\":\"\",\"size\":%zu,\"etag\":\"%s\"}",
		   manifest.len ? "," : "[", path, place.dir, key,
		   strlen(text), hex);
}

static void version_is_written(void)
{
	char uri[128], key[256], text[1024];

	buf_str(&manifest, manifest.len ? "]" : "[]");
	cr_assert(!buf_failed(&manifest));
	place_write(&place, "ID/manifests/1.json", manifest.data);
	(void)snprintf(uri, sizeof(uri), "file://%s/bucket/ID", place.dir);
	(void)snprintf(key, sizeof(key),
		       PLACE_CATALOG "datasets/" PLACE_ID "/versions/0000000001.json");
	(void)snprintf(text, sizeof(text),
		       "{\"format\":1,\"dataset\":\"" PLACE_ID "\",\"version\":1,"
		       "\"kind\":\"osmo\",\"manifest\":\"%s/manifests/1.json\","
		       "\"hash_location\":\"%s/hashes\",\"size\":1}\n", uri, uri);
	place_write(&place, key, text);
}

static void registry_open(void)
{
	static const struct buckets_options opt = { .sync_only = true };
	const struct dataset *ds;
	const struct version *v;
	struct err err = ERR_INIT;

	version_is_written();
	settings = place_settings(&place);
	cr_assert_eq(buckets_new(&bs, settings, &opt, &err), 0, "%s",
		     err.text);
	bucket = buckets_find(bs, "b");
	cr_assert_eq(bucket_catalog_sync(bucket, &catalog, &err), 0, "%s",
		     err.text);
	cr_assert_eq(catalog_resolve(catalog, "b", "imagenet", "1", &ds, &v,
				     &err), 0, "%s", err.text);
	cr_assert_eq(bucket_tree_sync(bucket, catalog, ds, v, &tree, &err), 0,
		     "%s", err.text);
}

static void setup(void)
{
	char path[80];

	place_open(&place);
	place_write_format(&place);
	place_write_name(&place, "imagenet", PLACE_ID);
	place_write_head(&place, PLACE_ID, "imagenet", "");
	(void)snprintf(path, sizeof(path), "%s/target", place.dir);
	cr_assert_eq(mkdir(path, 0700), 0);
	target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(target, 0);
}

static void teardown(void)
{
	close(target);
	if (tree)
		tree_put(tree);
	if (catalog)
		catalog_put(catalog);
	if (bs)
		buckets_free(bs);
	if (settings)
		settings_free(settings);
	buf_release(&manifest);
	place_close(&place);
}

TestSuite(download, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
	cleanup_fd int fd = openat(target, name, O_WRONLY | O_CREAT | O_TRUNC,
				   0600);

	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_eq(io_write_full(fd, text, strlen(text)), 0);
}

/* NULL: there is none. */
static void expect_file(const char *name, const char *text)
{
	cleanup_fd int fd = openat(target, name, O_RDONLY | O_NOFOLLOW);
	char got[64] = "";

	if (!text) {
		cr_expect_lt(fd, 0, "%s", name);
		return;
	}
	cr_assert_geq(fd, 0, "%s", name);
	cr_assert_geq(read(fd, got, sizeof(got) - 1), 0);
	cr_expect_str_eq(got, text, "%s: %s", name, got);
}

static bool only_d(void *arg, const char *path)
{
	(void)arg;
	return path[0] == 'd';
}

/* To its end; the last failure's path goes to failed. */
static int run(bool is_resumed, bool is_d, struct download_state *state,
	       char failed[64], struct err *err)
{
	const struct download_options opt = {
		.bucket = bucket, .tree = tree, .dirfd = target,
		.memory = MEMORY_BUDGET_MIN, .is_resumed = is_resumed,
		.is_wanted = is_d ? only_d : NULL,
	};
	struct download *d = NULL;
	bool is_over = false;
	int r = download_new(&d, &opt, err);

	failed[0] = '\0';
	if (r < 0)
		return r;
	cr_assert_eq(download_start(d, err), 0, "%s", err->text);
	while (!is_over) {
		char *path;

		is_over = download_wait(d, clock_ms() + SOON_MS);
		while (download_failure(d, &path, err)) {
			(void)snprintf(failed, 64, "%s", path);
			free(path);
		}
	}
	download_state(d, state);
	download_free(d);
	return 0;
}

Test(download, copies_what_is_wanted)
{
	struct download_state s;
	struct err err = ERR_INIT;
	char failed[64];

	has_file("a", "one", "one");
	has_file("d/e/f", "two two", "two two");
	has_file("d/empty", "", NULL);
	registry_open();
	cr_assert_eq(run(false, true, &s, failed, &err), 0, "%s", err.text);
	expect_file("a", NULL);
	expect_file("d/e/f", "two two");
	expect_file("d/empty", "");
	cr_expect_eq(s.files, 2);
	cr_expect_eq(s.bytes, 7);
	cr_expect_eq(s.files_fetched, 2);
	cr_expect_eq(s.bytes_fetched, 7);
	cr_expect_eq(s.files_unverified, 0);
	cr_expect_eq(s.files_failed, 0);
}

Test(download, begins_nothing_where_a_file_is)
{
	struct download_state s;
	struct err err = ERR_INIT;
	char failed[64];

	has_file("a", "one", "one");
	has_file("d/e", "two", "two");
	registry_open();
	cr_assert_eq(mkdirat(target, "d", 0700), 0);
	put("d/e", "mine");
	cr_assert_eq(run(false, false, &s, failed, &err), -EEXIST);
	cr_expect_eq(err.class, ERR_CONFLICT);
	cr_expect_str_eq(err.text, "d/e: it is there already");
	expect_file("a", NULL);
	expect_file("d/e", "mine");
}

Test(download, keeps_when_resumed_what_is_right)
{
	struct download_state s;
	struct err err = ERR_INIT;
	char failed[64];

	has_file("right", "one", NULL);	/* would fail if it was fetched */
	has_file("other", "two", "two");
	has_file("short", "three", "three");
	has_file("link", "four", "four");
	registry_open();
	put("right", "one");
	put("other", "TWO");
	put("short", "th");
	put("four", "four");
	cr_assert_eq(symlinkat("four", target, "link"), 0);
	cr_assert_eq(run(true, false, &s, failed, &err), 0, "%s", err.text);
	cr_expect_eq(s.files_failed, 0, "%s: %s", failed, err.text);
	cr_expect_eq(s.files_passed, 1);
	cr_expect_eq(s.files_fetched, 3);
	expect_file("right", "one");
	expect_file("other", "two");
	expect_file("short", "three");
	expect_file("link", "four");
}

Test(download, tells_what_is_damaged_and_makes_no_file)
{
	struct download_state s;
	struct err err = ERR_INIT;
	char failed[64];

	has_file("bad", "one", "One");
	has_file("good", "two", "two");
	registry_open();
	cr_assert_eq(run(false, false, &s, failed, &err), 0);
	cr_expect_eq(s.files_failed, 1);
	cr_expect_eq(s.failure.class, ERR_CORRUPT);
	cr_expect_str_eq(failed, "bad");
	cr_expect_eq(s.bytes_fetched, 3);
	expect_file("bad", NULL);
	expect_file("good", "two");
}

Test(download, follows_no_symlink)
{
	struct download_state s;
	struct err err = ERR_INIT;
	char failed[64];

	has_file("d/x", "one", "one");
	has_file("f/x", "two", "two");
	registry_open();
	cr_assert_eq(mkdirat(target, "elsewhere", 0700), 0);
	cr_assert_eq(symlinkat("elsewhere", target, "d"), 0);
	cr_assert_eq(run(false, false, &s, failed, &err), -EEXIST);
	cr_assert_eq(run(true, false, &s, failed, &err), 0);
	cr_expect_eq(s.files_failed, 1);
	cr_expect_str_eq(failed, "d/x");
	expect_file("elsewhere/x", NULL);
	expect_file("f/x", "two");
}

Test(download, ends_when_it_is_stopped)
{
	const char *const names[] = { "a", "b", "c" };
	struct download_options opt = { .dirfd = target };
	struct download *d;
	struct download_state s;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		has_file(names[i], names[i], names[i]);
	registry_open();
	opt.bucket = bucket;
	opt.tree = tree;
	cr_assert_eq(download_new(&d, &opt, &err), 0, "%s", err.text);
	download_stop(d);
	cr_assert_eq(download_start(d, &err), 0, "%s", err.text);
	cr_expect(download_wait(d, clock_ms() + SOON_MS));
	download_state(d, &s);
	cr_expect_eq(s.files, 3);
	cr_expect_eq(s.files_fetched, 0);
	cr_expect_eq(s.fatal.class, ERR_NONE);
	download_free(d);
	expect_file("a", NULL);
}
