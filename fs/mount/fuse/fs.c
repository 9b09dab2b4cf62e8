/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/fs.h"

#include <errno.h>
#include <time.h>

#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/mount/fuse/ahead.h"
#include "fs/mount/fuse/invalidate.h"
#include "fs/mount/fuse/read.h"
#include "fs/mount/fuse/read_faults.h"
#include "fs/mount/fuse/served.h"

/* Index, trees' blocks, stacks, connections: what does not ask the budget. */
#define FS_MEMORY_RESERVED ((uint64_t)64 << 20)
#define FS_STATE_NAME "nodes"

static void restore(void *arg, const struct state_record *record)
{
	struct fs *fs = arg;

	if (record->kind == STATE_NAME)
		names_restore(fs->names, record);
	else
		slots_restore(fs->slots, record);
}

/* Without it all works. */
static int no_state(struct err *err)
{
	log_warn("mount", "inode numbers will change with the next mount: error=\"%s\"",
		 err->text);
	err_clear(err);
	return 0;
}

static int open_state(struct fs *fs, struct err *err)
{
	cleanup_buf struct buf path = BUF_INIT;
	cleanup_fd int dir = io_open_private_dir(fs->settings->cache_dir, NULL,
						 err);
	int r;

	if (dir < 0)
		return no_state(err);
	buf_printf(&path, "%s/" FS_STATE_NAME, fs->settings->cache_dir);
	if (buf_failed(&path))
		return err_nomem(err);
	r = state_file_open(&fs->state, path.data, restore, fs, err);
	if (r == -EBUSY)
		return err_wrap(err, "cache directory %s: give each mount one of its own with --cache-dir",
				fs->settings->cache_dir);
	if (r < 0)
		return no_state(err);
	names_set_state(fs->names, fs->state);
	slots_set_state(fs->slots, fs->state);
	return 0;
}

/* A new catalog of a bucket. */
static void changed(void *arg, struct bucket *b, struct catalog *before,
		    struct catalog *now)
{
	struct fs *fs = arg;

	slots_refresh(fs->slots, b, now);
	invalidate_changed(fs, b, before, now);
}

/* It is there before anybody can find the bucket. */
static int open_view(void *arg, struct bucket *b, struct err *err)
{
	struct fs *fs = arg;
	size_t i = bucket_index(b);

	/* May be there of a bucket that could not be registered then. */
	view_free(fs->views[i]);
	fs->views[i] = NULL;
	fs->n_views = i + 1;
	return view_new(&fs->views[i], b, changed, fs, err);
}

/* Most of it is never touched, and so takes no memory. */
static int open_buckets(struct fs *fs, struct err *err)
{
	const struct buckets_options opt = {
		.on_new = open_view, .on_new_arg = fs,
	};

	fs->views = calloc(BUCKETS_EVER_MAX, sizeof(struct view *));
	if (!fs->views)
		return err_nomem(err);
	return buckets_new(&fs->buckets, fs->settings, &opt, err);
}

static int open_fetcher(struct fs *fs, struct err *err)
{
	struct fetcher_options opt = {
		.on_bad = read_blob_is_bad, .on_bad_arg = fs,
	};
	int r;

	r = memory_budget_new(&fs->budget, fs->settings->memory,
			      FS_MEMORY_RESERVED, err);
	if (r == 0)
		r = fs_open_disk(fs, err);
	if (r < 0)
		return r;
	opt.budget = fs->budget;
	opt.disk = fs->disk;
	return fetcher_new(&fs->fetcher, &opt, err);
}

int fs_open(struct fs *fs, const struct settings *settings, struct err *err)
{
	int r;

	fs->settings = settings;
	fs->uid = fs->options.uid != (uid_t)-1 ? fs->options.uid : geteuid();
	fs->gid = fs->options.gid != (gid_t)-1 ? fs->options.gid : getegid();
	fs->started_s = clock_wall_s();

	r = names_new(&fs->names, err);
	if (r == 0)
		r = slots_new(&fs->slots, err);
	if (r == 0)
		r = open_state(fs, err);
	if (r == 0)
		r = ahead_new(&fs->ahead, err);
	if (r == 0)
		r = read_faults_new(&fs->faults, err);
	if (r == 0)
		r = served_new(&fs->served, err);
	if (r == 0)
		r = open_buckets(fs, err);
	if (r == 0)
		r = open_fetcher(fs, err);
	return r;
}

bool fs_enter(struct fs *fs)
{
	__atomic_fetch_add(&fs->n_inside, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&fs->is_stopping, __ATOMIC_SEQ_CST))
		return true;
	fs_leave(fs);
	return false;
}

void fs_leave(struct fs *fs)
{
	__atomic_fetch_sub(&fs->n_inside, 1, __ATOMIC_SEQ_CST);
}

void fs_stop(struct fs *fs)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	if (fs->invalidate)
		invalidate_stop(fs->invalidate);
	if (fs->buckets)
		buckets_stop(fs->buckets);
	/* The fetcher borrows the buckets' backends: it goes first. */
	__atomic_store_n(&fs->is_stopping, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&fs->n_inside, __ATOMIC_SEQ_CST))
		(void)nanosleep(&pause, NULL);
	if (fs->fetcher)
		fetcher_free(fs->fetcher);
	fs->fetcher = NULL;
	disk_cache_free(fs->disk);
	fs->disk = NULL;
}

void fs_close_buckets(struct fs *fs)
{
	if (fs->buckets)
		buckets_free(fs->buckets);
	fs->buckets = NULL;
}

/* Slots' catalogs and trees are counted by themselves: they may go last. */
void fs_close(struct fs *fs)
{
	for (size_t i = 0; fs->views && i < fs->n_views; i++)
		view_free(fs->views[i]);
	free(fs->views);
	slots_free(fs->slots);
	names_free(fs->names);
	state_file_free(fs->state);
	served_free(fs->served);
	read_faults_free(fs->faults);
	ahead_free(fs->ahead);
	if (fs->budget)
		memory_budget_free(fs->budget);
}
