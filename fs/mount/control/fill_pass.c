/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/fill_impl.h"

#include <errno.h>

#include "backends/base/clock.h"
#include "fs/mount/fuse/content.h"
#include "fs/mount/nodes/listing.h"

/* ---- reads ---- */

static void read_done(void *arg, int r, const struct iovec *iov, int n,
		      const struct err *err)
{
	struct fill_read *read = arg;
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
	struct fill_job *job;
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

static struct fill_read *find_read(struct fill_jobs *jobs, enum fill_read_state state)
{
	for (size_t i = 0; i < FILL_READS_MAX; i++)
		if (jobs->reads[i].state == state)
			return &jobs->reads[i];
	return NULL;
}

/* The next one to start; NULL: the job is to stop. */
static struct fill_read *next_read(struct pass *p)
{
	struct fill_jobs *jobs = p->jobs;
	struct fill_read *read = NULL;

	lock_take(&jobs->lock);
	while (!fill_must_stop(p->job, jobs)) {
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
		if (fill_must_stop(p->job, jobs) && !was_cancelled) {
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
		struct fill_read *read = &jobs->reads[i];

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
		struct fill_read *read = next_read(p);

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
	must = fill_must_stop(p->job, p->jobs);
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
	if (bucket_is_gone(p->ref.bucket))
		return err_set(err, ERR_MISSING, ESTALE,
			       "bucket %s is not configured any more",
			       bucket_name(p->ref.bucket));
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
	const struct fill_job *job = p->job;
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

int fill_count(struct fill_jobs *jobs, struct fill_job *job,
	       struct err *err)
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

int fill_read_missing(struct fill_jobs *jobs, struct fill_job *job,
		      struct err *err)
{
	struct pass p = { .jobs = jobs, .job = job, .is_reading = true };
	int r = walk_all(&p, err);

	lock_take(&jobs->lock);
	err_copy(&job->problem, &p.problem);
	lock_drop(&jobs->lock);
	return r < 0 ? r : fill_count(jobs, job, err);
}
