/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred_remote.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "backends/base/random.h"

#define FETCH_STACK_BYTES ((size_t)256 << 10)

/* lock guards what stands behind it; the rest is fixed. */
struct cred_remote {
	struct cred_source base;
	const struct cred_remote_ops *ops;
	void *ctx;
	struct http_engine *engine;

	struct lock lock;
	struct cred cred;		/* generation 0: none yet */
	int64_t advisory_at_s;		/* wall clock, as the next two */
	int64_t mandatory_at_s;
	int64_t usable_until_s;
	bool is_refused;		/* the store wants another one */
	int64_t refusable_at_ms;	/* before, a refusal changes nothing */
	int64_t fetched_ms;		/* when this one came */
	bool is_accepted;		/* by the store */
	unsigned n_refused;		/* in a row, none of them accepted */

	bool is_fetching;
	int64_t started_ms;		/* the fetch under way */
	int64_t next_at_ms;		/* no fetch before */
	unsigned n_failures;		/* since the last success */
	int64_t failing_since_ms;
	int64_t failed_ms;		/* the latest */
	int last_r;
	struct err last_err;
};

static atomic_uint n_fetching;

/* value, CRED_JITTER_PERCENT less or more. */
static int64_t jitter(int64_t value)
{
	int64_t most = value * CRED_JITTER_PERCENT / 100;

	return value - most + random_below(2 * most + 1);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * What a fetch has brought.
 */

static void plan(struct cred_remote *rm, int64_t now_s) REQUIRES(&rm->lock)
{
	int64_t end_s = rm->cred.expires_s;
	int64_t life_s;

	rm->advisory_at_s = end_s;
	rm->mandatory_at_s = end_s;
	rm->usable_until_s = end_s;
	if (end_s == INT64_MAX)
		return;
	life_s = end_s > now_s ? end_s - now_s : 0;
	rm->advisory_at_s -= jitter(least(rm->ops->advisory_s, life_s / 3));
	rm->mandatory_at_s -= jitter(least(rm->ops->mandatory_s, life_s / 6));
}

static void stretch(struct cred_remote *rm, int64_t now_s) REQUIRES(&rm->lock)
{
	if (rm->usable_until_s > now_s + CRED_STRETCH_MIN_S)
		return;
	rm->usable_until_s =
		now_s + CRED_STRETCH_MIN_S +
		random_below(CRED_STRETCH_MAX_S - CRED_STRETCH_MIN_S + 1);
	log_warn("auth", "%s: no newer credential, so the old one is used beyond its end: for_s=%lld",
		 rm->base.name, (long long)(rm->usable_until_s - now_s));
}

static void keep(struct cred_remote *rm, struct cred *fresh) REQUIRES(&rm->lock)
{
	bool is_same = rm->cred.generation && cred_is_same(&rm->cred, fresh);
	int64_t now_ms = clock_ms();
	int64_t now_s = clock_wall_s();

	if (is_same) {
		fresh->generation = rm->cred.generation;
	} else {
		rm->fetched_ms = now_ms;
		rm->is_accepted = false;
	}
	cred_release(&rm->cred);
	rm->cred = *fresh;
	memset(fresh, 0, sizeof(*fresh));
	plan(rm, now_s);
	if (rm->cred.expires_s <= now_s)
		stretch(rm, now_s);
	rm->last_r = 0;
	rm->n_failures = 0;
	rm->next_at_ms = now_ms;
	if (is_same || now_s >= rm->advisory_at_s)
		rm->next_at_ms += CRED_SAME_WAIT_MS;
	rm->refusable_at_ms = now_ms;
	if (is_same && rm->is_refused)
		rm->refusable_at_ms += CRED_SAME_WAIT_MS;
	rm->is_refused = false;
}

/* Of the nth thing (from 0) that went wrong in a row. */
static int64_t backoff_ms(unsigned n)
{
	int64_t wait_ms = CRED_BACKOFF_MAX_MS;

	if (n < 16)
		wait_ms = least(wait_ms, (int64_t)CRED_BACKOFF_BASE_MS << n);
	return wait_ms / 2 + random_below(wait_ms / 2 + 1);
}

static void count_failure(struct cred_remote *rm, int r, const struct err *err)
	REQUIRES(&rm->lock)
{
	int64_t now_ms = clock_ms();

	if (r == -ENOENT && rm->cred.generation)
		r = -EACCES;	/* there was one: it cannot be that none is */
	if (!rm->n_failures)
		rm->failing_since_ms = rm->started_ms;
	rm->failed_ms = now_ms;
	rm->next_at_ms = now_ms + (r == -ENOENT ? CRED_ABSENT_MS :
						  backoff_ms(rm->n_failures));
	rm->n_failures++;
	rm->last_r = r;
	err_copy(&rm->last_err, err);
	if (rm->ops->is_stable && rm->cred.generation && !rm->is_refused &&
	    clock_wall_s() >= rm->mandatory_at_s)
		stretch(rm, clock_wall_s());
}

/* An answer that is no use is a failure too. */
static int check_fresh(struct cred_remote *rm, const struct cred *fresh,
		       struct err *err)
{
	if (fresh->expires_s > clock_wall_s() || rm->ops->is_stable)
		return 0;
	return err_set(err, ERR_RETRY, EIO,
		       "%s: the answer's credential has expired already (is "
		       "this machine's clock right?)",
		       rm->base.name);
}

static void fetched(struct cred_remote *rm, int r, struct cred *fresh,
		    struct err *err)
{
	if (r == 0)
		r = check_fresh(rm, fresh, err);
	lock_take(&rm->lock);
	if (r == 0)
		keep(rm, fresh);
	else if (r != -ECANCELED)
		count_failure(rm, r, err);
	rm->is_fetching = false;
	lock_drop(&rm->lock);
	if (r == -ENOENT)
		log_info("auth", "%s: %s", rm->base.name, err->text);
	else if (r < 0 && r != -ECANCELED)
		log_warn("auth", "%s: error=\"%s\"", rm->base.name, err->text);
}

/*
 * The thread of a fetch.
 */

static void *fetch_run(void *arg)
{
	struct cred_remote *rm = arg;
	struct http_engine *engine = rm->engine;
	struct cred fresh = { .kind = CRED_ANONYMOUS };
	struct err err = ERR_INIT;
	int r = rm->ops->fetch(rm->ctx, engine, &fresh, &err);

	fetched(rm, r, &fresh, &err);
	cred_release(&fresh);
	cred_source_put_ref(&rm->base);
	atomic_fetch_sub(&n_fetching, 1);
	if (engine)
		http_engine_let_go(engine);
	return NULL;
}

/* 0 or a positive errno. */
static int start_thread(struct cred_remote *rm)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	int r = pthread_attr_init(&attr);

	if (r != 0)
		return r;
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, FETCH_STACK_BYTES);
	/* Signals belong to the main thread. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&thread, &attr, fetch_run, rm);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return r;
}

static void not_started(struct cred_remote *rm)
{
	lock_take(&rm->lock);
	rm->is_fetching = false;
	lock_drop(&rm->lock);
}

/* Where it cannot be started, whoever looks next tries again. */
static void start(struct cred_remote *rm)
{
	struct err err = ERR_INIT;
	int r;

	if (atomic_fetch_add(&n_fetching, 1) >= CRED_FETCHES_MAX) {
		atomic_fetch_sub(&n_fetching, 1);
		not_started(rm);
		return;
	}
	if (rm->engine && !http_engine_hold(rm->engine)) {
		atomic_fetch_sub(&n_fetching, 1);
		not_started(rm);
		return;
	}
	(void)cred_source_get_ref(&rm->base);
	r = start_thread(rm);
	if (r == 0)
		return;
	r = err_errno(&err, r, "%s: start a thread", rm->base.name);
	fetched(rm, r, NULL, &err);
	cred_source_put_ref(&rm->base);
	atomic_fetch_sub(&n_fetching, 1);
	if (rm->engine)
		http_engine_let_go(rm->engine);
}

/*
 * Who asks.
 */

static bool is_usable(const struct cred_remote *rm, int64_t now_s)
{
	return rm->cred.generation && !rm->is_refused &&
	       now_s < rm->usable_until_s;
}

/* A fetch that wants starting becomes the caller's. */
static bool take_fetch(struct cred_remote *rm) REQUIRES(&rm->lock)
{
	int64_t now_ms = clock_ms();

	if (rm->is_fetching || now_ms < rm->next_at_ms)
		return false;
	if (is_usable(rm, clock_wall_s()) &&
	    clock_wall_s() < rm->advisory_at_s)
		return false;
	/* A failure of long ago says nothing about now. */
	if (rm->last_r < 0 && rm->last_r != -ENOENT &&
	    now_ms - rm->failed_ms > CRED_BACKOFF_MAX_MS + CRED_PATIENCE_MS) {
		rm->last_r = 0;
		rm->n_failures = 0;
	}
	rm->is_fetching = true;
	rm->started_ms = now_ms;
	return true;
}

static bool must_wait(const struct cred_remote *rm, int64_t now_s)
{
	return now_s >= rm->mandatory_at_s && rm->is_fetching &&
	       rm->last_r == 0 &&
	       clock_ms() - rm->started_ms < CRED_MANDATORY_WAIT_MS;
}

static int give(struct cred_remote *rm, struct cred *out, struct err *err)
	REQUIRES(&rm->lock)
{
	int64_t now_s = clock_wall_s();

	if (is_usable(rm, now_s) && !must_wait(rm, now_s))
		return cred_copy(out, &rm->cred, err);
	if (rm->last_r == -ENOENT) {
		err_copy(err, &rm->last_err);
		return -ENOENT;
	}
	if (rm->last_r == -EACCES ||
	    (rm->last_r < 0 &&
	     clock_ms() - rm->failing_since_ms >= CRED_PATIENCE_MS))
		return err_set(err, ERR_AUTH, EACCES, "%s", rm->last_err.text);
	return err_set(err, ERR_RETRY, EAGAIN, "%s: asking for a credential%s%s",
		       rm->base.name, rm->last_r < 0 ? ", no success yet: " : "",
		       rm->last_r < 0 ? rm->last_err.text : "");
}

static int remote_get(struct cred_source *src, struct cred *out,
		      struct err *err)
{
	struct cred_remote *rm = (struct cred_remote *)src;
	bool is_mine;
	int r;

	lock_take(&rm->lock);
	is_mine = take_fetch(rm);
	lock_drop(&rm->lock);
	if (is_mine)
		start(rm);
	lock_take(&rm->lock);
	r = give(rm, out, err);
	lock_drop(&rm->lock);
	return r;
}

static void refuse(struct cred_remote *rm, uint64_t generation)
	REQUIRES(&rm->lock)
{
	int64_t now_ms = clock_ms();

	if (rm->cred.generation != generation || rm->is_refused ||
	    now_ms < rm->refusable_at_ms)
		return;
	rm->is_refused = true;
	rm->next_at_ms = now_ms;
	if (rm->is_accepted)
		rm->n_refused = 0;
	if (rm->n_refused >= CRED_REFUSED_FREE)
		rm->next_at_ms += backoff_ms(rm->n_refused - CRED_REFUSED_FREE);
	rm->n_refused++;
}

static void remote_refused(struct cred_source *src, uint64_t generation)
{
	struct cred_remote *rm = (struct cred_remote *)src;

	lock_take(&rm->lock);
	refuse(rm, generation);
	lock_drop(&rm->lock);
}

static void remote_denied(struct cred_source *src, uint64_t generation)
{
	struct cred_remote *rm = (struct cred_remote *)src;

	lock_take(&rm->lock);
	if (clock_ms() - rm->fetched_ms >= CRED_DOUBT_MS)
		refuse(rm, generation);
	lock_drop(&rm->lock);
}

static void remote_accepted(struct cred_source *src, uint64_t generation)
{
	struct cred_remote *rm = (struct cred_remote *)src;

	lock_take(&rm->lock);
	if (rm->cred.generation == generation)
		rm->is_accepted = true;
	lock_drop(&rm->lock);
}

static void remote_state(struct cred_source *src, struct cred_state *out)
{
	struct cred_remote *rm = (struct cred_remote *)src;

	lock_take(&rm->lock);
	out->is_known = rm->cred.generation;
	out->expires_s = rm->cred.expires_s;
	if (rm->last_r < 0)
		(void)snprintf(out->problem, sizeof(out->problem), "%s",
			       rm->last_err.text);
	lock_drop(&rm->lock);
}

static void remote_release(struct cred_source *src)
{
	struct cred_remote *rm = (struct cred_remote *)src;

	if (rm->ops->release)
		rm->ops->release(rm->ctx);
	cred_release(&rm->cred);
	lock_release(&rm->lock);
}

int cred_source_remote(struct cred_source **out, const char *name,
		       const struct cred_remote_ops *ops, void *ctx,
		       struct http_engine *engine, struct err *err)
{
	static const struct cred_source_ops source_ops = {
		.get = remote_get,
		.refused = remote_refused,
		.denied = remote_denied,
		.accepted = remote_accepted,
		.state = remote_state,
		.release = remote_release,
	};
	struct cred_remote *rm = calloc(1, sizeof(*rm));
	int r = rm ? cred_source_init(&rm->base, &source_ops, name, err) :
		     err_nomem(err);

	if (r < 0) {
		if (ops->release)
			ops->release(ctx);
		free(rm);
		return r;
	}
	rm->ops = ops;
	rm->ctx = ctx;
	rm->engine = engine;
	lock_init(&rm->lock);
	*out = &rm->base;
	return 0;
}
