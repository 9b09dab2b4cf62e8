/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees that many threads look into while others are opened and closed, and
 * entries that are repaired while a store's threads answer.
 */
#include <config.h>
#include "fs/dataset/osmo/osmo_repair_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/log.h"
#include "backends/base/pool.h"
#include "tests/tap.h"

#define READERS 4
#define FILES 20000u
#define LOOKUPS 20000u
#define OPENINGS 200
#define DAMAGED 3000
#define STORE_THREADS 3
#define MD5_A "0cc175b9c0f1b6a831c399e269772661"

static char dir[] = "/tmp/datasetfs-tree-race-XXXXXX";
static int dirfd_;
static const uint8_t identity[TREE_IDENTITY_SIZE];

static void path_of(char path[64], unsigned i)
{
	(void)snprintf(path, 64, "d%u/a rather long name of file %u", i % 10,
		       i);
}

static struct tree_build *build_new(const char *name)
{
	const struct tree_build_options opt = {
		.dirfd = dirfd_, .name = name, .label = name,
	};
	struct tree_build *b;
	struct err err = ERR_INIT;

	if (tree_build_new(&b, &opt, &err) < 0) {
		printf("Bail out! %s\n", err.text);
		exit(1);
	}
	return b;
}

static struct tree *build_files(const char *name)
{
	struct tree_build *b = build_new(name);
	struct err err = ERR_INIT;
	struct tree *t = NULL;
	char path[64];
	int r = 0;

	for (unsigned i = 0; i < FILES && r == 0; i++) {
		path_of(path, i);
		r = tree_build_add(b, path, strlen(path), "s3://b/k", 8, i,
				   "etag", 4, TREE_OK, &err);
	}
	if (r == 0)
		r = tree_build_finish(b, &t, &err);
	tree_build_free(b);
	return r < 0 ? NULL : t;
}

struct readers {
	struct tree *tree;
	atomic_uint wrong;
	atomic_uint seed;
};

static void *look_up(void *arg)
{
	struct readers *rs = arg;
	unsigned x = atomic_fetch_add(&rs->seed, 12345);
	struct tree *t = rs->tree;	/* the reference is this thread's */
	struct err err = ERR_INIT;
	struct tree_entry e;
	char path[64];

	for (unsigned i = 0; i < LOOKUPS; i++) {
		x = x * 1664525 + 1013904223;
		path_of(path, (x >> 8) % FILES);
		if (tree_lookup_path(t, path, &e, &err) < 0 ||
		    e.size != (x >> 8) % FILES)
			atomic_fetch_add(&rs->wrong, 1);
	}
	tree_put(t);
	return NULL;
}

static void *open_and_close(void *arg)
{
	struct readers *rs = arg;
	struct err err = ERR_INIT;
	struct tree_entry e;
	char path[64];

	for (unsigned i = 0; i < OPENINGS; i++) {
		struct tree *t;

		if (tree_open(&t, dirfd_, "b", identity, &err) < 0) {
			atomic_fetch_add(&rs->wrong, 1);
			continue;
		}
		path_of(path, i);
		if (tree_lookup_path(t, path, &e, &err) < 0 || e.size != i)
			atomic_fetch_add(&rs->wrong, 1);
		tree_put(t);
	}
	return NULL;
}

static void lookups_are_right_while_trees_come_and_go(void)
{
	struct readers rs = { .tree = build_files("a") };
	struct tree *other = build_files("b");
	pthread_t threads[READERS + 1];

	if (!rs.tree || !other) {
		tap_ok(false, "trees are built");
		return;
	}
	for (unsigned i = 0; i < READERS; i++) {
		tree_get(rs.tree);
		pthread_create(&threads[i], NULL, look_up, &rs);
	}
	pthread_create(&threads[READERS], NULL, open_and_close, &rs);
	tree_put(rs.tree);
	for (unsigned i = 0; i <= READERS; i++)
		pthread_join(threads[i], NULL);
	tap_ok(atomic_load(&rs.wrong) == 0,
	       "lookups are right while trees come and go");
	tree_put(other);
}

/* ---- a store: in place of backend.c ---- */

struct request {
	bool is_there;
	backend_done_fn done;
	void *arg;
};

static struct pool *store;

static void answer(void *arg)
{
	const struct request rq = *(struct request *)arg;
	struct object_info info = { .size = 5, .etag = MD5_A };
	struct err err = ERR_INIT;
	int r = 0;

	free(arg);
	if (!rq.is_there)
		r = err_set(&err, ERR_MISSING, ENOENT, "no");
	rq.done(rq.arg, r, r ? NULL : &info, &err);
}

void backend_head(struct backend *b, const char *key, int64_t deadline_ms,
		  backend_done_fn done, void *arg)
{
	struct request *rq = malloc(sizeof(*rq));
	struct err err = ERR_INIT;

	(void)b;
	(void)deadline_ms;
	if (!rq)
		abort();
	rq->is_there = strncmp(key, "data/raw/a", 10) == 0;
	rq->done = done;
	rq->arg = arg;
	while (pool_submit(store, answer, rq, &err) < 0)
		;
}

static int locate(void *arg, const char *uri, struct backend **backend,
		  const char **key, struct err *err)
{
	(void)err;
	*backend = arg;
	*key = uri + strlen("s3://b/");
	return 0;
}

static int add_damaged(struct osmo_repair_queue *q, unsigned i)
{
	char path[64], source[64];
	struct osmo_entry e = {
		.relative_path = path, .storage_path = source,
		.etag = MD5_A, .etag_len = 32, .size = 5,
	};
	struct err err = ERR_INIT;

	e.relative_path_len = (size_t)snprintf(path, sizeof(path),
					       "raw/a.%u", i);
	/* Each third one is whole and waits for those before it. */
	e.storage_path_len = (size_t)snprintf(source, sizeof(source),
					      i % 3 ? "s3://b/data/raw/.%u" :
						      "s3://b/data/raw/a.%u",
					      i);
	return osmo_repair_queue_add(q, &e, &err);
}

static void entries_are_repaired_by_many_answers(void)
{
	const struct osmo_repair_options opt = {
		.build = build_new("c"), .label = "c", .locate = locate,
		.locate_arg = &store,
	};
	struct osmo_repair_queue *q = NULL;
	struct tree_info info = { .n_files = 0 };
	struct tree *t = NULL;
	struct err err = ERR_INIT;
	int r = pool_new(&store, "store", STORE_THREADS, 1000, &err);

	if (r == 0)
		r = osmo_repair_queue_new(&q, &opt, &err);
	for (unsigned i = 0; i < DAMAGED && r == 0; i++)
		r = add_damaged(q, i);
	if (r == 0)
		r = osmo_repair_queue_finish(q, &err);
	if (r == 0)
		r = tree_build_finish(opt.build, &t, &err);
	if (r == 0) {
		tree_info(t, &info);
		tree_put(t);
	}
	osmo_repair_queue_free(q);
	tree_build_free(opt.build);
	pool_free(store);
	tap_ok(r == 0 && info.n_files == DAMAGED &&
	       info.n_repaired == DAMAGED / 3 * 2,
	       "entries are repaired by many answers");
}

int main(void)
{
	char line[128];

	log_init(LOG_TO_STDERR, LOG_LEVEL_ERROR);
	if (!mkdtemp(dir))
		return 99;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lookups_are_right_while_trees_come_and_go();
	entries_are_repaired_by_many_answers();
	close(dirfd_);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	if (system(line))
		return 99;
	return tap_done();
}
