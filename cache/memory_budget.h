/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One budget for the memory of the daemon that grows with use: cached extents
 * and fetches in flight.  Anonymous memory only; counted in bytes.
 */
#ifndef DATASETFS_CACHE_MEMORY_BUDGET_H
#define DATASETFS_CACHE_MEMORY_BUDGET_H

#include <stdint.h>
#include "backends/base/err.h"

struct memory_budget;

#define MEMORY_BUDGET_DEFAULT ((uint64_t)256 << 20)
#define MEMORY_BUDGET_MIN ((uint64_t)64 << 20)
#define MEMORY_BUDGET_OVER_SHARE 16

/*
 * What the daemon gives itself when nobody has said anything, where a process
 * may use allowed bytes (memory_cgroup.h): half of it, MEMORY_BUDGET_DEFAULT
 * at most.  Less than MEMORY_BUDGET_MIN does not do.
 */
uint64_t memory_budget_default(uint64_t allowed);

/*
 * bytes 0: the default of this process, MEMORY_BUDGET_MIN at least.
 * reserved: what index, stacks and connections take, counted first.
 */
int memory_budget_new(struct memory_budget **out, uint64_t bytes,
		      uint64_t reserved, struct err *err) MUST_CHECK;
void memory_budget_free(struct memory_budget *budget);

/* True when n more bytes fit, and then they are taken. */
bool memory_budget_take(struct memory_budget *budget, uint64_t n);
/*
 * The same for what others make room for: what is cached in memory fills the
 * budget, and goes before the next extent comes.  Until then the limit may be
 * passed by a MEMORY_BUDGET_OVER_SHARE of it.
 */
bool memory_budget_claim(struct memory_budget *budget, uint64_t n);
void memory_budget_give(struct memory_budget *budget, uint64_t n);
uint64_t memory_budget_used(const struct memory_budget *budget);
uint64_t memory_budget_limit(const struct memory_budget *budget);

#endif
