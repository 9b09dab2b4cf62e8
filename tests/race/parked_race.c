/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are answered and interrupted at the same time.  The three
 * functions of libfuse that parked.c uses are played here with libfuse's own
 * locking (3.14: an interrupt function runs with the request's lock held), so
 * that thousands of such races take a second and need no mount.
 */
#include <config.h>
#include "fs/mount/fuse/parked.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "backends/base/lock.h"
#include "tests/tap.h"

#define ROUNDS 20000

struct fuse_req {
	struct lock lock;	/* guards func, data, is_interrupted */
	fuse_interrupt_func_t func;
	void *data;
	bool is_interrupted;
	atomic_int replies;
	atomic_int code;
};

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func,
			     void *data)
{
	lock_take(&req->lock);
	req->func = func;
	req->data = data;
	if (req->is_interrupted && func)
		func(req, data);
	lock_drop(&req->lock);
}

static void interrupt(fuse_req_t req)
{
	lock_take(&req->lock);
	req->is_interrupted = true;
	if (req->func)
		req->func(req, req->data);
	lock_drop(&req->lock);
}

int fuse_reply_err(fuse_req_t req, int code)
{
	atomic_store(&req->code, code);
	atomic_fetch_add(&req->replies, 1);
	return 0;
}

/* One request, what waits for it below, and the three who meet there. */
struct call {
	struct parked parked;
	struct round *round;
};
struct round {
	struct fuse_req req;
	pthread_barrier_t start;
	struct call *_Atomic waiting;	/* below: to be answered once */
	atomic_int callbacks;
	atomic_bool refused;
	bool can_cancel;
};

/* The callback from below, from whoever takes the waiting call. */
static void answer(struct call *call)
{
	struct round *round = call->round;

	atomic_fetch_add(&round->callbacks, 1);
	if (parked_claim(&call->parked))
		fuse_reply_err(call->parked.req, 0);
	parked_free(&call->parked);
}

static void cancel(struct parked *p)
{
	struct call *call = (struct call *)p;
	struct round *round = call->round;
	struct call *expected = call;

	if (round->can_cancel &&
	    atomic_compare_exchange_strong(&round->waiting, &expected, NULL))
		answer(call);
}

static void *serve(void *arg)
{
	struct round *round = arg;
	struct call *call = malloc(sizeof(*call));

	if (!call)
		abort();
	call->round = round;
	pthread_barrier_wait(&round->start);
	if (parked_begin(&call->parked, &round->req, cancel))
		atomic_store(&round->waiting, call);
	else
		atomic_store(&round->refused, true);
	return NULL;
}

static void *answer_main(void *arg)
{
	struct round *round = arg;

	pthread_barrier_wait(&round->start);
	while (!atomic_load(&round->refused)) {
		struct call *call = atomic_exchange(&round->waiting, NULL);

		if (call) {
			answer(call);
			break;
		}
		if (atomic_load(&round->callbacks))
			break;
		sched_yield();
	}
	return NULL;
}

static void *interrupt_main(void *arg)
{
	struct round *round = arg;

	pthread_barrier_wait(&round->start);
	interrupt(&round->req);
	return NULL;
}

struct sums {
	long answered, interrupted, refused, wrong;
};

static void run_round(struct round *round, struct sums *sums)
{
	void *(*mains[])(void *) = { serve, answer_main, interrupt_main };
	pthread_t threads[ARRAY_SIZE(mains)];
	int replies;

	for (size_t i = 0; i < ARRAY_SIZE(mains); i++)
		if (pthread_create(&threads[i], NULL, mains[i], round))
			abort();
	for (size_t i = 0; i < ARRAY_SIZE(mains); i++)
		pthread_join(threads[i], NULL);

	replies = atomic_load(&round->req.replies);
	sums->refused += atomic_load(&round->refused);
	sums->answered += replies == 1 && !atomic_load(&round->req.code);
	sums->interrupted += atomic_load(&round->req.code) == EINTR;
	sums->wrong += replies != 1;
	sums->wrong += atomic_load(&round->callbacks) !=
		       !atomic_load(&round->refused);
}

static void run(bool can_cancel)
{
	struct sums sums = { 0, 0, 0, 0 };

	for (int i = 0; i < ROUNDS; i++) {
		struct round round = { .can_cancel = can_cancel };

		lock_init(&round.req.lock);
		pthread_barrier_init(&round.start, NULL, 3);
		run_round(&round, &sums);
		pthread_barrier_destroy(&round.start);
		lock_release(&round.req.lock);
	}
	tap_ok(sums.wrong == 0,
	       "each of %d requests is answered once, %s (answered %ld, interrupted %ld, before it waited %ld)",
	       ROUNDS, can_cancel ? "cancelled below" : "not cancelled below",
	       sums.answered, sums.interrupted, sums.refused);
}

int main(void)
{
	run(false);
	run(true);
	return tap_done();
}
