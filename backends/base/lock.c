/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "backends/base/clock.h"

/* The bodies are where the annotated promises are made true. */
#define UNCHECKED THREAD_ANNOTATION(no_thread_safety_analysis)

/*
 * A waiter on a faked clock must look again soon: real time says nothing
 * about when the fake one passes its deadline.  It also keeps the timespec
 * far from overflow.
 */
#define WAIT_MAX_MS ((int64_t)3600 * 1000)

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(r));
	abort();
}

void lock_init(struct lock *lock)
{
	must(pthread_mutex_init(&lock->mutex, NULL), "pthread_mutex_init");
}

void lock_release(struct lock *lock)
{
	must(pthread_mutex_destroy(&lock->mutex), "pthread_mutex_destroy");
}

UNCHECKED void lock_take(struct lock *lock)
{
	must(pthread_mutex_lock(&lock->mutex), "pthread_mutex_lock");
}

UNCHECKED void lock_drop(struct lock *lock)
{
	must(pthread_mutex_unlock(&lock->mutex), "pthread_mutex_unlock");
}

void cond_init(struct cond *cond)
{
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr), "pthread_condattr_init");
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC),
	     "pthread_condattr_setclock");
	must(pthread_cond_init(&cond->cond, &attr), "pthread_cond_init");
	must(pthread_condattr_destroy(&attr), "pthread_condattr_destroy");
}

void cond_release(struct cond *cond)
{
	must(pthread_cond_destroy(&cond->cond), "pthread_cond_destroy");
}

UNCHECKED void cond_wait(struct cond *cond, struct lock *lock)
{
	must(pthread_cond_wait(&cond->cond, &lock->mutex),
	     "pthread_cond_wait");
}

UNCHECKED int cond_wait_until(struct cond *cond, struct lock *lock,
			      int64_t deadline_ms)
{
	struct timespec until;
	int64_t now_ms;
	int64_t left_ms;
	int r;

	if (deadline_ms == INT64_MAX) {
		cond_wait(cond, lock);
		return 0;
	}
	now_ms = clock_ms();
	if (deadline_ms <= now_ms)
		return -ETIMEDOUT;
	if (__builtin_sub_overflow(deadline_ms, now_ms, &left_ms) ||
	    left_ms > WAIT_MAX_MS)
		left_ms = WAIT_MAX_MS;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(left_ms / 1000);
	until.tv_nsec += (long)(left_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	r = pthread_cond_timedwait(&cond->cond, &lock->mutex, &until);
	if (r == 0)
		return 0;
	if (r != ETIMEDOUT)
		must(r, "pthread_cond_timedwait");
	/* After WAIT_MAX_MS this is one more spurious wake-up. */
	return clock_ms() >= deadline_ms ? -ETIMEDOUT : 0;
}

void cond_signal(struct cond *cond)
{
	must(pthread_cond_signal(&cond->cond), "pthread_cond_signal");
}

void cond_broadcast(struct cond *cond)
{
	must(pthread_cond_broadcast(&cond->cond), "pthread_cond_broadcast");
}
