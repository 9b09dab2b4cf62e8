/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/random.h"

#include <stdatomic.h>
#include "backends/base/clock.h"

/* splitmix64 over a counter. */
int64_t random_below(int64_t n)
{
	static atomic_ullong counter;
	uint64_t x = atomic_fetch_add(&counter, 1) * 0x9e3779b97f4a7c15u;

	x += (uint64_t)(uintptr_t)&counter + (uint64_t)clock_ms();
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	x ^= x >> 31;
	return (int64_t)(x % (uint64_t)n);
}
