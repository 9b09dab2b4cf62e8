/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/fill_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/log.h"

#define LOG "prefetch"

static const char *const state_names[] = {
	"", "waiting", "running", "done", "failed", "cancelled",
};

static bool is_active(const struct fill_job *job)
{
	return job->state == FILL_WAITING || job->state == FILL_RUNNING;
}

static void job_end(struct fill_job *job, enum fill_state state)
{
	job->state = state;
	job->ended_s = clock_wall_s();
	if (job->reading_since_ms)
		job->reading_ms = clock_ms() - job->reading_since_ms;
	catalog_put(job->catalog);
	job->catalog = NULL;
}

bool fill_must_stop(const struct fill_job *job,
		    const struct fill_jobs *jobs)
{
	return jobs->is_stopping || job->is_cancelled;
}

/* ---- a job ---- */

/* Cached content would push itself out, and all else. */
static int check_room(const struct fill_jobs *jobs, const struct fill_job *job,
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

static void pause_job(struct fill_jobs *jobs, const struct fill_job *job)
{
	int64_t end = clock_ms() + FILL_PAUSE_MS;

	lock_take(&jobs->lock);
	while (!fill_must_stop(job, jobs) &&
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

static int lacking(const struct fill_job *job, struct err *err)
{
	const char *why = job->problem.text;

	return err_set(err, ERR_SYSTEM, EIO,
		       "%llu files are not in the cache: %s",
		       (unsigned long long)(job->files - job->files_cached),
		       *why ? why : "it did not take them");
}

/* Does it help to read again what a pass left over? */
static bool is_worth_more(const struct fill_job *job, uint64_t cached_before)
{
	return job->files_cached > cached_before ||
	       job->problem.class == ERR_RETRY;
}

static int job_run(struct fill_jobs *jobs, struct fill_job *job, struct err *err)
{
	uint64_t evicted_before, cached_before;
	int r = fill_count(jobs, job, err);

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
		r = fill_read_missing(jobs, job, err);
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

static void job_finish(struct fill_jobs *jobs, struct fill_job *job, int r,
		       const struct err *err)
{
	bool was_stopped;

	lock_take(&jobs->lock);
	was_stopped = r < 0 && fill_must_stop(job, jobs);
	job_end(job, was_stopped ? FILL_CANCELLED : r < 0 ? FILL_FAILED : FILL_DONE);
	err_clear(&job->problem);
	if (r < 0 && !was_stopped)
		err_copy(&job->problem, err);
	lock_drop(&jobs->lock);
	if (r < 0 && !was_stopped)
		log_warn(LOG, "a prefetch failed: ref=%s error=\"%s\"",
			 job->ref, err->text);
}

static bool is_waiting(const struct fill_job *job)
{
	return job->state == FILL_WAITING;
}

static bool is_over(const struct fill_job *job)
{
	return !is_active(job);
}

/* The oldest one of that kind. */
static struct fill_job *oldest(struct fill_jobs *jobs,
			  bool (*is)(const struct fill_job *job))
{
	struct fill_job *found = NULL;

	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		struct fill_job *job = &jobs->jobs[i];

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
		struct fill_job *job = oldest(jobs, is_waiting);
		struct err err = ERR_INIT;
		int r;

		if (!job) {
			cond_wait(&jobs->changed, &jobs->lock);
			continue;
		}
		job->state = FILL_RUNNING;
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
static int resolve(struct fill_jobs *jobs, const char *text, struct fill_job *job,
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

static bool is_under_way(struct fill_jobs *jobs, const struct fill_job *job)
{
	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		const struct fill_job *other = &jobs->jobs[i];

		if (is_active(other) && !other->is_cancelled &&
		    strcmp(other->ref, job->ref) == 0 &&
		    json_equal(other->paths, job->paths))
			return true;
	}
	return false;
}

/* Takes new's references over; -EBUSY: there is no place. */
static int add_locked(struct fill_jobs *jobs, struct fill_job *new)
{
	struct fill_job *place = oldest(jobs, is_over);

	if (!place)
		return -EBUSY;
	json_decref(place->paths);
	*place = *new;
	place->state = FILL_WAITING;
	place->number = ++jobs->n_started;
	place->started_s = clock_wall_s();
	new->paths = NULL;
	new->catalog = NULL;
	cond_broadcast(&jobs->changed);
	return 0;
}

int fill_check_paths(const json_t *paths, struct err *err)
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
	struct fill_job new = { .state = FILL_WAITING };
	int r = fill_check_paths(paths, err);

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
	struct fill_job meant = { .state = FILL_FREE };
	int r = resolve(jobs, ref, &meant, err);

	*n = 0;
	if (r < 0)
		return r;
	catalog_put(meant.catalog);
	lock_take(&jobs->lock);
	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		struct fill_job *job = &jobs->jobs[i];

		if (!is_active(job) || strcmp(job->ref, meant.ref) != 0)
			continue;
		job->is_cancelled = true;
		if (job->state == FILL_WAITING)
			job_end(job, FILL_CANCELLED);
		++*n;
	}
	cond_broadcast(&jobs->changed);
	lock_drop(&jobs->lock);
	return 0;
}

static void tell(const struct fill_job *job,
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
static const struct fill_job *next_job(const struct fill_jobs *jobs, uint64_t after)
{
	const struct fill_job *found = NULL;

	for (size_t i = 0; i < FILL_JOBS_MAX; i++) {
		const struct fill_job *job = &jobs->jobs[i];

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
	const struct fill_job *job;

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
