/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "tests/tap.h"

#define SUBMITTERS 4
#define JOBS_EACH 2000

/* lock guards sum, which no job touches without it. */
struct shared {
	struct pool *pool;
	struct lock lock;
	long sum;
	atomic_long accepted;
	atomic_long refused;
};

static void add_one(void *arg)
{
	struct shared *shared = arg;

	lock_take(&shared->lock);
	shared->sum++;
	lock_drop(&shared->lock);
}

static void *submit_many(void *arg)
{
	struct shared *shared = arg;
	struct err err = ERR_INIT;

	for (int i = 0; i < JOBS_EACH; i++) {
		int r = pool_submit(shared->pool, add_one, shared, &err);

		if (r == 0) {
			atomic_fetch_add(&shared->accepted, 1);
			continue;
		}
		atomic_fetch_add(&shared->refused, r == -EAGAIN);
		(void)sched_yield();
	}
	return NULL;
}

static void *log_many(void *arg)
{
	static struct log_limit limit;
	char text[256];

	for (int i = 0; i < 500; i++) {
		if (log_limit_ok(&limit, NULL))
			log_debug("race", "line %d", i);
		(void)log_last_problem(text, sizeof(text));
		log_set_level(i % 2 ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN);
	}
	return arg;
}

static void every_accepted_job_runs_once(void)
{
	struct shared shared = { .lock = LOCK_INIT };
	pthread_t threads[SUBMITTERS];
	struct err err = ERR_INIT;

	if (!tap_ok(pool_new(&shared.pool, "race", 3, 16, &err) == 0,
		    "a pool of three threads"))
		return;
	for (int i = 0; i < SUBMITTERS; i++)
		pthread_create(&threads[i], NULL, submit_many, &shared);
	for (int i = 0; i < SUBMITTERS; i++)
		pthread_join(threads[i], NULL);
	pool_free(shared.pool);
	tap_ok(shared.accepted + shared.refused ==
		       (long)SUBMITTERS * JOBS_EACH,
	       "a submission is accepted or refused with EAGAIN");
	tap_ok(shared.sum == shared.accepted,
	       "every accepted job ran once: %ld of %ld", shared.sum,
	       (long)shared.accepted);
}

static void logging_threads_do_not_disturb_each_other(void)
{
	pthread_t threads[SUBMITTERS];

	for (int i = 0; i < SUBMITTERS; i++)
		pthread_create(&threads[i], NULL, log_many, NULL);
	for (int i = 0; i < SUBMITTERS; i++)
		pthread_join(threads[i], NULL);
	tap_ok(true, "threads log and read the last problem at once");
}

int main(void)
{
	every_accepted_job_runs_once();
	logging_threads_do_not_disturb_each_other();
	return tap_done();
}
