/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/registry/trees_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/dataset/tree/temp_file.h"

#define LOG "tree"

struct tree_file {
	char name[80];
	int64_t used_s;
	uint64_t bytes;
};

struct tree_files {
	struct tree_file *files;
	size_t n, cap;
	uint64_t bytes;
};

int trees_dir_open(const char *cache_dir, struct err *err)
{
	int fd = io_open_private_dir(cache_dir, "trees", err);

	return fd < 0 ? err_wrap(err, "cache directory") : fd;
}

int trees_dir_check(const char *cache_dir, struct err *err)
{
	cleanup_fd int fd = trees_dir_open(cache_dir, err);
	int r = fd < 0 ? fd : temp_file_probe(fd, err);

	return fd >= 0 && r < 0 ?
		       err_wrap(err, "cache directory %s", cache_dir) : r;
}

void trees_dir_touch(int dirfd, const char *name)
{
	/* A file system that keeps no times costs only a worse choice. */
	if (utimensat(dirfd, name, NULL, 0) < 0)
		log_debug(LOG, "tree not touched: name=%s", name);
}

static void files_add(struct tree_files *all, const char *name,
		      const struct stat *st)
{
	struct tree_file *f;

	all->bytes += (uint64_t)st->st_blocks * 512;
	if (strlen(name) >= sizeof(f->name) || all->n >= TREES_DIR_FILES_MAX)
		return;
	if (all->n == all->cap) {
		size_t cap = all->cap ? 2 * all->cap : 64;

		f = reallocarray(all->files, cap, sizeof(*f));
		if (!f)
			return;
		all->files = f;
		all->cap = cap;
	}
	f = &all->files[all->n++];
	strcpy(f->name, name);
	f->used_s = st->st_mtim.tv_sec;
	f->bytes = (uint64_t)st->st_blocks * 512;
}

static void files_read(struct tree_files *all, int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir))) {
		struct stat st;

		if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode))
			files_add(all, e->d_name, &st);
	}
	closedir(dir);
}

static int by_use(const void *a, const void *b)
{
	const struct tree_file *x = a, *y = b;

	return (x->used_s > y->used_s) - (x->used_s < y->used_s);
}

void trees_dir_trim(int dirfd, uint64_t size_bytes, const char *keep)
{
	struct tree_files all = { .files = NULL };
	uint64_t limit = size_bytes ? size_bytes : TREES_DIR_SIZE_DEFAULT;

	files_read(&all, dirfd);
	if (all.n)
		qsort(all.files, all.n, sizeof(*all.files), by_use);
	for (size_t i = 0; i < all.n && all.bytes > limit; i++) {
		if (strcmp(all.files[i].name, keep) == 0)
			continue;
		if (unlinkat(dirfd, all.files[i].name, 0) < 0)
			continue;
		all.bytes -= all.files[i].bytes;
		log_info(LOG, "tree evicted: name=%s", all.files[i].name);
	}
	free(all.files);
}

uint64_t trees_dir_bytes(int dirfd)
{
	struct tree_files all = { .files = NULL };

	files_read(&all, dirfd);
	free(all.files);
	return all.bytes;
}
