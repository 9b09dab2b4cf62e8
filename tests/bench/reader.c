/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads files of any file system, cheaply, so that the file system is what is
 * measured.
 *
 *	reader [--threads N] [--seconds S] [--shared] < LIST
 *	reader --walk DIR [--seconds S]
 *
 * A line of the list is "OFFSET LENGTH PATH"; each thread takes the next line
 * that none has taken.  --shared: one descriptor, of the first line's path, for
 * all.  --walk: readdir and lstat of everything below DIR.  After S seconds (0:
 * never) no further line is taken.  Prints one line of JSON; what reads short
 * or cannot be opened ends it with status 1.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 256
#define BLOCK_BYTES ((size_t)1 << 20)

struct item {
	uint64_t offset, len;
	char *path;
};

static struct item *items;
static size_t n_items;
static atomic_size_t next_item;
static _Atomic uint64_t n_done, n_bytes;
static double stop_at = 1e18;
static int shared_fd = -1;

static double seconds(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *path, const char *why)
{
	fprintf(stderr, "reader: %s: %s\n", path, why);
	exit(1);
}

static void read_list(void)
{
	size_t room = 0, line_room = 0;
	char *line = NULL;
	ssize_t len;

	while ((len = getline(&line, &line_room, stdin)) > 0) {
		unsigned long long offset, length;
		int at = 0;

		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%llu %llu %n", &offset, &length, &at) != 2 ||
		    !line[at])
			die(line, "not OFFSET LENGTH PATH");
		if (n_items == room) {
			room = room ? room * 2 : 1024;
			items = realloc(items, room * sizeof(*items));
			if (!items)
				die("list", "no memory");
		}
		items[n_items++] = (struct item){
			.offset = offset, .len = length,
			.path = strdup(line + at) };
	}
	free(line);
	if (!n_items)
		die("list", "empty");
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path, strerror(errno));
	return fd;
}

static void read_item(const struct item *item, char *block)
{
	int fd = shared_fd < 0 ? open_file(item->path) : shared_fd;
	uint64_t at = 0;

	while (at < item->len) {
		size_t want = item->len - at < BLOCK_BYTES ?
			      (size_t)(item->len - at) : BLOCK_BYTES;
		ssize_t n = pread(fd, block, want, (off_t)(item->offset + at));

		if (n < 0)
			die(item->path, strerror(errno));
		if (n == 0)
			die(item->path, "short");
		at += (uint64_t)n;
	}
	if (fd != shared_fd)
		(void)close(fd);
	atomic_fetch_add(&n_bytes, at);
}

static void *run(void *arg)
{
	char *block = malloc(BLOCK_BYTES);
	size_t i;

	(void)arg;
	if (!block)
		die("buffer", "no memory");
	while (seconds() < stop_at &&
	       (i = atomic_fetch_add(&next_item, 1)) < n_items) {
		read_item(&items[i], block);
		atomic_fetch_add(&n_done, 1);
	}
	free(block);
	return NULL;
}

static void read_all(unsigned n_threads)
{
	pthread_t threads[THREADS_MAX];

	for (unsigned i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, run, NULL))
			die("thread", "none to be had");
	for (unsigned i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
}

/* parent: a directory's descriptor, or AT_FDCWD. */
static void walk(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir)
		die(name, strerror(errno));
	while (seconds() < stop_at && (e = readdir(dir))) {
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			die(e->d_name, strerror(errno));
		n_done++;
		if (S_ISDIR(st.st_mode))
			walk(fd, e->d_name);
	}
	(void)closedir(dir);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "threads", required_argument, NULL, 't' },
		{ "seconds", required_argument, NULL, 's' },
		{ "shared", no_argument, NULL, 'h' },
		{ "walk", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	const char *top = NULL;
	unsigned n_threads = 1;
	double for_seconds = 0, start;
	bool is_shared = false;
	int c;

	while ((c = getopt_long(argc, argv, "t:s:hw:", options, NULL)) != -1)
		switch (c) {
		case 't':
			n_threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			for_seconds = strtod(optarg, NULL);
			break;
		case 'h':
			is_shared = true;
			break;
		case 'w':
			top = optarg;
			break;
		default:
			return 2;
		}
	if (!n_threads || n_threads > THREADS_MAX) {
		fprintf(stderr, "reader: threads 1 to %d\n", THREADS_MAX);
		return 2;
	}
	if (!top)
		read_list();
	start = seconds();
	if (for_seconds > 0)
		stop_at = start + for_seconds;
	if (is_shared && !top)
		shared_fd = open_file(items[0].path);
	if (top)
		walk(AT_FDCWD, top);
	else
		read_all(n_threads);
	printf("{\"schema\":\"datasetfs.reader/1\",\"items\":%llu,\"bytes\":%llu,\"seconds\":%.6f}\n",
	       (unsigned long long)n_done, (unsigned long long)n_bytes,
	       seconds() - start);
	for (size_t i = 0; i < n_items; i++)
		free(items[i].path);
	free(items);
	return 0;
}
