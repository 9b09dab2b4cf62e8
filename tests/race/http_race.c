/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/exchange.h"

#include "backends/auth/cred.h"
#include "backends/base/clock.h"
#include "tests/loopback.h"
#include "tests/tap.h"

#define THREADS 4
#define EACH 150

/* The same buffers that the cache would hand out: the engine owns them. */
struct job {
	char dst[64];
	struct shared *shared;
	atomic_int n_done;
	bool is_bad;
};

struct shared {
	struct http_engine *engine;
	struct loopback server;
	struct cred_source *creds;
	struct job jobs[2 * THREADS * EACH];
	atomic_uint next_job;
	atomic_uint n_done;
	atomic_uint n_canceled;
	atomic_uint n_ok;
	atomic_uint n_timers;
	atomic_uint n_timers_run;
};

/* Every seventh is cut, every fifth late, every third an error. */
static int serve(struct loopback *lb, struct loopback_call *call)
{
	unsigned n = atomic_load(&lb->requests);

	if (n % 7 == 0) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Content-Length: 64\r\n\r\nx");
		return LOOPBACK_CLOSE;
	}
	if (n % 5 == 0)
		(void)usleep(2000);
	if (n % 3 == 0)
		return loopback_answer(call, 503, "", "busy", 4);
	return loopback_answer(call, 200, "", "0123456789", 10);
}

static struct http_request request(struct job *job)
{
	struct http_request rq = {
		.method = HTTP_GET,
		.dst = job->dst,
		.dst_len = sizeof(job->dst),
		.deadline_ms = clock_ms() + 60000,
		.stall_ms = 30000,
	};

	buf_printf(&rq.url, "http://127.0.0.1:%d/x", job->shared->server.port);
	return rq;
}

static void count(struct job *job, int r)
{
	struct shared *shared = job->shared;

	if (r == -ECANCELED)
		atomic_fetch_add(&shared->n_canceled, 1);
	/* Ours again: a late write of the engine's would be a race. */
	memset(job->dst, 'z', sizeof(job->dst));
	atomic_fetch_add(&job->n_done, 1);
	atomic_fetch_add(&shared->n_done, 1);
}

static void on_reply(void *arg, int r, struct http_response *rs,
		     const struct err *err)
{
	struct job *job = arg;

	(void)err;
	if (r == 0 && rs->status == 200 &&
	    (rs->body_len != 10 || memcmp(job->dst, "0123456789", 10)))
		job->is_bad = true;
	count(job, r);
}

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct job *job = ctx;
	cleanup_cred struct cred cred;
	int r = cred_source_get(job->shared->creds, &cred, err);

	if (attempt % 2)
		cred_source_refused(job->shared->creds, cred.generation);
	*rq = request(job);
	return r;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	(void)ctx;
	if (r == 0 && rs->status == 200)
		return EXCHANGE_DONE;
	*out = err_set(err, ERR_RETRY, EIO, "status %d", rs->status);
	return EXCHANGE_THROTTLED;
}

static void done(void *ctx, int r, const struct err *err)
{
	struct job *job = ctx;

	(void)err;
	if (r == 0)
		atomic_fetch_add(&job->shared->n_ok, 1);
	count(job, r);
}

static const struct exchange_ops ops = { prepare, judge, done };

static void on_timer(void *arg)
{
	struct shared *shared = arg;

	atomic_fetch_add(&shared->n_timers_run, 1);
}

static void *use_engine(void *arg)
{
	struct shared *shared = arg;
	struct http_stats stats;

	for (int i = 0; i < EACH; i++) {
		unsigned n = atomic_fetch_add(&shared->next_job, 2);
		struct http_request rq;
		uint64_t id;

		shared->jobs[n].shared = shared;
		shared->jobs[n + 1].shared = shared;
		rq = request(&shared->jobs[n]);
		id = http_submit(shared->engine, &rq, on_reply,
				 &shared->jobs[n]);
		exchange_start(shared->engine, &ops, &shared->jobs[n + 1],
			       clock_ms() + 60000);
		if (i % 4 == 0)
			http_cancel(shared->engine, id);
		if (i % 8 == 0) {
			atomic_fetch_add(&shared->n_timers, 1);
			http_engine_after(shared->engine, clock_ms() + i,
					  on_timer, shared);
		}
		http_engine_stats(shared->engine, &stats);
		(void)usleep(100);
	}
	return NULL;
}

static struct shared *set_up(void)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	struct http_options opt = { .threads = 2 };
	struct cred_source *chain[3];
	struct err err = ERR_INIT;

	if (!shared)
		abort();
	loopback_start(&shared->server, serve);
	tap_ok(http_engine_new(&shared->engine, &opt, &err) == 0,
	       "an engine of two threads");
	tap_ok(cred_source_env(&chain[0], &err) == 0 &&
		       cred_source_shared_files(&chain[1], &err) == 0 &&
		       cred_source_anonymous(&chain[2], &err) == 0 &&
		       cred_source_chain(&shared->creds, chain, 3, &err) == 0,
	       "a chain of credentials");
	return shared;
}

static void check(struct shared *shared, unsigned n_jobs)
{
	unsigned n_once = 0;
	unsigned n_bad = 0;

	for (unsigned i = 0; i < n_jobs; i++) {
		n_once += shared->jobs[i].n_done == 1;
		n_bad += shared->jobs[i].is_bad;
	}
	tap_ok(n_once == n_jobs, "every request ended once: %u of %u", n_once,
	       n_jobs);
	tap_ok(n_bad == 0, "no success had other bytes");
	tap_ok(shared->n_timers_run == shared->n_timers,
	       "every timer ran: %u of %u", (unsigned)shared->n_timers_run,
	       (unsigned)shared->n_timers);
}

static void run(bool waits)
{
	struct shared *shared = set_up();
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, use_engine, shared);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	while (waits && shared->n_done < 2 * THREADS * EACH)
		(void)usleep(10000);
	http_engine_free(shared->engine);
	cred_source_put_ref(shared->creds);
	loopback_stop(&shared->server);
	check(shared, 2 * THREADS * EACH);
	if (waits)
		tap_ok(shared->n_ok == THREADS * EACH,
		       "every exchange succeeded in the end: %u of %d",
		       (unsigned)shared->n_ok, THREADS * EACH);
	printf("# %u canceled\n", (unsigned)shared->n_canceled);
	free(shared);
}

int main(void)
{
	(void)setenv("HOME", "/nonexistent", 1);
	run(true);
	/* The engine ends while most of it is under way. */
	run(false);
	return tap_done();
}
