/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that a seed repeats: splitmix64, by Steele, Lea and Flood. */
#ifndef DATASETFS_TESTS_RANDOM_H
#define DATASETFS_TESTS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

static inline uint64_t random_mix(uint64_t n)
{
	n = (n ^ n >> 30) * 0xbf58476d1ce4e5b9u;
	n = (n ^ n >> 27) * 0x94d049bb133111ebu;
	return n ^ n >> 31;
}

static inline uint64_t random_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	return random_mix(*state);
}

/* 0 when n is 0. */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
	return n ? random_next(state) % n : 0;
}

static inline bool random_one_in(uint64_t *state, unsigned n)
{
	return random_below(state, n) == 0;
}

#endif
