/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/latency.h"

/* 0, 1, 2, 3, then four for each power of two. */
static unsigned bucket_of(int64_t ms)
{
	unsigned power;
	unsigned i;

	if (ms < 4)
		return ms < 0 ? 0 : (unsigned)ms;
	power = 63 - (unsigned)__builtin_clzll((unsigned long long)ms);
	i = 4 * (power - 1) + ((unsigned)(ms >> (power - 2)) & 3);
	return i < LATENCY_BUCKETS ? i : LATENCY_BUCKETS - 1;
}

/* The most that is in it. */
static unsigned end_of(unsigned bucket)
{
	unsigned shift = bucket / 4 - 1;

	return bucket < 4 ? bucket : ((4 + bucket % 4 + 1) << shift) - 1;
}

void latency_add(struct latency *l, int64_t ms)
{
	if (l->n >= LATENCY_WINDOW) {
		l->n = 0;
		for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
			l->counts[i] /= 2;
			l->n += l->counts[i];
		}
	}
	l->counts[bucket_of(ms)]++;
	l->n++;
}

unsigned latency_percentile(const struct latency *l, unsigned percent)
{
	unsigned want = (l->n * percent + 99) / 100;
	unsigned n = 0;

	if (l->n < LATENCY_SAMPLES_MIN)
		return 0;
	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		n += l->counts[i];
		if (n >= want)
			return i ? end_of(i) : 1;
	}
	return 0;
}
