/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One logical operation on a store: prepare (build and sign), send, judge, and
 * again until its deadline.  The only place in the project that retries.
 * Back-off is random * min(base * 2^n, EXCHANGE_BACKOFF_MAX_MS), honours
 * Retry-After and what AWS and Azure have of it in ms (at most
 * EXCHANGE_RETRY_AFTER_MAX_MS), and every retry pays from
 * one token bucket an engine, so that an outage does not multiply the load.
 *
 * An empty bucket does not end an exchange: it waits until it can pay.  Tokens
 * come back with successes (a retry that succeeds brings its own back, any
 * other success one) and, as long as there are none, EXCHANGE_REFILL_PER_S: in
 * an outage that is the load, however many are waiting.  Only the deadline, or
 * a back-off that would end behind it, ends an exchange.
 *
 * A kept connection that the server had closed costs nothing: the first such
 * failure of an exchange is repeated at once.  So is a read whose connection
 * was much slower than others, EXCHANGE_SLOW_MAX times.  What follows a broken
 * attempt has a new connection, to an address looked up anew.
 */
#ifndef DATASETFS_HTTP_EXCHANGE_H
#define DATASETFS_HTTP_EXCHANGE_H

#include "backends/http/http.h"

#define EXCHANGE_BACKOFF_BASE_MS 50
#define EXCHANGE_BACKOFF_MAX_MS 20000
#define EXCHANGE_RETRY_AFTER_MAX_MS 5000
#define EXCHANGE_TELL_MS 3000		/* one line in the log, then */
#define EXCHANGE_TOKENS 500		/* botocore's quota and costs */
#define EXCHANGE_COST_TRANSIENT 14
#define EXCHANGE_COST_THROTTLE 5
#define EXCHANGE_REFILL_PER_S 70	/* five transient retries */
#define EXCHANGE_TOKEN_WAIT_MS 1000	/* at most, between two looks */
#define EXCHANGE_CRED_WAIT_MS 20	/* between two looks at a credential, at
					   most: it begins with 1 */

enum exchange_verdict {
	EXCHANGE_DONE,		/* r of judge is the answer, 0 or -errno */
	EXCHANGE_RETRY,		/* transient: 5xx, reset, stall, short body */
	EXCHANGE_THROTTLED,	/* 429, 503 SlowDown */
	EXCHANGE_AGAIN,		/* at once and free: region or clock corrected,
				   credential refreshed; at most
				   EXCHANGE_AGAIN_MAX times */
};
#define EXCHANGE_AGAIN_MAX 8
#define EXCHANGE_SLOW_MAX 2

struct exchange_ops {
	/*
	 * Builds and signs one attempt; -errno ends the exchange, but -EAGAIN
	 * (a credential is being asked for) repeats the call after
	 * EXCHANGE_CRED_WAIT_MS: no attempt, and no back-off.  A deadline in
	 * rq may only be earlier than the exchange's.
	 */
	int (*prepare)(void *ctx, unsigned attempt, struct http_request *rq,
		       struct err *err);
	/*
	 * r is http's result; rs has a status when r is 0, and *err is http's.
	 * Sets *out (0 or -errno) and *err; with RETRY and THROTTLED they are
	 * what the caller will see if the deadline comes first.  Not asked
	 * when the engine ends (-ECANCELED).
	 */
	enum exchange_verdict (*judge)(void *ctx, int r,
				       struct http_response *rs, int *out,
				       struct err *err);
	/* Exactly once; frees ctx. */
	void (*done)(void *ctx, int r, const struct err *err);
};

/* All three are called on an I/O thread, never from inside. */
void exchange_start(struct http_engine *engine, const struct exchange_ops *ops,
		    void *ctx, int64_t deadline_ms);

/*
 * The same for a thread that may wait, never an I/O thread: the result is what
 * ops->done, which is not called, would have got.
 */
int exchange_run(struct http_engine *engine, const struct exchange_ops *ops,
		 void *ctx, int64_t deadline_ms, struct err *err) MUST_CHECK;

#endif
