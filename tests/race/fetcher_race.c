/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads that read, interrupt, run out of time and forget, while the
 * objects change; every byte of every answer is compared, and no answer may
 * be made of two contents.  With a disk cache too small for them, so that it
 * writes, evicts and forgets meanwhile; then with delays in the store and in
 * every call of the disk, and with a disk that fails.
 */
#include <config.h>
#include "cache/fetcher.h"

#include <unistd.h>
#include "backends/base/log.h"
#include "tests/fake_store.h"
#include "tests/model/faulty_disk.h"
#include "tests/tap.h"

#define READERS 6
#define READS 400
#define MIB ((uint64_t)1 << 20)
#define SEEDS 5u
#define DELAY_US 1000u

static struct fake_store *store;
static struct fetcher *fetcher;
static atomic_uint n_right, n_wrong, n_interrupted, n_late, n_failed, n_twice;
static atomic_uint n_told;
static atomic_bool has_ended;

struct call {
	struct lock lock;
	struct cond cond;
	uint64_t offset;
	size_t len;
	int n_done;
};

static bool is_of(unsigned seed, const struct call *c, const struct iovec *iov,
		  int n)
{
	uint64_t at = c->offset;

	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;

		for (size_t k = 0; k < iov[i].iov_len; k++)
			if (p[k] != fake_byte(seed, at++))
				return false;
	}
	return at == c->offset + c->len;
}

static bool is_right(const struct call *c, const struct iovec *iov, int n)
{
	for (unsigned seed = 0; seed < SEEDS; seed++)
		if (is_of(seed, c, iov, n))
			return true;
	return false;
}

static void done(void *arg, int r, const struct iovec *iov, int n,
		 const struct err *err)
{
	struct call *c = arg;

	(void)err;
	if (r == 0)
		atomic_fetch_add(is_right(c, iov, n) ? &n_right : &n_wrong, 1);
	else
		atomic_fetch_add(r == -EINTR ? &n_interrupted :
				 r == -ETIMEDOUT ? &n_late : &n_failed, 1);
	lock_take(&c->lock);
	if (c->n_done++)
		atomic_fetch_add(&n_twice, 1);
	cond_broadcast(&c->cond);
	lock_drop(&c->lock);
}

static void on_bad(void *arg, const struct blob_id *id)
{
	(void)arg;
	(void)id;
	atomic_fetch_add(&n_told, 1);
}

static unsigned next(unsigned *state)
{
	*state = *state * 1103515245u + 12345u;
	return *state >> 8;
}

static void read_one(unsigned *state, int i)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	static const uint64_t sizes[] = { 50 * MIB + 3, 9 * MIB, MIB, 1000 };
	struct call c = { .n_done = 0 };
	struct blob b = { .backend = &store->backend,
			  .check = BLOB_CHECK_SIZE };
	unsigned which = next(state) % 4;
	int64_t deadline = clock_ms() + (i % 11 == 0 ? next(state) % 20 : 20000);

	b.key = keys[which];
	b.size = sizes[which];
	c.offset = (uint64_t)next(state) * 97 % b.size;
	c.len = next(state) % (i % 40 ? 100000 : 3000000) + 1;
	if (c.len > b.size - c.offset)
		c.len = (size_t)(b.size - c.offset);
	lock_init(&c.lock);
	cond_init(&c.cond);
	fetcher_read(fetcher, &b, c.offset, c.len, deadline, done, &c, NULL);
	if (i % 5 == 0)
		fetcher_cancel(fetcher, &c);
	if (i % 23 == 0)
		fetcher_forget(fetcher, &b);
	lock_take(&c.lock);
	while (!c.n_done)
		cond_wait(&c.cond, &c.lock);
	lock_drop(&c.lock);
	/* A second answer would find this memory gone: be there for it. */
	if (i % 50 == 0)
		usleep(1000);
	cond_release(&c.cond);
	lock_release(&c.lock);
}

static void *reader(void *arg)
{
	unsigned state = (unsigned)(uintptr_t)arg * 7919u;

	for (int i = 0; i < READS; i++)
		read_one(&state, i);
	return NULL;
}

/* Other content under another validator, every now and then. */
static void *changer(void *arg)
{
	unsigned seed = 0;

	while (!atomic_load(&has_ended)) {
		usleep(30000);
		seed = (seed + 1) % SEEDS;
		lock_take(&store->lock);
		store->seed = seed;
		snprintf(store->etag, sizeof(store->etag), "v%u", seed);
		lock_drop(&store->lock);
	}
	return arg;
}

static void run_all(bool is_changing)
{
	pthread_t threads[READERS + 1];

	atomic_store(&has_ended, !is_changing);
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)(i + 1)))
			abort();
	if (pthread_create(&threads[READERS], NULL, changer, NULL))
		abort();
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&has_ended, true);
	pthread_join(threads[READERS], NULL);
}

/*
 * dir: of a disk cache; NULL: memory alone.  delay_us: of each answer and of
 * each call of the disk, at most.
 */
static void round_of(const char *name, bool is_changing, const char *dir,
		     unsigned delay_us)
{
	struct disk_cache_options disk = { .dir = dir, .size = 40 * MIB };
	struct memory_budget *budget;
	struct fetcher_options opt = { .on_bad = on_bad };
	struct fetcher_stats stats;
	struct err err = ERR_INIT;
	unsigned sum;

	n_right = n_wrong = n_interrupted = n_late = n_failed = n_twice = 0;
	n_told = 0;
	store = fake_store_new();
	store->etag[0] = 'v';
	store->etag[1] = '0';
	store->delay_us = delay_us;
	faulty_disk_delay(delay_us);
	if (memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err) < 0)
		abort();
	opt.budget = disk.budget = budget;
	if (dir && disk_cache_open(&opt.disk, &disk, &err) < 0)
		abort();
	if (fetcher_new(&fetcher, &opt, &err) < 0)
		abort();
	run_all(is_changing);
	fetcher_stats(fetcher, &stats);
	sum = n_right + n_interrupted + n_late + n_failed;
	tap_ok(n_wrong == 0, "%s: no wrong byte in %u reads", name, n_right);
	/* An object that changes all the time may be given up. */
	tap_ok(is_changing ? n_failed < n_right / 4 : n_failed == 0,
	       "%s: %u failed", name, n_failed);
	tap_ok(is_changing || n_told == 0, "%s: told of change %u times", name,
	       n_told);
	tap_ok(n_twice == 0 && sum == READERS * READS,
	       "%s: all were answered once, %u interrupted, %u late", name,
	       n_interrupted, n_late);
	tap_ok(stats.waiting == 0, "%s: nobody waits", name);
	fetcher_free(fetcher);
	disk_cache_free(opt.disk);
	tap_ok(memory_budget_used(budget) == 0, "%s: all memory was given back",
	       name);
	memory_budget_free(budget);
	fake_store_free(store);
	faulty_disk_revive();
}

int main(void)
{
	char dir[] = "/tmp/fetcher-race-XXXXXX", command[64];

	log_set_level(LOG_LEVEL_ERROR);
	if (!mkdtemp(dir))
		abort();
	faulty_disk_init(dir, 1);
	round_of("steady", false, NULL, 0);
	round_of("changing", true, NULL, 0);
	round_of("steady, disk", false, dir, 0);
	round_of("changing, disk", true, dir, 0);
	round_of("steady, disk again", false, dir, 0);
	round_of("steady, slow disk", false, dir, DELAY_US);
	round_of("changing, slow disk", true, dir, DELAY_US);
	faulty_disk_fail(50, 50);
	round_of("steady, slow disk that fails", false, dir, DELAY_US);
	tap_ok(faulty_disk_failures() > 0, "calls that failed: %llu",
	       (unsigned long long)faulty_disk_failures());
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return tap_done() | system(command);
}
