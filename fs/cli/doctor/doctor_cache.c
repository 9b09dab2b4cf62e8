/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where content is kept: the cache directory, and memory.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include "backends/base/io.h"
#include "cache/disk/disk_cache.h"
#include "cache/memory_budget.h"
#include "cache/memory_cgroup.h"
#include "fs/cli/doctor/doctor.h"
#include "fs/cli/table.h"

#define SEGMENTS "segments"

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif

#define IN_MEMORY "memory: what it keeps is lost at a reboot, and counts against limits of memory"
#define OVER_NETWORK "on the network: slower than a local disk"

/* Those that a cache works on, but badly. */
static const struct {
	unsigned long magic;
	const char *name, *drawback;
} odd_kinds[] = {
	{ TMPFS_MAGIC, "tmpfs", IN_MEMORY },
	{ RAMFS_MAGIC, "ramfs", IN_MEMORY },
	{ OVERLAYFS_SUPER_MAGIC, "overlayfs",
	  "a container's layer: what it keeps is lost with the container" },
	{ NFS_SUPER_MAGIC, "nfs", OVER_NETWORK },
	{ CIFS_SUPER_MAGIC, "cifs", OVER_NETWORK },
	{ SMB2_SUPER_MAGIC, "smb2", OVER_NETWORK },
	{ CEPH_SUPER_MAGIC, "ceph", OVER_NETWORK },
	{ AFS_SUPER_MAGIC, "afs", OVER_NETWORK },
	{ FUSE_SUPER_MAGIC, "fuse", "another daemon's: its speed is not a disk's" },
};

static void look_at_kind(struct doctor *d, int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0) {
		doctor_tell(d, VERDICT_FAILED, "cache file system",
			    "datasetfs.cache.dir or --cache-dir names another directory",
			    "%s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(odd_kinds); i++) {
		if (odd_kinds[i].magic != ((unsigned long)st.f_type & UINT32_MAX))
			continue;
		doctor_tell(d, VERDICT_WARNING, "cache file system",
			    "datasetfs.cache.dir or --cache-dir: a directory on a local disk",
			    "%s is %s", odd_kinds[i].name,
			    odd_kinds[i].drawback);
		return;
	}
	doctor_tell(d, VERDICT_OK, "cache file system", NULL,
		    "a local one (type 0x%lx)", (unsigned long)st.f_type);
}

/* What the cache has taken already, and would use again. */
static uint64_t bytes_in_use(int dir_fd)
{
	int fd = openat(dir_fd, SEGMENTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	uint64_t bytes = 0;
	struct dirent *de;
	struct stat st;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	while ((de = readdir(dir)))
		if (fstatat(dirfd(dir), de->d_name, &st,
			    AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_blocks * 512;
	closedir(dir);
	return bytes;
}

static void look_at_room(struct doctor *d, int fd)
{
	char room_size[SIZE_TEXT_MAX], free_size[SIZE_TEXT_MAX];
	char kept_size[SIZE_TEXT_MAX];
	uint64_t available, kept, room, size;
	struct statvfs st;

	if (fstatvfs(fd, &st) < 0)
		return;		/* said of its kind already */
	available = (uint64_t)st.f_bavail * st.f_frsize;
	settings_cache_limits(d->cli->settings,
			      (uint64_t)st.f_blocks * st.f_frsize, &size,
			      &kept);
	room = available + bytes_in_use(fd);
	room = room > kept ? room - kept : 0;
	if (room > size)
		room = size;
	size_text(room_size, room);
	size_text(free_size, available);
	size_text(kept_size, kept);
	if (room >= DISK_CACHE_SIZE_MIN)
		doctor_tell(d, VERDICT_OK, "cache room", NULL,
			    "%s for content; %s are free there, %s stay so",
			    room_size, free_size, kept_size);
	else
		doctor_tell(d, VERDICT_FAILED, "cache room",
			    "make room there, or name another directory with datasetfs.cache.dir or --cache-dir",
			    "%s for content: %s are free there, and %s must stay so",
			    room_size, free_size, kept_size);
}

void doctor_look_at_cache(struct doctor *d)
{
	const char *path = d->cli->settings->cache_dir;
	struct err err = ERR_INIT;
	cleanup_fd int fd = io_open_private_dir(path, NULL, &err);

	if (fd < 0) {
		doctor_tell(d, VERDICT_FAILED, "cache directory",
			    "datasetfs.cache.dir or --cache-dir: a directory of the user who mounts",
			    "%s", err.text);
		return;
	}
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		doctor_tell(d, VERDICT_FAILED, "cache directory",
			    "datasetfs.cache.dir or --cache-dir: one that may be written to",
			    "%s: %s", path, strerror(errno));
	else
		doctor_tell(d, VERDICT_OK, "cache directory", NULL,
			    "%s is this user's alone", path);
	look_at_kind(d, fd);
	look_at_room(d, fd);
}

void doctor_look_at_memory(struct doctor *d)
{
	uint64_t allowed = memory_cgroup_own();
	uint64_t wanted = d->cli->settings->memory;
	char allowed_size[SIZE_TEXT_MAX], wanted_size[SIZE_TEXT_MAX];

	if (!wanted)
		wanted = memory_budget_default(allowed);
	size_text(allowed_size, allowed);
	size_text(wanted_size, wanted);
	if (allowed == MEMORY_CGROUP_NONE)
		doctor_tell(d, VERDICT_OK, "memory", NULL,
			    "no limit here; the daemon takes %s at most",
			    wanted_size);
	else if (memory_budget_default(allowed) < MEMORY_BUDGET_MIN)
		doctor_tell(d, VERDICT_FAILED, "memory",
			    "raise the limit of the container or service, to 512MiB or more",
			    "this control group may use %s: the daemon would be killed",
			    allowed_size);
	else if (d->cli->settings->memory && wanted > allowed / 4 * 3)
		doctor_tell(d, VERDICT_FAILED, "memory",
			    "datasetfs.memory: half of the limit; or raise the limit",
			    "datasetfs.memory is %s where this control group may use %s: the daemon would be killed",
			    wanted_size, allowed_size);
	else
		doctor_tell(d, VERDICT_OK, "memory", NULL,
			    "this control group may use %s", allowed_size);
}
