/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/point/holders.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "backends/base/io.h"

/* Entries of a directory whose names are numbers. */
static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static bool link_is_inside(int proc, const char *name,
			   const struct mountinfo *m)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(proc, name, target, sizeof(target) - 1);
	size_t len = strlen(m->point);

	if (n < 0)
		return false;
	target[n] = '\0';
	return strncmp(target, m->point, len) == 0 &&
	       (target[len] == '/' || target[len] == '\0');
}

/* fdinfo names the mount that a file was opened through. */
static bool has_open_file(int proc, const struct mountinfo *m)
{
	int fd = openat(proc, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;
	bool found = false;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (!found && (de = readdir(dir))) {
		char text[512];
		const char *at;
		int file, id;
		ssize_t n;

		if (!is_number(de->d_name))
			continue;
		file = openat(fd, de->d_name, O_RDONLY | O_CLOEXEC);
		if (file < 0)
			continue;
		n = io_pread_full(file, text, sizeof(text) - 1, 0);
		close(file);
		if (n < 0)
			continue;
		text[n] = '\0';
		at = strstr(text, "mnt_id:");
		found = at && sscanf(at, "mnt_id: %d", &id) == 1 && id == m->id;
	}
	closedir(dir);
	return found;
}

static bool has_mapping(int proc, const struct mountinfo *m)
{
	int fd = openat(proc, "maps", O_RDONLY | O_CLOEXEC);
	cleanup_file FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;
	cleanup_free char *line = NULL;
	size_t cap = 0;

	if (!f) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (getline(&line, &cap, f) > 0) {
		unsigned major, minor;

		if (sscanf(line, "%*s %*s %*s %x:%x", &major, &minor) == 2 &&
		    major == m->major && minor == m->minor)
			return true;
	}
	return false;
}

static bool is_holder(int proc, const struct mountinfo *m)
{
	return link_is_inside(proc, "cwd", m) ||
	       link_is_inside(proc, "root", m) || has_open_file(proc, m) ||
	       has_mapping(proc, m);
}

static void name_holder(int proc, const char *pid, struct buf *out)
{
	char comm[64] = "?";
	int fd = openat(proc, "comm", O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = io_pread_full(fd, comm, sizeof(comm) - 1, 0);
		close(fd);
	}
	if (n > 0)
		comm[n - (comm[n - 1] == '\n')] = '\0';
	buf_printf(out, "%sprocess %s (%s)", out->len ? ", " : "", pid, comm);
}

unsigned holders_find(const struct mountinfo *m, struct buf *out)
{
	DIR *dir = opendir("/proc");
	struct dirent *de;
	unsigned n = 0;

	while (dir && (de = readdir(dir))) {
		cleanup_fd int proc = -1;

		if (!is_number(de->d_name))
			continue;
		proc = openat(dirfd(dir), de->d_name,
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0 || !is_holder(proc, m))
			continue;
		if (n++ < HOLDERS_NAMED_MAX)
			name_holder(proc, de->d_name, out);
	}
	if (dir)
		closedir(dir);
	if (n > HOLDERS_NAMED_MAX)
		buf_printf(out, " and %u more", n - HOLDERS_NAMED_MAX);
	return n;
}
