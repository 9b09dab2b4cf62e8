/* SPDX-License-Identifier: Apache-2.0 */
/* Races are looked for in tests/race; here is what one thread can see. */
#include <config.h>
#include "backends/base/lock.h"
#include "backends/base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <criterion/criterion.h>

static struct lock lock = LOCK_INIT;
static struct cond cond;
static bool is_told;

static void *tell(void *arg)
{
	(void)arg;
	lock_take(&lock);
	is_told = true;
	cond_broadcast(&cond);
	lock_drop(&lock);
	return NULL;
}

Test(lock, a_wait_ends_at_its_deadline)
{
	int64_t begin = clock_ms();
	int r;

	cond_init(&cond);
	lock_take(&lock);
	do
		r = cond_wait_until(&cond, &lock, begin + 60);
	while (r == 0);
	lock_drop(&lock);
	cr_expect_eq(r, -ETIMEDOUT);
	cr_expect_geq(clock_ms() - begin, 60);
	cond_release(&cond);
}

Test(lock, a_deadline_that_has_passed_does_not_wait)
{
	int r;

	cond_init(&cond);
	lock_take(&lock);
	r = cond_wait_until(&cond, &lock, clock_ms() - 1000);
	cr_expect_eq(r, -ETIMEDOUT);
	r = cond_wait_until(&cond, &lock, 0);
	cr_expect_eq(r, -ETIMEDOUT);
	lock_drop(&lock);
	cond_release(&cond);
}

static void wait_for_thread(int64_t deadline_ms)
{
	pthread_t thread;
	int r = 0;

	is_told = false;
	cond_init(&cond);
	lock_take(&lock);
	cr_assert_eq(pthread_create(&thread, NULL, tell, NULL), 0);
	while (!is_told && r == 0)
		r = cond_wait_until(&cond, &lock, deadline_ms);
	lock_drop(&lock);
	cr_expect_eq(r, 0);
	cr_expect(is_told);
	pthread_join(thread, NULL);
	cond_release(&cond);
}

Test(lock, a_wait_is_woken_before_its_deadline)
{
	wait_for_thread(clock_ms() + 30000);
}

Test(lock, the_last_deadline_of_all_waits_for_ever)
{
	wait_for_thread(INT64_MAX);
}

Test(lock, an_initialised_lock_is_like_a_static_one)
{
	struct lock own;

	lock_init(&own);
	lock_take(&own);
	cr_expect_eq(pthread_mutex_trylock(&own.mutex), EBUSY);
	lock_drop(&own);
	cr_expect_eq(pthread_mutex_trylock(&own.mutex), 0);
	pthread_mutex_unlock(&own.mutex);
	lock_release(&own);
}
