/* SPDX-License-Identifier: Apache-2.0 */
/* The trees of a registry over file://, and what becomes of the cache. */
#include <config.h>

#include "fs/dataset/buckets.h"

#include <time.h>
#include <unistd.h>
#include "tests/unit/catalog_place.h"

static struct place place;
static struct settings *settings;
static struct buckets *bs;
static struct bucket *bucket;
static struct catalog *catalog;
static int64_t later_ms;	/* atomic: how far the clock is put forward */

static int64_t later(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000 +
	       __atomic_load_n(&later_ms, __ATOMIC_RELAXED);
}

static void shell(const char *command)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "cd '%s' && %s", place.dir, command);
	cr_assert_eq(system(line), 0, "%s", line);
}

static void manifest_is(const char *text)
{
	place_write(&place, "m/1.json", text);
}

static void registry_open(void)
{
	static const struct buckets_options opt = { .sync_only = false };
	struct err err = ERR_INIT;

	cr_assert_eq(buckets_new(&bs, settings, &opt, &err), 0, "%s",
		     err.text);
	bucket = buckets_find(bs, "b");
	cr_assert_eq(bucket_catalog_sync(bucket, &catalog, &err), 0, "%s",
		     err.text);
}

static void registry_close(void)
{
	if (catalog)
		catalog_put(catalog);
	if (bs)
		buckets_free(bs);
	catalog = NULL;
	bs = NULL;
}

static void setup(void)
{
	char uri[128];

	clock_fake(later, NULL);
	place_open(&place);
	place_write_format(&place);
	place_write_name(&place, "imagenet", PLACE_ID);
	place_write_head(&place, PLACE_ID, "imagenet", "");
	(void)snprintf(uri, sizeof(uri), "file://%s/bucket/m/1.json",
		       place.dir);
	place_write_version(&place, PLACE_ID, 1, uri);
	manifest_is("[]");
	settings = place_settings(&place);
	registry_open();
}

static void teardown(void)
{
	registry_close();
	settings_free(settings);
	place_close(&place);
}

TestSuite(buckets_tree, .init = setup, .fini = teardown);

static int tree_of(struct tree **out, struct err *err)
{
	const struct dataset *ds;
	const struct version *v;

	err_clear(err);
	cr_assert_eq(catalog_resolve(catalog, "b", "imagenet", "1", &ds, &v,
				     err), 0, "%s", err->text);
	return bucket_tree_sync(bucket, catalog, ds, v, out, err);
}

struct answer {
	struct err err;
	int fd[2];
};

static void answered(void *arg, int r, struct tree *tree, const struct err *err)
{
	struct answer *a = arg;

	cr_assert_eq(r < 0, tree == NULL);
	if (r < 0)
		err_copy(&a->err, err);
	cr_assert_eq(write(a->fd[1], &r, sizeof(r)), (ssize_t)sizeof(r));
}

/* As the mount asks: 0 or -errno. */
static int ask(struct err *err)
{
	struct answer a = { .err = ERR_INIT };
	const struct dataset *ds;
	const struct version *v;
	int r;

	cr_assert_eq(catalog_resolve(catalog, "b", "imagenet", "1", &ds, &v,
				     err), 0, "%s", err->text);
	cr_assert_eq(pipe(a.fd), 0);
	bucket_tree(bucket, catalog, ds, v, answered, &a);
	cr_assert_eq(read(a.fd[0], &r, sizeof(r)), (ssize_t)sizeof(r));
	close(a.fd[0]);
	close(a.fd[1]);
	err_copy(err, &a.err);
	return r;
}

static void expect_tree(void)
{
	cleanup_tree struct tree *t = NULL;
	struct err err = ERR_INIT;
	struct tree_entry root;

	cr_assert_eq(tree_of(&t, &err), 0, "%s", err.text);
	cr_expect_eq(tree_entry(t, TREE_ROOT, &root, &err), 0, "%s", err.text);
}

Test(buckets_tree, a_tree_stays_in_the_cache)
{
	expect_tree();
	shell("test -s cache/trees/*.tree");
	manifest_is("damaged since");
	expect_tree();
}

Test(buckets_tree, a_cache_directory_that_was_emptied_is_made_again)
{
	shell("rm -r cache/*");
	expect_tree();
	shell("test -s cache/trees/*.tree");
	shell("rm -r cache");
	expect_tree();
	shell("test -s cache/trees/*.tree");
}

Test(buckets_tree, without_a_cache_directory_a_tree_has_no_name)
{
	static const char *const places[] = {
		"touch cache", "mkfifo cache", "ln -s /proc/nowhere cache",
		"mkdir cache && touch cache/trees",
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		shell("rm -rf cache");
		shell(places[i]);
		cr_expect_lt(buckets_cache_check(settings), 0, "%s", places[i]);
		expect_tree();
		registry_close();
		registry_open();
		expect_tree();
	}
	shell("rm -rf cache");
	cr_expect_eq(buckets_cache_check(settings), 0);
	expect_tree();
	shell("test -s cache/trees/*.tree");
}

Test(buckets_tree, a_directory_in_a_trees_place_is_passed_over)
{
	expect_tree();
	shell("cd cache/trees && t=$(echo *.tree) && rm $t && mkdir $t");
	expect_tree();
	shell("cd cache/trees && test -f *.tree");
	shell("cd cache/trees && t=$(echo *.tree) && rm $t && mkdir -p $t/x");
	expect_tree();
	expect_tree();
}

Test(buckets_tree, nothing_is_read_from_where_others_write)
{
	struct err err = ERR_INIT;
	struct tree *t;

	expect_tree();
	shell("test -s cache/catalogs/*");
	manifest_is("damaged since");
	shell("chmod 0770 cache");
	cr_expect_lt(buckets_cache_check(settings), 0);
	cr_expect_eq(tree_of(&t, &err), -EBADMSG, "%s", err.text);

	shell("chmod 0700 cache && chmod 0777 cache/trees");
	cr_expect_eq(tree_of(&t, &err), -EBADMSG, "%s", err.text);
	shell("chmod 0700 cache/trees");
	expect_tree();
}

Test(buckets_tree, a_damaged_manifest_is_not_read_again_at_once)
{
	struct err first = ERR_INIT, second = ERR_INIT;

	manifest_is("damaged");
	cr_assert_eq(ask(&first), -EBADMSG, "%s", first.text);
	manifest_is("[]");
	cr_expect_eq(ask(&second), -EBADMSG);
	cr_expect_eq(second.class, ERR_CORRUPT);
	cr_expect_str_eq(second.text, first.text);
	__atomic_store_n(&later_ms, TREE_BAD_MS, __ATOMIC_RELAXED);
	cr_expect_eq(ask(&second), 0, "%s", second.text);
}

Test(buckets_tree, a_manifest_that_is_away_is_asked_for_again)
{
	struct err err = ERR_INIT;

	place_unlink(&place, "m/1.json");
	cr_assert_eq(ask(&err), -ENOENT, "%s", err.text);
	manifest_is("[]");
	cr_expect_eq(ask(&err), 0, "%s", err.text);
}
