/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/pool.h"
#include "backends/base/lock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <criterion/criterion.h>

static struct lock lock = LOCK_INIT;
static struct cond cond;
static int order[64], n_done;
static bool is_open;
static char thread_name[16];
static int n_unblocked;

static void note(void *arg)
{
	lock_take(&lock);
	order[n_done++] = (int)(intptr_t)arg;
	lock_drop(&lock);
}

/* Holds its thread until is_open. */
static void gate(void *arg)
{
	(void)arg;
	lock_take(&lock);
	while (!is_open)
		cond_wait(&cond, &lock);
	lock_drop(&lock);
}

static void look_around(void *arg)
{
	sigset_t set;

	(void)arg;
	pthread_getname_np(pthread_self(), thread_name, sizeof(thread_name));
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	n_unblocked = !sigismember(&set, SIGTERM) + !sigismember(&set, SIGINT) +
		      !sigismember(&set, SIGUSR1);
}

static void open_gate(void)
{
	lock_take(&lock);
	is_open = true;
	cond_broadcast(&cond);
	lock_drop(&lock);
}

Test(pool, one_thread_keeps_the_order_and_free_runs_what_is_queued)
{
	struct err err = ERR_INIT;
	struct pool *pool;

	cr_assert_eq(pool_new(&pool, "test", 1, 64, &err), 0);
	for (intptr_t i = 0; i < 50; i++)
		cr_assert_eq(pool_submit(pool, note, (void *)i, &err), 0);
	pool_free(pool);
	cr_assert_eq(n_done, 50);
	for (int i = 0; i < 50; i++)
		cr_expect_eq(order[i], i);
}

Test(pool, a_full_queue_refuses_and_takes_jobs_again_later)
{
	struct err err = ERR_INIT;
	struct pool *pool;
	int taken = 0;

	cond_init(&cond);
	cr_assert_eq(pool_new(&pool, "test", 1, 3, &err), 0);
	cr_assert_eq(pool_submit(pool, gate, NULL, &err), 0);
	/* Three wait, and one more where the gate's job has begun. */
	while (pool_submit(pool, note, NULL, &err) == 0 && taken < 10)
		taken++;
	cr_expect(taken == 2 || taken == 3, "%d", taken);
	cr_expect_eq(err.class, ERR_RETRY);
	cr_expect_eq(err.code, EAGAIN);
	open_gate();
	while (pool_submit(pool, note, NULL, &err) < 0)
		usleep(1000);
	pool_free(pool);
	cr_expect_eq(n_done, taken + 1);
	cond_release(&cond);
}

Test(pool, threads_work_beside_one_another)
{
	struct err err = ERR_INIT;
	struct pool *pool;
	int done = 0;

	cond_init(&cond);
	cr_assert_eq(pool_new(&pool, "test", 2, 8, &err), 0);
	cr_assert_eq(pool_submit(pool, gate, NULL, &err), 0);
	cr_assert_eq(pool_submit(pool, note, NULL, &err), 0);
	for (int i = 0; i < 5000 && !done; i++) {
		usleep(1000);
		lock_take(&lock);
		done = n_done;
		lock_drop(&lock);
	}
	cr_expect_eq(done, 1, "a job waits for another's thread");
	open_gate();
	pool_free(pool);
	cond_release(&cond);
}

Test(pool, threads_have_a_name_and_leave_signals_alone)
{
	struct err err = ERR_INIT;
	struct pool *pool;

	cr_assert_eq(pool_new(&pool, "averylongname", 1, 8, &err), 0);
	cr_assert_eq(pool_submit(pool, look_around, NULL, &err), 0);
	pool_free(pool);
	cr_expect_str_eq(thread_name, "averylongn-0");
	cr_expect_eq(n_unblocked, 0);
}

Test(pool, no_threads_or_no_queue_is_a_mistake)
{
	struct err err = ERR_INIT;
	struct pool *pool;

	cr_expect_eq(pool_new(&pool, "test", 0, 1, &err), -EINVAL);
	cr_expect_eq(pool_new(&pool, "test", 1, 0, &err), -EINVAL);
	cr_expect_eq(err.class, ERR_USAGE);
	pool_free(NULL);
}
