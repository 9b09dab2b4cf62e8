/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a read costs between the mount and a store.
 *
 *	fetcher_bench [--latency MS] [--mib N] [--json]
 *
 * The store is a thread that answers each request MS milliseconds after it
 * came (20 unless told), with zeros: what is measured is the fetcher.  Rows:
 * hits (CPU), a cold sequential reader, the same with every byte verified, and
 * 64 readers of one cold blob that is larger than the memory, above a page
 * cache as the kernel has one for an inode (a page is asked for once).
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "backends/backend_impl.h"
#include "backends/base/clock.h"
#include "backends/base/digest.h"
#include "backends/base/lock.h"
#include "cache/fetcher.h"

#define MIB ((uint64_t)1 << 20)
#define READ_BYTES ((size_t)128 << 10)	/* the kernel's read-ahead */
#define N_HITS 200000
#define N_READERS 64
#define DEADLINE_MS 60000

/* lock guards all but what is atomic. */
struct late_store {
	struct backend backend;
	struct lock lock;
	struct cond wake;
	pthread_t thread;
	struct backend_op *head, **tail;
	bool stopping;
	int64_t latency_ms;
	_Atomic uint64_t bytes, gets;
	unsigned in_flight, in_flight_max;
};

static void answer(struct late_store *s, struct backend_op *op)
{
	memset(op->dst, 0, op->len);
	strcpy(op->info.etag, "v1");
	op->info.size = op->expect_size;
	atomic_fetch_add(&s->bytes, op->len);
	atomic_fetch_add(&s->gets, 1);
	backend_op_end(op, 0);
}

static void *run(void *arg)
{
	struct late_store *s = arg;

	lock_take(&s->lock);
	while (!s->stopping || s->head) {
		struct backend_op *op = s->head;
		/* The scheme's own field, unused by a GET. */
		int64_t due = op ? (int64_t)op->limit : INT64_MAX;

		if (!op || due > clock_ms()) {
			(void)cond_wait_until(&s->wake, &s->lock, due);
			continue;
		}
		s->head = op->next;
		if (!s->head)
			s->tail = &s->head;
		s->in_flight--;
		lock_drop(&s->lock);
		answer(s, op);
		lock_take(&s->lock);
	}
	lock_drop(&s->lock);
	return NULL;
}

static void get(struct backend_op *op)
{
	struct late_store *s = (struct late_store *)op->backend;

	lock_take(&s->lock);
	op->limit = (size_t)(clock_ms() + s->latency_ms);
	op->next = NULL;
	*s->tail = op;
	s->tail = &op->next;
	if (++s->in_flight > s->in_flight_max)
		s->in_flight_max = s->in_flight;
	cond_signal(&s->wake);
	lock_drop(&s->lock);
}

static void later(struct backend_op *op, void (*fn)(struct backend_op *))
{
	(void)fn;	/* only refused requests come here: none is sent */
	fprintf(stderr, "fetcher_bench: refused: %s\n", op->err.text);
	exit(1);
}

static void release(struct backend *b)
{
	(void)b;
}

static const struct backend_ops ops = {
	.start = { [BACKEND_OP_GET] = get }, .later = later, .release = release,
};

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "fetcher_bench: %s: %s\n", what, err->text);
	exit(1);
}

static struct late_store *store_new(int64_t latency_ms)
{
	struct late_store *s = calloc(1, sizeof(*s));
	struct backend_spec spec = { .location = NULL };
	struct err err = ERR_INIT;
	struct uri uri;

	if (!s || uri_parse_location(&uri, "file:///late", &err) < 0)
		die("store", &err);
	spec.location = &uri;
	if (backend_init(&s->backend, &ops, &spec, &err) < 0)
		die("store", &err);
	uri_release(&uri);
	lock_init(&s->lock);
	cond_init(&s->wake);
	s->tail = &s->head;
	s->latency_ms = latency_ms;
	if (pthread_create(&s->thread, NULL, run, s))
		die("thread", &err);
	return s;
}

static void store_free(struct late_store *s)
{
	lock_take(&s->lock);
	s->stopping = true;
	cond_signal(&s->wake);
	lock_drop(&s->lock);
	pthread_join(s->thread, NULL);
	cond_release(&s->wake);
	lock_release(&s->lock);
	backend_put_ref(&s->backend);
}

/* ---- a read that waits ---- */

struct call {
	struct lock lock;
	struct cond cond;
	bool is_done;
	size_t len;
};

static void done(void *arg, int r, const struct iovec *iov, int n,
		 const struct err *err)
{
	struct call *c = arg;
	size_t len = 0;

	if (r < 0)
		die("read", err);
	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	lock_take(&c->lock);
	c->len = len;
	c->is_done = true;
	cond_signal(&c->cond);
	lock_drop(&c->lock);
}

static void read_at(struct fetcher *f, const struct blob *b, struct call *c,
		    uint64_t offset, size_t len)
{
	c->is_done = false;
	fetcher_read(f, b, offset, len, clock_ms() + DEADLINE_MS, done, c,
		     NULL);
	lock_take(&c->lock);
	while (!c->is_done)
		cond_wait(&c->cond, &c->lock);
	lock_drop(&c->lock);
	if (c->len != len) {
		fprintf(stderr, "fetcher_bench: %zu of %zu bytes\n", c->len,
			len);
		exit(1);
	}
}

static void call_init(struct call *c)
{
	lock_init(&c->lock);
	cond_init(&c->cond);
}

static void call_release(struct call *c)
{
	cond_release(&c->cond);
	lock_release(&c->lock);
}

/* ---- figures ---- */

static double seconds(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t rss_anon(void)
{
	unsigned long long kib = 0;
	char line[128];
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			break;
	if (file)
		(void)fclose(file);
	return kib << 10;
}

static bool json;

static void row(const char *name, double value, const char *unit)
{
	if (json)
		printf("{\"schema\":\"datasetfs.bench/1\",\"bench\":\"fetcher\",\"name\":\"%s\",\"value\":%.3f,\"unit\":\"%s\"}\n",
		       name, value, unit);
	else
		printf("%-44s %10.2f %s\n", name, value, unit);
	fflush(stdout);
}

struct bench {
	struct late_store *store;
	struct memory_budget *budget;
	struct fetcher *fetcher;
	uint64_t size;
};

static void open_bench(struct bench *b, int64_t latency_ms)
{
	struct fetcher_options opt = { .on_bad = NULL };
	struct err err = ERR_INIT;

	b->store = store_new(latency_ms);
	if (memory_budget_new(&b->budget, 0, (uint64_t)64 << 20, &err) < 0)
		die("budget", &err);
	opt.budget = b->budget;
	if (fetcher_new(&b->fetcher, &opt, &err) < 0)
		die("fetcher", &err);
}

static void close_bench(struct bench *b)
{
	fetcher_free(b->fetcher);
	memory_budget_free(b->budget);
	store_free(b->store);
}

static struct blob blob_of(struct bench *b, uint64_t size)
{
	return (struct blob){ .backend = &b->store->backend, .key = "ID/hashes/0123456789abcdef0123456789abcdef",
			      .size = size, .check = BLOB_CHECK_SIZE };
}

/* The etag of zeros, as OSMO computes it. */
static struct blob osmo_blob(struct bench *b, uint64_t size)
{
	uint64_t parts = blob_parts_of(size);
	struct blob blob = blob_of(b, size);
	uint8_t *zeros = calloc(1, BLOB_PART);
	uint8_t (*md5)[MD5_SIZE] = calloc(parts, MD5_SIZE);

	for (uint64_t i = 0; i < parts; i++)
		if (i == 0)
			digest_md5(md5[0], zeros, BLOB_PART);
		else if ((i + 1) * BLOB_PART > size)
			digest_md5(md5[i], zeros, size - i * BLOB_PART);
		else
			memcpy(md5[i], md5[0], MD5_SIZE);
	digest_md5(blob.md5, md5, parts * MD5_SIZE);
	blob.check = BLOB_CHECK_OSMO;
	blob.has_md5 = true;
	blob.parts = (uint32_t)parts;
	free(zeros);
	free(md5);
	return blob;
}

static void hits_of(struct bench *b, uint64_t size, size_t len,
		    const char *name)
{
	struct blob blob = blob_of(b, size);
	struct call c;
	double cpu;

	call_init(&c);
	for (uint64_t at = 0; at < 8 * MIB; at += MIB)
		read_at(b->fetcher, &blob, &c, at, MIB);
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < N_HITS; i++)
		read_at(b->fetcher, &blob, &c, (uint64_t)i * 4096 % (4 * MIB),
			len);
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
	row(name, cpu / N_HITS * 1e9, "ns");
	call_release(&c);
}

static void hits(void)
{
	struct blob_id id;
	struct bench b;
	struct blob blob;
	double cpu;

	open_bench(&b, 0);
	blob = blob_of(&b, MIB);
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < N_HITS; i++)
		blob_identify(&id, &blob);
	cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
	row("identify a blob", cpu / N_HITS * 1e9, "ns");
	hits_of(&b, 8 * MIB, 4096, "hit, 4 KiB of a blob up to 8 MiB");
	hits_of(&b, 64 * MIB, 4096, "hit, 4 KiB of a large blob");
	hits_of(&b, 64 * MIB, READ_BYTES, "hit, 128 KiB of a large blob");
	close_bench(&b);
}

static void sequential(int64_t latency_ms, uint64_t size, bool is_checked)
{
	const char *kind = is_checked ? "verified" : "by size";
	struct bench b;
	struct blob blob;
	double wall, cpu;
	char name[80];
	struct call c;

	open_bench(&b, latency_ms);
	blob = is_checked ? osmo_blob(&b, size) : blob_of(&b, size);
	call_init(&c);
	wall = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (uint64_t at = 0; at < size; at += READ_BYTES)
		read_at(b.fetcher, &blob, &c, at, READ_BYTES);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	snprintf(name, sizeof(name), "cold sequential, %s, %d ms: speed", kind,
		 (int)latency_ms);
	row(name, (double)(size / MIB) / wall, "MiB/s");
	snprintf(name, sizeof(name), "cold sequential, %s, %d ms: CPU", kind,
		 (int)latency_ms);
	row(name, cpu / (double)(size / MIB) * 1e6, "us/MiB");
	snprintf(name, sizeof(name), "cold sequential, %s, %d ms: in flight",
		 kind, (int)latency_ms);
	row(name, b.store->in_flight_max, "at most");
	row("  bytes sent, of the size", (double)b.store->bytes / (double)size,
	    "x");
	row("  RssAnon at the end", (double)rss_anon() / (double)MIB, "MiB");
	call_release(&c);
	close_bench(&b);
}

/* ---- one cold blob, many readers ---- */

enum page { PAGE_ABSENT = 0, PAGE_COMING, PAGE_HERE };

/* lock guards pages. */
struct crowd {
	struct bench bench;
	struct blob blob;
	struct lock lock;
	struct cond changed;
	uint8_t *pages;		/* of READ_BYTES */
	_Atomic uint64_t rss_max;
};

struct member {
	struct crowd *crowd;
	unsigned number;
	pthread_t thread;
};

static void crowd_page(struct crowd *crowd, struct call *c, uint64_t page)
{
	lock_take(&crowd->lock);
	while (crowd->pages[page] == PAGE_COMING)
		cond_wait(&crowd->changed, &crowd->lock);
	if (crowd->pages[page] == PAGE_HERE) {
		lock_drop(&crowd->lock);
		return;
	}
	crowd->pages[page] = PAGE_COMING;
	lock_drop(&crowd->lock);
	read_at(crowd->bench.fetcher, &crowd->blob, c, page * READ_BYTES,
		READ_BYTES);
	lock_take(&crowd->lock);
	crowd->pages[page] = PAGE_HERE;
	cond_broadcast(&crowd->changed);
	lock_drop(&crowd->lock);
}

static void *crowd_run(void *arg)
{
	struct member *m = arg;
	struct crowd *crowd = m->crowd;
	uint64_t n = crowd->blob.size / READ_BYTES;
	unsigned state = m->number * 7919 + 1;
	struct call c;

	call_init(&c);
	for (uint64_t page = 0; page < n; page++) {
		crowd_page(crowd, &c, page);
		/* Each at its own pace, and sometimes far behind. */
		state = state * 1103515245u + 12345u;
		if ((state >> 16) % 512 == 0) {
			struct timespec pause = {
				.tv_nsec = (state >> 8) % 20000000 };

			(void)nanosleep(&pause, NULL);
		}
		if (m->number == 0 && page % 64 == 0) {
			uint64_t rss = rss_anon();

			if (rss > crowd->rss_max)
				crowd->rss_max = rss;
		}
	}
	call_release(&c);
	return NULL;
}

static void many_readers(int64_t latency_ms, uint64_t size)
{
	struct crowd crowd = { .rss_max = 0 };
	struct member members[N_READERS];
	struct err err = ERR_INIT;
	double wall;

	open_bench(&crowd.bench, latency_ms);
	crowd.blob = osmo_blob(&crowd.bench, size);
	lock_init(&crowd.lock);
	cond_init(&crowd.changed);
	crowd.pages = calloc(size / READ_BYTES, 1);
	wall = seconds(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < N_READERS; i++) {
		members[i] = (struct member){ .crowd = &crowd, .number = i };
		if (pthread_create(&members[i].thread, NULL, crowd_run,
				   &members[i]))
			die("thread", &err);
	}
	for (unsigned i = 0; i < N_READERS; i++)
		pthread_join(members[i].thread, NULL);
	wall = seconds(CLOCK_MONOTONIC) - wall;
	row("64 readers of one cold blob: speed",
	    (double)(size / MIB) / wall, "MiB/s");
	row("  bytes sent, of the size",
	    (double)crowd.bench.store->bytes / (double)size, "x");
	row("  RssAnon at most", (double)crowd.rss_max / (double)MIB, "MiB");
	close_bench(&crowd.bench);
	free(crowd.pages);
	cond_release(&crowd.changed);
	lock_release(&crowd.lock);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "latency", required_argument, NULL, 'l' },
		{ "mib", required_argument, NULL, 'm' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int64_t latency_ms = 20;
	uint64_t size = 1024 * MIB;
	int c;

	while ((c = getopt_long(argc, argv, "l:m:j", options, NULL)) != -1)
		switch (c) {
		case 'l':
			latency_ms = strtol(optarg, NULL, 10);
			break;
		case 'm':
			size = strtoul(optarg, NULL, 10) * MIB;
			break;
		case 'j':
			json = true;
			break;
		default:
			return 2;
		}
	if (latency_ms < 0 || latency_ms > 10000 || size < 16 * MIB ||
	    size > 65536 * MIB) {
		fprintf(stderr, "fetcher_bench: latency 0 to 10000, mib 16 to 65536\n");
		return 2;
	}
	hits();
	sequential(0, size, false);
	sequential(0, size, true);
	if (latency_ms)
		sequential(latency_ms, size, true);
	many_readers(latency_ms, size);
	return 0;
}
