/* SPDX-License-Identifier: Apache-2.0 */
/* Many threads that read, cancel and forget; every byte is compared. */
#include <config.h>
#include "cache/fetcher.h"

#include <unistd.h>
#include "tests/fake_store.h"
#include "tests/tap.h"

#define READERS 6
#define READS 400
#define MIB ((uint64_t)1 << 20)

static struct fake_store *store;
static struct fetcher *fetcher;
static atomic_uint n_right, n_wrong, n_interrupted, n_failed, n_twice;

struct call {
	struct lock lock;
	struct cond cond;
	uint64_t offset;
	size_t len;
	int n_done;
};

static bool is_right(const struct call *c, const struct iovec *iov, int n)
{
	uint64_t at = c->offset;

	for (int i = 0; i < n; i++) {
		const uint8_t *p = iov[i].iov_base;

		for (size_t k = 0; k < iov[i].iov_len; k++)
			if (p[k] != fake_byte(0, at++))
				return false;
	}
	return at == c->offset + c->len;
}

static void done(void *arg, int r, const struct iovec *iov, int n,
		 const struct err *err)
{
	struct call *c = arg;

	(void)err;
	if (r == 0)
		atomic_fetch_add(is_right(c, iov, n) ? &n_right : &n_wrong, 1);
	else
		atomic_fetch_add(r == -EINTR ? &n_interrupted : &n_failed, 1);
	lock_take(&c->lock);
	if (c->n_done++)
		atomic_fetch_add(&n_twice, 1);
	cond_broadcast(&c->cond);
	lock_drop(&c->lock);
}

static void *reader(void *arg)
{
	static const char *const keys[] = { "a", "b", "c", "d" };
	static const uint64_t sizes[] = { 50 * MIB + 3, 9 * MIB, MIB, 1000 };
	unsigned state = (unsigned)(uintptr_t)arg * 7919u;

	for (int i = 0; i < READS; i++) {
		struct call c = { .n_done = 0 };
		struct blob b = { .backend = &store->backend,
				  .check = BLOB_CHECK_SIZE };

		state = state * 1103515245u + 12345u;
		b.key = keys[(state >> 16) % 4];
		b.size = sizes[(state >> 16) % 4];
		state = state * 1103515245u + 12345u;
		c.offset = (uint64_t)(state >> 8) * 97 % b.size;
		c.len = (state >> 4) % 100000 + 1;
		if (c.len > b.size - c.offset)
			c.len = (size_t)(b.size - c.offset);
		lock_init(&c.lock);
		cond_init(&c.cond);
		fetcher_read(fetcher, &b, c.offset, c.len, clock_ms() + 20000,
			     done, &c, NULL);
		if (i % 5 == 0)
			fetcher_cancel(fetcher, &c);
		if (i % 23 == 0) {
			struct blob_id id;

			blob_identify(&id, &b);
			fetcher_forget(fetcher, &id);
		}
		lock_take(&c.lock);
		while (!c.n_done)
			cond_wait(&c.cond, &c.lock);
		lock_drop(&c.lock);
		cond_release(&c.cond);
		lock_release(&c.lock);
	}
	return NULL;
}

int main(void)
{
	struct memory_budget *budget;
	struct fetcher_options opt = { .on_bad = NULL };
	pthread_t threads[READERS];
	struct fetcher_stats stats;
	struct err err = ERR_INIT;

	store = fake_store_new();
	if (memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err) < 0)
		return 1;
	opt.budget = budget;
	if (fetcher_new(&fetcher, &opt, &err) < 0)
		return 1;
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, reader, (void *)(i + 1)))
			return 1;
	for (int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	fetcher_stats(fetcher, &stats);
	tap_ok(n_wrong == 0, "no wrong byte in %u reads", n_right);
	tap_ok(n_failed == 0, "no read failed");
	tap_ok(n_twice == 0, "none was answered twice");
	tap_ok(n_right + n_interrupted == READERS * READS,
	       "all were answered, %u of them interrupted", n_interrupted);
	tap_ok(stats.waiting == 0, "nobody waits");
	fetcher_free(fetcher);
	tap_ok(memory_budget_used(budget) == 0, "all memory was given back");
	memory_budget_free(budget);
	fake_store_free(store);
	return tap_done();
}
