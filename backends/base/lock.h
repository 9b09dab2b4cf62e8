/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only user of pthread mutexes and condition variables, annotated for
 * clang -Wthread-safety.  (clang 14 in C: ACQUIRE, RELEASE and REQUIRES on
 * functions work; GUARDED_BY a sibling member does not compile, so say in the
 * struct's comment which lock guards what.)
 *
 * Never hold a lock across I/O or a callback.  The lock order of the whole
 * project is one list in ARCHITECTURE.md.
 */
#ifndef DATASETFS_BASE_LOCK_H
#define DATASETFS_BASE_LOCK_H

#include <pthread.h>
#include <stdint.h>
#include "backends/base/cleanup.h"

#if defined(__clang__)
#define THREAD_ANNOTATION(x) __attribute__((x))
#else
#define THREAD_ANNOTATION(x)
#endif
#define CAPABILITY(x) THREAD_ANNOTATION(capability(x))
#define ACQUIRE(...) THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define RELEASE(...) THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define REQUIRES(...) THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

struct CAPABILITY("mutex") lock {
	pthread_mutex_t mutex;
};
struct cond {
	pthread_cond_t cond;	/* on CLOCK_MONOTONIC */
};

#define LOCK_INIT { .mutex = PTHREAD_MUTEX_INITIALIZER }

/* Both abort() when the system refuses: that is our own bug or no memory. */
void lock_init(struct lock *lock);
void lock_release(struct lock *lock);
void lock_take(struct lock *lock) ACQUIRE(lock);
void lock_drop(struct lock *lock) RELEASE(lock);

void cond_init(struct cond *cond);
void cond_release(struct cond *cond);
void cond_wait(struct cond *cond, struct lock *lock) REQUIRES(lock);
/*
 * deadline_ms: clock_ms() time; INT64_MAX waits for ever.  Returns 0 when
 * woken, -ETIMEDOUT at the deadline.  Wake-ups may be spurious.
 */
int cond_wait_until(struct cond *cond, struct lock *lock, int64_t deadline_ms)
	REQUIRES(lock);
void cond_signal(struct cond *cond);
void cond_broadcast(struct cond *cond);

#endif
