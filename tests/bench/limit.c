/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store gives without a file system: parallel GETs over kept
 * connections, one process, one thread.
 *
 *	limit [--in-flight N] [--seconds S] [--ca FILE] [--keep] < LIST
 *
 * The list (request_list.h) is gone through once; after S seconds (0: never)
 * nothing more is started.  Before the clock starts each of the N connections
 * has answered once.  --keep copies what comes into a buffer a request, as
 * whoever wants it has to.  Prints one line of JSON; an answer other than 200 or
 * 206, or a range that came short, ends it with status 1.
 */
#include <config.h>

#include <curl/curl.h>
#include <getopt.h>
#include <stdbool.h>
#include <errno.h>

#include "tests/bench/request_list.h"

#define IN_FLIGHT_MAX 256
#define BUFFER_BYTES (512L << 10)	/* libcurl's largest */
#define POLL_MS 1000
#define STALL_SECONDS 30L

struct slot {
	CURL *easy;
	const struct item *item;
	uint64_t got;
	char *kept;		/* NULL: dropped */
};

struct limit {
	CURLM *multi;
	struct request_list list;
	size_t next;
	const char *ca_file;
	bool keeps;
	struct slot slots[IN_FLIGHT_MAX];
	unsigned n_slots;
	double stop_at;		/* seconds() after which none is started */
	uint64_t requests, bytes;
};

static size_t count(char *data, size_t size, size_t n, void *arg)
{
	struct slot *s = arg;

	/* Not while warming: the whole of a file may come. */
	if (s->kept && s->got + size * n <= s->item->want)
		memcpy(s->kept + s->got, data, size * n);
	s->got += size * n;
	return size * n;
}

static void begin(struct limit *l, struct slot *s, const struct item *item,
		  const char *range)
{
	s->item = item;
	s->got = 0;
	curl_easy_setopt(s->easy, CURLOPT_URL, item->url);
	curl_easy_setopt(s->easy, CURLOPT_RANGE, range);
	if (curl_multi_add_handle(l->multi, s->easy) != CURLM_OK)
		die("curl", "no handle");
}

/* False where nothing more is to be started. */
static bool begin_next(struct limit *l, struct slot *s)
{
	const struct item *item;

	if (l->next == l->list.n || seconds(CLOCK_MONOTONIC) > l->stop_at)
		return false;
	item = &l->list.items[l->next++];
	begin(l, s, item, item->range);
	return true;
}

static struct slot *ended(struct limit *l, const CURLMsg *m, bool is_warming)
{
	struct slot *s;
	long status = 0;

	curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&s);
	curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	if (m->data.result != CURLE_OK)
		die(s->item->url, curl_easy_strerror(m->data.result));
	if (status != 200 && status != 206) {
		fprintf(stderr, "limit: %s: status %ld\n", s->item->url,
			status);
		exit(1);
	}
	if (!is_warming && s->item->want && s->got != s->item->want)
		die(s->item->url, "short");
	curl_multi_remove_handle(l->multi, s->easy);
	return s;
}

static void wait_for_all(struct limit *l, unsigned n_running, bool is_warming)
{
	while (n_running) {
		int still, left;
		CURLMsg *m;

		if (curl_multi_perform(l->multi, &still) != CURLM_OK)
			die("curl", "perform");
		while ((m = curl_multi_info_read(l->multi, &left))) {
			struct slot *s;

			if (m->msg != CURLMSG_DONE)
				continue;
			s = ended(l, m, is_warming);
			l->requests++;
			l->bytes += s->got;
			if (is_warming || !begin_next(l, s))
				n_running--;
		}
		if (n_running &&
		    curl_multi_poll(l->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
			die("curl", "poll");
	}
}

static void open_slots(struct limit *l)
{
	l->multi = curl_multi_init();
	if (!l->multi)
		die("curl", "no memory");
	curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, (long)l->n_slots);
	curl_multi_setopt(l->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	for (unsigned i = 0; i < l->n_slots; i++) {
		struct slot *s = &l->slots[i];

		s->easy = curl_easy_init();
		if (!s->easy)
			die("curl", "no memory");
		curl_easy_setopt(s->easy, CURLOPT_PRIVATE, s);
		curl_easy_setopt(s->easy, CURLOPT_WRITEFUNCTION, count);
		curl_easy_setopt(s->easy, CURLOPT_WRITEDATA, s);
		curl_easy_setopt(s->easy, CURLOPT_BUFFERSIZE, BUFFER_BYTES);
		curl_easy_setopt(s->easy, CURLOPT_PROXY, "");
		if (l->ca_file)
			curl_easy_setopt(s->easy, CURLOPT_CAINFO, l->ca_file);
		curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(s->easy, CURLOPT_LOW_SPEED_TIME,
				 STALL_SECONDS);
	}
}

static void keep(struct limit *l)
{
	uint64_t room = 0;

	for (size_t i = 0; i < l->list.n; i++)
		if (l->list.items[i].want > room)
			room = l->list.items[i].want;
	for (unsigned i = 0; i < l->n_slots; i++) {
		l->slots[i].kept = malloc(room);
		if (!l->slots[i].kept)
			die("buffers", "no memory");
		memset(l->slots[i].kept, 1, room);
	}
}

/* All at once, so that each makes a connection of its own. */
static void warm(struct limit *l)
{
	for (unsigned i = 0; i < l->n_slots; i++)
		begin(l, &l->slots[i], &l->list.items[0], "0-0");
	wait_for_all(l, l->n_slots, true);
	l->requests = l->bytes = 0;
}

static void measure(struct limit *l, double for_seconds)
{
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	double wall = seconds(CLOCK_MONOTONIC);
	unsigned n = 0;

	l->stop_at = for_seconds > 0 ? wall + for_seconds : 1e18;
	while (n < l->n_slots && begin_next(l, &l->slots[n]))
		n++;
	wait_for_all(l, n, false);
	print_result(l->n_slots, l->requests, l->bytes, wall, cpu);
}

static void close_slots(struct limit *l)
{
	for (unsigned i = 0; i < l->n_slots; i++) {
		curl_easy_cleanup(l->slots[i].easy);
		free(l->slots[i].kept);
	}
	curl_multi_cleanup(l->multi);
	request_list_free(&l->list);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "in-flight", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "ca", required_argument, NULL, 'c' },
		{ "keep", no_argument, NULL, 'k' },
		{ NULL, 0, NULL, 0 },
	};
	static struct limit l = { .n_slots = 16 };
	double for_seconds = 0;
	int c;

	while ((c = getopt_long(argc, argv, "n:s:c:k", options, NULL)) != -1)
		switch (c) {
		case 'n':
			l.n_slots = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			for_seconds = strtod(optarg, NULL);
			break;
		case 'c':
			l.ca_file = optarg;
			break;
		case 'k':
			l.keeps = true;
			break;
		default:
			return 2;
		}
	if (!l.n_slots || l.n_slots > IN_FLIGHT_MAX) {
		fprintf(stderr, "limit: in-flight 1 to %d\n", IN_FLIGHT_MAX);
		return 2;
	}
	curl_global_init(CURL_GLOBAL_ALL);
	request_list_read(&l.list);
	open_slots(&l);
	if (l.keeps)
		keep(&l);
	warm(&l);
	measure(&l, for_seconds);
	close_slots(&l);
	curl_global_cleanup();
	return 0;
}
