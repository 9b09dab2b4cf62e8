/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of requests on standard input, for programs that measure: a line is a
 * URL (presigned where the store asks for that), or a URL, a space and a range:
 * "http://HOST/KEY 0-8388607".  And the clock that they measure by.
 */
#ifndef DATASETFS_TESTS_BENCH_REQUEST_LIST_H
#define DATASETFS_TESTS_BENCH_REQUEST_LIST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct item {
	char *url, *range;	/* range: NULL for the whole object */
	uint64_t want;		/* bytes of the range; 0: not known */
};

struct request_list {
	struct item *items;
	size_t n;
};

static inline double seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		why);
	exit(1);
}

static inline struct item read_item(char *line)
{
	struct item item = { .want = 0 };
	unsigned long long first, last;

	line[strcspn(line, "\n")] = 0;
	item.url = strdup(strtok(line, " "));
	item.range = strtok(NULL, " ");
	if (item.range) {
		item.range = strdup(item.range);
		if (sscanf(item.range, "%llu-%llu", &first, &last) != 2 ||
		    last < first)
			die("not a range", item.range);
		item.want = last - first + 1;
	}
	return item;
}

static inline void request_list_read(struct request_list *l)
{
	size_t room = 0, line_room = 0;
	char *line = NULL;

	while (getline(&line, &line_room, stdin) > 0) {
		if (l->n == room) {
			room = room ? room * 2 : 1024;
			l->items = realloc(l->items,
					   room * sizeof(*l->items));
			if (!l->items)
				die("list", "no memory");
		}
		l->items[l->n++] = read_item(line);
	}
	free(line);
	if (!l->n)
		die("list", "empty");
}

static inline void request_list_free(struct request_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].url);
		free(l->items[i].range);
	}
	free(l->items);
}

/* One line of JSON: what was done since those two times. */
static inline void print_result(unsigned in_flight, uint64_t requests,
				uint64_t bytes, double wall, double cpu)
{
	printf("{\"schema\":\"datasetfs.limit/1\",\"in_flight\":%u,\"requests\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"cpu\":%.6f}\n",
	       in_flight, (unsigned long long)requests,
	       (unsigned long long)bytes, seconds(CLOCK_MONOTONIC) - wall,
	       seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

#endif
