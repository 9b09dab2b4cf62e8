/* SPDX-License-Identifier: Apache-2.0 */
/* bucket_set.c and place.c: one configuration in place of another. */
#include <config.h>
#include "fs/dataset/buckets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <criterion/criterion.h>
#include "backends/backend_sync.h"
#include "fs/dataset/registry/buckets_impl.h"

static char dir[] = "/tmp/datasetfs-reload-test-XXXXXX";
static struct settings *first;
static struct buckets *bs;
static struct err err;
static unsigned n_new;

/* DIR in the text stands for dir. */
static struct settings *parse(const char *text)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf full = BUF_INIT;
	struct settings *st = NULL;

	for (const char *p = text; *p; p++) {
		if (strncmp(p, "DIR", 3) == 0) {
			buf_str(&full, dir);
			p += 2;
		} else {
			buf_char(&full, *p);
		}
	}
	cr_assert_eq(settings_parse(&st, "test.yaml", full.data, full.len,
				    &report, &err), 0, "%s", err.text);
	settings_report_release(&report);
	err_clear(&err);
	return st;
}

static int on_new(void *arg, struct bucket *b, struct err *error)
{
	(void)error;
	cr_assert_eq(arg, &n_new);
	cr_assert_eq(bucket_index(b), n_new);
	cr_assert_null(buckets_at(b->owner, bucket_index(b)));
	n_new++;
	return 0;
}

static void make_dir(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(mkdir(path, 0700), 0);
}

#define TWO                                                                    \
	"default_bucket: a\n"                                                  \
	"buckets:\n"                                                           \
	"  a: {dataset_path: \"file://DIR/a\"}\n"                              \
	"  b: {dataset_path: \"file://DIR/b\", mode: read-only}\n"             \
	"datasetfs: {cache: {dir: DIR/cache}}\n"

static void setup(void)
{
	const struct buckets_options opt = {
		.sync_only = true, .on_new = on_new, .on_new_arg = &n_new,
	};

	cr_assert_not_null(mkdtemp(dir));
	make_dir("a");
	make_dir("b");
	make_dir("other");
	first = parse(TWO);
	cr_assert_eq(buckets_new(&bs, first, &opt, &err), 0, "%s", err.text);
}

static void teardown(void)
{
	char line[64];

	buckets_free(bs);
	settings_free(first);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(buckets_reload, .init = setup, .fini = teardown);

static void reload(const char *text)
{
	cr_assert_eq(buckets_reload(bs, parse(text), false, &err), 0, "%s",
		     err.text);
}

static int locate(struct bucket *b, const char *below)
{
	struct backend *backend;
	char uri[256];
	const char *key;

	err_clear(&err);
	(void)snprintf(uri, sizeof(uri), "file://%s/%s", dir, below);
	return bucket_locate(b, uri, &backend, &key, &err);
}

Test(buckets_reload, the_same_file_changes_nothing)
{
	struct bucket *a = buckets_find(bs, "a"), *b = buckets_find(bs, "b");
	struct backend *backend = bucket_backend(a);

	for (int i = 0; i < 10; i++)
		reload(TWO);
	cr_assert_eq(buckets_find(bs, "a"), a);
	cr_assert_eq(buckets_find(bs, "b"), b);
	cr_assert_eq(bucket_backend(a), backend);
	cr_assert_eq(buckets_count(bs), 2);
	cr_assert_eq(buckets_live(bs), 2);
	cr_assert_eq(n_new, 2);
	cr_assert_eq(bs->n_places, 2);
}

Test(buckets_reload, a_bucket_comes_and_goes_and_comes_back_as_itself)
{
	struct bucket *a = buckets_find(bs, "a"), *c;

	reload("buckets: {c: {dataset_path: \"file://DIR/other\"}}\n"
	       "datasetfs: {cache: {dir: DIR/cache}}\n");
	cr_assert_null(buckets_find(bs, "a"));
	cr_assert_null(buckets_default(bs));
	cr_assert(bucket_is_gone(a));
	c = buckets_find(bs, "c");
	cr_assert_not_null(c);
	cr_assert_eq(bucket_index(c), 2);
	cr_assert_null(buckets_at(bs, 0));
	cr_assert_eq(buckets_at(bs, 2), c);
	cr_assert_eq(buckets_live(bs), 1);

	/* Who is inside still learns where what is cached lies, no more. */
	cr_assert_eq(locate(a, "a/x"), 0);
	cr_assert_eq(bucket_catalog_sync(a, &(struct catalog *){ NULL }, &err),
		     -ESTALE);
	cr_assert_str_eq(err.text, "bucket a is not configured any more");

	reload(TWO);
	cr_assert_eq(buckets_find(bs, "a"), a);
	cr_assert_eq(buckets_default(bs), a);
	cr_assert_not(bucket_is_gone(a));
	cr_assert(bucket_is_gone(c));
	cr_assert_eq(n_new, 3);
}

Test(buckets_reload, a_bucket_that_lies_elsewhere_is_another)
{
	struct bucket *a = buckets_find(bs, "a"), *now;

	reload("buckets: {a: {dataset_path: \"file://DIR/other\"}}\n"
	       "datasetfs: {cache: {dir: DIR/cache}}\n");
	now = buckets_find(bs, "a");
	cr_assert_neq(now, a);
	cr_assert(bucket_is_gone(a));
	cr_assert_str_neq(bucket_key(now), bucket_key(a));
	cr_assert_eq(locate(now, "other/x"), 0);
	cr_assert_eq(locate(now, "a/x"), -EACCES);
	cr_assert_eq(locate(a, "a/x"), 0);

	/* So it is with a catalog of its own. */
	reload("buckets: {a: {dataset_path: \"file://DIR/a\"}}\n"
	       "datasetfs: {cache: {dir: DIR/cache}, buckets: {a: "
	       "{catalog: \"file://DIR/b\"}}}\n");
	cr_assert_neq(buckets_find(bs, "a"), a);
	cr_assert_neq(buckets_find(bs, "a"), now);
}

Test(buckets_reload, access_mode_default_and_foreign_change_in_place)
{
	struct bucket *a = buckets_find(bs, "a"), *b = buckets_find(bs, "b");
	const struct backend_put put = {
		.key = "x", .data = "x", .len = 1, .deadline_ms = INT64_MAX,
	};
	struct object_info info;
	struct bucket_set *hold;

	cr_assert_eq(bucket_access(a).access, -1);
	cr_assert_eq(locate(a, "other/x"), -EACCES);
	cr_assert_eq(locate(a, "b/x"), 0);
	cr_assert_eq(backend_sync_put(bucket_backend(b), &put, &info, &err),
		     -EROFS);
	reload("default_bucket: b\n"
	       "buckets:\n"
	       "  a: {dataset_path: \"file://DIR/a\"}\n"
	       "  b: {dataset_path: \"file://DIR/b\"}\n"
	       "datasetfs:\n"
	       "  cache: {dir: DIR/cache}\n"
	       "  buckets:\n"
	       "    a: {foreign: [\"file://DIR/other\"]}\n"
	       "    b: {uid: 7, gid: 8, access: \"0750\"}\n");
	cr_assert_eq(buckets_find(bs, "a"), a);
	cr_assert_eq(buckets_find(bs, "b"), b);
	cr_assert_eq(buckets_default(bs), b);
	cr_assert_eq(bucket_access(b).uid, 7);
	cr_assert_eq(bucket_access(b).gid, 8);
	cr_assert_eq(bucket_access(b).access, 0750);
	cr_assert_str_eq(bucket_settings_get(b, &hold)->mode_text,
			 "read-write");
	bucket_settings_put(hold);
	cr_assert_eq(backend_sync_put(bucket_backend(b), &put, &info, &err), 0,
		     "%s", err.text);
	cr_assert_eq(locate(a, "other/x"), 0);
	/* It is closed to others now. */
	cr_assert_eq(locate(a, "b/x"), -EACCES);

	reload(TWO);
	cr_assert_eq(locate(a, "other/x"), -EACCES);
	cr_assert_eq(backend_sync_put(bucket_backend(b), &put, &info, &err),
		     -EROFS);
}

Test(buckets_reload, a_mistake_closes_no_bucket_that_is_served)
{
	struct bucket *a = buckets_find(bs, "a");

	cr_assert_eq(buckets_reload(bs, parse(
		"buckets: {a: {dataset_path: \"file://DIR/a\", mode: odd}}\n"
		"datasetfs: {cache: {dir: DIR/cache}}\n"), false, &err),
		-EINVAL);
	cr_assert(strstr(err.text, "bucket a: "), "%s", err.text);
	cr_assert_eq(buckets_find(bs, "a"), a);
	cr_assert_eq(buckets_live(bs), 2);
}

Test(buckets_reload, a_new_bucket_with_a_problem_is_closed_until_it_has_none)
{
	/* A folder that is not there yet. */
	reload("buckets: {n: {dataset_path: \"file://DIR/new\"}}\n"
	       "datasetfs: {cache: {dir: DIR/cache}}\n");
	cr_assert_not_null(bucket_problem(buckets_find(bs, "n")));
	make_dir("new");
	reload("buckets: {n: {dataset_path: \"file://DIR/new\"}}\n"
	       "datasetfs: {cache: {dir: DIR/cache}}\n");
	cr_assert_null(bucket_problem(buckets_find(bs, "n")));
}

Test(buckets_reload, strictly_a_problem_refuses_it_all_and_nothing_changes)
{
	struct bucket *a = buckets_find(bs, "a"), *b = buckets_find(bs, "b");
	const struct backend_put put = {
		.key = "x", .data = "x", .len = 1, .deadline_ms = INT64_MAX,
	};
	struct object_info info;

	cr_assert_eq(buckets_reload(bs, parse(
		"buckets:\n"
		"  b: {dataset_path: \"file://DIR/b\"}\n"
		"  c: {dataset_path: \"file://DIR/other\"}\n"
		"  z: {dataset_path: \"file://DIR/nowhere\"}\n"
		"datasetfs: {cache: {dir: DIR/cache}}\n"), true, &err),
		-EINVAL);
	cr_assert(strstr(err.text, "bucket z: "), "%s", err.text);
	cr_assert_eq(buckets_find(bs, "a"), a);
	cr_assert_null(buckets_find(bs, "c"));
	cr_assert_eq(buckets_live(bs), 2);
	cr_assert_eq(backend_sync_put(bucket_backend(b), &put, &info, &err),
		     -EROFS);
}

/* ---- credentials ---- */

static void check_key(struct bucket *b, const char *id, uint64_t *generation)
{
	struct cred cred;

	cr_assert_eq(cred_source_get(b->place->creds, &cred, &err), 0, "%s",
		     err.text);
	cr_assert_str_eq(cred.access_key_id, id);
	*generation = cred.generation;
	cred_release(&cred);
}

#define WITH_KEY(id, url)                                                      \
	"buckets: {s: {dataset_path: \"s3://b/p\", default_credential: "       \
	"{access_key_id: " id ", access_key: sk, override_url: \"" url "\"}}}\n" \
	"datasetfs: {cache: {dir: DIR/cache}}\n"

Test(buckets_reload, another_credential_is_another_source_of_the_same_bucket)
{
	struct bucket *s;
	struct backend *backend;
	uint64_t one, same, two;

	reload(WITH_KEY("K1", "http://127.0.0.1:1"));
	s = buckets_find(bs, "s");
	cr_assert_null(bucket_problem(s), "%s", bucket_problem(s));
	backend = bucket_backend(s);
	check_key(s, "K1", &one);
	reload(WITH_KEY("K1", "http://127.0.0.1:1"));
	check_key(s, "K1", &same);
	cr_assert_eq(one, same);

	reload(WITH_KEY("K2", "http://127.0.0.1:1"));
	cr_assert_eq(buckets_find(bs, "s"), s);
	cr_assert_eq(bucket_backend(s), backend);
	check_key(s, "K2", &two);
	cr_assert_neq(one, two);

	/* A store at another address is another place. */
	reload(WITH_KEY("K2", "http://127.0.0.1:2"));
	cr_assert_neq(buckets_find(bs, "s"), s);
}

Test(buckets_reload, what_was_refused_rotates_no_credential)
{
	uint64_t one;

	reload(WITH_KEY("K1", "http://127.0.0.1:1"));
	cr_assert_eq(buckets_reload(bs, parse(
		"buckets:\n"
		"  s: {dataset_path: \"s3://b/p\", default_credential: "
		"{access_key_id: K2, access_key: sk, override_url: "
		"\"http://127.0.0.1:1\"}}\n"
		"  z: {dataset_path: \"file://DIR/nowhere\"}\n"
		"datasetfs: {cache: {dir: DIR/cache}}\n"), true, &err),
		-EINVAL);
	check_key(buckets_find(bs, "s"), "K1", &one);
}

/* ---- bounds ---- */

Test(buckets_reload, what_went_long_ago_is_not_remembered)
{
	struct bucket *a = buckets_find(bs, "a");

	for (unsigned i = 0; i < BUCKETS_GONE_KEPT + 4; i++) {
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "buckets: {n%u: {dataset_path: \"file://DIR/other\"}}\n"
			       "datasetfs: {cache: {dir: DIR/cache}}\n", i);
		reload(text);
	}
	cr_assert_eq(locate(a, "a/x"), -ESTALE);
	cr_assert_eq(err.class, ERR_MISSING);
	cr_assert_eq(locate(buckets_find(bs, "n67"), "other/x"), 0);
	cr_assert_eq(locate(bs->all[2 + 66], "other/x"), 0);

	reload(TWO);
	cr_assert_eq(buckets_find(bs, "a"), a);
	cr_assert_eq(locate(a, "a/x"), 0);
}
