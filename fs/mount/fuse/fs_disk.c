/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk cache of a mount: where it is, how large it may be.
 */
#include <config.h>
#include "fs/mount/fuse/fs.h"

#include <errno.h>
#include <sys/statvfs.h>
#include "backends/base/log.h"
#include "fs/config/settings.h"

#define SEGMENTS "segments"

static uint64_t trees_bytes(void *arg)
{
	const struct fs *fs = arg;

	return buckets_trees_bytes(fs->buckets);
}

static int disk_limits(struct disk_cache_options *opt,
		       const struct settings *settings, struct err *err)
{
	struct statvfs st;

	if (statvfs(settings->cache_dir, &st) < 0)
		return err_errno(err, errno, "statvfs %s",
				 settings->cache_dir);
	settings_cache_limits(settings, (uint64_t)st.f_blocks * st.f_frsize,
			      &opt->size, &opt->free);
	if (opt->size < DISK_CACHE_SIZE_MIN)
		return err_set(err, ERR_USAGE, EINVAL,
			       "cache.size is less than %llu bytes",
			       (unsigned long long)DISK_CACHE_SIZE_MIN);
	return 0;
}

int fs_open_disk(struct fs *fs, struct err *err)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct disk_cache_options opt = {
		.budget = fs->budget, .others = trees_bytes, .others_arg = fs,
	};
	int r;

	/* Else another daemon may have the directory. */
	if (!fs->state)
		return 0;
	buf_printf(&path, "%s/" SEGMENTS, fs->settings->cache_dir);
	if (buf_failed(&path))
		return err_nomem(err);
	opt.dir = path.data;
	r = disk_limits(&opt, fs->settings, err);
	if (r == 0)
		r = disk_cache_open(&fs->disk, &opt, err);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_warn("mount", "no content is cached on the disk: error=\"%s\"",
			 err->text);
		err_clear(err);
	}
	return 0;
}
