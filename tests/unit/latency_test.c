/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/latency.h"

#include <criterion/criterion.h>

Test(latency, few_samples_say_nothing)
{
	struct latency l = { .n = 0 };

	for (int i = 0; i < 31; i++)
		latency_add(&l, 100);
	cr_assert(latency_percentile(&l, 95) == 0);
	latency_add(&l, 100);
	/* 96 to 111 are one bucket. */
	cr_assert(latency_percentile(&l, 95) == 111);
}

Test(latency, a_percentile_is_the_end_of_its_bucket)
{
	struct latency l = { .n = 0 };

	for (int i = 1; i <= 100; i++)
		latency_add(&l, i);
	cr_assert(latency_percentile(&l, 1) == 1);
	cr_assert(latency_percentile(&l, 3) == 3);
	cr_assert(latency_percentile(&l, 50) == 55);	/* 48 to 55 */
	cr_assert(latency_percentile(&l, 95) == 95);	/* 80 to 95 */
	cr_assert(latency_percentile(&l, 96) == 111);
	cr_assert(latency_percentile(&l, 100) == 111);
}

Test(latency, any_time_has_a_bucket)
{
	static const int64_t times[] = { -5, 0, 131071, 131072, INT64_MAX };
	struct latency l = { .n = 0 };

	for (int i = 0; i < 32; i++)
		latency_add(&l, times[i % 5]);
	cr_assert(latency_percentile(&l, 1) == 1);
	cr_assert(latency_percentile(&l, 100) == 131071);
}

Test(latency, what_was_long_ago_is_forgotten)
{
	struct latency l = { .n = 0 };

	for (int i = 0; i < 1024; i++)
		latency_add(&l, 1000);
	for (int i = 0; i < 1024; i++)
		latency_add(&l, 10);
	cr_assert(latency_percentile(&l, 95) == 1023);
	for (int i = 0; i < 4 * 1024; i++)
		latency_add(&l, 10);
	cr_assert(latency_percentile(&l, 95) == 11);
}
