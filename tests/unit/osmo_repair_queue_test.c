/* SPDX-License-Identifier: Apache-2.0 */
/* With a store of its own: backend_head() below stands in for backend.c. */
#include <config.h>
#include "fs/dataset/osmo/osmo_repair_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/pool.h"

#define MD5_A "0cc175b9c0f1b6a831c399e269772661"
#define MD5_B "92eb5ffee6ae2fec3ad71c777531578f"

static const struct object {
	const char *uri;
	uint64_t size;
	const char *etag;
	enum err_class fails;
} objects[] = {
	{ "s3://s/data/raw/a.bin", 10, MD5_A, ERR_NONE },
	{ "s3://s/data/raw/da.bin", 11, MD5_B, ERR_NONE },
	{ "s3://s/data/raw/tada.bin", 12, MD5_A, ERR_NONE },
	{ "s3://s/data/raw/grown/wa.bin", 99, MD5_A, ERR_NONE },
	/* Both exist, and the manifest says which one is meant. */
	{ "s3://s/data/raw/in/x.bin", 7, MD5_A, ERR_NONE },
	{ "s3://s/data/raw/train/x.bin", 7, MD5_B, ERR_NONE },
	{ "s3://s/data/raw/.forbidden", 0, "", ERR_AUTH },
	{ "s3://s/data/raw/a.forbidden", 10, MD5_A, ERR_NONE },
	{ "s3://s/data/raw/.away", 0, "", ERR_RETRY },
	{ "s3://s/data/raw/a.away", 10, MD5_A, ERR_NONE },
	{ "azure://acc/con/data/raw/a.bin", 10, "0x8D1", ERR_NONE },
	{ "azure://acc/con/data/raw/in/x.bin", 7, "0x8D2", ERR_NONE },
	{ "azure://acc/con/data/raw/train/x.bin", 7, "0x8D3", ERR_NONE },
	{ "azure://acc/con/data/raw/in/y.bin", 8, "0x8D4", ERR_NONE },
	{ "azure://acc/con/data/raw/train/y.bin", 7, "0x8D5", ERR_NONE },
};

struct request {
	char uri[300];
	backend_done_fn done;
	void *arg;
};

static struct pool *pool;
static atomic_uint n_requests, n_now, n_peak;
static bool is_away;	/* every request fails */

static void answer(void *arg)
{
	struct request *rq = arg;
	struct object_info info = { .size = 0 };
	struct err err = ERR_INIT;
	enum err_class fails = is_away ? ERR_RETRY : ERR_MISSING;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(objects) && !is_away; i++) {
		if (strcmp(objects[i].uri, rq->uri))
			continue;
		fails = objects[i].fails;
		info.size = objects[i].size;
		strcpy(info.etag, objects[i].etag);
	}
	r = fails == ERR_NONE ? 0 :
	    err_set(&err, fails, fails == ERR_MISSING ? ENOENT :
			  fails == ERR_AUTH ? EACCES : ETIMEDOUT, "no");
	n_now--;
	rq->done(rq->arg, r, r ? NULL : &info, &err);
	free(rq);
}

void backend_head(struct backend *b, const char *key, int64_t deadline_ms,
		  backend_done_fn done, void *arg)
{
	struct request *rq = calloc(1, sizeof(*rq));
	struct err err = ERR_INIT;
	unsigned now = ++n_now;

	(void)deadline_ms;
	cr_assert_not_null(rq);
	n_requests++;
	while (now > n_peak)
		n_peak = now;
	(void)snprintf(rq->uri, sizeof(rq->uri), "%s%s", (const char *)b, key);
	rq->done = done;
	rq->arg = arg;
	cr_assert_eq(pool_submit(pool, answer, rq, &err), 0);
}

static int locate(void *arg, const char *uri, struct backend **backend,
		  const char **key, struct err *err)
{
	static char s3[] = "s3://s/", azure[] = "azure://acc/con/";
	char *at = strncmp(uri, s3, strlen(s3)) == 0 ? s3 :
		   strncmp(uri, azure, strlen(azure)) == 0 ? azure : NULL;

	(void)arg;
	if (!at)
		return err_set(err, ERR_AUTH, EACCES, "not allowed");
	*backend = (struct backend *)(void *)at;
	*key = uri + strlen(at);
	return 0;
}

static char dir[] = "/tmp/datasetfs-repair-test-XXXXXX";
static int dirfd_;
static struct tree_build *build;
static struct osmo_repair_queue *queue;
static uint64_t number;

static void setup(void)
{
	struct tree_build_options opt = { .name = "x", .label = "b/ds@1" };
	struct osmo_repair_options queue_opt = { .label = "b/ds@1",
						 .locate = locate };
	struct err err = ERR_INIT;

	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	opt.dirfd = dirfd_;
	cr_assert_eq(pool_new(&pool, "store", 3, 1000, &err), 0);
	cr_assert_eq(tree_build_new(&build, &opt, &err), 0);
	queue_opt.build = build;
	cr_assert_eq(osmo_repair_queue_new(&queue, &queue_opt, &err), 0);
}

static void teardown(void)
{
	char line[256];

	osmo_repair_queue_free(queue);
	tree_build_free(build);
	pool_free(pool);
	close(dirfd_);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(osmo_repair_queue, .init = setup, .fini = teardown);

static void add(const char *path, const char *source, uint64_t size,
		const char *etag)
{
	const struct osmo_entry e = {
		.relative_path = path, .relative_path_len = strlen(path),
		.storage_path = source, .storage_path_len = strlen(source),
		.etag = etag, .etag_len = strlen(etag),
		.size = size, .number = number++,
	};
	struct err err = ERR_INIT;

	cr_assert_eq(osmo_repair_queue_add(queue, &e, &err), 0, "%s", err.text);
}

static struct tree *finish(struct tree_info *info)
{
	struct err err = ERR_INIT;
	struct tree *t;

	cr_assert_eq(osmo_repair_queue_finish(queue, &err), 0, "%s", err.text);
	cr_assert_eq(tree_build_finish(build, &t, &err), 0, "%s", err.text);
	tree_info(t, info);
	return t;
}

static void expect(struct tree *t, const char *path, const char *source,
		   enum tree_fault fault)
{
	cleanup_buf struct buf uri = BUF_INIT;
	struct err err = ERR_INIT;
	struct tree_entry e;

	cr_assert_eq(tree_lookup_path(t, path, &e, &err), 0, "%s", path);
	cr_assert_eq(tree_source(t, e.index, &uri, NULL, &err), 0);
	cr_expect_str_eq(uri.data, source);
	cr_expect_eq(e.fault, fault, "%s", path);
}

Test(osmo_repair_queue, a_candidate_that_fits_takes_the_place)
{
	struct tree_info info;
	struct tree *t;

	add("raw/a.bin", "s3://s/data/raw/.bin", 10, MD5_A);
	add("raw/da.bin", "s3://s/data/raw/.bin", 11, MD5_B);
	t = finish(&info);
	expect(t, "raw/a.bin", "s3://s/data/raw/a.bin", TREE_OK);
	expect(t, "raw/da.bin", "s3://s/data/raw/da.bin", TREE_OK);
	cr_expect_eq(info.n_repaired, 2);
	cr_expect_eq(osmo_repair_queue_unchecked(queue), 0);
	tree_put(t);
}

Test(osmo_repair_queue, nothing_is_asked_about_entries_that_are_whole)
{
	struct tree_info info;

	add("x", "s3://s/p/ID/hashes/" MD5_A, 10, MD5_A);
	add("raw/xyz", "s3://s/data/raw/xyz", 10, MD5_A);
	add("ftp", "ftp://s/data/raw/.bin", 10, MD5_A);
	tree_put(finish(&info));
	cr_expect_eq(n_requests, 0);
	cr_expect_eq(info.n_files, 3);
}

Test(osmo_repair_queue, what_fits_nothing_is_missing)
{
	struct tree_info info;
	struct tree *t;

	add("raw/tada.bin", "s3://s/data/raw/.bin", 12, MD5_B);	/* its etag */
	add("raw/tra/wa.bin", "s3://s/data/raw/.bin", 1, MD5_A);	/* gone */
	add("raw/w/grown/wa.bin", "s3://s/data/raw/grown/wa.bin", 98, MD5_A);
	t = finish(&info);
	expect(t, "raw/tada.bin", "s3://s/data/raw/.bin", TREE_FAULT_MISSING);
	expect(t, "raw/tra/wa.bin", "s3://s/data/raw/.bin", TREE_FAULT_MISSING);
	/* Its object is there, only larger: a read will say so. */
	expect(t, "raw/w/grown/wa.bin", "s3://s/data/raw/grown/wa.bin", TREE_OK);
	cr_expect_eq(info.n_repaired, 0);
	cr_expect_eq(info.n_faults, 2);
	tree_put(t);
}

Test(osmo_repair_queue, another_object_in_its_place_is_not_taken_for_it)
{
	struct tree_info info;
	struct tree *t;

	add("raw/train/x.bin", "s3://s/data/raw/in/x.bin", 7, MD5_B);
	add("other/raw/train/x.bin", "s3://s/data/raw/in/x.bin", 7, MD5_A);
	t = finish(&info);
	expect(t, "raw/train/x.bin", "s3://s/data/raw/train/x.bin", TREE_OK);
	expect(t, "other/raw/train/x.bin", "s3://s/data/raw/in/x.bin", TREE_OK);
	tree_put(t);
}

Test(osmo_repair_queue, by_size_alone_exactly_one_must_fit)
{
	struct tree_info info;
	struct tree *t;

	add("raw/a.bin", "azure://acc/con/data/raw/.bin", 10, MD5_A);
	add("raw/train/x.bin", "azure://acc/con/data/raw/in/x.bin", 7, MD5_A);
	add("raw/train/y.bin", "azure://acc/con/data/raw/in/y.bin", 7, MD5_A);
	t = finish(&info);
	expect(t, "raw/a.bin", "azure://acc/con/data/raw/a.bin", TREE_OK);
	expect(t, "raw/train/x.bin", "azure://acc/con/data/raw/in/x.bin",
	       TREE_FAULT_MISSING);
	expect(t, "raw/train/y.bin", "azure://acc/con/data/raw/train/y.bin",
	       TREE_OK);
	tree_put(t);
}

Test(osmo_repair_queue, a_store_may_refuse_what_is_not_there)
{
	struct tree_info info;
	struct tree *t;

	add("raw/a.forbidden", "s3://s/data/raw/.forbidden", 10, MD5_A);
	add("raw/ta.forbidden", "s3://s/data/raw/.forbidden", 5, MD5_A);
	add("raw/a.bin", "s3://elsewhere/data/raw/.bin", 10, MD5_A);
	t = finish(&info);
	expect(t, "raw/a.forbidden", "s3://s/data/raw/a.forbidden", TREE_OK);
	expect(t, "raw/ta.forbidden", "s3://s/data/raw/.forbidden", TREE_OK);
	expect(t, "raw/a.bin", "s3://elsewhere/data/raw/.bin", TREE_OK);
	/* Another configuration or credential may find them. */
	cr_expect_eq(osmo_repair_queue_unchecked(queue), 2);
	tree_put(t);
}

Test(osmo_repair_queue, an_answer_that_did_not_come_is_no_answer)
{
	struct tree_info info;
	struct tree *t;

	add("raw/a.away", "s3://s/data/raw/.away", 10, MD5_A);
	add("raw/a.bin", "s3://s/data/raw/.bin", 10, MD5_A);
	t = finish(&info);
	expect(t, "raw/a.away", "s3://s/data/raw/.away", TREE_OK);
	expect(t, "raw/a.bin", "s3://s/data/raw/a.bin", TREE_OK);
	cr_expect_eq(osmo_repair_queue_unchecked(queue), 1);
	tree_put(t);
}

Test(osmo_repair_queue, a_store_that_is_away_is_not_asked_for_ever)
{
	struct tree_info info;
	char path[40];

	is_away = true;
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(path, sizeof(path), "%d/raw/a.bin", i);
		add(path, "s3://s/data/raw/.bin", 10, MD5_A);
	}
	tree_put(finish(&info));
	cr_expect_eq(osmo_repair_queue_unchecked(queue), 10000);
	cr_expect_leq(n_requests, OSMO_REPAIR_GIVE_UP + OSMO_REPAIR_WINDOW);
	is_away = false;
}

Test(osmo_repair_queue, order_is_kept_and_the_window_is_bounded)
{
	struct tree_info info;
	char path[40];
	struct tree *t;

	for (int i = 0; i < 20000; i++) {
		(void)snprintf(path, sizeof(path), "raw/%d/a.bin", i / 4);
		/* The first of four wins: damaged, then three that are not. */
		if (i % 4 == 0)
			add("raw/a.bin", "s3://s/data/raw/.bin", 10, MD5_A);
		else
			add("raw/a.bin", "s3://s/k", (uint64_t)i, MD5_B);
		add(path, "s3://s/k", (uint64_t)i, "");
	}
	t = finish(&info);
	expect(t, "raw/a.bin", "s3://s/data/raw/a.bin", TREE_OK);
	for (int i = 0; i < 5000; i++) {
		struct err err = ERR_INIT;
		struct tree_entry e;

		(void)snprintf(path, sizeof(path), "raw/%d/a.bin", i);
		cr_assert_eq(tree_lookup_path(t, path, &e, &err), 0);
		cr_assert_eq(e.size, 4 * (uint64_t)i);
	}
	cr_expect_leq(n_peak, OSMO_REPAIR_WINDOW);
	cr_expect_eq(n_requests, 2 * 5000);
	tree_put(t);
}

Test(osmo_repair_queue, it_can_be_given_up_at_any_time)
{
	for (int i = 0; i < 50; i++)
		add("raw/a.bin", "s3://s/data/raw/.bin", 10, MD5_A);
}
