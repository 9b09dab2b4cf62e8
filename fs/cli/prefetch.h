/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passes over the files below a directory of a mount: what is cached of each
 * is asked of the mount, and in a reading pass what is not there whole is read,
 * so that the daemon fetches it.  The page cache is left out (O_DIRECT): a file
 * whose pages are there may still lack in the cache, and a large version would
 * push out what others use.
 *
 * The thread that calls prefetch_pass() walks, PREFETCH_THREADS others look at
 * the files, in the order of the walk.  Memory does not grow with the files.
 */
#ifndef DATASETFS_CLI_PREFETCH_H
#define DATASETFS_CLI_PREFETCH_H

#include <stdatomic.h>
#include <stdint.h>
#include "backends/base/err.h"

/*
 * The daemon itself reads small files ahead, up to its number of requests;
 * more large files at once would make its windows smaller than their parts.
 */
#define PREFETCH_THREADS 8u
#define PREFETCH_JOBS_MAX 256u	/* files that were found and not looked at */
#define PREFETCH_READ ((size_t)1 << 20)
#define PREFETCH_TICK_MS 200
#define PREFETCH_STOP_MS 2000	/* for reads under way, when interrupted */

struct prefetch_counts {
	uint64_t files, bytes;
	/* Nothing to do for so many files; the bytes count others' too. */
	uint64_t cached_files, cached_bytes;
	uint64_t read_files, read_bytes;	/* read_bytes grows meanwhile */
	uint64_t bad_files;			/* could not be read */
	int bad_code;				/* the errno of the first */
};

struct prefetch_options {
	int root_fd;		/* borrowed; paths are below it */
	const char *root;	/* its name, for errors */
	const atomic_bool *is_interrupted;
	/* A file cannot be read, as why or (NULL) code says.  On any thread. */
	void (*failed)(void *arg, const char *path, int code, const char *why);
	/* Now and then, on the thread that called. */
	void (*tick)(void *arg);
	void *arg;
};

struct prefetch;

int prefetch_new(struct prefetch **out, const struct prefetch_options *opt,
		 struct err *err) MUST_CHECK;
/* Leaves it to its threads where they wait for a store for too long. */
void prefetch_free(struct prefetch *prefetch);

/*
 * Over path, a file or a directory ("": the root), adding to the counts.
 * -EINTR: interrupted; else the walk cannot go on.
 */
int prefetch_pass(struct prefetch *prefetch, const char *path, bool is_reading,
		  struct err *err) MUST_CHECK;
void prefetch_counts(struct prefetch *prefetch, struct prefetch_counts *out);
void prefetch_counts_reset(struct prefetch *prefetch);

/* An errno of the mount as an error: the class says what may be done. */
int prefetch_error(struct err *err, int code, const char *what);

#endif
