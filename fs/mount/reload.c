/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/reload.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "fs/config/config_watch.h"
#include "fs/mount/fuse/invalidate.h"

#define LOG "config"

/* All but what the lock guards is the thread's own. */
struct reload {
	struct fs *fs;
	struct reload_options opt;
	struct config_watch *watch;
	pthread_t thread;
	bool has_thread;
	int wake;		/* eventfd */
	bool is_asked;		/* atomic: load at once */
	bool is_stopping;	/* atomic */
	int64_t poll_ms;	/* when stamps are compared next */
	uint8_t digest[SHA256_SIZE];	/* of all that is served, with secrets */

	struct lock lock;	/* guards state */
	struct reload_state state;
};

/* ---- what status shows ---- */

void reload_state(struct reload *r, struct reload_state *out)
{
	lock_take(&r->lock);
	*out = r->state;
	lock_drop(&r->lock);
}

static void note_good(struct reload *r)
{
	lock_take(&r->lock);
	r->state.refused_s = 0;
	r->state.refused[0] = '\0';
	lock_drop(&r->lock);
}

static void note_loaded(struct reload *r, const uint8_t digest[SHA256_SIZE],
			const char *next_mount)
{
	lock_take(&r->lock);
	r->state.loaded_s = clock_wall_s();
	r->state.reloads++;
	memcpy(r->state.digest, digest, SHA256_SIZE);
	snprintf(r->state.next_mount, sizeof(r->state.next_mount), "%s",
		 next_mount);
	lock_drop(&r->lock);
}

/* Told once, however often the file is looked at. */
static void note_refused(struct reload *r, const struct err *err)
{
	bool is_new;

	lock_take(&r->lock);
	is_new = strcmp(r->state.refused, err->text) != 0;
	if (!r->state.refused_s)
		r->state.refused_s = clock_wall_s();
	snprintf(r->state.refused, sizeof(r->state.refused), "%s", err->text);
	lock_drop(&r->lock);
	if (is_new)
		log_error(LOG, "configuration is refused, the one before stays: error=\"%s\"",
			  err->text);
}

static bool is_refused(struct reload *r)
{
	bool is;

	lock_take(&r->lock);
	is = r->state.refused_s != 0;
	lock_drop(&r->lock);
	return is;
}

/* ---- the kernel ---- */

/* One bucket as it was before; NULL: not there. */
struct seen {
	struct bucket *bucket;
	struct bucket_access access;
};

static struct seen see(struct fs *fs, size_t i)
{
	struct seen seen = { .bucket = buckets_at(fs->buckets, i) };

	if (seen.bucket)
		seen.access = bucket_access(seen.bucket);
	return seen;
}

static bool is_as_before(const struct seen *a, const struct seen *b)
{
	return a->bucket == b->bucket && a->access.uid == b->access.uid &&
	       a->access.gid == b->access.gid &&
	       a->access.access == b->access.access;
}

/* Names of the root that mean something else by now, or to others. */
static void invalidate_names(struct fs *fs, const struct seen *before,
			     size_t n_before)
{
	for (size_t i = 0; i < buckets_count(fs->buckets); i++) {
		const struct seen none = { .bucket = NULL };
		const struct seen *was = i < n_before ? &before[i] : &none;
		const struct seen is = see(fs, i);

		if (!is_as_before(was, &is))
			invalidate_name(fs->invalidate, NODEID_ROOT,
					bucket_name(is.bucket ? is.bucket :
								was->bucket));
	}
}

/* ---- loading ---- */

/* FILE:LINE:COLUMN: PATH: TEXT of the first one that refuses the file. */
static void say_where(const struct settings_report *report, const char *path,
		      struct err *err)
{
	for (size_t i = 0; i < report->n_problems; i++) {
		const struct settings_problem *p = &report->problems[i];

		if (p->severity != SETTINGS_FATAL)
			continue;
		(void)err_set(err, ERR_USAGE, EINVAL, "%s:%u:%u: %s%s%s", path,
			      p->line, p->column, p->path,
			      *p->path ? ": " : "", p->text);
		return;
	}
}

static void log_problems(const struct settings_report *report,
			 const char *path)
{
	size_t n = report->n_problems;

	if (n > RELOAD_PROBLEMS_LOGGED)
		n = RELOAD_PROBLEMS_LOGGED;
	for (size_t i = 0; i < n; i++) {
		const struct settings_problem *p = &report->problems[i];

		log_warn(LOG, "problem: at=%s:%u:%u key=%s text=\"%s\"", path,
			 p->line, p->column, *p->path ? p->path : "-", p->text);
	}
	if (report->n_problems > n)
		log_warn(LOG, "more problems: number=%zu",
			 report->n_problems - n);
}

/* As mount(1) would have it: what the command line gave is not the file's. */
static void name_next_mount(const struct reload *r, const struct settings *st,
			    struct buf *out)
{
	const struct settings *first = r->fs->settings;
	struct settings as_given = *st;

	if (r->opt.has_cache_dir)
		as_given.cache_dir = first->cache_dir;
	if (r->opt.has_cache_size)
		as_given.cache_size = first->cache_size;
	settings_next_mount(first, &as_given, out);
	buf_str(out, "");
}

/* Takes st over. */
static int serve(struct reload *r, struct settings *st, struct err *err)
{
	struct fs *fs = r->fs;
	size_t n = buckets_count(fs->buckets);
	cleanup_free struct seen *before = calloc(n + 1, sizeof(*before));
	int result;

	if (!before) {
		settings_free(st);
		return err_nomem(err);
	}
	for (size_t i = 0; i < n; i++)
		before[i] = see(fs, i);
	result = buckets_reload(fs->buckets, st, r->opt.strict, err);
	if (result == 0)
		invalidate_names(fs, before, n);
	return result;
}

/* Takes st over. */
static int take(struct reload *r, struct settings *st,
		const struct settings_report *report, struct err *err)
{
	const char *path = r->fs->settings->sources[0].path;
	cleanup_buf struct buf next_mount = BUF_INIT;
	uint8_t digest[SHA256_SIZE], file_digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	int result;

	name_next_mount(r, st, &next_mount);
	memcpy(digest, st->digest, SHA256_SIZE);
	memcpy(file_digest, st->file_digest, SHA256_SIZE);
	result = serve(r, st, err);
	if (result < 0)
		return result;
	memcpy(r->digest, digest, SHA256_SIZE);
	note_loaded(r, file_digest, next_mount.data ? next_mount.data : "");
	encode_hex(hex, file_digest, SHA256_SIZE);
	log_info(LOG, "configuration is loaded: file=%s sha256=%.16s buckets=%zu",
		 path, hex, buckets_live(r->fs->buckets));
	log_problems(report, path);
	if (next_mount.len)
		log_warn(LOG, "takes effect at the next mount: keys=\"%s\"",
			 next_mount.data);
	return 0;
}

static int load(struct reload *r, bool is_asked, struct err *err)
{
	const char *path = r->fs->settings->sources[0].path;
	struct settings_report report = SETTINGS_REPORT_INIT;
	struct settings *st = NULL;
	int result = settings_load(&st, path, &report, err);

	if (result < 0) {
		say_where(&report, path, err);
		config_watch_again(r->watch);
	} else if (!config_watch_set(r->watch, st)) {
		settings_free(st);
		result = err_nomem(err);
	} else if (!is_asked &&
		   memcmp(st->digest, r->digest, SHA256_SIZE) == 0) {
		if (is_refused(r))
			log_info(LOG, "configuration is what is served again: file=%s",
				 path);
		settings_free(st);
	} else {
		result = take(r, st, &report, err);
	}
	settings_report_release(&report);
	return result;
}

/* ---- the thread ---- */

static bool is_stopping(const struct reload *r)
{
	return __atomic_load_n(&r->is_stopping, __ATOMIC_ACQUIRE);
}

/* Until nothing has happened for a while, or it has gone on for too long. */
static void wait_until_quiet(struct reload *r)
{
	int64_t end = clock_ms() + CONFIG_QUIET_MAX_MS, left;
	struct pollfd p[] = {
		{ .fd = r->wake, .events = POLLIN },
		{ .fd = config_watch_fd(r->watch), .events = POLLIN },
	};

	while ((left = end - clock_ms()) > 0) {
		if (left > CONFIG_QUIET_MS)
			left = CONFIG_QUIET_MS;
		if (poll(p, ARRAY_SIZE(p), (int)left) <= 0 || p[0].revents)
			return;
		(void)config_watch_take(r->watch);
	}
}

/* One wait; true: the file is to be loaded, is_asked: whatever it says. */
static bool wait_for_reason(struct reload *r, bool *is_asked)
{
	int64_t left = r->poll_ms - clock_ms();
	struct pollfd p[] = {
		{ .fd = r->wake, .events = POLLIN },
		{ .fd = config_watch_fd(r->watch), .events = POLLIN },
	};
	uint64_t n;

	if (poll(p, ARRAY_SIZE(p), left > 0 ? (int)left : 0) < 0)
		return false;
	if (p[0].revents && read(r->wake, &n, sizeof(n)) < 0 &&
	    errno != EINTR)
		log_debug(LOG, "cannot read what woke it: error=%d", errno);
	*is_asked = __atomic_exchange_n(&r->is_asked, false,
					__ATOMIC_ACQ_REL);
	if (*is_asked || is_stopping(r))
		return true;
	if (p[1].revents && config_watch_take(r->watch)) {
		wait_until_quiet(r);
		return true;
	}
	if (clock_ms() < r->poll_ms)
		return false;
	r->poll_ms = clock_ms() + CONFIG_POLL_MS;
	return is_refused(r) || config_watch_compare(r->watch);
}

static void *reload_main(void *arg)
{
	struct reload *r = arg;

	while (!is_stopping(r)) {
		struct err err = ERR_INIT;
		bool is_asked = false;

		if (!wait_for_reason(r, &is_asked) || is_stopping(r))
			continue;
		if (load(r, is_asked, &err) < 0)
			note_refused(r, &err);
		else
			note_good(r);
		/* What changed while it was read is not left for long. */
		r->poll_ms = clock_ms() + (config_watch_compare(r->watch) ?
					   CONFIG_QUIET_MAX_MS :
					   CONFIG_POLL_MS);
		lock_take(&r->lock);
		r->state.is_polled = config_watch_fd(r->watch) < 0;
		lock_drop(&r->lock);
	}
	return NULL;
}

static void wake(struct reload *r)
{
	static const uint64_t one = 1;

	if (write(r->wake, &one, sizeof(one)) != sizeof(one))
		log_warn(LOG, "cannot wake the thread that loads: error=%d",
			 errno);
}

void reload_now(struct reload *r)
{
	__atomic_store_n(&r->is_asked, true, __ATOMIC_RELEASE);
	wake(r);
}

static int start(struct reload *r, struct err *err)
{
	const struct settings *st = r->fs->settings;
	int result;

	r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->wake < 0)
		return err_errno(err, errno, "eventfd");
	result = config_watch_new(&r->watch, err);
	if (result < 0)
		return result;
	if (!config_watch_set(r->watch, st))
		return err_nomem(err);
	memcpy(r->digest, st->digest, SHA256_SIZE);
	memcpy(r->state.digest, st->file_digest, SHA256_SIZE);
	r->state.loaded_s = clock_wall_s();
	r->state.is_polled = config_watch_fd(r->watch) < 0;
	/* It may have changed since it was loaded. */
	r->poll_ms = clock_ms();
	result = pthread_create(&r->thread, NULL, reload_main, r);
	if (result)
		return err_errno(err, result, "start a thread");
	r->has_thread = true;
	return 0;
}

int reload_new(struct reload **out, struct fs *fs,
	       const struct reload_options *opt, struct err *err)
{
	struct reload *r = calloc(1, sizeof(*r));
	int result;

	if (!r)
		return err_nomem(err);
	r->fs = fs;
	r->opt = *opt;
	lock_init(&r->lock);
	result = start(r, err);
	if (result < 0) {
		reload_free(r);
		return result;
	}
	*out = r;
	return 0;
}

void reload_stop(struct reload *r)
{
	if (!r || !r->has_thread)
		return;
	__atomic_store_n(&r->is_stopping, true, __ATOMIC_RELEASE);
	wake(r);
	pthread_join(r->thread, NULL);
	r->has_thread = false;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	reload_stop(r);
	config_watch_free(r->watch);
	if (r->wake >= 0)
		close(r->wake);
	lock_release(&r->lock);
	free(r);
}
