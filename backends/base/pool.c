/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "backends/base/lock.h"

#define NAME_MAX_BYTES 10
#define THREAD_NAME_SIZE 16	/* the kernel's, with its NUL */

struct job {
	pool_job_fn fn;
	void *arg;
};

/* lock guards first, count, stopping and the content of queue. */
struct pool {
	struct lock lock;
	struct cond wake;
	struct job *queue;	/* a ring of queue_max */
	unsigned queue_max;
	unsigned first;
	unsigned count;
	bool stopping;
	pthread_t *threads;
	unsigned n_threads;
};

static void *work(void *arg)
{
	struct pool *pool = arg;

	lock_take(&pool->lock);
	for (;;) {
		struct job job;

		while (pool->count == 0 && !pool->stopping)
			cond_wait(&pool->wake, &pool->lock);
		if (pool->count == 0)
			break;
		job = pool->queue[pool->first];
		pool->first = (pool->first + 1) % pool->queue_max;
		pool->count--;
		lock_drop(&pool->lock);
		job.fn(job.arg);
		lock_take(&pool->lock);
	}
	lock_drop(&pool->lock);
	return NULL;
}

/* Signals belong to the main thread: pool threads block all of them. */
static int start_threads(struct pool *pool, const char *name, unsigned threads)
{
	char thread_name[THREAD_NAME_SIZE];
	sigset_t all;
	sigset_t before;
	int r = 0;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < threads && r == 0; i++) {
		r = pthread_create(&pool->threads[i], NULL, work, pool);
		if (r != 0)
			break;
		pool->n_threads++;
		(void)snprintf(thread_name, sizeof(thread_name), "%.*s-%u",
			       NAME_MAX_BYTES, name, i % 1000);
		(void)pthread_setname_np(pool->threads[i], thread_name);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int pool_new(struct pool **out, const char *name, unsigned threads,
	     unsigned queue_max, struct err *err)
{
	struct pool *pool;
	int r;

	if (threads == 0 || queue_max == 0)
		return err_set(err, ERR_USAGE, EINVAL,
			       "pool %s: no threads or no queue", name);
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return err_nomem(err);
	lock_init(&pool->lock);
	cond_init(&pool->wake);
	pool->queue_max = queue_max;
	pool->queue = calloc(queue_max, sizeof(*pool->queue));
	pool->threads = calloc(threads, sizeof(*pool->threads));
	if (!pool->queue || !pool->threads) {
		pool_free(pool);
		return err_nomem(err);
	}
	r = start_threads(pool, name, threads);
	if (r < 0) {
		pool_free(pool);
		return err_errno(err, -r, "pool %s: start a thread", name);
	}
	*out = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	lock_take(&pool->lock);
	pool->stopping = true;
	cond_broadcast(&pool->wake);
	lock_drop(&pool->lock);
	for (unsigned i = 0; i < pool->n_threads; i++)
		(void)pthread_join(pool->threads[i], NULL);
	cond_release(&pool->wake);
	lock_release(&pool->lock);
	free(pool->threads);
	free(pool->queue);
	free(pool);
}

int pool_submit(struct pool *pool, pool_job_fn fn, void *arg, struct err *err)
{
	bool full;

	lock_take(&pool->lock);
	full = pool->count == pool->queue_max;
	if (!full) {
		unsigned last = (pool->first + pool->count) % pool->queue_max;

		pool->queue[last] = (struct job){ .fn = fn, .arg = arg };
		pool->count++;
		cond_signal(&pool->wake);
	}
	lock_drop(&pool->lock);
	if (full)
		return err_set(err, ERR_RETRY, EAGAIN,
			       "%u jobs wait already", pool->queue_max);
	return 0;
}
