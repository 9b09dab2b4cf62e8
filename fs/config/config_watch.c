/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/config_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "backends/base/log.h"

/* Both ways to write, all ways to replace, and what makes a file readable. */
#define EVENTS                                                                 \
	(IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM |  \
	 IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

/* A file and a folder in which it is looked for. */
struct watched {
	int wd;
	char *name;	/* NULL: whatever happens there counts */
};

struct config_watch {
	int fd;		/* inotify; -1: none */
	bool is_told;	/* that there is none */
	struct settings_source *sources;
	size_t n_sources;
	struct watched *watched;	/* two a source */
	size_t n_watched;
};

int config_watch_new(struct config_watch **out, struct err *err)
{
	struct config_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_nomem(err);
	w->fd = -1;
	*out = w;
	return 0;
}

static void drop_watches(struct config_watch *w)
{
	for (size_t i = 0; i < w->n_watched; i++)
		free(w->watched[i].name);
	free(w->watched);
	w->watched = NULL;
	w->n_watched = 0;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static void sources_free(struct settings_source *sources, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(sources[i].path);
	free(sources);
}

void config_watch_free(struct config_watch *w)
{
	if (!w)
		return;
	drop_watches(w);
	sources_free(w->sources, w->n_sources);
	free(w);
}

/* A folder that is not there (yet) is left to the stamps. */
static void watch_dir(struct config_watch *w, const char *dir,
		      const char *name)
{
	struct watched *one = &w->watched[w->n_watched];

	one->wd = inotify_add_watch(w->fd, dir, EVENTS);
	if (one->wd < 0) {
		log_debug("config", "not watched: folder=%s error=%d", dir,
			  errno);
		return;
	}
	one->name = name ? strdup(name) : NULL;
	w->n_watched++;
}

/* In its folder there is a file of that name, rather than a link or nothing. */
static bool is_direct(const char *dir, const char *name, const char *real)
{
	cleanup_free char *real_dir = realpath(*dir ? dir : "/", NULL);
	size_t len = real_dir ? strlen(real_dir) : 0;

	if (!real || !real_dir)
		return false;
	if (len == 1)	/* "/" */
		len = 0;
	return strncmp(real, real_dir, len) == 0 && real[len] == '/' &&
	       strcmp(real + len + 1, name) == 0;
}

/*
 * The folder of a path, and the path itself where it is a folder.  Where a
 * symlink stands for the file, what it leads to is watched too, and in both
 * folders whatever happens counts: kubelet swaps a link of another name.
 */
static void watch_source(struct config_watch *w,
			 const struct settings_source *source)
{
	cleanup_free char *dir = strdup(source->path);
	cleanup_free char *real = realpath(source->path, NULL);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	const char *name;
	bool is_link;

	if (!slash)
		return;
	*slash = '\0';
	name = slash + 1;
	is_link = !is_direct(dir, name, real);
	watch_dir(w, *dir ? dir : "/", is_link ? NULL : name);
	if (source->is_dir) {
		watch_dir(w, source->path, NULL);
	} else if (is_link && real) {
		slash = strrchr(real, '/');
		*slash = '\0';
		watch_dir(w, *real ? real : "/", NULL);
	}
}

void config_watch_again(struct config_watch *w)
{
	drop_watches(w);
	w->watched = calloc(2 * w->n_sources + 1, sizeof(*w->watched));
	if (w->watched)
		w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->fd < 0) {
		if (!w->is_told)
			log_warn("config", "no inotify, the configuration is looked at every %d s: error=\"%s\"",
				 CONFIG_POLL_MS / 1000, strerror(errno));
		w->is_told = true;
		return;
	}
	for (size_t i = 0; i < w->n_sources; i++)
		watch_source(w, &w->sources[i]);
}

bool config_watch_set(struct config_watch *w, const struct settings *settings)
{
	size_t n = settings->n_sources;
	struct settings_source *copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = settings->sources[i];
		copy[i].path = strdup(copy[i].path);
		if (!copy[i].path) {
			sources_free(copy, i);
			copy = NULL;
		}
	}
	if (!copy)
		return false;
	sources_free(w->sources, w->n_sources);
	w->sources = copy;
	w->n_sources = n;
	config_watch_again(w);
	return true;
}

int config_watch_fd(const struct config_watch *w)
{
	return w->fd;
}

static bool is_meant(const struct config_watch *w,
		     const struct inotify_event *e)
{
	/* Lost events, and a folder that went. */
	if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF |
		       IN_UNMOUNT | IN_IGNORED))
		return true;
	for (size_t i = 0; i < w->n_watched; i++)
		if (w->watched[i].wd == e->wd &&
		    (!w->watched[i].name || !e->len ||
		     strcmp(w->watched[i].name, e->name) == 0))
			return true;
	return false;
}

bool config_watch_take(struct config_watch *w)
{
	_Alignas(struct inotify_event) char events[4096];
	bool is_any = false;
	ssize_t n;

	while (w->fd >= 0 && (n = read(w->fd, events, sizeof(events))) > 0) {
		const struct inotify_event *e;

		for (char *p = events; p < events + n;
		     p += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)p;
			is_any |= is_meant(w, e);
		}
	}
	return is_any;
}

bool config_watch_compare(const struct config_watch *w)
{
	for (size_t i = 0; i < w->n_sources; i++) {
		struct file_stamp now;

		file_stamp_take(w->sources[i].path, &now);
		if (!file_stamp_equal(&now, &w->sources[i].stamp))
			return true;
	}
	return false;
}
