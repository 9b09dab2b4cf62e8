/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/fill_jobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "fs/dataset/reference.h"
#include "fs/mount/fuse/content.h"
#include "fs/mount/nodes/listing.h"

#define LOG "prefetch"
#define REF_MAX (2 * NAME_MAX_BYTES + 16)

enum state { FREE, WAITING, RUNNING, DONE, FAILED, CANCELLED };
static const char *const state_names[] = {
	"", "waiting", "running", "done", "failed", "cancelled",
};

struct job {
	enum state state;
	uint64_t number;	/* counts up */
	bool is_cancelled;
	char ref[REF_MAX];
	json_t *paths;
	/* What to read, until it has ended; v NULL: members of ds. */
	struct bucket *bucket;
	struct catalog *catalog;
	const struct dataset *ds;
	const struct version *v;

	uint64_t files, bytes;		/* of the last count, as are these two */
	uint64_t files_cached, bytes_cached;
	uint64_t bytes_read_now;	/* since then */
	uint64_t bytes_read;
	int64_t reading_since_ms, reading_ms;
	int64_t started_s, ended_s;
	struct err problem;
};

enum read_state { READ_FREE, READ_BUSY, READ_OVER };

/* The runner takes a free one; done() makes a busy one over. */
struct read {
	struct fill_jobs *jobs;
	struct job *job;
	enum read_state state;
	uint32_t index;		/* of the file in its tree */
	size_t len;
	int r;
	struct err err;
};

/*
 * lock guards all jobs and the reads' state; of a job that runs the first part
 * is the runner's.  changed: a job came or is cancelled, a read is over.
 */
struct fill_jobs {
	struct fs *fs;
	struct lock lock;
	struct cond changed;
	pthread_t runner;
	bool is_stopping;
	uint64_t n_started;
	struct job jobs[FILL_JOBS_MAX];
	struct read reads[FILL_READS_MAX];
};

static bool is_active(const struct job *job)
{
	return job->state == WAITING || job->state == RUNNING;
}

static void job_end(struct job *job, enum state state)
{
	job->state = state;
	job->ended_s = clock_wall_s();
	if (job->reading_since_ms)
		job->reading_ms = clock_ms() - job->reading_since_ms;
	catalog_put(job->catalog);
	job->catalog = NULL;
}

/* ---- reads ---- */

static bool must_stop_locked(const struct job *job,
			     const struct fill_jobs *jobs)
{
	return jobs->is_stopping || job->is_cancelled;
}

static void read_done(void *arg, int r, const struct iovec *iov, int n,
		      const struct err *err)
{
	struct read *read = arg;
	struct fill_jobs *jobs = read->jobs;

	(void)iov;
	(void)n;
	lock_take(&jobs->lock);
	read->r = r;
	if (r < 0)
		read->err = *err;
	else {
		read->job->bytes_read_now += read->len;
		read->job->bytes_read += read->len;
	}
	read->state = READ_OVER;
	cond_broadcast(&jobs->changed);
	lock_drop(&jobs->lock);
}

/* A count of, or reading what is missing of, one version after another. */
struct pass {
	struct fill_jobs *jobs;
	struct job *job;
	bool is_reading;
	struct slot_ref ref;	/* the version that it is at */
	uint64_t files, bytes, files_cached, bytes_cached;
	struct err problem;	/* the first one */
};

static void note_problem(struct pass *p, uint32_t index, const struct err *err)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct err ignored = ERR_INIT;

	if (p->problem.class != ERR_NONE || err->code == EINTR)
		return;
	err_copy(&p->problem, err);
	if (tree_path(p->ref.tree, index, &path, &ignored) == 0)
		(void)err_wrap(&p->problem, "%s", path.data);
}

static struct read *find_read(struct fill_jobs *jobs, enum read_state state)
{
	for (size_t i = 0; i < FILL_READS_MAX; i++)
		if (jobs->reads[i].state == state)
			return &jobs->reads[i];
	return NULL;
}

/* The next one to start; NULL: the job is to stop. */
static struct read *next_read(struct pass *p)
{
	struct fill_jobs *jobs = p->jobs;
	struct read *read = NULL;

	lock_take(&jobs->lock);
	while (!must_stop_locked(p->job, jobs)) {
		read = find_read(jobs, READ_OVER);
		if (!read)
			read = find_read(jobs, READ_FREE);
		if (read)
			break;
		cond_wait(&jobs->changed, &jobs->lock);
	}
	lock_drop(&jobs->lock);
	if (read && read->state == READ_OVER && read->r < 0)
		note_problem(p, read->index, &read->err);
	return read;
}

/* Nobody but the runner starts reads, so none comes behind this. */
static void cancel_reads(struct fill_jobs *jobs)
{
	for (size_t i = 0; i < FILL_READS_MAX; i++)
		fetcher_cancel(jobs->fs->fetcher, &jobs->reads[i]);
}

/* Until all are over; what a stop leaves over is cancelled. */
static void finish_reads(struct pass *p)
{
	struct fill_jobs *jobs = p->jobs;
	bool was_cancelled = false;

	lock_take(&jobs->lock);
	while (find_read(jobs, READ_BUSY)) {
		if (must_stop_locked(p->job, jobs) && !was_cancelled) {
			was_cancelled = true;
			lock_drop(&jobs->lock);
			cancel_reads(jobs);
			lock_take(&jobs->lock);
			continue;
		}
		cond_wait(&jobs->changed, &jobs->lock);
	}
	lock_drop(&jobs->lock);
	for (size_t i = 0; i < FILL_READS_MAX; i++) {
		struct read *read = &jobs->reads[i];

		if (read->state == READ_OVER && read->r < 0)
			note_problem(p, read->index, &read->err);
		read->state = READ_FREE;
	}
}

/* ---- a pass ---- */

static int stopped(struct err *err)
{
	return err_set(err, ERR_SYSTEM, EINTR, "cancelled");
}

static int read_file(struct pass *p, const struct content *content,
		     struct err *err)
{
	uint64_t size = content->blob.size;

	for (uint64_t at = 0; at < size; at += FETCHER_READ_MAX) {
		struct read *read = next_read(p);

		if (!read)
			return stopped(err);
		read->job = p->job;
		read->index = content->entry.index;
		read->len = size - at < FETCHER_READ_MAX ?
				    (size_t)(size - at) : FETCHER_READ_MAX;
		lock_take(&p->jobs->lock);
		read->state = READ_BUSY;
		lock_drop(&p->jobs->lock);
		fetcher_fill(p->jobs->fs->fetcher, &content->blob, at,
			     read->len, clock_ms() + FILL_READ_MS, read_done,
			     read);
	}
	return 0;
}

static int look_at_file(struct pass *p, uint32_t index, struct err *err)
{
	cleanup_content struct content content = CONTENT_INIT;
	struct err problem = ERR_INIT;
	uint64_t cached;
	int r = content_entry(&content, &p->ref, index, err);

	if (r < 0)
		return r;
	p->files++;
	p->bytes += content.entry.size;
	if (!content.entry.size) {
		p->files_cached++;
		return 0;
	}
	if (content_locate(&content, &p->ref, &problem) < 0) {
		note_problem(p, index, &problem);
		return 0;
	}
	cached = fetcher_cached_bytes(p->jobs->fs->fetcher, &content.blob);
	if (cached >= content.entry.size) {
		p->files_cached++;
		p->bytes_cached += content.entry.size;
		return 0;
	}
	p->bytes_cached += cached;
	return p->is_reading ? read_file(p, &content, err) : 0;
}

static bool must_stop(struct pass *p)
{
	bool must;

	lock_take(&p->jobs->lock);
	must = must_stop_locked(p->job, p->jobs);
	lock_drop(&p->jobs->lock);
	return must;
}

static int walk(struct pass *p, uint32_t index, unsigned depth,
		struct err *err)
{
	struct tree_entry e;
	int r;

	if (must_stop(p))
		return stopped(err);
	r = tree_entry(p->ref.tree, index, &e, err);
	if (r < 0)
		return r;
	if (e.type == TREE_FILE)
		return look_at_file(p, index, err);
	if (depth > TREE_DEPTH_MAX)
		return err_set(err, ERR_CORRUPT, EIO, "the tree is damaged");
	for (uint32_t i = 0; r == 0 && i < e.n_children; i++)
		r = walk(p, e.first_child + i, depth + 1, err);
	return r;
}

static int walk_paths(struct pass *p, struct err *err)
{
	const json_t *paths = p->job->paths, *path;
	size_t i;
	int r = 0;

	if (json_array_size(paths) == 0)
		return walk(p, TREE_ROOT, 0, err);
	json_array_foreach(paths, i, path) {
		struct tree_entry e;

		r = tree_lookup_path(p->ref.tree, json_string_value(path), &e,
				     err);
		if (r < 0)
			return err_wrap(err, "%s", json_string_value(path));
		r = walk(p, e.index, 0, err);
		if (r < 0)
			break;
	}
	return r;
}

static int walk_version(struct pass *p, const struct dataset *ds,
			const struct version *v, struct err *err)
{
	cleanup_tree struct tree *tree = NULL;
	int r = bucket_tree_sync(p->job->bucket, p->job->catalog, ds, v, &tree,
				 err);

	if (r < 0)
		return r;
	p->ref = (struct slot_ref){ .bucket = p->job->bucket, .tree = tree };
	r = walk_paths(p, err);
	/* They tell their paths by this tree. */
	finish_reads(p);
	return r;
}

static int walk_all(struct pass *p, struct err *err)
{
	const struct job *job = p->job;
	int r = 0;

	if (job->v)
		return walk_version(p, job->ds, job->v, err);
	for (size_t i = 0; r == 0 && i < job->ds->n_members; i++) {
		const struct dataset *ds;
		const struct version *v;

		if (listing_member(job->catalog, &job->ds->members[i], &ds,
				   &v))
			r = walk_version(p, ds, v, err);
	}
	return r;
}

/* ---- a job ---- */

static int count(struct fill_jobs *jobs, struct job *job, struct err *err)
{
	struct pass p = { .jobs = jobs, .job = job };
	int r = walk_all(&p, err);

	if (r < 0)
		return r;
	lock_take(&jobs->lock);
	job->files = p.files;
	job->bytes = p.bytes;
	job->files_cached = p.files_cached;
	job->bytes_cached = p.bytes_cached;
	job->bytes_read_now = 0;
	lock_drop(&jobs->lock);
	return 0;
}

/* The first problem is told at once. */
static int read_missing(struct fill_jobs *jobs, struct job *job,
			struct err *err)
{
	struct pass p = { .jobs = jobs, .job = job, .is_reading = true };
	int r = walk_all(&p, err);

	lock_take(&jobs->lock);
	err_copy(&job->problem, &p.problem);
	lock_drop(&jobs->lock);
	return r < 0 ? r : count(jobs, job, err);
}

/* Cached content would push itself out, and all else. */
static int check_room(const struct fill_jobs *jobs, const struct job *job,
		      struct err *err)
{
	struct disk_cache_stats stats;

	if (!jobs->fs->disk)
		return err_set(err, ERR_SYSTEM, ENOSPC,
			       "there is no disk cache to keep it");
	disk_cache_stats(jobs->fs->disk, &stats);
	if (job->bytes <= stats.size)
		return 0;
	return err_set(err, ERR_SYSTEM, ENOSPC,
		       "%llu bytes do not fit into the cache, which may take %llu: name paths, or raise cache: size",
		       (unsigned long long)job->bytes,
		       (unsigned long long)stats.size);
}

static void pause_job(struct fill_jobs *jobs, const struct job *job)
{
	int64_t end = clock_ms() + FILL_PAUSE_MS;

	lock_take(&jobs->lock);
	while (!must_stop_locked(job, jobs) &&
	       cond_wait_until(&jobs->changed, &jobs->lock, end) == 0)
		;
	lock_drop(&jobs->lock);
}

static uint64_t evicted(const struct fill_jobs *jobs)
{
	struct disk_cache_stats stats;

	disk_cache_stats(jobs->fs->disk, &stats);
	return stats.evicted;
}

static int lacking(const struct job *job, struct err *err)
{
	const char *why = job->problem.text;

	return err_set(err, ERR_SYSTEM, EIO,
		       "%llu files are not in the cache: %s",
		       (unsigned long long)(job->files - job->files_cached),
		       *why ? why : "it did not take them");
}

/* Does it help to read again what a pass left over? */
static bool is_worth_more(const struct job *job, uint64_t cached_before)
{
	return job->files_cached > cached_before ||
	       job->problem.class == ERR_RETRY;
}

static int job_run(struct fill_jobs *jobs, struct job *job, struct err *err)
{
	uint64_t evicted_before, cached_before;
	int r = count(jobs, job, err);

	if (r == 0)
		r = check_room(jobs, job, err);
	if (r < 0)
		return r;
	evicted_before = evicted(jobs);
	lock_take(&jobs->lock);
	job->reading_since_ms = clock_ms();
	lock_drop(&jobs->lock);
	for (unsigned n = 1; job->files_cached < job->files; n++) {
		cached_before = job->files_cached;
		r = read_missing(jobs, job, err);
		if (r < 0 || job->files_cached == job->files)
			return r;
		/* Nor where what is read pushes out what was. */
		if (n == FILL_PASSES_MAX || evicted(jobs) > evicted_before ||
		    !is_worth_more(job, cached_before))
			return lacking(job, err);
		pause_job(jobs, job);
	}
	return 0;
}

static void job_finish(struct fill_jobs *jobs, struct job *job, int r,
		       const struct err *err)
{
	bool was_stopped;

	lock_take(&jobs->lock);
	was_stopped = r < 0 && must_stop_locked(job, jobs);
	job_end(job, was_stopped ? CANCELLED : r < 0 ? FAILED : DONE);
	err_clear(&job->problem);
	if (r < 0 && !was_stopped)
		err_copy(&job->problem, err);
	lock_drop(&jobs->lock);
	if (r < 0 && !was_stopped)
		log_warn(LOG, "a prefetch failed: ref=%s error=\"%s\"",
			 job->ref, err->text);
}

static bool is_waiting(const struct job *job)
{
	return job->state == WAITING;
}

static bool is_over(const struct job *job)
{
	return !is_active(job);
}

/* The oldest one of that kind. */
static struct job *oldest(struct fill_jobs *jobs,
			  bool (*is)(const struct job *job))
{
	struct job *found = NULL;

	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		struct job *job = &jobs->jobs[i];

		if (is(job) && (!found || job->number < found->number))
			found = job;
	}
	return found;
}

static void *runner_main(void *arg)
{
	struct fill_jobs *jobs = arg;

	lock_take(&jobs->lock);
	while (!jobs->is_stopping) {
		struct job *job = oldest(jobs, is_waiting);
		struct err err = ERR_INIT;
		int r;

		if (!job) {
			cond_wait(&jobs->changed, &jobs->lock);
			continue;
		}
		job->state = RUNNING;
		lock_drop(&jobs->lock);
		r = job_run(jobs, job, &err);
		job_finish(jobs, job, r, &err);
		lock_take(&jobs->lock);
	}
	lock_drop(&jobs->lock);
	return NULL;
}

/* ---- from outside ---- */

/* What ref means now, in *job; its catalog is a reference. */
static int resolve(struct fill_jobs *jobs, const char *text, struct job *job,
		   struct err *err)
{
	struct reference ref;
	int r = reference_parse(&ref, text, err);

	if (r == 0)
		r = buckets_find_or_default(jobs->fs->buckets, ref.bucket,
					    &job->bucket, err);
	if (r == 0)
		r = bucket_catalog_sync(job->bucket, &job->catalog, err);
	if (r < 0)
		return r;
	r = catalog_resolve(job->catalog, bucket_name(job->bucket), ref.name,
			    ref.version, &job->ds, &job->v, err);
	if (r == 0) {
		snprintf(job->ref, sizeof(job->ref), "%s/%s@%u",
			 bucket_name(job->bucket), job->ds->name,
			 job->v->number);
	} else if (r == -EISDIR) {
		err_clear(err);
		job->ds = catalog_dataset(job->catalog, ref.name);
		job->v = NULL;
		snprintf(job->ref, sizeof(job->ref), "%s/%s",
			 bucket_name(job->bucket), ref.name);
		r = 0;
	} else {
		catalog_put(job->catalog);
		job->catalog = NULL;
	}
	return r;
}

static bool is_under_way(struct fill_jobs *jobs, const struct job *job)
{
	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		const struct job *other = &jobs->jobs[i];

		if (is_active(other) && !other->is_cancelled &&
		    strcmp(other->ref, job->ref) == 0 &&
		    json_equal(other->paths, job->paths))
			return true;
	}
	return false;
}

/* Takes new's references over; -EBUSY: there is no place. */
static int add_locked(struct fill_jobs *jobs, struct job *new)
{
	struct job *place = oldest(jobs, is_over);

	if (!place)
		return -EBUSY;
	json_decref(place->paths);
	*place = *new;
	place->state = WAITING;
	place->number = ++jobs->n_started;
	place->started_s = clock_wall_s();
	new->paths = NULL;
	new->catalog = NULL;
	cond_broadcast(&jobs->changed);
	return 0;
}

static int check_paths(const json_t *paths, struct err *err)
{
	const json_t *path;
	size_t i;

	if (!json_is_array(paths))
		return err_set(err, ERR_USAGE, EINVAL, "paths are no array");
	json_array_foreach(paths, i, path)
		if (!json_is_string(path))
			return err_set(err, ERR_USAGE, EINVAL,
				       "a path is no text");
	return 0;
}

int fill_jobs_start(struct fill_jobs *jobs, const char *ref, json_t *paths,
		    bool *is_new, struct err *err)
{
	struct job new = { .state = WAITING };
	int r = check_paths(paths, err);

	if (r == 0)
		r = resolve(jobs, ref, &new, err);
	if (r < 0)
		return r;
	new.paths = json_deep_copy(paths);
	lock_take(&jobs->lock);
	*is_new = !is_under_way(jobs, &new);
	if (*is_new)
		r = add_locked(jobs, &new);
	lock_drop(&jobs->lock);
	json_decref(new.paths);
	if (new.catalog)
		catalog_put(new.catalog);
	return r < 0 ? err_set(err, ERR_CONFLICT, EBUSY,
			       "%u are under way: \"datasetfs status\" shows them",
			       FILL_JOBS_MAX) : 0;
}

int fill_jobs_cancel(struct fill_jobs *jobs, const char *ref, unsigned *n,
		     struct err *err)
{
	struct job meant = { .state = FREE };
	int r = resolve(jobs, ref, &meant, err);

	*n = 0;
	if (r < 0)
		return r;
	catalog_put(meant.catalog);
	lock_take(&jobs->lock);
	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		struct job *job = &jobs->jobs[i];

		if (!is_active(job) || strcmp(job->ref, meant.ref) != 0)
			continue;
		job->is_cancelled = true;
		if (job->state == WAITING)
			job_end(job, CANCELLED);
		++*n;
	}
	cond_broadcast(&jobs->changed);
	lock_drop(&jobs->lock);
	return 0;
}

static void tell(const struct job *job,
		 void (*fn)(void *arg, const struct fill_job_info *info),
		 void *arg)
{
	uint64_t bytes_done = job->bytes_cached + job->bytes_read_now;
	struct fill_job_info info = {
		.ref = job->ref, .paths = job->paths,
		.state = state_names[job->state], .problem = job->problem.text,
		.files = job->files, .bytes = job->bytes,
		/* What was there in part is read whole. */
		.bytes_done = bytes_done < job->bytes ? bytes_done : job->bytes,
		.files_missing = job->files - job->files_cached,
		.bytes_read = job->bytes_read,
		.reading_ms = job->reading_ms,
		.started_s = job->started_s, .ended_s = job->ended_s,
	};

	if (!job->reading_ms && job->reading_since_ms)
		info.reading_ms = clock_ms() - job->reading_since_ms;
	fn(arg, &info);
}

/* NULL: none came after that one. */
static const struct job *next_job(const struct fill_jobs *jobs, uint64_t after)
{
	const struct job *found = NULL;

	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		const struct job *job = &jobs->jobs[i];

		if (job->number > after &&
		    (!found || job->number < found->number))
			found = job;
	}
	return found;
}

void fill_jobs_each(struct fill_jobs *jobs,
		    void (*fn)(void *arg, const struct fill_job_info *info),
		    void *arg)
{
	const struct job *job;

	lock_take(&jobs->lock);
	for (uint64_t after = 0; (job = next_job(jobs, after));
	     after = job->number)
		tell(job, fn, arg);
	lock_drop(&jobs->lock);
}

int fill_jobs_new(struct fill_jobs **out, struct fs *fs, struct err *err)
{
	struct fill_jobs *jobs = calloc(1, sizeof(*jobs));
	int r;

	if (!jobs)
		return err_nomem(err);
	jobs->fs = fs;
	for (size_t i = 0; i < FILL_READS_MAX; i++)
		jobs->reads[i].jobs = jobs;
	lock_init(&jobs->lock);
	cond_init(&jobs->changed);
	r = pthread_create(&jobs->runner, NULL, runner_main, jobs);
	if (r) {
		cond_release(&jobs->changed);
		lock_release(&jobs->lock);
		free(jobs);
		return err_errno(err, r, "thread for prefetches");
	}
	*out = jobs;
	return 0;
}

void fill_jobs_free(struct fill_jobs *jobs)
{
	if (!jobs)
		return;
	lock_take(&jobs->lock);
	jobs->is_stopping = true;
	cond_broadcast(&jobs->changed);
	lock_drop(&jobs->lock);
	pthread_join(jobs->runner, NULL);
	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		if (jobs->jobs[i].catalog)
			catalog_put(jobs->jobs[i].catalog);
		json_decref(jobs->jobs[i].paths);
	}
	cond_release(&jobs->changed);
	lock_release(&jobs->lock);
	free(jobs);
}
