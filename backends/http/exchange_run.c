/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/exchange.h"

#include "backends/base/lock.h"

/* lock guards is_done; the waiter reads the rest once it is set. */
struct run {
	const struct exchange_ops *ops;
	void *ctx;
	struct lock lock;
	struct cond cond;
	bool is_done;
	int r;
	struct err err;
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct run *run = ctx;

	return run->ops->prepare(run->ctx, attempt, rq, err);
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	struct run *run = ctx;

	return run->ops->judge(run->ctx, r, rs, out, err);
}

static void done(void *ctx, int r, const struct err *err)
{
	struct run *run = ctx;

	run->r = r;
	if (r < 0)
		err_copy(&run->err, err);
	lock_take(&run->lock);
	run->is_done = true;
	/* Under the lock: the waiter's stack may be gone right after. */
	cond_signal(&run->cond);
	lock_drop(&run->lock);
}

int exchange_run(struct http_engine *engine, const struct exchange_ops *ops,
		 void *ctx, int64_t deadline_ms, struct err *err)
{
	static const struct exchange_ops waiting = { prepare, judge, done };
	struct run run = { .ops = ops, .ctx = ctx };

	lock_init(&run.lock);
	cond_init(&run.cond);
	exchange_start(engine, &waiting, &run, deadline_ms);
	lock_take(&run.lock);
	while (!run.is_done)
		cond_wait(&run.cond, &run.lock);
	lock_drop(&run.lock);
	cond_release(&run.cond);
	lock_release(&run.lock);
	if (run.r < 0)
		err_copy(err, &run.err);
	return run.r;
}
