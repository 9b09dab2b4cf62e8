/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations that follow each other under threads that look buckets up,
 * ask where entries lie and what catalogs hold: a bucket that every
 * configuration has is always found, usable and the same object, whatever
 * happens to its neighbours.
 */
#include <config.h>
#include "fs/dataset/buckets.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/base/io.h"
#include "tests/tap.h"

#define RELOADS 300
#define READERS 4

static char dir[] = "/tmp/datasetfs-reload-race-XXXXXX";
static struct buckets *bs;
static struct bucket *stays;
static atomic_bool is_over;
static _Atomic(const char *) last_wrong = "nothing";
static atomic_ulong n_looks, n_catalogs, n_wrong;

/* One that would close a bucket that is served. */
static bool is_mistake(unsigned n)
{
	return n % 4 == 3;
}

/* Every third one lacks "comes", each gives "changes" another mode. */
static struct settings *configuration(unsigned n)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct settings *st = NULL;
	struct err err = ERR_INIT;

	buf_printf(&text, "default_bucket: %s\nbuckets:\n"
		   "  stays: {dataset_path: \"file://%s/stays\"}\n"
		   "  moves: {dataset_path: \"file://%s/m%u\"}\n"
		   "  changes: {dataset_path: \"file://%s/m1\", mode: %s}\n",
		   n % 2 ? "stays" : "moves", dir, dir, n % 2, dir,
		   is_mistake(n) ? "odd" : n % 2 ? "read-only" : "read-write");
	if (n % 3)
		buf_printf(&text, "  comes: {dataset_path: \"file://%s/m0\"}\n",
			   dir);
	buf_printf(&text, "datasetfs:\n  cache: {dir: \"%s/cache\"}\n"
		   "  buckets: {stays: {uid: %u, foreign: [\"file://%s/m%u\"]}}\n",
		   dir, n, dir, n % 2);
	if (settings_parse(&st, "race.yaml", text.data, text.len, &report,
			   &err) < 0)
		st = NULL;
	settings_report_release(&report);
	return st;
}

static void wrong(const char *what)
{
	atomic_fetch_add(&n_wrong, 1);
	atomic_store(&last_wrong, what);
}

static void have_catalog(void *arg, int r, struct catalog *catalog,
			 const struct err *err)
{
	(void)err;
	if (arg == stays && (r < 0 || !catalog))
		wrong("catalog of the bucket that stays");
	atomic_fetch_add(&n_catalogs, 1);
}

static void look_at_what_stays(void)
{
	struct bucket *b = buckets_find(bs, "stays");
	struct backend *backend;
	struct err err = ERR_INIT;
	char uri[128];
	const char *key;

	if (b != stays || bucket_is_gone(b) || bucket_problem(b))
		wrong("the bucket that stays");
	(void)snprintf(uri, sizeof(uri), "file://%s/stays/x", dir);
	if (bucket_locate(stays, uri, &backend, &key, &err) < 0 ||
	    strcmp(key, "x") != 0)
		wrong("where an entry of the bucket that stays lies");
	bucket_catalog(stays, have_catalog, stays);
}

static void look_at(struct bucket *b)
{
	struct backend *backend;
	struct bucket_set *hold;
	struct err err = ERR_INIT;
	const char *key;

	if (!b)
		return;
	if (bucket_settings_get(b, &hold) && !hold)
		wrong("settings that nobody holds");
	bucket_settings_put(hold);
	(void)bucket_access(b);
	if (bucket_locate(b, "file:///nowhere/x", &backend, &key, &err) == 0)
		wrong("a place that nobody has");
	bucket_catalog(b, have_catalog, NULL);
}

static void *reader_main(void *arg)
{
	static const char *const names[] = { "moves", "comes", "changes" };

	(void)arg;
	while (!atomic_load(&is_over)) {
		look_at_what_stays();
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			look_at(buckets_find(bs, names[i]));
		look_at(buckets_default(bs));
		for (size_t i = 0; i < buckets_count(bs); i++)
			look_at(buckets_at(bs, i));
		if (buckets_live(bs) < 3)
			wrong("too few buckets");
		atomic_fetch_add(&n_looks, 1);
	}
	return NULL;
}

static void reload_often(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	unsigned n_failed = 0;
	struct err err = ERR_INIT;

	for (unsigned i = 0; i < RELOADS; i++) {
		struct settings *st = configuration(i);

		if (!st || (buckets_reload(bs, st, false, &err) < 0) !=
				   is_mistake(i))
			n_failed++;
		(void)nanosleep(&pause, NULL);
	}
	tap_ok(n_failed == 0,
	       "%d configurations followed each other, or were refused",
	       RELOADS);
}

static bool make_dirs(void)
{
	static const char *const names[] = { "stays", "m0", "m1" };

	if (!mkdtemp(dir))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		if (mkdir(path, 0700) < 0)
			return false;
	}
	return true;
}

int main(void)
{
	const struct buckets_options opt = { .sync_only = false };
	struct settings *first;
	pthread_t readers[READERS];
	struct err err = ERR_INIT;
	char line[128];

	tap_ok(make_dirs(), "folders");
	first = configuration(1);
	tap_ok(first && buckets_new(&bs, first, &opt, &err) == 0, "registry");
	stays = buckets_find(bs, "stays");
	for (size_t i = 0; i < READERS; i++)
		tap_ok(pthread_create(&readers[i], NULL, reader_main, NULL) == 0,
		       "reader");
	reload_often();
	atomic_store(&is_over, true);
	for (size_t i = 0; i < READERS; i++)
		(void)pthread_join(readers[i], NULL);
	tap_ok(atomic_load(&n_looks) > 0 && atomic_load(&n_wrong) == 0,
	       "of %lu rounds %lu times something was wrong, last %s",
	       atomic_load(&n_looks), atomic_load(&n_wrong),
	       atomic_load(&last_wrong));
	/*
	 * stays, changes (and what it was by mistake), comes, moves twice: each
	 * key is one bucket.
	 */
	tap_ok(buckets_count(bs) == 6, "buckets that came back are the same");
	buckets_free(bs);
	tap_ok(atomic_load(&n_catalogs) > 0, "catalogs were asked for");
	settings_free(first);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	tap_ok(system(line) == 0, "cleaned up");
	return tap_done();
}
