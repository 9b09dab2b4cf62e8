/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/memory_budget.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "backends/base/log.h"
#include "cache/memory_cgroup.h"

struct memory_budget {
	uint64_t limit;
	_Atomic uint64_t used;
};

uint64_t memory_budget_default(uint64_t allowed)
{
	if (allowed == MEMORY_CGROUP_NONE ||
	    allowed / 2 >= MEMORY_BUDGET_DEFAULT)
		return MEMORY_BUDGET_DEFAULT;
	return allowed / 2;
}

static uint64_t own_default(void)
{
	uint64_t allowed = memory_cgroup_own();
	uint64_t bytes = memory_budget_default(allowed);

	if (bytes < MEMORY_BUDGET_MIN) {
		log_warn("cache",
			 "memory is short: cgroup_limit=%llu using=%llu",
			 (unsigned long long)allowed,
			 (unsigned long long)MEMORY_BUDGET_MIN);
		bytes = MEMORY_BUDGET_MIN;
	}
	return bytes;
}

int memory_budget_new(struct memory_budget **out, uint64_t bytes,
		      uint64_t reserved, struct err *err)
{
	struct memory_budget *budget;

	if (!bytes)
		bytes = own_default();
	if (bytes < MEMORY_BUDGET_MIN)
		return err_set(err, ERR_USAGE, EINVAL,
			       "memory: %llu bytes is less than the least, %llu",
			       (unsigned long long)bytes,
			       (unsigned long long)MEMORY_BUDGET_MIN);
	if (reserved >= bytes)
		return err_set(err, ERR_USAGE, EINVAL,
			       "memory: %llu bytes are needed before the first "
			       "is cached, and the budget is %llu",
			       (unsigned long long)reserved,
			       (unsigned long long)bytes);
	budget = malloc(sizeof(*budget));
	if (!budget)
		return err_nomem(err);
	budget->limit = bytes;
	atomic_init(&budget->used, reserved);
	*out = budget;
	return 0;
}

void memory_budget_free(struct memory_budget *budget)
{
	free(budget);
}

static bool take_up_to(struct memory_budget *budget, uint64_t n,
		       uint64_t limit)
{
	uint64_t used = atomic_load_explicit(&budget->used,
					     memory_order_relaxed);

	do {
		if (used > limit || n > limit - used)
			return false;
	} while (!atomic_compare_exchange_weak(&budget->used, &used, used + n));
	return true;
}

bool memory_budget_take(struct memory_budget *budget, uint64_t n)
{
	return take_up_to(budget, n, budget->limit);
}

bool memory_budget_claim(struct memory_budget *budget, uint64_t n)
{
	return take_up_to(budget, n, budget->limit +
			  budget->limit / MEMORY_BUDGET_OVER_SHARE);
}

void memory_budget_give(struct memory_budget *budget, uint64_t n)
{
	uint64_t before = atomic_fetch_sub(&budget->used, n);

	assert(before >= n);
	(void)before;
}

uint64_t memory_budget_used(const struct memory_budget *budget)
{
	return atomic_load(&budget->used);
}

uint64_t memory_budget_limit(const struct memory_budget *budget)
{
	return budget->limit;
}
