/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An errand where no mount runs: everything of one but for the kernel.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "fs/mount/control/errand.h"
#include "fs/mount/daemon.h"
#include "fs/mount/mount.h"

static bool go_on(void *arg)
{
	(void)arg;
	return true;
}

static void finish(struct fs *fs)
{
	fs_stop(fs);
	fs_close_buckets(fs);
	fs_close(fs);
	fuse_options_release(&fs->options);
}

/* Else the directory would be done without, as a mount does. */
static int check_rights(const struct settings *settings, struct err *err)
{
	cleanup_fd int dir = io_open_private_dir(settings->cache_dir, NULL,
						 err);

	if (dir == -EACCES || dir == -EPERM)
		err->class = ERR_AUTH;
	return dir < 0 ? dir : 0;
}

int mount_errand_offline(const struct settings *settings, const char *question,
			 struct buf *out, struct err *err)
{
	struct errand errand = { .beat = go_on };
	int r = check_rights(settings, err);
	struct fs *fs;

	if (r < 0)
		return r;
	fs = errand.fs = calloc(1, sizeof(*fs));
	if (!fs)
		return err_nomem(err);
	/* With fewer descriptors than the mount had it would drop segments. */
	daemon_limits();
	fs->mountpoint = "";
	r = fuse_options_parse(&fs->options, NULL, geteuid() == 0, err);
	if (r == 0)
		r = fs_open(fs, settings, err);
	if (r == 0 && !fs->disk)
		r = err_set(err, ERR_SYSTEM, EIO,
			    "there is no disk cache that can be used in %s",
			    settings->cache_dir);
	if (r == 0)
		errand_answer(&errand, question, out);
	finish(fs);
	free(fs);
	return r;
}
