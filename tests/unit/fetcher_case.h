/* SPDX-License-Identifier: Apache-2.0 */
/* A fetcher over a store that does what a test says, and reads of it. */
#ifndef DATASETFS_TESTS_FETCHER_CASE_H
#define DATASETFS_TESTS_FETCHER_CASE_H

#include <criterion/criterion.h>
#include "backends/base/digest.h"
#include "cache/fetcher.h"
#include "tests/fake_store.h"

#define MIB ((uint64_t)1 << 20)
#define SOON_MS 10000

static struct fake_store *store;
static struct memory_budget *budget;
static struct fetcher *fetcher;
static struct disk_cache *disk;	/* a test's, where it wants one */
static atomic_uint n_bad;

static inline void on_bad(void *arg, const struct blob_id *id)
{
	(void)arg;
	(void)id;
	atomic_fetch_add(&n_bad, 1);
}

static inline void fetcher_start(void)
{
	struct fetcher_options opt = { .budget = budget, .disk = disk,
				       .on_bad = on_bad };
	struct err err = ERR_INIT;

	cr_assert_eq(fetcher_new(&fetcher, &opt, &err), 0, "%s", err.text);
}

static inline void setup(void)
{
	struct err err = ERR_INIT;

	store = fake_store_new();
	cr_assert_eq(memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err), 0,
		     "%s", err.text);
	fetcher_start();
}

static inline void teardown(void)
{
	if (fetcher)
		fetcher_free(fetcher);
	cr_assert_eq(memory_budget_used(budget), 0, "%llu bytes leaked",
		     (unsigned long long)memory_budget_used(budget));
	memory_budget_free(budget);
	fake_store_free(store);
}

/* A read and what came of it. */
struct result {
	struct lock lock;
	struct cond done_cond;
	int n_done;
	int r;
	size_t len;
	uint8_t *bytes;
	size_t room;
};

static inline struct result *result_new(size_t room)
{
	struct result *res = calloc(1, sizeof(*res));

	lock_init(&res->lock);
	cond_init(&res->done_cond);
	res->room = room;
	res->bytes = malloc(room ? room : 1);
	return res;
}

static inline void result_free(struct result *res)
{
	cond_release(&res->done_cond);
	lock_release(&res->lock);
	free(res->bytes);
	free(res);
}

static inline void done(void *arg, int r, const struct iovec *iov, int n,
		 const struct err *err)
{
	struct result *res = arg;

	(void)err;
	lock_take(&res->lock);
	res->n_done++;
	res->r = r;
	for (int i = 0; r == 0 && i < n; i++) {
		cr_assert_leq(res->len + iov[i].iov_len, res->room);
		memcpy(res->bytes + res->len, iov[i].iov_base, iov[i].iov_len);
		res->len += iov[i].iov_len;
	}
	cond_broadcast(&res->done_cond);
	lock_drop(&res->lock);
}

static inline int result_wait(struct result *res)
{
	int64_t end = clock_ms() + SOON_MS;
	int r;

	lock_take(&res->lock);
	while (!res->n_done && clock_ms() < end)
		(void)cond_wait_until(&res->done_cond, &res->lock, end);
	cr_assert_eq(res->n_done, 1, "done() ran %d times", res->n_done);
	r = res->r;
	lock_drop(&res->lock);
	return r;
}

static inline struct blob blob_of(const char *key, uint64_t size)
{
	return (struct blob){ .backend = &store->backend, .key = key,
			      .size = size, .check = BLOB_CHECK_SIZE };
}

/* The name that OSMO gives to what the store serves. */
static inline struct blob osmo_blob(const char *key, uint64_t size)
{
	struct blob b = blob_of(key, size);
	uint8_t parts[64][MD5_SIZE];
	uint32_t n = 0;

	b.check = BLOB_CHECK_OSMO;
	b.has_md5 = true;
	for (uint64_t at = 0; at < size; at += BLOB_PART) {
		uint64_t len = size - at < BLOB_PART ? size - at : BLOB_PART;
		uint8_t *bytes = malloc(len);

		for (uint64_t i = 0; i < len; i++)
			bytes[i] = fake_byte(store->seed, at + i);
		digest_md5(parts[n++], bytes, len);
		free(bytes);
	}
	if (size > BLOB_PART) {
		digest_md5(b.md5, parts, n * MD5_SIZE);
		b.parts = n;
	} else {
		memcpy(b.md5, parts[0], MD5_SIZE);
	}
	return b;
}

static inline struct result *start(const struct blob *b, uint64_t offset, size_t len)
{
	struct result *res = result_new(len);

	fetcher_read(fetcher, b, offset, len, clock_ms() + SOON_MS, done, res,
		     NULL);
	return res;
}

/* 0 with the right bytes, or the errno. */
static inline int read_now(const struct blob *b, uint64_t offset, size_t len)
{
	struct result *res = start(b, offset, len);
	int r = result_wait(res);

	if (r == 0) {
		cr_assert_eq(res->len, len);
		for (size_t i = 0; i < len; i++)
			cr_assert_eq(res->bytes[i],
				     fake_byte(store->seed, offset + i),
				     "byte %zu of a read at %llu", i,
				     (unsigned long long)offset);
	}
	result_free(res);
	return r;
}

#endif
