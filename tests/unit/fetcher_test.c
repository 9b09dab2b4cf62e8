/* SPDX-License-Identifier: Apache-2.0 */
/* fetcher.c and fetch_*.c, over a store that does what a test says. */
#include <config.h>
#include "cache/fetcher.h"

#include <unistd.h>
#include "tests/unit/fetcher_case.h"

TestSuite(fetcher, .init = setup, .fini = teardown, .timeout = 60);

Test(fetcher, every_size_around_the_limits_is_read_whole)
{
	static const uint64_t sizes[] = {
		1, 4095, 65536, 65537, MIB - 1, MIB, MIB + 1, 8 * MIB - 1,
		8 * MIB, 8 * MIB + 1, 9 * MIB,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		char key[24];
		struct blob b;

		snprintf(key, sizeof(key), "k%zu", i);
		b = osmo_blob(key, sizes[i]);
		for (uint64_t at = 0; at < sizes[i]; at += MIB) {
			uint64_t rest = sizes[i] - at;

			cr_assert_eq(read_now(&b, at, (size_t)(rest < MIB ?
							       rest : MIB)), 0);
		}
	}
}

Test(fetcher, a_small_blob_costs_one_request_however_often_it_is_read)
{
	struct blob b = osmo_blob("k", 3 * MIB);

	for (int i = 0; i < 30; i++)
		cr_assert_eq(read_now(&b, (uint64_t)i * 100000, 50000), 0);
	cr_assert_eq(store->gets, 1);
	cr_assert_eq(store->bytes, 3 * MIB);
}

Test(fetcher, many_waiters_share_one_request)
{
	struct blob b = osmo_blob("k", MIB);
	struct result *res[100];

	fake_store_hold(store, true);
	for (int i = 0; i < 100; i++)
		res[i] = start(&b, (uint64_t)i * 1000, 1000);
	fake_store_hold(store, false);
	for (int i = 0; i < 100; i++) {
		cr_assert_eq(result_wait(res[i]), 0);
		result_free(res[i]);
	}
	cr_assert_eq(store->gets, 1);
}

Test(fetcher, case_23_damage_in_a_small_blob_is_never_served)
{
	struct blob b = osmo_blob("k", MIB);

	store->damage_at = 777;
	cr_assert_eq(read_now(&b, 0, 100), -EIO);
	/* At once again: remembered, not asked for. */
	cr_assert_eq(read_now(&b, 500000, 100), -EIO);
	cr_assert_eq(store->gets, 1);
}

Test(fetcher, case_23_damage_in_a_large_blob_is_found_when_all_of_it_was_seen)
{
	struct blob b = osmo_blob("k", 20 * MIB);
	int r = 0;

	store->damage_at = 12345678;
	for (uint64_t at = 0; at < 20 * MIB && r == 0; at += MIB) {
		struct result *res = start(&b, at, MIB);

		r = result_wait(res);
		result_free(res);
	}
	cr_assert_eq(r, -EIO, "who reads all of it must not succeed");
	cr_assert_eq(read_now(&b, 0, 100), -EIO);
	/* The callback comes a moment after the verdict. */
	for (int i = 0; i < 1000 && !atomic_load(&n_bad); i++)
		usleep(1000);
	cr_assert_eq(atomic_load(&n_bad), 1);
	cr_assert_eq(fetcher_cached_bytes(fetcher, &b), 0);
}

Test(fetcher, a_large_blob_that_is_right_raises_no_alarm)
{
	struct blob b = osmo_blob("k", 20 * MIB + 17);

	for (uint64_t at = 0; at < b.size; at += MIB) {
		uint64_t rest = b.size - at;

		cr_assert_eq(read_now(&b, at, (size_t)(rest < MIB ? rest :
								    MIB)), 0);
	}
	cr_assert_eq(atomic_load(&n_bad), 0);
	/* Read ahead, but nothing twice. */
	cr_assert_leq(store->bytes, b.size);
}

Test(fetcher, a_sequential_reader_is_served_ahead)
{
	struct blob b = blob_of("k", 40 * MIB);
	const size_t len = 128 << 10;
	struct fetcher_stats stats;
	struct result *res[48];
	uint64_t at = 0;

	for (; at < 4 * len; at += len)
		cr_assert_eq(read_now(&b, at, len), 0);
	/* A reader that has to wait is one that needs more ahead of it. */
	fake_store_hold(store, true);
	for (size_t i = 0; i < ARRAY_SIZE(res); i++)
		res[i] = start(&b, at + 2 * MIB + i * len, len);
	fetcher_stats(fetcher, &stats);
	cr_assert_geq(stats.in_flight, 4);
	fake_store_hold(store, false);
	for (size_t i = 0; i < ARRAY_SIZE(res); i++) {
		cr_assert_eq(result_wait(res[i]), 0);
		result_free(res[i]);
	}
	for (; at < 40 * MIB; at += len)
		cr_assert_eq(read_now(&b, at, len), 0);
	cr_assert_eq(store->bytes, 40 * MIB);
	/* Not one request for each read. */
	cr_assert_lt(atomic_load(&store->gets), 100);
}

Test(fetcher, a_window_has_an_end_however_much_memory_there_is)
{
	struct blob b = blob_of("k", 400 * MIB);
	struct result *res[8];
	struct err err = ERR_INIT;
	uint64_t asked = 0;

	fetcher_free(fetcher);
	memory_budget_free(budget);
	cr_assert_eq(memory_budget_new(&budget, 1024 * MIB, 0, &err), 0);
	fetcher_start();
	fake_store_hold(store, true);
	for (size_t i = 0; i < ARRAY_SIZE(res); i++)
		res[i] = start(&b, i * MIB, MIB);
	lock_take(&store->lock);
	for (struct backend_op *op = store->head; op; op = op->next)
		asked += op->len;
	lock_drop(&store->lock);
	/* What was asked for itself, the window, a range more. */
	cr_expect_geq(asked, 48 * MIB);
	cr_expect_leq(asked, (8 + 48 + 8) * MIB);
	fake_store_hold(store, false);
	for (size_t i = 0; i < ARRAY_SIZE(res); i++) {
		cr_expect_eq(result_wait(res[i]), 0);
		result_free(res[i]);
	}
}

Test(fetcher, random_reads_fetch_grains_only)
{
	struct blob b = blob_of("k", 400 * MIB);

	for (unsigned i = 0; i < 50; i++)
		cr_assert_eq(read_now(&b, (i * 37 % 400) * MIB + 5000, 4096),
			     0);
	cr_assert_eq(store->bytes, 50 * FETCHER_GRAIN);
}

Test(fetcher, a_changed_object_is_read_anew)
{
	struct blob b = blob_of("k", 20 * MIB);

	cr_assert_eq(read_now(&b, 0, 1000), 0);
	lock_take(&store->lock);
	store->seed = 5;
	strcpy(store->etag, "v2");
	lock_drop(&store->lock);
	/* The next range meets another validator. */
	cr_assert_eq(read_now(&b, 10 * MIB, 1000), 0);
	cr_assert_eq(read_now(&b, 0, 1000), 0);
	cr_assert_eq(atomic_load(&n_bad), 1);
}

Test(fetcher, a_reader_in_order_gets_no_bytes_of_two_contents)
{
	struct blob b = blob_of("k", 20 * MIB);
	const size_t step = 64 << 10;

	/* Its second read is the one that meets the change ... */
	cr_assert_eq(read_now(&b, 0, step), 0);
	lock_take(&store->lock);
	fake_change(store);
	lock_drop(&store->lock);
	cr_assert_eq(read_now(&b, step, step), -EIO);
	/* ... and whoever begins anew reads the new one. */
	cr_assert_eq(read_now(&b, 0, step), 0);
	cr_assert_eq(read_now(&b, step, step), 0);
}

static bool is_of_seed(const struct result *res, unsigned seed, uint64_t at)
{
	for (size_t i = 0; i < res->len; i++)
		if (res->bytes[i] != fake_byte(seed, at + i))
			return false;
	return true;
}

Test(fetcher, reads_under_way_when_the_object_changes_are_of_one_content)
{
	struct blob b = blob_of("k", 20 * MIB);
	const size_t step = 64 << 10;
	struct result *first, *second;
	bool is_old;

	/* Both are asked for before any validator is known. */
	fake_store_hold(store, true);
	first = start(&b, 0, step);
	second = start(&b, step, step);
	store->change_after = 1;
	fake_store_hold(store, false);
	cr_assert_eq(result_wait(first), 0);
	is_old = is_of_seed(first, 0, 0);
	cr_assert(is_old || is_of_seed(first, 5, 0));
	if (result_wait(second) == 0)
		cr_expect(is_of_seed(second, is_old ? 0 : 5, step));
	result_free(first);
	result_free(second);
}

Test(fetcher, what_left_memory_unhashed_must_come_back_the_same)
{
	struct blob b = osmo_blob("k", 20 * MIB);
	const size_t step = 64 << 10;
	struct fetcher_evicted out;
	struct fetcher_stats stats;
	struct result *wrong;

	/* One byte is wrong on the way, once, and served ... */
	store->damage_at = 100;
	wrong = start(&b, 0, step);
	cr_assert_eq(result_wait(wrong), 0);
	result_free(wrong);
	/* ... and leaves memory before its part is hashed. */
	store->damage_at = -1;
	/* A read is answered before its bytes are let go of. */
	for (int64_t until = clock_ms() + SOON_MS; clock_ms() < until;) {
		fetcher_evict_all(fetcher, &out);
		fetcher_stats(fetcher, &stats);
		if (!stats.cached_bytes)
			break;
	}
	cr_assert_eq(stats.cached_bytes, 0);
	cr_assert_eq(atomic_load(&n_bad), 0);
	/* The right ones tell that others were served. */
	cr_assert_eq(read_now(&b, 0, step), 0);
	cr_assert_eq(atomic_load(&n_bad), 1);
	cr_assert_eq(read_now(&b, step, step), 0);
}

Test(fetcher, a_foreign_object_that_changed_is_an_error)
{
	struct blob b = blob_of("k", 20 * MIB);

	b.check = BLOB_CHECK_FOREIGN;
	b.if_match = "v0";
	cr_assert_eq(read_now(&b, 0, 1000), -EIO);
	b.if_match = "v1";
	cr_assert_eq(read_now(&b, 0, 1000), 0);
}

Test(fetcher, a_missing_object_is_an_error_and_asked_for_again)
{
	struct blob b = osmo_blob("k", 1000);

	store->fail_r = -ENOENT;
	store->fail_count = 1;
	cr_assert_eq(read_now(&b, 0, 10), -EIO);
	cr_assert_eq(read_now(&b, 0, 10), 0);
}

Test(fetcher, permission_and_time_keep_their_errno)
{
	struct blob b = osmo_blob("k", 1000);

	store->fail_r = -EACCES;
	store->fail_count = 1;
	cr_assert_eq(read_now(&b, 0, 10), -EACCES);
	store->fail_r = -ETIMEDOUT;
	store->fail_count = 1;
	cr_assert_eq(read_now(&b, 0, 10), -ETIMEDOUT);
}

Test(fetcher, each_waiter_has_its_own_deadline)
{
	struct blob b = osmo_blob("k", 1000);
	struct result *quick = result_new(10), *slow = result_new(10);
	int64_t began = clock_ms();

	fake_store_hold(store, true);
	fetcher_read(fetcher, &b, 0, 10, began + 8000, done, slow, NULL);
	fetcher_read(fetcher, &b, 0, 10, began + 100, done, quick, NULL);
	cr_assert_eq(result_wait(quick), -ETIMEDOUT);
	cr_assert_lt(clock_ms() - began, 4000);
	fake_store_hold(store, false);
	cr_assert_eq(result_wait(slow), 0);
	result_free(quick);
	result_free(slow);
}

Test(fetcher, a_cancelled_read_is_interrupted_and_the_fetch_goes_on)
{
	struct blob b = osmo_blob("k", 1000);
	struct result *res;

	fake_store_hold(store, true);
	res = start(&b, 0, 10);
	fetcher_cancel(fetcher, res);
	cr_assert_eq(result_wait(res), -EINTR);
	fetcher_cancel(fetcher, res);	/* nobody of that name any more */
	cr_assert_eq(res->n_done, 1);
	result_free(res);
	fake_store_hold(store, false);
	cr_assert_eq(read_now(&b, 0, 10), 0);
	cr_assert_eq(store->gets, 1);
}

Test(fetcher, cached_bytes_are_served_while_the_store_stalls)
{
	struct blob cached = osmo_blob("cached", 1000);
	struct result *res[256];
	char key[256][24];

	cr_assert_eq(read_now(&cached, 0, 1000), 0);
	fake_store_hold(store, true);
	for (int i = 0; i < 256; i++) {
		struct blob b;

		snprintf(key[i], sizeof(key[i]), "s%d", i);
		b = blob_of(key[i], 100000);
		res[i] = start(&b, 0, 1000);
	}
	for (int i = 0; i < 100; i++)
		cr_assert_eq(read_now(&cached, 0, 1000), 0);
	cr_assert_leq(atomic_load(&store->in_flight_max),
		      FETCHER_IN_FLIGHT_MAX);
	fake_store_hold(store, false);
	for (int i = 0; i < 256; i++) {
		cr_assert_eq(result_wait(res[i]), 0);
		result_free(res[i]);
	}
}

Test(fetcher, a_stalled_store_does_not_take_the_others_slots)
{
	struct fake_store *other = fake_store_new();
	struct blob b = { .backend = &other->backend, .key = "k", .size = 1000,
			  .check = BLOB_CHECK_SIZE };
	struct result *res[256], *quick;
	char key[256][24];

	fake_store_hold(store, true);
	for (int i = 0; i < 256; i++) {
		struct blob s;

		snprintf(key[i], sizeof(key[i]), "s%d", i);
		s = blob_of(key[i], 100000);
		res[i] = start(&s, 0, 1000);
	}
	quick = start(&b, 0, 10);
	cr_assert_eq(result_wait(quick), 0);
	result_free(quick);
	fake_store_hold(store, false);
	for (int i = 0; i < 256; i++) {
		cr_assert_eq(result_wait(res[i]), 0);
		result_free(res[i]);
	}
	fetcher_free(fetcher);
	fetcher = NULL;
	fake_store_free(other);
}

static struct result *fill(const struct blob *b, uint64_t offset, size_t len)
{
	struct result *res = result_new(len);

	fetcher_fill(fetcher, b, offset, len, clock_ms() + SOON_MS, done, res);
	return res;
}

Test(fetcher, a_fill_leaves_the_store_to_readers)
{
	struct blob b[40], ahead = osmo_blob("ahead", 1000);
	struct blob demand = osmo_blob("demand", 1000);
	struct result *res[40], *first, *last, *late;
	char key[40][24];

	for (int i = 0; i < 40; i++) {
		snprintf(key[i], sizeof(key[i]), "k%d", i);
		b[i] = osmo_blob(key[i], 1000);
	}
	fake_store_hold(store, true);
	first = start(&demand, 0, 10);
	for (int i = 0; i < 20; i++)
		res[i] = fill(&b[i], 0, 1000);
	cr_assert_eq(store->gets, 3);	/* two beside a reader's */
	/* What is read ahead goes past those that wait. */
	cr_assert(fetcher_ahead(fetcher, &ahead));
	fetcher_go(fetcher);
	cr_assert_eq(store->gets, 4);
	/* A reader takes over what it needs itself. */
	last = start(&b[19], 500, 500);
	cr_assert_eq(store->gets, 5);
	fake_store_hold(store, false);
	cr_assert_eq(result_wait(first), 0);
	cr_assert_eq(result_wait(last), 0);
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(result_wait(res[i]), 0);
		cr_assert_eq(res[i]->len, 1000);
		result_free(res[i]);
	}
	cr_assert_eq(store->gets, 22);	/* each once */
	result_free(first);
	result_free(last);

	/* Alone it may have more, and still leaves places. */
	fake_store_hold(store, true);
	for (int i = 20; i < 40; i++)
		res[i] = fill(&b[i], 0, 1000);
	cr_assert_eq(store->gets, 22 + 16);
	demand = osmo_blob("late", 1000);
	late = start(&demand, 0, 10);
	cr_assert_eq(store->gets, 22 + 17);
	fake_store_hold(store, false);
	cr_assert_eq(result_wait(late), 0);
	result_free(late);
	for (int i = 20; i < 40; i++) {
		cr_assert_eq(result_wait(res[i]), 0);
		result_free(res[i]);
	}
}

Test(fetcher, a_fill_of_a_large_blob_reads_nothing_ahead)
{
	struct blob b = osmo_blob("large", 20 * MIB);
	struct result *res;

	for (uint64_t at = 0; at < 8 * MIB; at += 4 * MIB) {
		res = fill(&b, at, 4 * MIB);
		cr_assert_eq(result_wait(res), 0);
		cr_assert_eq(fake_byte(store->seed, at + 12345),
			     res->bytes[12345]);
		result_free(res);
	}
	cr_assert_eq(store->gets, 2);
	cr_assert_eq(fetcher_cached_bytes(fetcher, &b), 8 * MIB);
	for (uint64_t at = 8 * MIB; at < 20 * MIB; at += 4 * MIB) {
		res = fill(&b, at, 4 * MIB);
		cr_assert_eq(result_wait(res), 0);
		result_free(res);
	}
	cr_assert_eq(read_now(&b, 3 * MIB, 1 * MIB), 0);
	cr_assert_eq(store->gets, 5);
	cr_assert_eq(atomic_load(&n_bad), 0);
}

Test(fetcher, a_cancelled_fill_asks_for_nothing_any_more)
{
	struct blob a = osmo_blob("a", 1000), b = osmo_blob("b", 1000);
	struct result *under_way[16], *queued;
	struct blob other[16];
	char key[16][24];

	fake_store_hold(store, true);
	for (int i = 0; i < 16; i++) {
		snprintf(key[i], sizeof(key[i]), "o%d", i);
		other[i] = osmo_blob(key[i], 1000);
		under_way[i] = fill(&other[i], 0, 10);
	}
	queued = fill(&a, 0, 10);
	cr_assert_eq(store->gets, 16);
	fetcher_cancel(fetcher, queued);
	cr_assert_eq(result_wait(queued), -EINTR);
	result_free(queued);
	fake_store_hold(store, false);
	for (int i = 0; i < 16; i++) {
		cr_assert_eq(result_wait(under_way[i]), 0);
		result_free(under_way[i]);
	}
	cr_assert_eq(read_now(&b, 0, 10), 0);
	cr_assert_eq(store->gets, 17);
}

Test(fetcher, memory_stays_within_its_budget)
{
	/* 64 MiB of budget, 200 MiB of content. */
	for (int i = 0; i < 25; i++) {
		struct blob b;
		char key[24];

		snprintf(key, sizeof(key), "k%d", i);
		b = blob_of(key, 8 * MIB);
		cr_assert_eq(read_now(&b, 0, 4096), 0);
		cr_assert_leq(memory_budget_used(budget), MEMORY_BUDGET_MIN);
	}
}

Test(fetcher, forgotten_content_is_asked_for_again)
{
	struct blob b = osmo_blob("k", 1000);

	cr_assert_eq(read_now(&b, 0, 1000), 0);
	fetcher_forget(fetcher, &b);
	cr_assert_eq(fetcher_cached_bytes(fetcher, &b), 0);
	cr_assert_eq(read_now(&b, 0, 1000), 0);
	cr_assert_eq(store->gets, 2);
}

Test(fetcher, another_expectation_is_another_blob)
{
	struct blob good = osmo_blob("k", 1000), bad = good;

	bad.md5[0] ^= 1;
	cr_assert_eq(read_now(&good, 0, 1000), 0);
	cr_assert_eq(read_now(&bad, 0, 1000), -EIO);
	cr_assert_eq(read_now(&good, 0, 1000), 0);
}

Test(fetcher, a_read_beyond_the_end_is_refused)
{
	struct blob b = osmo_blob("k", 1000);

	cr_assert_eq(read_now(&b, 1000, 1), -EINVAL);
	cr_assert_eq(read_now(&b, 999, 2), -EINVAL);
	cr_assert_eq(read_now(&b, 0, 0), -EINVAL);
	cr_assert_eq(read_now(&b, UINT64_MAX, 2), -EINVAL);
}

Test(fetcher, the_end_answers_everybody)
{
	struct blob b = osmo_blob("k", 1000);
	struct result *res;

	fake_store_hold(store, true);
	res = start(&b, 0, 10);
	fake_store_hold(store, false);
	fetcher_free(fetcher);
	fetcher = NULL;
	cr_assert(result_wait(res) == -ESHUTDOWN || res->r == 0);
	result_free(res);
}

/* Reads [at, end) in order, as cp does; the first failure, or 0. */
static int read_on(const struct blob *b, uint64_t at, uint64_t end)
{
	int r = 0;

	for (; at < end && r == 0; at += MIB) {
		uint64_t rest = end - at;
		size_t len = (size_t)(rest < MIB ? rest : MIB);
		struct result *res = start(b, at, len);

		r = result_wait(res);
		result_free(res);
	}
	return r;
}

static int read_all(const struct blob *b)
{
	return read_on(b, 0, b->size);
}

Test(fetcher, nobody_reads_all_of_a_damaged_large_blob_with_success)
{
	/* The damaged byte is in each part in turn. */
	for (int part = 0; part < 3; part++) {
		struct blob b;
		char key[8];

		snprintf(key, sizeof(key), "k%d", part);
		b = osmo_blob(key, 20 * MIB + 5);
		lock_take(&store->lock);
		store->damage_at = (long)(part * BLOB_PART + 1);
		lock_drop(&store->lock);
		cr_assert_eq(read_all(&b), -EIO);
	}
}

Test(fetcher, a_full_cache_is_no_reason_not_to_verify)
{
	struct blob other = blob_of("other", 100 * MIB);
	struct blob b = osmo_blob("k", 17 * MIB);

	cr_assert_eq(read_all(&other), 0);
	store->damage_at = 9 * MIB;
	cr_assert_eq(read_all(&b), -EIO);
}

Test(fetcher, what_left_the_memory_before_it_was_hashed_is_hashed_in_the_end)
{
	struct blob other = blob_of("other", 300 * MIB);
	struct blob b = osmo_blob("k", 33 * MIB), good = osmo_blob("g", 33 * MIB);

	cr_assert_eq(read_on(&good, 0, MIB), 0);
	cr_assert_eq(read_on(&other, 0, other.size), 0);
	cr_assert_eq(read_on(&good, MIB, good.size), 0);

	store->damage_at = 5;
	cr_assert_eq(read_on(&b, 0, MIB), 0);
	store->damage_at = -1;
	cr_assert_eq(read_on(&other, 0, other.size), 0);
	store->damage_at = 5;
	cr_assert_eq(read_on(&b, MIB, b.size), -EIO);
}

Test(fetcher, nobody_reads_two_states_of_an_object_as_one)
{
	struct blob b = osmo_blob("k", 200 * MIB);

	cr_assert_eq(read_on(&b, 0, 4 * MIB), 0);
	lock_take(&store->lock);
	strcpy(store->etag, "v2");
	lock_drop(&store->lock);
	cr_assert_eq(read_on(&b, 4 * MIB, b.size), -EIO);
	cr_assert_eq(read_on(&b, 0, b.size), 0, "from the start it is one");
}

Test(fetcher, who_saw_nothing_of_what_an_object_was_reads_what_it_is)
{
	struct blob b = osmo_blob("k", 200 * MIB);

	cr_assert_eq(read_on(&b, 0, 4 * MIB), 0);
	lock_take(&store->lock);
	strcpy(store->etag, "v2");
	lock_drop(&store->lock);
	/* Its own first read is the one that sees the change. */
	cr_assert_eq(read_on(&b, 100 * MIB, 120 * MIB), 0);
	lock_take(&store->lock);
	strcpy(store->etag, "v3");
	lock_drop(&store->lock);
	cr_assert_eq(read_on(&b, 160 * MIB, b.size), 0);
	cr_assert_eq(read_on(&b, 120 * MIB, 150 * MIB), -EIO);
	cr_assert_eq(read_on(&b, 0, b.size), 0);
}

Test(fetcher, a_damaged_object_that_was_replaced_is_read_after_a_while)
{
	struct blob b = osmo_blob("k", 9 * MIB);

	store->damage_at = 5;
	cr_assert_eq(read_all(&b), -EIO);
	lock_take(&store->lock);
	store->damage_at = -1;
	strcpy(store->etag, "v2");
	lock_drop(&store->lock);
	cr_assert_eq(read_now(&b, 0, 10), -EIO, "remembered for a moment");
	usleep(5100000);
	cr_assert_eq(read_all(&b), 0);
}

Test(fetcher, a_damaged_object_is_known_by_its_validator)
{
	struct blob b = osmo_blob("k", 9 * MIB);
	unsigned gets;

	store->damage_at = 5;
	cr_assert_eq(read_all(&b), -EIO);
	usleep(5100000);
	gets = atomic_load(&store->gets);
	cr_assert_eq(read_now(&b, 0, 10), -EIO);
	cr_assert_eq(atomic_load(&store->gets), gets + 1, "one look, no more");
}

Test(fetcher, the_same_bytes_under_another_validator_are_right)
{
	struct blob b = osmo_blob("k", 20 * MIB);

	cr_assert_eq(read_now(&b, 0, MIB), 0);
	lock_take(&store->lock);
	strcpy(store->etag, "v2");
	lock_drop(&store->lock);
	cr_assert_eq(read_now(&b, 10 * MIB, MIB), 0);
	for (uint64_t at = 0; at < b.size; at += MIB)
		cr_assert_eq(read_now(&b, at, MIB), 0);
}

Test(fetcher, a_store_without_validators_is_read_by_size)
{
	struct blob b = osmo_blob("k", 20 * MIB);

	store->etag[0] = '\0';
	for (uint64_t at = 0; at < b.size; at += MIB)
		cr_assert_eq(read_now(&b, at, MIB), 0);
	cr_assert_eq(atomic_load(&n_bad), 0);
}

Test(fetcher, an_etag_that_cannot_be_is_refused_unasked)
{
	struct blob small = osmo_blob("k", 1000), large = small;

	small.parts = 2;
	cr_assert_eq(read_now(&small, 0, 10), -EIO);
	large.size = 20 * MIB;
	large.parts = 0;
	cr_assert_eq(read_now(&large, 0, 10), -EIO);
	large.parts = 4;
	cr_assert_eq(read_now(&large, 0, 10), -EIO);
	cr_assert_eq(store->gets, 0);
}

Test(fetcher, an_object_of_another_size_is_an_error)
{
	struct blob b = blob_of("k", 20 * MIB);

	store->fail_r = -EBADMSG;
	store->fail_class = ERR_CORRUPT;
	store->fail_count = 1;
	cr_assert_eq(read_now(&b, 0, 10), -EIO);
	cr_assert_eq(read_now(&b, 0, 10), 0);
}

Test(fetcher, who_has_time_tries_again_after_a_hasty_readers_failure)
{
	struct blob b = osmo_blob("k", 1000);
	struct result *hasty = result_new(10), *patient = result_new(10);

	store->fail_r = -ETIMEDOUT;
	store->fail_class = ERR_RETRY;
	store->fail_count = 1;
	fake_store_hold(store, true);
	fetcher_read(fetcher, &b, 0, 10, clock_ms() + 5000, done, hasty, NULL);
	fetcher_read(fetcher, &b, 0, 10, clock_ms() + 30000, done, patient,
		     NULL);
	fake_store_hold(store, false);
	cr_assert_eq(result_wait(hasty), -ETIMEDOUT);
	cr_assert_eq(result_wait(patient), 0);
	cr_assert_eq(store->gets, 2);
	result_free(hasty);
	result_free(patient);
}

static atomic_uint counts[3];

static void count_done(void *arg, int r, const struct iovec *iov, int n,
		       const struct err *err)
{
	(void)arg;
	(void)iov;
	(void)n;
	(void)err;
	atomic_fetch_add(&counts[r == 0 ? 0 : r == -EAGAIN ? 1 : 2], 1);
}

Test(fetcher, waiters_are_bounded)
{
	struct blob b = osmo_blob("k", 1000);
	static char names[FETCHER_WAITERS_MAX + 100];
	struct fetcher_stats stats;

	fake_store_hold(store, true);
	for (unsigned i = 0; i < FETCHER_WAITERS_MAX + 100; i++)
		fetcher_read(fetcher, &b, 0, 10, clock_ms() + 30000, count_done,
			     &names[i], NULL);
	fetcher_stats(fetcher, &stats);
	cr_assert_eq(stats.waiting, FETCHER_WAITERS_MAX);
	cr_assert_eq(counts[1], 100);
	fake_store_hold(store, false);
	for (int i = 0; i < 1000 && counts[0] < FETCHER_WAITERS_MAX; i++)
		usleep(10000);
	cr_assert_eq(counts[0], FETCHER_WAITERS_MAX);
	cr_assert_eq(counts[2], 0);
}

Test(fetcher, reads_that_span_everything_survive_little_memory)
{
	/* 32 reads of 4 MiB at once, and half of 64 MiB for requests. */
	struct blob b = blob_of("k", 200 * MIB);
	struct result *res[32];

	for (int round = 0; round < 4; round++) {
		for (unsigned i = 0; i < ARRAY_SIZE(res); i++)
			res[i] = start(&b, (i * 41 + (unsigned)round) % 49 *
					   4 * MIB + 777, FETCHER_READ_MAX);
		for (unsigned i = 0; i < ARRAY_SIZE(res); i++) {
			uint64_t at = (i * 41 + (unsigned)round) % 49 * 4 *
				      MIB + 777;

			cr_assert_eq(result_wait(res[i]), 0);
			cr_assert_eq(res[i]->len, FETCHER_READ_MAX);
			for (size_t k = 0; k < FETCHER_READ_MAX; k += 4093)
				cr_assert_eq(res[i]->bytes[k],
					     fake_byte(0, at + k));
			result_free(res[i]);
			cr_assert_leq(memory_budget_used(budget),
				      MEMORY_BUDGET_MIN);
		}
	}
}

Test(fetcher, a_random_schedule_gives_the_right_bytes)
{
	unsigned state = 12345;
	struct blob blobs[3] = { osmo_blob("a", 30 * MIB + 7),
				 blob_of("b", 100 * MIB + 1),
				 osmo_blob("c", 5 * MIB) };

	for (int i = 0; i < 600; i++) {
		const struct blob *b;
		uint64_t at;
		size_t len;

		state = state * 1103515245u + 12345u;
		b = &blobs[(state >> 16) % 3];
		state = state * 1103515245u + 12345u;
		at = (uint64_t)(state >> 8) * 977 % b->size;
		state = state * 1103515245u + 12345u;
		len = 1 + (state >> 12) % 300000;
		if (len > b->size - at)
			len = (size_t)(b->size - at);
		if (i % 50 == 49)
			fetcher_forget(fetcher, b);
		cr_assert_eq(read_now(b, at, len), 0);
	}
	cr_assert_eq(atomic_load(&n_bad), 0);
}
