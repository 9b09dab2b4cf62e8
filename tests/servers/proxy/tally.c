/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/servers/proxy/tally.h"

#include "backends/base/digest.h"

#include <stdlib.h>
#include <string.h>

struct path_sum {
	char *path;		/* "GET /bucket/key", NULL: a free place */
	uint64_t requests, sent, received;
};

static struct {
	uint64_t in_flight, max_in_flight, connections, faults;
} totals;

/* Open addressing, at most half full. */
static struct path_sum *sums;
static size_t n_sums, n_places;

static struct exchange *ring;
static uint64_t n_logged;

static struct path_sum *find_place(const char *path)
{
	size_t i = digest_xxh3(path, strlen(path)) & (n_places - 1);

	while (sums[i].path && strcmp(sums[i].path, path) != 0)
		i = (i + 1) & (n_places - 1);
	return &sums[i];
}

static void grow(void)
{
	struct path_sum *old = sums;
	size_t n_old = n_places;

	n_places = n_old ? n_old * 2 : 1024;
	sums = calloc(n_places, sizeof(*sums));
	if (!sums)
		abort();
	for (size_t i = 0; i < n_old; i++)
		if (old[i].path)
			*find_place(old[i].path) = old[i];
	free(old);
}

static void add_to_path(const struct exchange *e)
{
	struct path_sum *sum;
	char *path = NULL;

	if (n_sums * 2 >= n_places)
		grow();
	if (asprintf(&path, "%s %.*s", e->method,
		     (int)strcspn(e->target, "?"), e->target) < 0)
		abort();
	sum = find_place(path);
	if (sum->path) {
		free(path);
	} else {
		sum->path = path;
		n_sums++;
	}
	sum->requests++;
	sum->sent += e->sent;
	sum->received += e->received;
}

static void release(struct exchange *e)
{
	free(e->method);
	free(e->target);
	free(e->range);
	memset(e, 0, sizeof(*e));
}

void tally_connection(void)
{
	totals.connections++;
}

void tally_begin(void)
{
	if (++totals.in_flight > totals.max_in_flight)
		totals.max_in_flight = totals.in_flight;
}

void tally_end(struct exchange *exchange)
{
	struct exchange *place;

	if (!ring)
		ring = calloc(TALLY_LOG_MAX, sizeof(*ring));
	if (!ring)
		abort();
	totals.in_flight--;
	totals.faults += exchange->rule >= 0;
	add_to_path(exchange);
	place = &ring[n_logged++ % TALLY_LOG_MAX];
	release(place);
	*place = *exchange;
	memset(exchange, 0, sizeof(*exchange));
}

void tally_reset(void)
{
	uint64_t in_flight = totals.in_flight;

	memset(&totals, 0, sizeof(totals));
	totals.in_flight = totals.max_in_flight = in_flight;
	for (size_t i = 0; i < n_places; i++)
		free(sums[i].path);
	free(sums);
	sums = NULL;
	n_sums = n_places = 0;
	for (size_t i = 0; ring && i < TALLY_LOG_MAX; i++)
		release(&ring[i]);
	n_logged = 0;
}

json_t *tally_json(const char *prefix)
{
	uint64_t requests = 0, sent = 0, received = 0;
	json_t *methods = json_object();

	for (size_t i = 0; i < n_places; i++) {
		const char *path = sums[i].path;
		const char *slash = path ? strchr(path, '/') : NULL;
		char method[32];

		if (!slash || strncmp(slash, prefix, strlen(prefix)) != 0)
			continue;
		requests += sums[i].requests;
		sent += sums[i].sent;
		received += sums[i].received;
		snprintf(method, sizeof(method), "%.*s",
			 (int)strcspn(path, " "), path);
		json_object_set_new(methods, method, json_integer(
			json_integer_value(json_object_get(methods, method)) +
			(json_int_t)sums[i].requests));
	}
	/* The first sum is of ended requests, "in_flight" of all others. */
	return json_pack("{sI sI sI so sI sI sI sI}",
			 "requests", (json_int_t)requests,
			 "bytes_sent", (json_int_t)sent,
			 "bytes_received", (json_int_t)received,
			 "methods", methods,
			 "in_flight", (json_int_t)totals.in_flight,
			 "max_in_flight", (json_int_t)totals.max_in_flight,
			 "connections", (json_int_t)totals.connections,
			 "faults", (json_int_t)totals.faults);
}

json_t *tally_log_json(void)
{
	json_t *list = json_array();
	uint64_t i = n_logged > TALLY_LOG_MAX ? n_logged - TALLY_LOG_MAX : 0;

	for (; i < n_logged; i++) {
		const struct exchange *e = &ring[i % TALLY_LOG_MAX];

		json_array_append_new(list, json_pack(
			"{ss ss ss? si sI sI sI sI sI si}",
			"method", e->method, "target", e->target,
			"range", e->range, "status", e->status,
			"sent", (json_int_t)e->sent,
			"received", (json_int_t)e->received,
			"start_ms", (json_int_t)e->start_ms,
			"ms", (json_int_t)(e->end_ms - e->start_ms),
			"rule", e->rule, "connection", (int)e->line));
	}
	return list;
}
