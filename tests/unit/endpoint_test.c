/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/endpoint.h"

#include <criterion/criterion.h>
#include "backends/base/clock.h"
#include "backends/http/http_impl.h"

#define URL "https://store.example.com/key"
#define N_SLOTS (ENDPOINT_LIMIT_MAX + ENDPOINT_WAITERS_MAX)

static struct http_engine *engine;
static struct endpoint_slot slots[N_SLOTS + 1];

/* lock guards what was called, in its order. */
static struct lock lock;
static struct cond cond;
static struct endpoint_slot *called[N_SLOTS];
static size_t n_called;

static void on_turn(void *arg)
{
	lock_take(&lock);
	called[n_called++] = arg;
	cond_signal(&cond);
	lock_drop(&lock);
}

static void wait_called(size_t n)
{
	lock_take(&lock);
	while (n_called < n)
		cond_wait(&cond, &lock);
	lock_drop(&lock);
}

static enum endpoint_entry enter(size_t i, int for_ms)
{
	slots[i].deadline_ms = clock_ms() + for_ms;
	slots[i].fn = on_turn;
	slots[i].arg = &slots[i];
	return endpoint_enter(&engine->endpoints, URL, &slots[i]);
}

static void leave(size_t i, enum endpoint_outcome outcome)
{
	endpoint_leave(&engine->endpoints, &slots[i], outcome);
}

static struct http_endpoint_stats stats(void)
{
	struct http_endpoint_stats s;

	cr_assert(http_engine_endpoints(engine, &s, 1) == 1);
	return s;
}

static void start(void)
{
	struct http_options opt = { .threads = 1 };
	struct err err = ERR_INIT;

	lock_init(&lock);
	cond_init(&cond);
	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
}

TestSuite(endpoint, .init = start);

Test(endpoint, nobody_waits_below_the_limit_and_the_queue_is_bounded)
{
	struct http_endpoint_stats s;
	size_t i;

	for (i = 0; i < ENDPOINT_LIMIT_MAX; i++)
		cr_assert(enter(i, 60000) == ENDPOINT_IN);
	for (; i < N_SLOTS; i++)
		cr_assert(enter(i, 60000) == ENDPOINT_QUEUED);
	cr_assert(enter(i, 60000) == ENDPOINT_FULL);
	s = stats();
	cr_assert(strcmp(s.name, "https://store.example.com") == 0);
	cr_assert(s.limit == 128 && s.in_flight == 128 && s.waiting == 4096);
	cr_assert(s.requests == 128 && s.throttled == 0);

	/* An engine that ends calls all of them, without a place. */
	http_engine_free(engine);
	cr_assert(n_called == ENDPOINT_WAITERS_MAX);
	cr_assert(!slots[N_SLOTS - 1].is_in);
}

Test(endpoint, turns_are_taken_in_order)
{
	for (size_t i = 0; i < ENDPOINT_LIMIT_MAX; i++)
		cr_assert(enter(i, 60000) == ENDPOINT_IN);
	for (size_t i = 0; i < 3; i++)
		cr_assert(enter(ENDPOINT_LIMIT_MAX + i, 60000) ==
			  ENDPOINT_QUEUED);
	for (size_t i = 0; i < 3; i++) {
		leave(i, ENDPOINT_SERVED);
		wait_called(i + 1);
		cr_assert(called[i] == &slots[ENDPOINT_LIMIT_MAX + i]);
		cr_assert(called[i]->is_in);
	}
	cr_assert(stats().in_flight == 128 && stats().waiting == 0);
	http_engine_free(engine);
}

Test(endpoint, what_was_refused_together_counts_once)
{
	for (size_t i = 0; i < 100; i++)
		cr_assert(enter(i, 60000) == ENDPOINT_IN);
	for (size_t i = 0; i < 30; i++)
		leave(i, ENDPOINT_THROTTLED);
	/* 0.7 of the 100 that were under way */
	cr_assert(stats().limit == 70 && stats().throttled == 30);
	/* Sent since: once more, and the others of before not. */
	cr_assert(enter(0, 60000) == ENDPOINT_QUEUED);
	leave(99, ENDPOINT_THROTTLED);
	cr_assert(stats().limit == 70 && stats().in_flight == 70);
	wait_called(1);
	leave(0, ENDPOINT_THROTTLED);
	cr_assert(stats().limit == 49 && stats().in_flight == 69);
	/* An answer that says nothing of the load changes nothing. */
	leave(98, ENDPOINT_BROKEN);
	cr_assert(stats().limit == 49);
	http_engine_free(engine);
}

Test(endpoint, the_limit_falls_to_one_and_rises_by_one_a_round)
{
	unsigned rounds = 0;

	for (unsigned i = 0; i < 40; i++) {
		cr_assert(enter(0, 60000) == ENDPOINT_IN);
		leave(0, ENDPOINT_THROTTLED);
	}
	cr_assert(stats().limit == 1 && stats().throttled == 40);

	while (stats().limit < 64 && rounds < 200) {
		unsigned n = stats().limit;

		for (unsigned i = 0; i < n; i++)
			cr_assert(enter(i, 60000) == ENDPOINT_IN);
		for (unsigned i = 0; i < n; i++)
			leave(i, ENDPOINT_SERVED);
		rounds++;
	}
	/* Half of a round has fewer than half the limit under way. */
	cr_assert(rounds >= 63 && rounds <= 2 * 64, "%u", rounds);
	http_engine_free(engine);
}

Test(endpoint, a_limit_that_is_not_used_does_not_rise)
{
	for (size_t i = 0; i < 100; i++)
		cr_assert(enter(i, 60000) == ENDPOINT_IN);
	for (size_t i = 0; i < 100; i++)
		leave(i, ENDPOINT_THROTTLED);
	for (unsigned i = 0; i < 1000; i++) {
		cr_assert(enter(0, 60000) == ENDPOINT_IN);
		leave(0, ENDPOINT_SERVED);
	}
	cr_assert(stats().limit == 70, "%u", stats().limit);
	http_engine_free(engine);
}

Test(endpoint, who_waits_keeps_its_deadline)
{
	for (size_t i = 0; i < ENDPOINT_LIMIT_MAX; i++)
		cr_assert(enter(i, 60000) == ENDPOINT_IN);
	cr_assert(enter(200, 60000) == ENDPOINT_QUEUED);
	cr_assert(enter(201, 30) == ENDPOINT_QUEUED);
	cr_assert(enter(202, 60000) == ENDPOINT_QUEUED);
	wait_called(1);
	cr_assert(called[0] == &slots[201] && !slots[201].is_in);
	cr_assert(stats().waiting == 2);
	leave(0, ENDPOINT_SERVED);
	leave(1, ENDPOINT_SERVED);
	wait_called(3);
	cr_assert(called[1] == &slots[200] && called[2] == &slots[202]);
	http_engine_free(engine);
}

Test(endpoint, endpoints_are_told_apart_and_bounded)
{
	static struct http_endpoint_stats seen[HTTP_ENDPOINTS_MAX + 1];
	static struct endpoint_slot each[HTTP_ENDPOINTS_MAX + 20];
	unsigned n_others = 0;
	char url[64];

	for (unsigned i = 0; i < ARRAY_SIZE(each); i++) {
		(void)snprintf(url, sizeof(url), "http://h%u:80/x", i);
		cr_assert(endpoint_enter(&engine->endpoints, url, &each[i]) ==
			  ENDPOINT_IN);
	}
	cr_assert(http_engine_endpoints(engine, seen, ARRAY_SIZE(seen)) == 257);
	for (unsigned i = 0; i < 257; i++)
		if (strcmp(seen[i].name, "others") == 0)
			n_others = seen[i].in_flight;
	cr_assert(n_others == 20);
	http_engine_free(engine);
}

Test(endpoint, a_url_that_is_none_has_no_name_of_its_own)
{
	static const char *const urls[] = { "", "x", "ftp://h/",
					    "http://a b/", "http://a\x01/" };
	struct endpoint_slot slot = { .deadline_ms = 0 };

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		cr_assert(endpoint_enter(&engine->endpoints, urls[i], &slot) ==
			  ENDPOINT_IN);
		cr_assert(strcmp(stats().name, "others") == 0);
	}
	http_engine_free(engine);
}
