/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/download/download_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"

#define PATH_SHOWN_MAX 512
#define WORKER_MEMORY (DOWNLOAD_READ + ((size_t)256 << 10)) /* and a stack */
#define STOP_STEP_MS 50		/* how often who still waits is told to end */

static bool is_wanted(const struct download *d, const char *path)
{
	return !d->opt.is_wanted || d->opt.is_wanted(d->opt.arg, path);
}

static int wrap_path(struct err *err, const struct buf *path)
{
	cleanup_buf struct buf shown = BUF_INIT;

	encode_prose(&shown, path->data, path->len, PATH_SHOWN_MAX);
	return err_wrap(err, "%s", shown.data ? shown.data : "a file");
}

/* ---- before anything is fetched ---- */

/* Nothing may be there, neither in the place of the file nor of its folder. */
static int check_absent(const struct download *d, struct place *place,
			const struct tree_entry *e, const struct buf *path,
			struct err *err)
{
	struct stat st;
	int r = place_enter(place, d, e->parent, false, err);

	if (r == -ENOENT)
		return 0;
	if (r < 0 && err->class == ERR_CORRUPT)
		return r;
	if (r < 0)
		return wrap_path(err, path);
	if (fstatat(place->fd, e->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		err_set(err, ERR_CONFLICT, EEXIST, "it is there already");
		return wrap_path(err, path);
	}
	/* A name that cannot be is told when its turn has come. */
	return 0;
}

static int plan_entry(struct download *d, struct place *place, uint32_t index,
		      struct buf *path, struct err *err)
{
	struct tree_entry e;
	int r = tree_entry(d->opt.tree, index, &e, err);

	if (r < 0 || e.type == TREE_DIR)
		return r;
	buf_clear(path);
	r = tree_path(d->opt.tree, index, path, err);
	if (r < 0 || !is_wanted(d, path->data))
		return r;
	d->state.files++;
	d->state.bytes += e.size;
	if (d->opt.is_resumed || d->opt.is_checked)
		return 0;
	return check_absent(d, place, &e, path, err);
}

static int plan(struct download *d, struct err *err)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct place place = PLACE_INIT;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < d->n_entries; i++)
		r = plan_entry(d, &place, i, &path, err);
	place_leave(&place);
	return r;
}

int download_new(struct download **out, const struct download_options *opt,
		 struct err *err)
{
	struct download *d = calloc(1, sizeof(*d));
	struct tree_info info;
	int r;

	if (!d)
		return err_nomem(err);
	d->opt = *opt;
	lock_init(&d->lock);
	cond_init(&d->told);
	cond_init(&d->room);
	tree_info(opt->tree, &info);
	d->n_entries = info.n_entries;
	r = plan(d, err);
	if (r < 0) {
		download_free(d);
		return r;
	}
	*out = d;
	return 0;
}

/* ---- while it runs ---- */

void download_abort(struct download *d, const struct err *err)
{
	lock_take(&d->lock);
	if (!d->is_stopping)
		d->state.fatal = *err;
	d->is_stopping = true;
	cond_broadcast(&d->told);
	cond_broadcast(&d->room);
	lock_drop(&d->lock);
}

void download_stop(struct download *d)
{
	lock_take(&d->lock);
	d->is_stopping = true;
	cond_broadcast(&d->told);
	cond_broadcast(&d->room);
	lock_drop(&d->lock);
}

bool download_is_stopping(struct download *d)
{
	bool is_stopping;

	lock_take(&d->lock);
	is_stopping = d->is_stopping;
	lock_drop(&d->lock);
	return is_stopping;
}

/* Bytes that a reader was given are not all of one object. */
static void blob_changed(void *arg, const struct blob_id *id)
{
	struct download *d = arg;

	lock_take(&d->lock);
	for (unsigned i = 0; i < d->n_workers; i++) {
		struct worker *w = &d->workers[i];

		if (w->has_blob && blob_id_equal(&w->blob, id))
			w->has_changed = true;
	}
	lock_drop(&d->lock);
}

static void note_success(struct download *d, const struct tree_entry *e,
			 enum file_outcome outcome)
{
	lock_take(&d->lock);
	if (outcome == FILE_KNOWN) {
		d->state.files_known++;
		d->state.bytes_known += e->size;
	} else if (outcome == FILE_PASSED) {
		d->state.files_passed++;
		d->state.bytes_passed += e->size;
	} else {
		d->state.files_fetched++;
		d->state.files_unverified += outcome == FILE_UNVERIFIED;
		d->n_retry_row = 0;
	}
	lock_drop(&d->lock);
}

static void count_failure(struct download *d, const struct tree_entry *e,
			  const struct err *err) REQUIRES(&d->lock)
{
	struct download_state *s = &d->state;

	s->files_failed++;
	s->bytes_failed += e->size;
	if (s->failure.class == ERR_NONE)
		s->failure = *err;
	else if (s->failure.class != err->class)
		s->is_mixed = true;
	d->n_retry_row = err->class == ERR_RETRY ? d->n_retry_row + 1 : 0;
}

/* Others would fail alike. */
static bool is_fatal(const struct err *err)
{
	if (err->class != ERR_SYSTEM)
		return false;
	switch (err->code) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return true;
	default:
		return false;
	}
}

static void note_failure(struct download *d, const struct tree_entry *e,
			 struct buf *path, uint64_t n_bytes,
			 const struct err *err)
{
	struct err whole = *err;
	bool is_down = false;

	wrap_path(&whole, path);
	if (is_fatal(err))
		download_abort(d, &whole);
	lock_take(&d->lock);
	d->state.bytes_fetched -= n_bytes;
	while (d->n_untold == DOWNLOAD_UNTOLD_MAX && !d->is_stopping)
		cond_wait(&d->room, &d->lock);
	if (!d->is_stopping) {
		unsigned at = (d->untold_at + d->n_untold++) %
			      DOWNLOAD_UNTOLD_MAX;

		count_failure(d, e, err);
		d->untold[at].path = buf_steal(path);
		d->untold[at].err = *err;
		is_down = d->n_retry_row >= DOWNLOAD_RETRY_ROW_MAX;
		cond_broadcast(&d->told);
	}
	lock_drop(&d->lock);
	if (is_down)
		download_abort(d, &whole);
}

static void work_on(struct worker *w, uint32_t index)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct download *d = w->download;
	enum file_outcome outcome = FILE_FETCHED;
	struct err err = ERR_INIT;
	struct tree_entry e;
	uint64_t n_bytes;
	int r = tree_entry(d->opt.tree, index, &e, &err);

	if (r == 0 && e.type == TREE_FILE)
		r = tree_path(d->opt.tree, index, &path, &err);
	if (r < 0)
		download_abort(d, &err);
	if (r < 0 || e.type != TREE_FILE || !is_wanted(d, path.data))
		return;
	r = d->opt.is_checked ?
		    download_check(w, &e, path.data, &outcome, &n_bytes, &err) :
		    download_file(w, &e, &outcome, &n_bytes, &err);
	if (r < 0)
		note_failure(d, &e, &path, n_bytes, &err);
	else
		note_success(d, &e, outcome);
}

static bool take_entry(struct download *d, uint32_t *index)
{
	bool has_one;

	lock_take(&d->lock);
	has_one = !d->is_stopping && d->next < d->n_entries;
	if (has_one)
		*index = d->next++;
	lock_drop(&d->lock);
	return has_one;
}

static void work(void *arg)
{
	struct worker *w = arg;
	struct download *d = w->download;
	uint32_t index;

	while (take_entry(d, &index))
		work_on(w, index);
	place_leave(&w->place);
	lock_take(&d->lock);
	d->n_running--;
	cond_broadcast(&d->told);
	lock_drop(&d->lock);
}

static int worker_start(struct download *d, struct err *err)
{
	struct worker *w = &d->workers[d->n_workers];
	int r;

	w->download = d;
	w->place = (struct place)PLACE_INIT;
	w->bytes = malloc(DOWNLOAD_READ);
	if (!w->bytes)
		return err_nomem(err);
	cond_init(&w->answered);
	lock_take(&d->lock);
	d->n_workers++;
	d->n_running++;
	lock_drop(&d->lock);
	r = pool_submit(d->pool, work, w, err);
	if (r == 0)
		return 0;
	lock_take(&d->lock);
	d->n_running--;
	lock_drop(&d->lock);
	return r;
}

int download_start(struct download *d, struct err *err)
{
	struct fetcher_options opt = {
		.on_bad = blob_changed, .on_bad_arg = d,
	};
	int r;

	r = memory_budget_new(&d->budget, d->opt.memory,
			      DOWNLOAD_WORKERS * WORKER_MEMORY, err);
	if (r < 0)
		return r;
	opt.budget = d->budget;
	r = fetcher_new(&d->fetcher, &opt, err);
	if (r == 0)
		r = pool_new(&d->pool, "download", DOWNLOAD_WORKERS,
			     DOWNLOAD_WORKERS, err);
	for (unsigned i = 0; r == 0 && i < DOWNLOAD_WORKERS; i++)
		r = worker_start(d, err);
	return r;
}

/* Reads that are parked end; what was about to be is met the next time. */
static void cancel_reads(struct download *d)
{
	for (unsigned i = 0; i < d->n_workers; i++)
		fetcher_cancel(d->fetcher, &d->workers[i]);
}

bool download_wait(struct download *d, int64_t deadline_ms)
{
	bool is_over, is_stopping;

	lock_take(&d->lock);
	for (;;) {
		int64_t now = clock_ms(), until = deadline_ms;

		is_over = d->n_running == 0;
		is_stopping = d->is_stopping;
		if (is_over || d->n_untold || now >= deadline_ms)
			break;
		if (is_stopping) {
			lock_drop(&d->lock);
			cancel_reads(d);
			lock_take(&d->lock);
			if (now + STOP_STEP_MS < until)
				until = now + STOP_STEP_MS;
		}
		if (d->n_running)
			(void)cond_wait_until(&d->told, &d->lock, until);
	}
	lock_drop(&d->lock);
	return is_over;
}

bool download_failure(struct download *d, char **path, struct err *err)
{
	bool has_one;

	lock_take(&d->lock);
	has_one = d->n_untold > 0;
	if (has_one) {
		struct failure *f = &d->untold[d->untold_at];

		*path = steal_pointer(&f->path);
		*err = f->err;
		d->untold_at = (d->untold_at + 1) % DOWNLOAD_UNTOLD_MAX;
		d->n_untold--;
		cond_signal(&d->room);
	}
	lock_drop(&d->lock);
	return has_one;
}

void download_state(struct download *d, struct download_state *out)
{
	lock_take(&d->lock);
	*out = d->state;
	lock_drop(&d->lock);
}

void download_free(struct download *d)
{
	struct err err;
	char *path;

	if (!d)
		return;
	download_stop(d);
	do {
		while (download_failure(d, &path, &err))
			free(path);
	} while (!download_wait(d, INT64_MAX));
	if (d->pool)
		pool_free(d->pool);
	if (d->fetcher)
		fetcher_free(d->fetcher);
	if (d->budget)
		memory_budget_free(d->budget);
	for (unsigned i = 0; i < d->n_workers; i++) {
		free(d->workers[i].bytes);
		cond_release(&d->workers[i].answered);
	}
	cond_release(&d->room);
	cond_release(&d->told);
	lock_release(&d->lock);
	free(d);
}
