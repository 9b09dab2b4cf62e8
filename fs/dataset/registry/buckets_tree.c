/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job a version, however many ask for its tree: opened from the cache
 * directory, or built.  Trees are named by their identity, so one that was
 * built before a restart is found again, and none is ever replaced by another.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/log.h"
#include "fs/dataset/registry/buckets_impl.h"
#include "fs/dataset/registry/trees_dir.h"
#include "fs/dataset/registry/version_tree.h"

#define LOG "tree"

struct tree_waiter {
	struct tree_waiter *next;
	bucket_tree_fn done;
	void *arg;
};

/* Guarded by jobs_lock but for what only the job's own thread touches. */
struct tree_job {
	struct tree_job *next;
	struct bucket *b;
	struct catalog *catalog;	/* keeps ds and v alive */
	const struct dataset *ds;
	const struct version *v;
	uint8_t identity[TREE_IDENTITY_SIZE];
	char name[2 * TREE_IDENTITY_SIZE + sizeof(".tree")];
	char label[2 * NAME_MAX + 32];
	struct version_tree_progress progress;
	struct tree_waiter *waiters;
};

static void tree_name(char *out, const uint8_t identity[TREE_IDENTITY_SIZE])
{
	encode_hex(out, identity, TREE_IDENTITY_SIZE);
	strcpy(out + 2 * TREE_IDENTITY_SIZE, ".tree");
}

static void tell_no_cache(const struct err *why)
{
	log_warn(LOG, "serving without the cache directory: error=\"%s\"",
		 why->text);
}

int buckets_cache_check(const struct settings *settings)
{
	struct err err = ERR_INIT;
	int r = trees_dir_check(settings->cache_dir, &err);

	if (r < 0)
		tell_no_cache(&err);
	return r;
}

/* -1 where there is none, which is said once. */
static int open_trees_dir(struct buckets *bs, struct err *why)
{
	int fd = trees_dir_open(bs->settings->cache_dir, why);

	if (!__atomic_exchange_n(&bs->trees_told, fd < 0, __ATOMIC_RELAXED) &&
	    fd < 0)
		tell_no_cache(why);
	return fd < 0 ? -1 : fd;
}

/* -ENOENT: it is to be built. */
static int tree_open_cached(const struct tree_job *job, int dirfd,
			    struct tree **out)
{
	struct err err = ERR_INIT;

	if (dirfd < 0)
		return -ENOENT;
	if (tree_open(out, dirfd, job->name, job->identity, &err) == 0) {
		trees_dir_touch(dirfd, job->name);
		return 0;
	}
	if (err.class != ERR_MISSING)
		log_warn(LOG, "tree is built again: version=%s error=\"%s\"",
			 job->label, err.text);
	return -ENOENT;
}

static int tree_open_or_build(struct tree_job *job, struct tree **out,
			      struct err *err)
{
	struct buckets *bs = job->b->owner;
	struct err why = ERR_INIT;
	cleanup_fd int dirfd = open_trees_dir(bs, &why);
	struct tree_build_options opt = {
		.dirfd = dirfd,
		.name = job->name,
		.label = job->label,
		.hash_location = job->v->hash_location ?
				 job->v->hash_location : job->ds->hash_location,
	};
	int r;

	if (tree_open_cached(job, dirfd, out) == 0)
		return 0;
	if (bucket_is_gone(job->b))
		return bucket_gone(job->b, err);
	memcpy(opt.identity, job->identity, sizeof(opt.identity));
	r = version_tree_build(job->b, job->v, &opt, &job->progress, out, err);
	if (r < 0 && dirfd < 0 && err->class == ERR_SYSTEM)
		err_wrap(err, "without %s", why.text);
	if (r < 0)
		return err_wrap(err, "version %s", job->label);
	if (dirfd >= 0)
		trees_dir_trim(dirfd, bs->settings->cache_size, job->name);
	return 0;
}

/* Only damage: what another answer of the store may mend is asked again. */
static void bad_remember(struct buckets *bs, const struct tree_job *job,
			 const struct err *err) REQUIRES(&bs->jobs_lock)
{
	struct bad_tree *bad = &bs->bad[bs->next_bad];

	bs->next_bad = (bs->next_bad + 1) % BUCKETS_BAD_TREES;
	memcpy(bad->identity, job->identity, TREE_IDENTITY_SIZE);
	bad->until_ms = clock_ms() + TREE_BAD_MS;
	err_copy(&bad->err, err);
}

static bool bad_find(struct buckets *bs, const struct tree_job *job,
		     struct err *err) REQUIRES(&bs->jobs_lock)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < BUCKETS_BAD_TREES; i++) {
		const struct bad_tree *bad = &bs->bad[i];

		if (now < bad->until_ms &&
		    memcmp(bad->identity, job->identity,
			   TREE_IDENTITY_SIZE) == 0) {
			err_copy(err, &bad->err);
			return true;
		}
	}
	return false;
}

static void job_end(struct tree_job *job, int r, struct tree *tree,
		    const struct err *err)
{
	struct buckets *bs = job->b->owner;
	struct tree_job **link;
	struct tree_waiter *w;

	lock_take(&bs->jobs_lock);
	for (link = &bs->jobs; *link != job; link = &(*link)->next)
		;
	*link = job->next;
	if (r < 0 && err->class == ERR_CORRUPT)
		bad_remember(bs, job, err);
	lock_drop(&bs->jobs_lock);

	w = job->waiters;
	while (w) {
		struct tree_waiter *next = w->next;

		w->done(w->arg, r, tree, err);
		free(w);
		w = next;
	}
	if (job->catalog)
		catalog_put(job->catalog);
	free(job);
}

static void job_run(void *arg)
{
	struct tree_job *job = arg;
	struct err err = ERR_INIT;
	struct tree *tree = NULL;
	int r;

	r = tree_open_or_build(job, &tree, &err);
	if (r < 0)
		log_error(LOG, "version cannot be opened: version=%s error=\"%s\"",
			  job->label, err.text);
	job_end(job, r, tree, &err);
	if (tree)
		tree_put(tree);
}

static void job_init(struct tree_job *job, struct bucket *b,
		     const struct dataset *ds, const struct version *v)
{
	job->b = b;
	job->ds = ds;
	job->v = v;
	version_tree_identity(b, ds, v, job->identity);
	tree_name(job->name, job->identity);
	snprintf(job->label, sizeof(job->label), "%s/%s@%u", b->name,
		 ds->name, v->number);
}

static struct tree_job *job_find(struct buckets *bs,
				 const uint8_t identity[TREE_IDENTITY_SIZE])
	REQUIRES(&bs->jobs_lock)
{
	for (struct tree_job *j = bs->jobs; j; j = j->next)
		if (memcmp(j->identity, identity, TREE_IDENTITY_SIZE) == 0)
			return j;
	return NULL;
}

void bucket_tree(struct bucket *b, struct catalog *catalog,
		 const struct dataset *ds, const struct version *v,
		 bucket_tree_fn done, void *arg)
{
	struct buckets *bs = b->owner;
	struct tree_waiter *w = calloc(1, sizeof(*w));
	struct tree_job *job = calloc(1, sizeof(*job));
	struct tree_job *running;
	struct err err = ERR_INIT;
	bool is_bad;

	if (!w || !job) {
		free(w);
		free(job);
		err_nomem(&err);
		done(arg, -ENOMEM, NULL, &err);
		return;
	}
	w->done = done;
	w->arg = arg;
	job_init(job, b, ds, v);

	lock_take(&bs->jobs_lock);
	running = job_find(bs, job->identity);
	is_bad = !running && bad_find(bs, job, &err);
	if (running) {
		w->next = running->waiters;
		running->waiters = w;
	} else if (!is_bad) {
		job->waiters = w;
		job->catalog = catalog_get(catalog);
		job->next = bs->jobs;
		bs->jobs = job;
	}
	lock_drop(&bs->jobs_lock);

	if (is_bad) {
		done(arg, -err.code, NULL, &err);
		free(w);
	}
	if (running || is_bad)
		free(job);
	else if (pool_submit(bs->tree_pool, job_run, job, &err) < 0)
		job_end(job, -err.code, NULL, &err);
}

int bucket_tree_sync(struct bucket *b, struct catalog *catalog,
		     const struct dataset *ds, const struct version *v,
		     struct tree **out, struct err *err)
{
	struct tree_job job = { .next = NULL };

	(void)catalog;	/* the caller's reference keeps ds and v alive */
	job_init(&job, b, ds, v);
	return tree_open_or_build(&job, out, err);
}

int bucket_tree_known(struct bucket *b, const struct dataset *ds,
		      const struct version *v, struct tree **out,
		      struct err *err)
{
	struct tree_job job = { .next = NULL };
	cleanup_fd int dirfd = trees_dir_open(b->owner->settings->cache_dir,
					      err);

	if (dirfd < 0)
		return dirfd;
	job_init(&job, b, ds, v);
	return tree_open(out, dirfd, job.name, job.identity, err);
}

void bucket_tree_discard(struct bucket *b, const struct dataset *ds,
			 const struct version *v)
{
	struct tree_job job = { .next = NULL };
	struct err err = ERR_INIT;
	cleanup_fd int dirfd = trees_dir_open(b->owner->settings->cache_dir,
					      &err);

	job_init(&job, b, ds, v);
	if (dirfd < 0 || unlinkat(dirfd, job.name, 0) == 0 || errno == ENOENT)
		return;
	log_warn(LOG, "damaged tree cannot be removed: version=%s error=\"%s\"",
		 job.label, strerror(errno));
}

void buckets_building(struct buckets *bs, struct buf *out)
{
	lock_take(&bs->jobs_lock);
	for (const struct tree_job *j = bs->jobs; j; j = j->next)
		buf_printf(out, "%s%s: %llu of %llu bytes",
			   out->len ? "; " : "", j->label,
			   (unsigned long long)j->progress.done_bytes,
			   (unsigned long long)j->progress.all_bytes);
	lock_drop(&bs->jobs_lock);
}

int buckets_tree_start(struct buckets *bs, struct err *err)
{
	/* A command may need no tree. */
	if (bs->sync_only)
		return 0;
	bs->trees_told = buckets_cache_check(bs->settings) < 0;
	return pool_new(&bs->tree_pool, "tree", BUCKETS_TREE_THREADS,
			BUCKETS_QUEUE_MAX, err);
}

void buckets_tree_stop(struct buckets *bs)
{
	if (bs->tree_pool)
		pool_free(bs->tree_pool);
}

uint64_t buckets_trees_bytes(const struct buckets *bs)
{
	struct err ignored = ERR_INIT;
	cleanup_fd int dirfd = trees_dir_open(bs->settings->cache_dir,
					      &ignored);

	return dirfd < 0 ? 0 : trees_dir_bytes(dirfd);
}
