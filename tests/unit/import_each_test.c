/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/import/import_each.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>
#include <criterion/criterion.h>

#define N 500

struct seen {
	atomic_uint times[N];
	atomic_uint at_once, most;
	size_t fails_at;
};

static int count(void *arg, size_t i, struct err *err)
{
	struct seen *seen = arg;
	unsigned now = atomic_fetch_add(&seen->at_once, 1) + 1;
	unsigned most = atomic_load(&seen->most);

	while (now > most &&
	       !atomic_compare_exchange_weak(&seen->most, &most, now))
		;
	atomic_fetch_add(&seen->times[i], 1);
	usleep(100);
	atomic_fetch_sub(&seen->at_once, 1);
	if (i == seen->fails_at)
		return err_set(err, ERR_USAGE, EINVAL, "task %zu", i);
	return 0;
}

static unsigned total(struct seen *seen)
{
	unsigned n = 0;

	for (size_t i = 0; i < N; i++)
		n += seen->times[i];
	return n;
}

Test(import_each, each_task_runs_once_and_no_more_than_allowed_at_once)
{
	static struct seen seen = { .fails_at = N };
	struct err err = ERR_INIT;

	cr_assert_eq(import_each(N, 5, count, &seen, &err), 0);
	for (size_t i = 0; i < N; i++)
		cr_expect_eq(seen.times[i], 1);
	cr_expect_leq(seen.most, 5);
	cr_expect_gt(seen.most, 1);
}

Test(import_each, one_at_a_time_is_in_order)
{
	static struct seen seen = { .fails_at = 7 };
	struct err err = ERR_INIT;

	cr_assert_eq(import_each(N, 1, count, &seen, &err), -EINVAL);
	cr_expect_str_eq(err.text, "task 7");
	cr_expect_eq(total(&seen), 8);
}

Test(import_each, after_a_failure_nothing_more_is_begun)
{
	static struct seen seen = { .fails_at = 3 };
	struct err err = ERR_INIT;

	cr_assert_eq(import_each(N, 8, count, &seen, &err), -EINVAL);
	cr_expect_str_eq(err.text, "task 3");
	cr_expect_lt(total(&seen), N / 2);
}

Test(import_each, nothing_and_far_too_many_are_fine)
{
	static struct seen seen = { .fails_at = N };
	struct err err = ERR_INIT;

	cr_assert_eq(import_each(0, 8, count, &seen, &err), 0);
	cr_expect_eq(total(&seen), 0);
	cr_assert_eq(import_each(N, 100000, count, &seen, &err), 0);
	cr_expect_leq(seen.most, IMPORT_EACH_MAX);
}
