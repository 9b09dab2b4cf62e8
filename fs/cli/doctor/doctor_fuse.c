/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the kernel and fusermount3 let this user mount, and updatedb.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "backends/base/env.h"
#include "backends/base/io.h"
#include "fs/cli/doctor/doctor.h"
#include "fs/mount/mount.h"

#define DEVICE "/dev/fuse"
#define FUSERMOUNT "fusermount3"
#define FUSE_CONF "/etc/fuse.conf"
#define APPARMOR_ENABLED "/sys/module/apparmor/parameters/enabled"
#define APPARMOR_PROFILE "/etc/apparmor.d/" FUSERMOUNT
#define APPARMOR_LOCAL "/etc/apparmor.d/local/" FUSERMOUNT
#define UPDATEDB_CONF "/etc/updatedb.conf"
#define FILE_MAX ((size_t)1 << 20)
#define SEARCH_PATH "/usr/local/bin:/usr/bin:/bin"
#define CAPABILITY_SYS_ADMIN 21		/* capabilities(7) */

static void look_at_device(struct doctor *d)
{
	cleanup_fd int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		doctor_tell(d, VERDICT_OK, "FUSE device", NULL,
			    DEVICE " can be opened");
	else if (errno == EACCES)
		doctor_tell(d, VERDICT_FAILED, "FUSE device",
			    "as root: chmod 666 " DEVICE,
			    DEVICE " may not be opened by this user");
	else
		doctor_tell(d, VERDICT_FAILED, "FUSE device",
			    "as root: modprobe fuse; a container is given it with --device "
			    DEVICE " --cap-add SYS_ADMIN",
			    DEVICE ": %s", strerror(errno));
}

/* Root without it is refused by mount(2), and by fusermount3 as well. */
static bool may_mount(void)
{
	cleanup_buf struct buf status = BUF_INIT;
	struct err ignored = ERR_INIT;
	unsigned long long capabilities;
	const char *line;

	if (io_read_file("/proc/self/status", FILE_MAX, &status, &ignored) < 0)
		return true;
	line = strstr(status.data ? status.data : "", "\nCapEff:");
	if (!line || sscanf(line, "\nCapEff: %llx", &capabilities) != 1)
		return true;
	return capabilities >> CAPABILITY_SYS_ADMIN & 1;
}

/* As execvp(3) would find it; false where there is none. */
static bool find_program(const char *name, struct buf *path)
{
	const char *at = env_get("PATH");

	for (at = at ? at : SEARCH_PATH; *at;) {
		size_t len = strcspn(at, ":");

		buf_clear(path);
		buf_printf(path, "%.*s/%s", (int)len, at, name);
		if (buf_failed(path))
			return false;
		if (len && access(path->data, X_OK) == 0)
			return true;
		at += len;
		at += *at == ':';
	}
	return false;
}

/* Why a program at path does not run as root, or NULL. */
static const char *why_not_root(const char *path)
{
	struct statvfs fs;
	struct stat st;

	if (stat(path, &st) < 0 || st.st_uid != 0 || !(st.st_mode & S_ISUID))
		return "is not set-user-id root";
	if (statvfs(path, &fs) == 0 && fs.f_flag & ST_NOSUID)
		return "lies on a file system that is mounted nosuid";
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		return "gains no privilege in this process (no_new_privs)";
	return NULL;
}

static void look_at_fusermount(struct doctor *d)
{
	cleanup_buf struct buf path = BUF_INIT;
	cleanup_buf struct buf fix = BUF_INIT;
	const char *why;

	if (!find_program(FUSERMOUNT, &path)) {
		doctor_tell(d, VERDICT_FAILED, FUSERMOUNT,
			    "as root: apt-get install fuse3",
			    "not found; without it only root may mount");
		return;
	}
	why = why_not_root(path.data);
	if (!why) {
		doctor_tell(d, VERDICT_OK, FUSERMOUNT, NULL,
			    "%s is set-user-id root", path.data);
		return;
	}
	buf_printf(&fix, "as root: chown root %s && chmod u+s %s; or mount as root",
		   path.data, path.data);
	doctor_tell(d, VERDICT_FAILED, FUSERMOUNT, fix.data, "%s %s",
		    path.data, why);
}

/* Takes the next line off *at, without its comment; NULL after the last. */
static char *next_line(char **at)
{
	char *line = strsep(at, "\n");

	if (line)
		line[strcspn(line, "#")] = '\0';
	return line;
}

static void look_at_allow_other(struct doctor *d)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	bool is_set = false;
	char *at, *line;
	char word[32];

	if (io_read_file(FUSE_CONF, FILE_MAX, &text, &ignored) == 0) {
		for (at = text.data; !is_set && (line = next_line(&at));)
			is_set = sscanf(line, "%31s", word) == 1 &&
				 strcmp(word, "user_allow_other") == 0;
	}
	if (is_set)
		doctor_tell(d, VERDICT_OK, "user_allow_other", NULL,
			    FUSE_CONF " has it: -o allow_other lets other users in");
	else
		doctor_tell(d, VERDICT_WARNING, "user_allow_other",
			    "as root: echo user_allow_other >>" FUSE_CONF
			    "; or mount as root",
			    FUSE_CONF " lacks it: a mount of this user's is for this user alone, not for containers");
}

/* Does a rule of the file name the usual mount point? */
static bool has_rule(const char *path)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;
	char *at, *line;

	if (io_read_file(path, FILE_MAX, &text, &ignored) < 0)
		return false;
	for (at = text.data; (line = next_line(&at));)
		if (strstr(line, "mount") && strstr(line, MOUNT_DEFAULT_POINT))
			return true;
	return false;
}

/*
 * Newer distributions let fusermount3 mount below a few directories only;
 * elsewhere it says no more than "Permission denied".
 */
static void look_at_apparmor(struct doctor *d)
{
	cleanup_buf struct buf enabled = BUF_INIT;
	struct err ignored = ERR_INIT;
	bool is_on = io_read_file(APPARMOR_ENABLED, FILE_MAX, &enabled,
				  &ignored) == 0 &&
		     enabled.len && enabled.data[0] == 'Y';

	if (!is_on || access(APPARMOR_PROFILE, F_OK) < 0)
		doctor_tell(d, VERDICT_OK, "AppArmor", NULL,
			    is_on ? "there is no profile of " FUSERMOUNT :
				    "it is not in use");
	else if (has_rule(APPARMOR_PROFILE) || has_rule(APPARMOR_LOCAL))
		doctor_tell(d, VERDICT_OK, "AppArmor", NULL,
			    "the profile of " FUSERMOUNT " names "
			    MOUNT_DEFAULT_POINT);
	else
		doctor_tell(d, VERDICT_WARNING, "AppArmor",
			    "mount below your home, /mnt or /media; or as root: printf 'mount fstype=@{fuse_types} -> "
			    MOUNT_DEFAULT_POINT "/,\\numount " MOUNT_DEFAULT_POINT
			    "/,\\n' >>" APPARMOR_LOCAL
			    " && apparmor_parser -r " APPARMOR_PROFILE,
			    "its profile of " FUSERMOUNT
			    " lets users mount below a few directories only, not at "
			    MOUNT_DEFAULT_POINT);
}

void doctor_look_at_fuse(struct doctor *d)
{
	look_at_device(d);
	if (geteuid() != 0) {
		look_at_fusermount(d);
		look_at_apparmor(d);
		look_at_allow_other(d);
	} else if (may_mount()) {
		doctor_tell(d, VERDICT_OK, "privilege", NULL,
			    "root may mount, for all users, without " FUSERMOUNT);
	} else {
		doctor_tell(d, VERDICT_FAILED, "privilege",
			    "give the container --cap-add SYS_ADMIN, or mount on the host and hand the directory in",
			    "root may not mount here: CAP_SYS_ADMIN is missing");
	}
}

/*
 * updatedb.conf(5): PRUNEFS = "NFS nfs4 ..."; case does not count.
 */
static bool is_pruned(char *text)
{
	char *at = text, *line, *word;

	while ((line = next_line(&at))) {
		line += strspn(line, " \t");
		if (strncmp(line, "PRUNEFS", strlen("PRUNEFS")) != 0)
			continue;
		while ((word = strsep(&line, " \t\"=")))
			if (strcasecmp(word, MOUNT_FS_TYPE) == 0)
				return true;
	}
	return false;
}

void doctor_look_at_updatedb(struct doctor *d)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int r = io_read_file(UPDATEDB_CONF, FILE_MAX, &text, &err);

	if (r == -ENOENT)
		doctor_tell(d, VERDICT_OK, "updatedb", NULL,
			    "there is no " UPDATEDB_CONF);
	else if (r < 0)
		doctor_tell(d, VERDICT_WARNING, "updatedb",
			    "look at its PRUNEFS as root", "%s", err.text);
	else if (text.data && is_pruned(text.data))
		doctor_tell(d, VERDICT_OK, "updatedb", NULL,
			    "PRUNEFS of " UPDATEDB_CONF " has "
			    MOUNT_FS_TYPE);
	else
		doctor_tell(d, VERDICT_WARNING, "updatedb",
			    "add " MOUNT_FS_TYPE " to PRUNEFS in "
			    UPDATEDB_CONF,
			    "it would walk through every version of every dataset each night");
}
