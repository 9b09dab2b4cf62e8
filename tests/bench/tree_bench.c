/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to turn a manifest into a tree, beyond reading its bytes.
 *
 *	tree_bench [--entries N] [--order sorted|reversed|shuffled]
 *		   [--dir DIR] [--json]
 *
 * A child writes the manifest into a pipe, byte for byte as OSMO would; this
 * process reads it twice, once to drop it and once to expand it.  The
 * difference in CPU time is what the expansion costs; memory is RssAnon +
 * RssShmem, looked at every 5 ms.  The tree is then opened again and searched:
 * a wrong answer fails the bench.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "fs/dataset/osmo/osmo_manifest.h"
#include "fs/dataset/tree_build.h"

#define TREE_NAME "bench.tree"
#define FILES_A_DIR 1000
#define READ_BYTES ((size_t)1 << 20)
#define N_LOOKUPS 200000u
#define BASE "/bench/prefix/3q2-7wAAQACAAAAAAAAAAA/hashes/"

enum order { SORTED, REVERSED, SHUFFLED };
static const char *const order_names[] = { "sorted", "reversed", "shuffled" };

struct bench {
	uint64_t n;
	enum order order;
	const char *dir;
	int dirfd;
	bool json;
	const uint8_t identity[TREE_IDENTITY_SIZE];

	double read_cpu_s, cpu_s, wall_s, open_ms, lookup_us;
	uint64_t bytes, peak_anon;
	struct tree_info info;
};

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "tree_bench: %s: %s\n", what,
		err ? err->text : strerror(errno));
	exit(1);
}

/* ---- the manifest ---- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ull;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/* A permutation of [0, n) without a table: a Feistel network, walked until it
 * hits the range. */
static uint64_t shuffled(uint64_t i, uint64_t n)
{
	unsigned half = 1;
	uint64_t mask;

	while ((uint64_t)1 << 2 * half < n)
		half++;
	mask = ((uint64_t)1 << half) - 1;
	do {
		uint64_t l = i >> half, r = i & mask;

		for (unsigned k = 0; k < 4; k++) {
			uint64_t t = l ^ (mix(r + k * 0x9e3779b97f4a7c15ull) &
					  mask);

			l = r;
			r = t;
		}
		i = l << half | r;
	} while (i >= n);
	return i;
}

static void path_of(char *out, size_t size, uint64_t i)
{
	(void)snprintf(out, size, "train/n%08llu/n%08llu_%04llu.JPEG",
		       (unsigned long long)(i / FILES_A_DIR),
		       (unsigned long long)(i / FILES_A_DIR),
		       (unsigned long long)(i % FILES_A_DIR));
}

static uint64_t size_of(uint64_t i)
{
	return 1000 + mix(i) % 200000;
}

static void write_entry(FILE *f, uint64_t i, bool is_first)
{
	char path[80], etag[40];

	path_of(path, sizeof(path), i);
	(void)snprintf(etag, sizeof(etag), "%016llx%016llx",
		       (unsigned long long)mix(2 * i + 1),
		       (unsigned long long)mix(~i));
	fprintf(f, "%s{\n    \"relative_path\": \"%s\",\n"
		   "    \"storage_path\": \"s3:/" BASE "%s\",\n"
		   "    \"url\": \"https://s3.example.com" BASE "%s\",\n"
		   "    \"size\": %llu,\n    \"etag\": \"%s\"\n}",
		is_first ? "" : ",\n", path, etag, etag,
		(unsigned long long)size_of(i), etag);
}

static void write_manifest(const struct bench *b, int fd)
{
	FILE *f = fdopen(fd, "w");

	if (!f || setvbuf(f, NULL, _IOFBF, READ_BYTES))
		die("pipe", NULL);
	fputs("[\n", f);
	for (uint64_t i = 0; i < b->n; i++)
		write_entry(f, b->order == SORTED ? i :
			       b->order == REVERSED ? b->n - 1 - i :
			       shuffled(i, b->n), i == 0);
	fputs("\n]", f);
	if (fclose(f))
		die("pipe", NULL);
}

static int start_writer(const struct bench *b, pid_t *pid)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		die("pipe", NULL);
	(void)fcntl(fds[1], F_SETPIPE_SZ, (int)READ_BYTES);
	*pid = fork();
	if (*pid < 0)
		die("fork", NULL);
	if (*pid == 0) {
		close(fds[0]);
		write_manifest(b, fds[1]);
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

/* ---- what it costs ---- */

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static double cpu_now(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return seconds(&u.ru_utime) + seconds(&u.ru_stime);
}

static double wall_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t status_kib(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

static uint64_t anon_now(void)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : io_pread_full(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		die("/proc/self/status", NULL);
	close(fd);
	text[n] = '\0';
	return (status_kib(text, "RssAnon:") + status_kib(text, "RssShmem:")) *
	       1024;
}

struct watch {
	pthread_t thread;
	bool stop;		/* atomic */
	uint64_t peak;
};

static void *watch_run(void *arg)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	struct watch *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		uint64_t now = anon_now();

		if (now > w->peak)
			w->peak = now;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

/* Feeds what the writer writes, or drops it where there is no manifest. */
static void read_all(struct bench *b, struct osmo_manifest *m)
{
	static char bytes[READ_BYTES];
	struct err err = ERR_INIT;
	int status;
	ssize_t n;
	pid_t pid;
	int fd = start_writer(b, &pid);

	b->bytes = 0;
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		b->bytes += (uint64_t)n;
		if (m && osmo_manifest_feed(m, bytes, (size_t)n, &err) < 0)
			die("manifest", &err);
	}
	close(fd);
	if (n < 0 || waitpid(pid, &status, 0) != pid || status)
		die("the writer", NULL);
}

static int add(void *arg, const struct osmo_entry *e, struct err *err)
{
	return tree_build_add(arg, e->relative_path, e->relative_path_len,
			      e->storage_path, e->storage_path_len, e->size,
			      e->etag, e->etag_len, TREE_OK, err);
}

static void expand(struct bench *b)
{
	struct tree_build_options opt = {
		.dirfd = b->dirfd,
		.name = TREE_NAME,
		.label = "bench",
		.hash_location = "s3:/" BASE,
	};
	struct osmo_manifest *m = NULL;
	struct tree_build *build;
	struct tree *tree = NULL;
	struct err err = ERR_INIT;

	if (tree_build_new(&build, &opt, &err) < 0 ||
	    osmo_manifest_new(&m, add, build, &err) < 0)
		die("build", &err);
	read_all(b, m);
	if (osmo_manifest_finish(m, &err) < 0 ||
	    tree_build_finish(build, &tree, &err) < 0)
		die("build", &err);
	osmo_manifest_free(m);
	tree_build_free(build);
	tree_info(tree, &b->info);
	tree_put(tree);
}

static void measure_expand(struct bench *b)
{
	struct watch w = { .peak = 0 };
	double cpu, wall;

	cpu = cpu_now();
	read_all(b, NULL);
	b->read_cpu_s = cpu_now() - cpu;

	if (pthread_create(&w.thread, NULL, watch_run, &w))
		die("thread", NULL);
	cpu = cpu_now();
	wall = wall_now();
	expand(b);
	b->cpu_s = cpu_now() - cpu - b->read_cpu_s;
	b->wall_s = wall_now() - wall;
	__atomic_store_n(&w.stop, true, __ATOMIC_RELEASE);
	pthread_join(w.thread, NULL);
	b->peak_anon = w.peak;
	if (b->info.n_files != b->n) {
		fprintf(stderr, "tree_bench: %u files, expected %llu\n",
			b->info.n_files, (unsigned long long)b->n);
		exit(1);
	}
}

static void measure_lookup(struct bench *b)
{
	struct tree *tree;
	struct err err = ERR_INIT;
	double start = wall_now();

	if (tree_open(&tree, b->dirfd, TREE_NAME, b->identity, &err) < 0)
		die("open", &err);
	b->open_ms = (wall_now() - start) * 1e3;
	start = wall_now();
	for (uint64_t k = 0; k < N_LOOKUPS; k++) {
		uint64_t i = mix(k) % b->n;
		struct tree_entry e;
		char path[80];

		path_of(path, sizeof(path), i);
		if (tree_lookup_path(tree, path, &e, &err) < 0)
			die(path, &err);
		if (e.size != size_of(i)) {
			fprintf(stderr, "tree_bench: %s has another size\n",
				path);
			exit(1);
		}
	}
	b->lookup_us = (wall_now() - start) * 1e6 / N_LOOKUPS;
	tree_put(tree);
}

/* ---- */

/* What a sanitizer adds says nothing about the program. */
static const char *sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return "true";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return "true";
#endif
#endif
	return "false";
}

static void print_json(const struct bench *b)
{
	printf("{\"schema\": \"datasetfs-bench-tree/1\", \"entries\": %llu, "
	       "\"order\": \"%s\", \"manifest_bytes\": %llu, "
	       "\"sanitized\": %s,\n"
	       " \"cpu_s\": %.3f, \"read_cpu_s\": %.3f, \"wall_s\": %.3f, "
	       "\"peak_anon_mb\": %.1f,\n"
	       " \"tree_bytes_per_entry\": %.1f, \"open_ms\": %.3f, "
	       "\"lookup_us\": %.3f,\n"
	       " \"units\": {\"cpu_s\": \"s\", \"peak_anon_mb\": \"MB\", "
	       "\"wall_s\": \"s\", \"tree_bytes_per_entry\": \"B\", "
	       "\"open_ms\": \"ms\", \"lookup_us\": \"us\"}}\n",
	       (unsigned long long)b->n, order_names[b->order],
	       (unsigned long long)b->bytes, sanitized(), b->cpu_s,
	       b->read_cpu_s, b->wall_s, (double)b->peak_anon / 1e6,
	       (double)b->info.file_bytes / (double)b->n, b->open_ms,
	       b->lookup_us);
}

static void print_text(const struct bench *b)
{
	printf("%llu entries, %s, %.1f MB of manifest\n",
	       (unsigned long long)b->n, order_names[b->order],
	       (double)b->bytes / 1e6);
	printf("expand     %8.3f s CPU beyond reading (%.3f s), %.3f s in all\n",
	       b->cpu_s, b->read_cpu_s, b->wall_s);
	printf("memory     %8.1f MB RssAnon + RssShmem at most\n",
	       (double)b->peak_anon / 1e6);
	printf("tree file  %8.1f B an entry\n",
	       (double)b->info.file_bytes / (double)b->n);
	printf("open       %8.3f ms\n", b->open_ms);
	printf("lookup     %8.3f us a path of three components, at random\n",
	       b->lookup_us);
}

static void usage(FILE *to)
{
	fputs("usage: tree_bench [--entries N] [--order sorted|reversed|shuffled] [--dir DIR] [--json]\n",
	      to);
}

static void parse_options(struct bench *b, int argc, char **argv)
{
	static const struct option options[] = {
		{ "entries", required_argument, NULL, 'n' },
		{ "order", required_argument, NULL, 'o' },
		{ "dir", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned order;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			b->n = strtoull(optarg, NULL, 10);
			break;
		case 'o':
			for (order = 0; order < 3; order++)
				if (strcmp(order_names[order], optarg) == 0)
					break;
			if (order == 3)
				b->n = 0;
			b->order = (enum order)order;
			break;
		case 'd':
			b->dir = optarg;
			break;
		case 'j':
			b->json = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			b->n = 0;
		}
	}
	if (b->n == 0 || b->n > TREE_ENTRIES_MAX / 2 || optind != argc) {
		usage(stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct bench b = { .n = 1000000, .order = SHUFFLED, .dir = "." };

	parse_options(&b, argc, argv);
	if (mkdir(b.dir, 0700) < 0 && errno != EEXIST)
		die(b.dir, NULL);
	b.dirfd = open(b.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (b.dirfd < 0)
		die(b.dir, NULL);
	measure_expand(&b);
	measure_lookup(&b);
	(void)unlinkat(b.dirfd, TREE_NAME, 0);
	if (b.json)
		print_json(&b);
	else
		print_text(&b);
	return 0;
}
