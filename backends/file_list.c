/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/file_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include "backends/base/digest.h"
#include "backends/base/log.h"

/*
 * The directory tree as one sorted list of keys.  A directory sorts as its
 * name with a slash, so that a depth-first walk meets the keys in byte order
 * ("a.b" before "a/b" before "a0").
 *
 * A token is a kind and a path: "=KEY", all keys up to KEY were listed;
 * "/DIR/", all keys up to the last one below DIR were.  start_after is the
 * first kind.
 */
struct listing {
	struct backend_op *op;
	size_t max;
	size_t prefix_len;

	char after_kind; /* 0: from the first key */
	const char *after;

	struct list_entry *entries; /* keys are offsets until page_make() */
	size_t n_entries;
	size_t cap;
	struct buf keys;

	/* Symlinks, FIFOs, devices, sockets: no objects, but somebody's. */
	unsigned n_left_out;
	char left_out[BACKEND_KEY_MAX + 1]; /* the first one */

	bool is_probe; /* one key is enough: for a prefix */
	bool is_full;
	char cursor[BACKEND_KEY_MAX + 2]; /* the token so far */

	/* Where the walk is: a key, or "dir/dir/". */
	size_t path_len;
	char path[BACKEND_KEY_MAX + 1];
};

/* The names of one directory that may be on this page. */
struct names {
	char **v;
	size_t n;
	size_t cap;
	bool is_cut;
};

static void names_release(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
}
#define cleanup_names __attribute__((cleanup(names_release)))

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Keeps only what this page can hold: memory does not grow with the folder. */
static void names_cut(struct names *names, size_t keep)
{
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), compare_names);
	while (names->n > keep) {
		free(names->v[--names->n]);
		names->is_cut = true;
	}
}

static int names_add(struct names *names, const char *name, size_t keep,
		     struct err *err)
{
	if (names->n >= 4 * keep)
		names_cut(names, keep);
	if (names->n == names->cap) {
		size_t cap = names->cap ? 2 * names->cap : 64;
		char **v = realloc(names->v, cap * sizeof(*v));

		if (!v)
			return err_nomem(err);
		names->v = v;
		names->cap = cap;
	}
	names->v[names->n] = strdup(name);
	if (!names->v[names->n])
		return err_nomem(err);
	names->n++;
	return 0;
}

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Whether the key, or some key below the directory, may be on this page. */
static bool is_wanted(const struct listing *l, const char *path, bool is_dir)
{
	const char *prefix = l->op->prefix;

	if (!starts_with(path, prefix) &&
	    !(is_dir && starts_with(prefix, path)))
		return false;
	if (!l->after_kind)
		return true;
	if (l->after_kind == '/' && starts_with(path, l->after))
		return false;
	if (is_dir && starts_with(l->after, path))
		return true;
	return strcmp(path, l->after) > 0;
}

static bool path_push(struct listing *l, const char *name)
{
	size_t len = strlen(name);

	if (l->path_len + len > BACKEND_KEY_MAX)
		return false;
	memcpy(l->path + l->path_len, name, len + 1);
	l->path_len += len;
	return true;
}

static void path_cut(struct listing *l, size_t len)
{
	l->path_len = len;
	l->path[len] = '\0';
}

/* name may get a slash appended: it holds NAME_MAX + 2 bytes. */
static int consider(struct listing *l, struct names *names, int dir_fd,
		    char *name, unsigned char type)
{
	size_t base = l->path_len;
	struct stat st;
	int r = 0;

	if (type == DT_UNKNOWN) {
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		type = S_ISDIR(st.st_mode)   ? DT_DIR
		       : S_ISREG(st.st_mode) ? DT_REG
					     : DT_LNK;
	}
	/* What is no object is counted where the walk comes to it. */
	if (type != DT_DIR && type != DT_REG && l->is_probe)
		return 0;
	if (type == DT_DIR)
		strcat(name, "/");
	if (!path_push(l, name)) {
		log_warn("file",
			 "not listed, its key is too long: "
			 "location=%s key=\"%s%s\"",
			 l->op->backend->name, l->path, name);
		return 0;
	}
	if (is_wanted(l, l->path, type == DT_DIR))
		r = names_add(names, name, l->max + 1, &l->op->err);
	path_cut(l, base);
	return r;
}

static int read_names(struct listing *l, struct names *names, int dir_fd)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = file_error(&l->op->err, errno, "open a directory");
		if (fd >= 0)
			(void)close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		char name[NAME_MAX + 2];

		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") ||
		    starts_with(entry->d_name, FILE_HIDDEN))
			continue;
		(void)snprintf(name, sizeof(name), "%s", entry->d_name);
		r = consider(l, names, dir_fd, name, entry->d_type);
	}
	if (r == 0 && errno)
		r = file_error(&l->op->err, errno, "read a directory");
	(void)closedir(dir);
	names_cut(names, l->max + 1);
	return r;
}

static int emit(struct listing *l, const struct stat *st)
{
	struct list_entry *entry;
	int r;

	if (l->is_probe) {
		l->is_full = true;
		return 0;
	}
	if (l->n_entries == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct list_entry *v = realloc(l->entries, cap * sizeof(*v));

		if (!v)
			return err_nomem(&l->op->err);
		l->entries = v;
		l->cap = cap;
	}
	entry = &l->entries[l->n_entries];
	memset(entry, 0, sizeof(*entry));
	entry->is_prefix = !st;
	entry->info.size = BACKEND_SIZE_UNKNOWN;
	if (st)
		file_info(&entry->info, st);
	r = buf_add(&l->keys, l->path, l->path_len + 1, &l->op->err);
	if (r < 0)
		return r;
	l->n_entries++;
	l->is_full = l->n_entries == l->max;
	return 0;
}

static void leave_out(struct listing *l)
{
	if (!l->n_left_out++)
		(void)snprintf(l->left_out, sizeof(l->left_out), "%s", l->path);
}

static void move_cursor(struct listing *l, char kind)
{
	if (!l->is_probe)
		(void)snprintf(l->cursor, sizeof(l->cursor), "%c%s", kind,
			       l->path);
}

static int walk(struct listing *l);

/* A common prefix is listed when there is a key below it. */
static int visit_prefix(struct listing *l)
{
	int r;

	l->is_probe = true;
	r = walk(l);
	l->is_probe = false;
	if (r < 0 || !l->is_full)
		return r;
	l->is_full = false;
	return emit(l, NULL);
}

static int visit_dir(struct listing *l)
{
	int r;

	if (l->op->by_slash && !l->is_probe && l->path_len > l->prefix_len)
		r = visit_prefix(l);
	else
		r = walk(l);
	/* A full page ends inside, unless this very prefix filled it. */
	if (r == 0 &&
	    (!l->is_full || (l->op->by_slash && l->path_len > l->prefix_len)))
		move_cursor(l, '/');
	return r;
}

static int visit_file(struct listing *l, int dir_fd, const char *name)
{
	struct stat st;
	int r = 0;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : file_error(&l->op->err, errno, "stat");
	if (S_ISREG(st.st_mode))
		r = emit(l, &st);
	else
		leave_out(l);
	if (r == 0)
		move_cursor(l, '=');
	return r;
}

/* The directory at path ("" for the root), which ends in a slash. */
static int walk(struct listing *l)
{
	cleanup_names struct names names = {.v = NULL};
	size_t base = l->path_len;
	cleanup_fd int fd = -1;
	int r;

	fd = file_open_dir(file_backend(l->op)->root_fd, base ? l->path : ".");
	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return file_error(&l->op->err, -fd, "open a directory");
	r = read_names(l, &names, fd);

	for (size_t i = 0; r == 0 && !l->is_full && i < names.n; i++) {
		bool is_dir = names.v[i][strlen(names.v[i]) - 1] == '/';

		if (!path_push(l, names.v[i]))
			break;
		r = is_dir ? visit_dir(l) : visit_file(l, fd, names.v[i]);
		path_cut(l, base);
	}
	/* The names that were dropped come with the next page. */
	if (names.is_cut && !l->is_probe)
		l->is_full = true;
	return r;
}

/* Begins in the deepest directory that the prefix names. */
static int walk_prefix(struct listing *l)
{
	const char *prefix = l->op->prefix;
	const char *slash = strrchr(prefix, '/');
	cleanup_free char *dir = NULL;
	int r;

	if (strlen(prefix) > BACKEND_KEY_MAX)
		return 0;
	if (!slash)
		return walk(l);
	dir = strndup(prefix, (size_t)(slash - prefix));
	if (!dir)
		return err_nomem(&l->op->err);
	r = file_check_key(dir, &l->op->err);
	if (r == -ENOENT) {
		err_clear(&l->op->err);
		return 0;
	}
	if (r < 0)
		return r;
	l->path_len = (size_t)(slash + 1 - prefix);
	memcpy(l->path, prefix, l->path_len);
	l->path[l->path_len] = '\0';
	return walk(l);
}

static int page_start(struct listing *l)
{
	struct backend_op *op = l->op;

	l->max = op->max_keys;
	if (!l->max || l->max > FILE_LIST_MAX)
		l->max = FILE_LIST_MAX;
	l->prefix_len = strlen(op->prefix);
	if (op->token) {
		if (op->token[0] != '=' && op->token[0] != '/')
			return err_set(&op->err, ERR_USAGE, EINVAL,
				       "not a token of this store");
		l->after_kind = op->token[0];
		l->after = op->token + 1;
	} else if (op->start_after) {
		l->after_kind = '=';
		l->after = op->start_after;
	}
	return 0;
}

static void listing_free(void *arg)
{
	struct listing *l = arg;

	free(l->entries);
	buf_release(&l->keys);
	free(l);
}

static void page_make(struct listing *l)
{
	size_t at = 0;

	for (size_t i = 0; i < l->n_entries; i++) {
		l->entries[i].key = l->keys.data + at;
		at += strlen(l->entries[i].key) + 1;
	}
	l->op->page.entries = l->entries;
	l->op->page.n_entries = l->n_entries;
	l->op->page.next = l->is_full ? l->cursor : NULL;
}

/* Once for the same ones, as catalogs are listed again and again. */
static void tell_left_out(const struct listing *l)
{
	struct file_backend *fb = file_backend(l->op);
	uint64_t what = digest_xxh3(l->left_out, strlen(l->left_out)) +
			l->n_left_out;

	if (!l->n_left_out || atomic_exchange(&fb->told, what) == what)
		return;
	log_warn("file",
		 "not listed, as they are no regular files: location=%s "
		 "below=\"%s\" count=%u first=\"%s\"",
		 l->op->backend->name, l->op->prefix, l->n_left_out,
		 l->left_out);
}

int file_list(struct backend_op *op)
{
	struct listing *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return err_nomem(&op->err);
	op->page_memory = l;
	op->page_free = listing_free;
	l->op = op;
	r = page_start(l);
	if (r == 0)
		r = walk_prefix(l);
	if (r == 0) {
		page_make(l);
		tell_left_out(l);
	}
	return r;
}
