/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/memory_budget.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include "cache/memory_cgroup.h"

#define MIB ((uint64_t)1 << 20)

Test(memory_budget, what_is_taken_is_missing_until_it_is_given_back)
{
	struct memory_budget *b;
	struct err err = ERR_INIT;

	cr_assert_eq(memory_budget_new(&b, 100 * MIB, 30 * MIB, &err), 0);
	cr_assert_eq(memory_budget_used(b), 30 * MIB);
	cr_assert(memory_budget_take(b, 70 * MIB));
	cr_assert_not(memory_budget_take(b, 1));
	memory_budget_give(b, 1);
	cr_assert(memory_budget_take(b, 1));
	cr_assert_not(memory_budget_take(b, UINT64_MAX), "no wrap-around");
	memory_budget_give(b, 70 * MIB);
	memory_budget_free(b);
}

Test(memory_budget, a_claim_may_pass_the_limit_by_a_share)
{
	uint64_t over = 64 * MIB / MEMORY_BUDGET_OVER_SHARE;
	struct memory_budget *b;
	struct err err = ERR_INIT;

	cr_assert_eq(memory_budget_new(&b, 64 * MIB, 0, &err), 0);
	cr_assert(memory_budget_take(b, 64 * MIB));
	cr_assert(memory_budget_claim(b, over));
	cr_assert_not(memory_budget_claim(b, 1));
	cr_assert_not(memory_budget_take(b, 1), "the others wait");
	memory_budget_give(b, over);
	cr_assert_not(memory_budget_take(b, 1));
	memory_budget_give(b, 1);
	cr_assert(memory_budget_take(b, 1));
	memory_budget_give(b, 64 * MIB);
	memory_budget_free(b);
}

Test(memory_budget, too_little_is_refused_with_a_sentence)
{
	struct memory_budget *b;
	struct err err = ERR_INIT;

	cr_assert_eq(memory_budget_new(&b, MEMORY_BUDGET_MIN - 1, 0, &err),
		     -EINVAL);
	cr_assert_eq(err.class, ERR_USAGE);
	cr_assert_eq(memory_budget_new(&b, MEMORY_BUDGET_MIN,
				       MEMORY_BUDGET_MIN, &err), -EINVAL);
}

Test(memory_budget, the_default_is_half_of_what_a_process_may_use)
{
	cr_expect_eq(memory_budget_default(MEMORY_CGROUP_NONE), 256 * MIB);
	cr_expect_eq(memory_budget_default(1024 * MIB), 256 * MIB);
	cr_expect_eq(memory_budget_default(512 * MIB), 256 * MIB);
	cr_expect_eq(memory_budget_default(300 * MIB), 150 * MIB);
	cr_expect_eq(memory_budget_default(100 * MIB), 50 * MIB,
		     "whoever has less than MEMORY_BUDGET_MIN is told so");
}

Test(memory_budget, by_default_it_is_at_most_256_MiB)
{
	struct memory_budget *b;
	struct err err = ERR_INIT;

	cr_assert_eq(memory_budget_new(&b, 0, 0, &err), 0);
	cr_assert_leq(memory_budget_limit(b), 256 * MIB);
	cr_assert_geq(memory_budget_limit(b), MEMORY_BUDGET_MIN);
	memory_budget_free(b);
}

static void *take_all(void *arg)
{
	struct memory_budget *b = arg;
	uintptr_t n = 0;

	while (memory_budget_take(b, 4096))
		n++;
	return (void *)n;
}

Test(memory_budget, threads_never_take_more_than_there_is)
{
	struct memory_budget *b;
	struct err err = ERR_INIT;
	pthread_t threads[4];
	uint64_t sum = 0;

	cr_assert_eq(memory_budget_new(&b, 64 * MIB, 0, &err), 0);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, take_all, b), 0);
	for (int i = 0; i < 4; i++) {
		void *n;

		pthread_join(threads[i], &n);
		sum += (uintptr_t)n * 4096;
	}
	cr_assert_eq(sum, 64 * MIB);
	cr_assert_eq(memory_budget_used(b), 64 * MIB);
	memory_budget_free(b);
}
