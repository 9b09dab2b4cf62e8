/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backends/base/env.h"
#include "backends/base/log.h"
#include "backends/http/exchange.h"

#define HTTP_THREADS_MAX 64
#define LOAD_MARGIN 4

void *http_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p) {
		fprintf(stderr, "http: no memory for %zu bytes\n", size);
		abort();
	}
	return p;
}

const char *http_method_name(enum http_method method)
{
	static const char *const names[] = {
		[HTTP_GET] = "GET",	  [HTTP_HEAD] = "HEAD",
		[HTTP_PUT] = "PUT",	  [HTTP_POST] = "POST",
		[HTTP_DELETE] = "DELETE",
	};

	return names[method];
}

void http_request_release(struct http_request *rq)
{
	if (rq->headers.data)
		explicit_bzero(rq->headers.data, rq->headers.cap);
	/* Azure's SAS stands in it. */
	if (rq->url.data)
		explicit_bzero(rq->url.data, rq->url.cap);
	buf_release(&rq->headers);
	buf_release(&rq->url);
	memset(rq, 0, sizeof(*rq));
}

bool http_response_header(const struct http_response *rs, const char *name,
			  char *value, size_t size)
{
	const char *line = rs->headers.data;
	size_t name_len = strlen(name);

	while (line && *line) {
		const char *end = strchr(line, '\n');
		size_t len;

		if (!end)
			break;
		if (!strncmp(line, name, name_len) &&
		    !strncmp(line + name_len, ": ", 2)) {
			line += name_len + 2;
			len = (size_t)(end - line);
			if (len >= size)
				return false;
			memcpy(value, line, len);
			value[len] = '\0';
			return true;
		}
		line = end + 1;
	}
	return false;
}

/* Debian's libcurl knows its bundle; others are looked for. */
static const char *system_ca_file(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem",
	};
	const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

	if (info->age >= CURLVERSION_SEVENTH && info->cainfo &&
	    access(info->cainfo, R_OK) == 0)
		return info->cainfo;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

/*
 * A file that was named and cannot be read is an error where it was configured
 * and a warning where the environment names it: plain http needs none.
 */
static int choose_ca_file(struct http_engine *engine, const char *configured,
			  struct err *err)
{
	static const char *const names[] = { "AWS_CA_BUNDLE", "SSL_CERT_FILE" };
	const char *path = configured;

	if (path && access(path, R_OK) < 0)
		return err_set(err, ERR_USAGE, errno, "ca_file %s: %s", path,
			       strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(names) && !path; i++) {
		path = env_get(names[i]);
		if (path && access(path, R_OK) < 0)
			log_warn("http", "%s=%s: %s", names[i], path,
				 strerror(errno));
	}
	if (!path)
		path = system_ca_file();
	if (!path)
		return 0;
	engine->ca_file = strdup(path);
	return engine->ca_file ? 0 : err_nomem(err);
}

static int start_threads(struct http_engine *engine, unsigned n,
			 struct err *err)
{
	sigset_t all;
	sigset_t before;
	int r = 0;

	for (unsigned i = 0; i < n && r == 0; i++) {
		r = http_thread_init(&engine->threads[i], engine, i, err);
		if (r == 0)
			engine->n_threads++;
	}
	if (r < 0)
		return r;

	/* Signals belong to the main thread. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < n && r == 0; i++) {
		struct http_thread *t = &engine->threads[i];
		char name[16];

		r = pthread_create(&t->thread, NULL, http_thread_run, t);
		if (r != 0)
			break;
		t->is_started = true;
		(void)snprintf(name, sizeof(name), "http-%u", i % 1000);
		(void)pthread_setname_np(t->thread, name);
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r ? err_errno(err, r, "http: start a thread") : 0;
}

static void init_curl(void)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		fprintf(stderr, "http: curl_global_init failed\n");
		abort();
	}
}

int http_engine_new(struct http_engine **out, const struct http_options *opt,
		    struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned n = opt->threads ? opt->threads : HTTP_THREADS_DEFAULT;
	struct http_engine *engine;
	int r;

	if (n > HTTP_THREADS_MAX)
		return err_set(err, ERR_USAGE, EINVAL, "%u I/O threads of %d",
			       n, HTTP_THREADS_MAX);
	(void)pthread_once(&once, init_curl);
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return err_nomem(err);
	lock_init(&engine->tokens_lock);
	lock_init(&engine->held_lock);
	cond_init(&engine->held_cond);
	endpoints_init(&engine->endpoints, engine);
	engine->tokens = EXCHANGE_TOKENS;
	http_proxy_ports(engine->proxy_ports);
	engine->threads = calloc(n, sizeof(*engine->threads));
	engine->user_agent = strdup(opt->user_agent ? opt->user_agent :
						      "datasetfs/" VERSION);
	r = !engine->threads || !engine->user_agent ? err_nomem(err) : 0;
	if (r == 0)
		r = choose_ca_file(engine, opt->ca_file, err);
	if (r == 0)
		r = start_threads(engine, n, err);
	if (r < 0) {
		http_engine_free(engine);
		return r;
	}
	*out = engine;
	return 0;
}

static void wake_all(struct http_engine *engine)
{
	for (unsigned i = 0; i < engine->n_threads; i++)
		http_thread_wake(&engine->threads[i]);
}

bool http_engine_is_stopping(const struct http_engine *engine)
{
	return atomic_load(&engine->is_stopping);
}

void http_engine_stop(struct http_engine *engine)
{
	atomic_store(&engine->is_stopping, true);
	wake_all(engine);
}

bool http_engine_hold(struct http_engine *engine)
{
	bool is_held;

	lock_take(&engine->held_lock);
	is_held = !http_engine_is_stopping(engine);
	engine->n_holders += is_held;
	lock_drop(&engine->held_lock);
	return is_held;
}

/* Signals under the lock: without it the engine may be gone. */
void http_engine_let_go(struct http_engine *engine)
{
	lock_take(&engine->held_lock);
	engine->n_holders--;
	cond_signal(&engine->held_cond);
	lock_drop(&engine->held_lock);
}

static void await_holders(struct http_engine *engine)
{
	lock_take(&engine->held_lock);
	while (engine->n_holders)
		cond_wait(&engine->held_cond, &engine->held_lock);
	lock_drop(&engine->held_lock);
}

void http_engine_free(struct http_engine *engine)
{
	if (!engine)
		return;
	http_engine_stop(engine);
	/* What they ask for is canceled, by threads that are still there. */
	await_holders(engine);
	atomic_store(&engine->is_ending, true);
	wake_all(engine);
	for (unsigned i = 0; i < engine->n_threads; i++)
		if (engine->threads[i].is_started)
			(void)pthread_join(engine->threads[i].thread, NULL);
	for (unsigned i = 0; i < engine->n_threads; i++)
		http_thread_release(&engine->threads[i]);
	endpoints_release(&engine->endpoints);
	lock_release(&engine->tokens_lock);
	cond_release(&engine->held_cond);
	lock_release(&engine->held_lock);
	free(engine->threads);
	free(engine->ca_file);
	free(engine->user_agent);
	free(engine);
}

/*
 * The least loaded, and the first of equals: while there is little to do, one
 * thread's connections are kept warm.  What a callback starts stays with its
 * thread, unless that has much more to do than another.
 */
static struct http_thread *choose_thread(struct http_engine *engine)
{
	struct http_thread *own = http_thread_current(engine);
	struct http_thread *best = own ? own : &engine->threads[0];
	unsigned best_load = atomic_load(&best->load);

	if (own)
		best_load -= best_load < LOAD_MARGIN ? best_load : LOAD_MARGIN;
	for (unsigned i = 0; i < engine->n_threads; i++) {
		unsigned load = atomic_load(&engine->threads[i].load);

		if (load < best_load) {
			best = &engine->threads[i];
			best_load = load;
		}
	}
	return best;
}

static void post_work(struct http_thread *t, struct http_message *message)
{
	atomic_fetch_add(&t->engine->pending, 1);
	atomic_fetch_add(&t->load, 1);
	http_thread_post(t, message);
}

uint64_t http_submit(struct http_engine *engine, struct http_request *rq,
		     http_done_fn done, void *arg)
{
	struct http_thread *thread = choose_thread(engine);
	struct http_transfer *t = http_alloc(sizeof(*t));
	uint64_t id;

	/* The thread can be told from the number: see http_cancel(). */
	id = (atomic_fetch_add(&engine->next_id, 1) + 1) * engine->n_threads +
	     thread->index;
	t->message.kind = HTTP_MESSAGE_REQUEST;
	t->message.id = id;
	t->thread = thread;
	t->rq = *rq;
	memset(rq, 0, sizeof(*rq));
	t->done = done;
	t->arg = arg;
	post_work(thread, &t->message);
	return id;
}

void http_cancel(struct http_engine *engine, uint64_t id)
{
	struct http_message *message = http_alloc(sizeof(*message));

	message->kind = HTTP_MESSAGE_CANCEL;
	message->id = id;
	http_thread_post(&engine->threads[id % engine->n_threads], message);
}

void http_engine_after(struct http_engine *engine, int64_t at_ms,
		       void (*fn)(void *arg), void *arg)
{
	struct http_timer *timer = http_alloc(sizeof(*timer));

	timer->message.kind = HTTP_MESSAGE_TIMER;
	timer->at_ms = at_ms;
	timer->fn = fn;
	timer->arg = arg;
	post_work(choose_thread(engine), &timer->message);
}

void http_engine_stats(struct http_engine *engine, struct http_stats *out)
{
	*out = (struct http_stats){
		.requests = atomic_load(&engine->requests),
		.bytes_in = atomic_load(&engine->bytes_in),
		.bytes_out = atomic_load(&engine->bytes_out),
		.errors = atomic_load(&engine->errors),
		.retries = atomic_load(&engine->retries),
		.in_flight = atomic_load(&engine->in_flight),
	};
}
