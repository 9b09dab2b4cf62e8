/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/point/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/mount/mount.h"

#define MOUNTINFO_FILE "/proc/self/mountinfo"

/* The next word, with \ooo turned into bytes; false beyond size. */
static bool next_word(const char **at, char *out, size_t size)
{
	const char *p = *at + strspn(*at, " ");
	size_t n = 0;

	if (!*p)
		return false;
	for (; *p && *p != ' '; p++) {
		char c = *p;

		if (c == '\\' && p[1] >= '0' && p[1] <= '3' &&
		    p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
			c = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 |
				   (p[3] - '0'));
			p += 3;
		}
		if (n + 1 >= size)
			return false;
		out[n++] = c;
	}
	out[n] = '\0';
	*at = p;
	return true;
}

static uid_t user_of(const char *options)
{
	const char *at = strstr(options, "user_id=");
	unsigned uid;

	if (!at || (at != options && at[-1] != ',') ||
	    sscanf(at, "user_id=%u", &uid) != 1)
		return (uid_t)-1;
	return uid;
}

bool mountinfo_parse(struct mountinfo *out, const char *line)
{
	char word[PATH_MAX];
	const char *at = strstr(line, " - ");
	int used = 0;

	if (!at)
		return false;
	at += 3;
	if (sscanf(line, "%d %*d %u:%u %n", &out->id, &out->major, &out->minor,
		   &used) != 3 || !used)
		return false;
	line += used;
	if (!next_word(&line, out->root, sizeof(out->root)) ||
	    !next_word(&line, out->point, sizeof(out->point)) ||
	    !next_word(&at, out->type, sizeof(out->type)) ||
	    !next_word(&at, word, sizeof(word)))
		return false;
	out->user_id = next_word(&at, word, sizeof(word)) ? user_of(word) :
							     (uid_t)-1;
	return true;
}

int mountinfo_find(struct mountinfo *out, const char *path, struct err *err)
{
	cleanup_file FILE *f = fopen(MOUNTINFO_FILE, "re");
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	cleanup_free char *line = NULL;
	size_t cap = 0;
	bool found = false;
	ssize_t n;

	if (!m)
		return err_nomem(err);
	if (!f)
		return err_errno(err, errno, "open " MOUNTINFO_FILE);
	/* The last one of those at the same point is on top. */
	while ((n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (mountinfo_parse(m, line) && strcmp(m->point, path) == 0) {
			*out = *m;
			found = true;
		}
	}
	if (!found)
		return err_set(err, ERR_MISSING, ENOENT,
			       "nothing is mounted at %s", path);
	return 0;
}

static int path_error(struct err *err, const char *path)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return err_set(err, ERR_MISSING, ENOENT, "%s: %s", path,
			       strerror(errno));
	return err_errno(err, errno, "%s", path);
}

/* realpath(3) asks readlink(2) of each part, which no mount's root is asked. */
int mountinfo_path(char out[PATH_MAX], const char *path, struct err *err)
{
	char dir[PATH_MAX], real[PATH_MAX];
	size_t len = strlen(path);
	const char *base;
	int n;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (!len || len >= PATH_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "mount point \"%.64s\": no path", path);
	memcpy(dir, path, len);
	dir[len] = '\0';
	if (realpath(dir, out))
		return 0;
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return path_error(err, dir);

	/* Its last part cannot be asked (a dead mount, another's): the rest. */
	base = strrchr(dir, '/');
	n = -1;
	if (!base) {
		if (realpath(".", real))
			n = snprintf(out, PATH_MAX, "%s/%s", real, dir);
	} else if (base == dir) {
		n = snprintf(out, PATH_MAX, "%s", dir);
	} else {
		dir[base - dir] = '\0';
		if (realpath(dir, real))
			n = snprintf(out, PATH_MAX, "%s/%s", real, base + 1);
	}
	if (n < 0)
		return path_error(err, dir);
	if (n >= PATH_MAX)
		return err_errno(err, ENAMETOOLONG, "%s", dir);
	return 0;
}

int mountinfo_of(struct mountinfo *out, const char *mountpoint, struct err *err)
{
	char path[PATH_MAX];
	int r = mountinfo_path(path, mountpoint, err);

	return r < 0 ? r : mountinfo_find(out, path, err);
}

bool mountinfo_is_ours(const struct mountinfo *m)
{
	return strcmp(m->type, MOUNT_FS_TYPE) == 0 && strcmp(m->root, "/") == 0;
}

/* The points first: each() may take its time. */
void mount_each(void (*each)(void *arg, const char *mountpoint), void *arg)
{
	cleanup_file FILE *f = fopen(MOUNTINFO_FILE, "re");
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	cleanup_free char *line = NULL;
	char *points[MOUNT_EACH_MAX];
	size_t cap = 0, n_points = 0;
	ssize_t n;

	while (f && m && n_points < MOUNT_EACH_MAX &&
	       (n = getline(&line, &cap, f)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (!mountinfo_parse(m, line) || !mountinfo_is_ours(m))
			continue;
		points[n_points] = strdup(m->point);
		if (points[n_points])
			n_points++;
	}
	for (size_t i = 0; i < n_points; i++) {
		each(arg, points[i]);
		free(points[i]);
	}
}

bool mount_is_mounted(const char *path)
{
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	struct err err = ERR_INIT;

	return m && mountinfo_of(m, path, &err) == 0 && mountinfo_is_ours(m);
}
