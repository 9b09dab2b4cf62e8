/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http.h"

#include <criterion/criterion.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/http/http_impl.h"
#include "tests/loopback.h"

#define LONG_MS 20000
/* How late a busy machine may be. */
#define PATIENCE_MS 5000

/* One request and how it ended.  lock guards the results. */
struct call {
	struct lock lock;
	struct cond cond;
	bool is_done;
	int r;
	int status;
	size_t body_len;
	bool reused;
	struct err err;
	char headers[4096];
	size_t error_len;
	char error_body[256];
	struct buf body;
	uint64_t id;
};

static struct http_engine *engine;
static struct loopback server;

static void on_done(void *arg, int r, struct http_response *rs,
		    const struct err *err)
{
	struct call *c = arg;

	lock_take(&c->lock);
	cr_assert(!c->is_done);
	c->r = r;
	c->status = rs->status;
	c->body_len = rs->body_len;
	c->reused = rs->reused;
	if (r < 0)
		err_copy(&c->err, err);
	if (rs->headers.data)
		(void)snprintf(c->headers, sizeof(c->headers), "%s",
			       rs->headers.data);
	c->error_len = rs->error_body.len;
	if (rs->error_body.data)
		(void)snprintf(c->error_body, sizeof(c->error_body), "%.255s",
			       rs->error_body.data);
	c->is_done = true;
	cond_signal(&c->cond);
	lock_drop(&c->lock);
}

static void call_init(struct call *c)
{
	memset(c, 0, sizeof(*c));
	lock_init(&c->lock);
	cond_init(&c->cond);
}

static void call_release(struct call *c)
{
	buf_release(&c->body);
	cond_release(&c->cond);
	lock_release(&c->lock);
}

static struct http_request request(struct call *c, const char *path)
{
	struct http_request rq = {
		.method = HTTP_GET,
		.grow = &c->body,
		.grow_limit = 1 << 20,
		.deadline_ms = clock_ms() + LONG_MS,
	};

	buf_printf(&rq.url, "http://127.0.0.1:%d%s", server.port, path);
	return rq;
}

static void wait_for(struct call *c)
{
	lock_take(&c->lock);
	while (!c->is_done)
		cond_wait(&c->cond, &c->lock);
	lock_drop(&c->lock);
}

static void run(struct call *c, struct http_request *rq)
{
	c->id = http_submit(engine, rq, on_done, c);
	wait_for(c);
}

static void get(struct call *c, const char *path)
{
	struct http_request rq;

	call_init(c);
	rq = request(c, path);
	run(c, &rq);
}

static void start_engine(unsigned threads)
{
	struct http_options opt = { .threads = threads };
	struct err err = ERR_INIT;

	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
}

/* Names of our own, for libcurl too. */
int getaddrinfo(const char *name, const char *service,
		const struct addrinfo *hints, struct addrinfo **out)
{
	static const struct {
		const char *name;
		const char *addresses[5];
	} known[] = {
		{ "many.test",
		  { "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1" } },
		{ "metadata.test", { "169.254.169.254" } },
		{ "inside.test", { "127.0.0.1" } },
		{ "localhost", { "127.0.0.1" } },
	};
	struct addrinfo **tail = out;

	(void)hints;
	*out = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name))
			continue;
		for (const char *const *a = known[i].addresses; *a; a++) {
			struct sockaddr_in *in = calloc(1, sizeof(*in));

			in->sin_family = AF_INET;
			in->sin_port = htons(
				(uint16_t)(service ? atoi(service) : 0));
			inet_pton(AF_INET, *a, &in->sin_addr);
			*tail = calloc(1, sizeof(**tail));
			(*tail)->ai_family = AF_INET;
			(*tail)->ai_socktype = SOCK_STREAM;
			(*tail)->ai_protocol = IPPROTO_TCP;
			(*tail)->ai_addrlen = sizeof(*in);
			(*tail)->ai_addr = (struct sockaddr *)in;
			tail = &(*tail)->ai_next;
		}
	}
	return *out ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list)
{
	while (list) {
		struct addrinfo *next = list->ai_next;

		free(list->ai_addr);
		free(list);
		list = next;
	}
}

/* A proxy of this machine's is not for tests. */
static void forget_proxies(void)
{
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
}

TestSuite(http, .init = forget_proxies);

static void start(loopback_fn serve)
{
	loopback_start(&server, serve);
	start_engine(1);
}

static void stop(void)
{
	http_engine_free(engine);
	loopback_stop(&server);
}

static bool is_path(struct loopback_call *call, const char *path)
{
	return strcmp(call->path, path) == 0;
}

/* Whatever is written there, until the client goes. */
static int until_gone(struct loopback_call *call)
{
	char c;

	while (recv(call->fd, &c, 1, 0) > 0)
		;
	return LOOPBACK_CLOSE;
}

static int serve_ok(struct loopback *lb, struct loopback_call *call)
{
	(void)lb;
	return loopback_answer(call, 200, "ETag: \"x\"\r\n", "hello", 5);
}

static int serve_close(struct loopback *lb, struct loopback_call *call)
{
	(void)lb;
	(void)loopback_answer(call, 200, "Connection: close\r\n", "bye", 3);
	return LOOPBACK_CLOSE;
}

Test(http, a_connection_is_kept_for_the_next_request)
{
	start(serve_ok);
	for (int i = 0; i < 10; i++) {
		struct call c;

		get(&c, "/");
		cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
		cr_assert(c.body.len == 5 && c.body_len == 5);
		cr_assert(strcmp(c.body.data, "hello") == 0);
		call_release(&c);
	}
	cr_assert(server.connections == 1, "%u", server.connections);
	cr_assert(server.requests == 10);
	stop();
}

Test(http, a_connection_that_idled_too_long_is_not_used)
{
	struct call c;

	start(serve_ok);
	get(&c, "/");
	call_release(&c);
	sleep(HTTP_IDLE_AGE_S + 2);
	get(&c, "/");
	cr_assert(c.r == 0);
	call_release(&c);
	cr_assert(server.connections == 2);
	stop();
}

/* Says nothing of closing, and does: as S3 after 5 s. */
static int serve_once(struct loopback *lb, struct loopback_call *call)
{
	(void)serve_ok(lb, call);
	return call->nth ? LOOPBACK_KEEP : LOOPBACK_RESET;
}

Test(http, case_33_a_kept_connection_that_the_server_closed_is_replaced)
{
	start(serve_once);
	for (int i = 0; i < 20; i++) {
		struct call c;

		get(&c, "/");
		cr_assert(c.r == 0, "request %d: %s", i, c.err.text);
		call_release(&c);
	}
	cr_assert(server.requests == 20);
	stop();
}

static int serve_reset(struct loopback *lb, struct loopback_call *call)
{
	(void)lb;
	(void)call;
	return LOOPBACK_RESET;
}

Test(http, a_fresh_connection_that_is_reset_is_an_error)
{
	struct call c;

	start(serve_reset);
	get(&c, "/");
	cr_assert(c.r == -ECONNRESET && c.err.class == ERR_RETRY);
	cr_assert(c.status == 0 && !c.reused);
	cr_assert(strstr(c.err.text, "127.0.0.1"), "%s", c.err.text);
	call_release(&c);
	stop();
}

static int serve_bodies(struct loopback *lb, struct loopback_call *call)
{
	(void)lb;
	if (is_path(call, "/cut")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Content-Length: 100\r\n\r\n0123456789");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/cut-chunks")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Transfer-Encoding: chunked\r\n\r\n"
				    "a\r\n0123456789\r\n");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/bad-chunks")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Transfer-Encoding: chunked\r\n\r\n"
				    "zz\r\n0123456789\r\n");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/both")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Transfer-Encoding: chunked\r\n"
				    "Content-Length: 20\r\n\r\n"
				    "5\r\n01234\r\n0\r\n\r\n.....");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/chunks")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Transfer-Encoding: chunked\r\n\r\n"
				    "5\r\n01234\r\n5\r\n56789\r\n0\r\n"
				    "ETag: trailer\r\n\r\n");
		return LOOPBACK_KEEP;
	}
	if (is_path(call, "/too-long")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\nContent-Length: "
				    "99999999999999999999999\r\n\r\n0123");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/negative")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\nContent-Length: -1"
				    "\r\n\r\n0123");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/huge-chunk")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n"
				    "Transfer-Encoding: chunked\r\n\r\n"
				    "fffffffffffffffffffffff\r\n0123");
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/until-close")) {
		loopback_send(call, "HTTP/1.1 200 OK\r\n\r\n0123456789");
		return LOOPBACK_CLOSE;
	}
	return loopback_answer(call, 200, "", "0123456789", 10);
}

static void expect(const char *path, int r, enum err_class class)
{
	struct call c;

	get(&c, path);
	cr_assert(c.r == r, "%s: %d %s", path, c.r, c.err.text);
	cr_assert(r == 0 || (c.err.class == class && c.err.code == -r));
	call_release(&c);
}

Test(http, a_cut_body_is_never_a_success)
{
	start(serve_bodies);
	expect("/cut", -ECONNRESET, ERR_RETRY);
	expect("/cut-chunks", -ECONNRESET, ERR_RETRY);
	expect("/bad-chunks", -ECONNRESET, ERR_RETRY);
	expect("/huge-chunk", -ECONNRESET, ERR_RETRY);
	expect("/both", -ECONNRESET, ERR_RETRY);
	expect("/until-close", -EBADMSG, ERR_CORRUPT);
	expect("/too-long", -EBADMSG, ERR_CORRUPT);
	expect("/negative", -EBADMSG, ERR_CORRUPT);
	expect("/", 0, ERR_NONE);
	stop();
}

Test(http, chunks_are_joined_and_trailers_are_not_believed)
{
	struct call c;

	start(serve_bodies);
	get(&c, "/chunks");
	cr_assert(c.r == 0, "%s", c.err.text);
	cr_assert(strcmp(c.body.data, "0123456789") == 0);
	cr_assert(!strstr(c.headers, "trailer"), "%s", c.headers);
	call_release(&c);
	stop();
}

static void get_into(struct call *c, const char *path, char *dst, size_t len)
{
	struct http_request rq;

	call_init(c);
	rq = request(c, path);
	rq.grow = NULL;
	rq.dst = dst;
	rq.dst_len = len;
	run(c, &rq);
}

Test(http, a_body_fills_its_buffer_and_never_more)
{
	char dst[16];
	struct call c;

	start(serve_bodies);
	for (size_t len = 1; len <= 12; len++) {
		memset(dst, '#', sizeof(dst));
		get_into(&c, "/", dst, len);
		if (len < 10) {
			cr_assert(c.r == -EBADMSG, "%zu: %d", len, c.r);
			cr_assert(c.err.class == ERR_CORRUPT);
		} else {
			cr_assert(c.r == 0 && c.body_len == 10);
			cr_assert(memcmp(dst, "0123456789", 10) == 0);
		}
		for (size_t i = len; i < sizeof(dst); i++)
			cr_assert(dst[i] == '#');
		call_release(&c);
	}
	get_into(&c, "/until-close", dst, 10);
	cr_assert(c.r == 0 && c.body_len == 10);
	call_release(&c);
	stop();
}

Test(http, a_growing_body_ends_at_its_limit)
{
	struct http_request rq;
	struct call c;

	start(serve_bodies);
	for (size_t limit = 9; limit <= 10; limit++) {
		call_init(&c);
		rq = request(&c, "/");
		rq.grow_limit = limit;
		run(&c, &rq);
		cr_assert(c.r == (limit < 10 ? -EBADMSG : 0));
		call_release(&c);
	}
	stop();
}

static int serve_redirect(struct loopback *lb, struct loopback_call *call)
{
	char headers[128];

	(void)snprintf(headers, sizeof(headers),
		       "Location: http://127.0.0.1:%d/elsewhere\r\n",
		       lb->port);
	return loopback_answer(call, is_path(call, "/") ? 307 : 200, headers,
			       "moved", 5);
}

Test(http, case_09_a_redirect_is_shown_and_not_followed)
{
	struct call c;

	start(serve_redirect);
	get(&c, "/");
	cr_assert(c.r == 0 && c.status == 307);
	cr_assert(c.body.len == 0 && strcmp(c.error_body, "moved") == 0);
	cr_assert(strstr(c.headers, "location: http://127.0.0.1"));
	cr_assert(server.requests == 1);
	call_release(&c);
	stop();
}

static int serve_slowly(struct loopback *lb, struct loopback_call *call)
{
	(void)lb;
	if (is_path(call, "/silent"))
		return until_gone(call);
	loopback_send(call, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	if (is_path(call, "/stall")) {
		loopback_send(call, "0123456789");
		return until_gone(call);
	}
	for (int i = 0; i < 1000 && loopback_write(call, "x", 1); i++)
		(void)usleep(20000);
	return LOOPBACK_CLOSE;
}

static void expect_timeout(const char *path, unsigned stall_ms, int after_ms,
			   const char *text)
{
	int64_t start_ms = clock_ms();
	struct http_request rq;
	struct call c;

	call_init(&c);
	rq = request(&c, path);
	rq.stall_ms = stall_ms;
	if (!stall_ms)
		rq.deadline_ms = start_ms + after_ms;
	run(&c, &rq);
	cr_assert(c.r == -ETIMEDOUT && c.err.class == ERR_RETRY);
	cr_assert(strstr(c.err.text, text), "%s", c.err.text);
	cr_assert(clock_ms() - start_ms >= after_ms);
	cr_assert(clock_ms() - start_ms < after_ms + PATIENCE_MS);
	call_release(&c);
}

Test(http, a_deadline_ends_whatever_the_server_does)
{
	start(serve_slowly);
	expect_timeout("/silent", 0, 200, "deadline");
	expect_timeout("/stall", 0, 200, "deadline");
	expect_timeout("/drip", 0, 400, "deadline");
	expect_timeout("/silent", 0, -1, "deadline");
	stop();
}

Test(http, case_34_a_stall_ends_before_the_deadline_and_a_drip_does_not)
{
	struct http_request rq;
	struct call c;

	start(serve_slowly);
	expect_timeout("/silent", 200, 200, "no byte");
	expect_timeout("/stall", 200, 200, "no byte");

	call_init(&c);
	rq = request(&c, "/drip");
	rq.stall_ms = 200;
	rq.deadline_ms = clock_ms() + 600;
	run(&c, &rq);
	cr_assert(c.r == -ETIMEDOUT && strstr(c.err.text, "deadline"));
	cr_assert(c.body.len > 10);
	call_release(&c);
	stop();
}

#define UPLOAD_BYTES (16 << 20)

/* Takes a little of the body, then all or nothing of the rest. */
static int serve_upload(struct loopback *lb, struct loopback_call *call)
{
	char *room = malloc(1 << 20);
	size_t left = loopback_length(call->head);

	(void)lb;
	if (is_path(call, "/refuse")) {
		free(room);
		(void)loopback_answer(call, 403, "Connection: close\r\n", "no",
				      2);
		(void)usleep(200000);
		return LOOPBACK_CLOSE;
	}
	if (strstr(call->head, "Expect: 100-continue"))
		loopback_send(call, "HTTP/1.1 100 Continue\r\n\r\n");
	while (left && room) {
		ssize_t n = recv(call->fd, room, 1 << 20, 0);

		if (n <= 0)
			break;
		left -= (size_t)n;
		if (is_path(call, "/stall")) {
			(void)sleep(1);
			break;
		}
		(void)usleep(20000);
	}
	free(room);
	return left ? LOOPBACK_CLOSE : loopback_answer(call, 200, "", "", 0);
}

static void put(struct call *c, const char *path, const char *data, size_t len,
		unsigned stall_ms)
{
	struct http_request rq;

	call_init(c);
	rq = request(c, path);
	rq.method = HTTP_PUT;
	rq.body = data;
	rq.body_len = len;
	rq.stall_ms = stall_ms;
	run(c, &rq);
}

Test(http, an_upload_is_alive_while_the_server_takes_bytes)
{
	char *data = calloc(1, UPLOAD_BYTES);
	struct http_stats stats;
	struct call c;

	server.keeps_bodies_unread = true;
	start(serve_upload);
	put(&c, "/slow", data, UPLOAD_BYTES, 300);
	cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
	call_release(&c);
	http_engine_stats(engine, &stats);
	cr_assert(stats.bytes_out == UPLOAD_BYTES, "%lu", stats.bytes_out);

	put(&c, "/stall", data, UPLOAD_BYTES, 300);
	cr_assert(c.r == -ETIMEDOUT && strstr(c.err.text, "no byte"));
	call_release(&c);
	stop();
	free(data);
}

Test(http, an_upload_that_is_refused_early_is_an_answer)
{
	char *data = calloc(1, UPLOAD_BYTES);
	struct call c;

	server.keeps_bodies_unread = true;
	start(serve_upload);
	put(&c, "/refuse", data, UPLOAD_BYTES, 0);
	cr_assert(c.r == 0 && c.status == 403, "%d %s", c.r, c.err.text);
	cr_assert(strcmp(c.error_body, "no") == 0);
	call_release(&c);
	stop();
	free(data);
}

static void *cancel_soon(void *arg)
{
	struct call *c = arg;

	(void)usleep(100000);
	http_cancel(engine, c->id);
	return NULL;
}

Test(http, a_cancelled_request_ends_and_its_number_is_never_another)
{
	int64_t start_ms = clock_ms();
	struct http_request rq;
	struct call c;
	struct call other;
	pthread_t thread;

	start(serve_slowly);
	call_init(&c);
	rq = request(&c, "/silent");
	c.id = http_submit(engine, &rq, on_done, &c);
	pthread_create(&thread, NULL, cancel_soon, &c);
	wait_for(&c);
	pthread_join(thread, NULL);
	cr_assert(c.r == -ECANCELED);
	cr_assert(clock_ms() - start_ms < PATIENCE_MS);

	/* Again, and for one that never was: nothing happens. */
	call_init(&other);
	rq = request(&other, "/drip");
	rq.deadline_ms = clock_ms() + 300;
	other.id = http_submit(engine, &rq, on_done, &other);
	cr_assert(other.id != c.id);
	http_cancel(engine, c.id);
	http_cancel(engine, 1u << 30);
	wait_for(&other);
	cr_assert(other.r == -ETIMEDOUT);
	call_release(&c);
	call_release(&other);
	stop();
}

Test(http, freeing_the_engine_ends_what_is_under_way)
{
	struct call calls[HTTP_ACTIVE_MAX + 20];
	struct http_request rq;

	start(serve_slowly);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		call_init(&calls[i]);
		rq = request(&calls[i], "/silent");
		(void)http_submit(engine, &rq, on_done, &calls[i]);
	}
	(void)usleep(100000);
	stop();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		cr_assert(calls[i].is_done && calls[i].r == -ECANCELED);
		call_release(&calls[i]);
	}
}

Test(http, more_than_a_thread_can_carry_waits_its_turn)
{
	static struct call calls[3 * HTTP_ACTIVE_MAX];
	struct http_request rq;

	start(serve_ok);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		call_init(&calls[i]);
		rq = request(&calls[i], "/");
		(void)http_submit(engine, &rq, on_done, &calls[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		wait_for(&calls[i]);
		cr_assert(calls[i].r == 0, "%s", calls[i].err.text);
		call_release(&calls[i]);
	}
	cr_assert(server.connections <= HTTP_ACTIVE_MAX);
	stop();
}

Test(http, a_waiting_request_keeps_its_deadline_and_can_be_cancelled)
{
	static struct call calls[HTTP_ACTIVE_MAX + 2];
	struct call *late = &calls[HTTP_ACTIVE_MAX];
	struct call *unwanted = &calls[HTTP_ACTIVE_MAX + 1];
	struct http_request rq;

	start(serve_slowly);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		call_init(&calls[i]);
		rq = request(&calls[i], "/silent");
		if (&calls[i] == late)
			rq.deadline_ms = clock_ms() + 200;
		calls[i].id = http_submit(engine, &rq, on_done, &calls[i]);
	}
	http_cancel(engine, unwanted->id);
	wait_for(unwanted);
	cr_assert(unwanted->r == -ECANCELED);
	wait_for(late);
	cr_assert(late->r == -ETIMEDOUT && strstr(late->err.text, "waited"),
		  "%s", late->err.text);
	stop();
}

Test(http, the_queue_is_bounded)
{
	static struct call calls[HTTP_ACTIVE_MAX + HTTP_WAITING_MAX + 1];
	struct call *last = &calls[ARRAY_SIZE(calls) - 1];
	struct http_request rq;

	start(serve_slowly);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		call_init(&calls[i]);
		rq = request(&calls[i], "/silent");
		/* So that the first ones are at work, not waiting. */
		if (i == HTTP_ACTIVE_MAX)
			(void)usleep(100000);
		(void)http_submit(engine, &rq, on_done, &calls[i]);
	}
	wait_for(last);
	cr_assert(last->r == -EAGAIN && last->err.class == ERR_RETRY);
	stop();
}

static int serve_headers(struct loopback *lb, struct loopback_call *call)
{
	bool ok = true;

	(void)lb;
	if (is_path(call, "/interim")) {
		while (loopback_send(call,
				     "HTTP/1.1 102 Processing\r\n\r\n"))
			;
		return LOOPBACK_CLOSE;
	}
	if (is_path(call, "/early-hints")) {
		loopback_send(call, "HTTP/1.1 103 Early Hints\r\n"
				    "ETag: early\r\n\r\n");
		return loopback_answer(call, 200, "", "x", 1);
	}
	if (is_path(call, "/http09")) {
		loopback_send(call, "what is this?\r\n\r\n");
		return LOOPBACK_CLOSE;
	}
	loopback_send(call, "HTTP/1.1 200 OK\r\n");
	if (is_path(call, "/no-colon"))
		loopback_send(call, "nonsense\r\n");
	if (is_path(call, "/many"))
		for (int i = 0; i < 100000 && ok; i++)
			ok = loopback_send(call, "X-More: and more\r\n");
	if (is_path(call, "/long"))
		for (int i = 0; i < 100000 && ok; i++)
			ok = loopback_send(call, i ? "xxxxxxxxxx" : "X: ");
	loopback_send(call, "ETag:   \"a\"  \r\nX-Ctl: a\x01z\r\n"
			    "B\x02y: z\r\nX-Empty:\r\nX_Odd!: 1\r\n"
			    "Content-Length: 1\r\nETag: \"b\"\r\n\r\nx");
	return ok ? LOOPBACK_KEEP : LOOPBACK_CLOSE;
}

Test(http, headers_are_bounded)
{
	start(serve_headers);
	expect("/many", -EBADMSG, ERR_CORRUPT);
	expect("/long", -EBADMSG, ERR_CORRUPT);
	expect("/interim", -EBADMSG, ERR_CORRUPT);
	expect("/no-colon", -EBADMSG, ERR_CORRUPT);
	expect("/http09", -EBADMSG, ERR_CORRUPT);
	stop();
}

Test(http, headers_arrive_in_one_form_and_odd_ones_not_at_all)
{
	struct http_response rs = { .status = 200 };
	char value[8];
	struct call c;

	start(serve_headers);
	get(&c, "/");
	cr_assert(c.r == 0, "%s", c.err.text);
	cr_assert(strcmp(c.headers, "etag: \"a\"\nx-empty: \nx_odd!: 1\n"
				    "content-length: 1\netag: \"b\"\n") == 0,
		  "%s", c.headers);
	buf_str(&rs.headers, c.headers);
	cr_assert(http_response_header(&rs, "etag", value, sizeof(value)));
	cr_assert(strcmp(value, "\"a\"") == 0);
	cr_assert(http_response_header(&rs, "x-empty", value, sizeof(value)));
	cr_assert(value[0] == '\0');
	cr_assert(!http_response_header(&rs, "x-empt", value, sizeof(value)));
	cr_assert(!http_response_header(&rs, "length", value, sizeof(value)));
	cr_assert(!http_response_header(&rs, "etag", value, 3));
	cr_assert(http_response_header(&rs, "etag", value, 4));
	buf_release(&rs.headers);
	call_release(&c);

	get(&c, "/early-hints");
	cr_assert(c.r == 0 && c.status == 200);
	cr_assert(!strstr(c.headers, "early"), "%s", c.headers);
	call_release(&c);
	stop();
}

static int serve_error(struct loopback *lb, struct loopback_call *call)
{
	static char big[1 << 20];

	(void)lb;
	memset(big, 'e', sizeof(big));
	return loopback_answer(call, 500, "", big,
			       is_path(call, "/big") ? sizeof(big) :
						       HTTP_ERROR_BODY_MAX);
}

Test(http, the_body_of_an_error_is_cut_at_its_limit)
{
	struct call c;

	start(serve_error);
	get(&c, "/big");
	cr_assert(c.r == 0 && c.status == 500, "%s", c.err.text);
	cr_assert(c.error_len == HTTP_ERROR_BODY_MAX && c.body.len == 0);
	call_release(&c);
	get(&c, "/");
	cr_assert(c.r == 0 && c.error_len == HTTP_ERROR_BODY_MAX);
	call_release(&c);
	stop();
}

/* The request as it arrived. */
static int serve_echo(struct loopback *lb, struct loopback_call *call)
{
	char head[4096];

	(void)lb;
	(void)snprintf(head, sizeof(head), "%s%s", call->head, call->body);
	return loopback_answer(call, 200, "", head,
			       strncmp(head, "HEAD", 4) ? strlen(head) : 0);
}

Test(http, the_target_travels_byte_for_byte)
{
	static const char *const paths[] = {
		"/b/a/../c", "/b//a/./c/",	"/%2e%2E/%7e~/a%20b",
		"/a?x=%2F&y", "/a?list-type=2&prefix=a%26b", "/#?#",
		"/a'()*!;,@:$&=+",
	};
	struct call c;

	start(serve_echo);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char line[256];

		get(&c, paths[i]);
		(void)snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n",
			       paths[i]);
		cr_assert(c.r == 0, "%s", c.err.text);
		cr_assert(strncmp(c.body.data, line, strlen(line)) == 0, "%s",
			  c.body.data);
		call_release(&c);
	}
	stop();
}

static void echo(struct call *c, enum http_method method, const char *headers,
		 const char *body, size_t len)
{
	struct http_request rq;

	call_init(c);
	rq = request(c, "/k");
	rq.method = method;
	buf_str(&rq.headers, headers);
	rq.body = body;
	rq.body_len = len;
	run(c, &rq);
	if (c->r == 0)
		buf_char(&c->body, '\0');
}

Test(http, a_request_has_the_headers_that_it_was_given_and_few_others)
{
	char host[64];
	struct call c;

	start(serve_echo);
	(void)snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%d\r\n",
		       server.port);
	echo(&c, HTTP_GET, "x-amz-date: now\nX-Empty: \nrange: bytes=0-1\n",
	     NULL, 0);
	cr_assert(c.r == 0, "%s", c.err.text);
	cr_assert(strstr(c.body.data, host), "%s", c.body.data);
	cr_assert(strstr(c.body.data, "\r\nx-amz-date: now\r\n"));
	cr_assert(strstr(c.body.data, "\r\nX-Empty:\r\n"));
	cr_assert(strstr(c.body.data, "\r\nrange: bytes=0-1\r\n"));
	cr_assert(strstr(c.body.data, "\r\nUser-Agent: datasetfs/"));
	cr_assert(!strstr(c.body.data, "Accept"));
	cr_assert(!strstr(c.body.data, "Expect"));
	cr_assert(!strstr(c.body.data, "Content-"));
	call_release(&c);
	stop();
}

Test(http, each_method_is_sent_with_the_body_it_has)
{
	struct call c;

	start(serve_echo);
	echo(&c, HTTP_PUT, "", NULL, 0);
	cr_assert(strncmp(c.body.data, "PUT /k ", 7) == 0);
	cr_assert(strstr(c.body.data, "\r\nContent-Length: 0\r\n"));
	call_release(&c);

	echo(&c, HTTP_PUT, "content-type: a/b\n", "body", 4);
	cr_assert(strstr(c.body.data, "\r\nContent-Length: 4\r\n"));
	cr_assert(strstr(c.body.data, "\r\ncontent-type: a/b\r\n"));
	cr_assert(strstr(c.body.data, "\r\n\r\nbody"));
	call_release(&c);

	/* Handles are used again: nothing of the put may stay. */
	echo(&c, HTTP_DELETE, "", NULL, 0);
	cr_assert(strncmp(c.body.data, "DELETE /k ", 10) == 0);
	cr_assert(!strstr(c.body.data, "Content-"), "%s", c.body.data);
	call_release(&c);

	echo(&c, HTTP_POST, "", "x", 1);
	cr_assert(strncmp(c.body.data, "POST /k ", 8) == 0);
	cr_assert(!strstr(c.body.data, "form-urlencoded"));
	call_release(&c);

	echo(&c, HTTP_HEAD, "", NULL, 0);
	cr_assert(c.r == 0 && c.status == 200 && c.body_len == 0);
	call_release(&c);

	echo(&c, HTTP_GET, "", NULL, 0);
	cr_assert(strncmp(c.body.data, "GET /k ", 7) == 0);
	cr_assert(!strstr(c.body.data, "Content-"), "%s", c.body.data);
	call_release(&c);
	stop();
}

Test(http, a_request_that_would_be_changed_or_smuggled_is_refused)
{
	static const char *const headers[] = {
		"x: a\rb: c\n",	      "x: a\x01\n",	  "no colon\n",
		": no name\n",	      "host: other\n",	  "Content-Length: 5\n",
		"x y: a\n",	      "x: no end",
		"Transfer-Encoding: chunked\n", "Connection: close\n",
	};
	static const char *const urls[] = {
		"ftp://127.0.0.1/", "http:///x", "http://127.0.0.1",
		"http://u:p@127.0.0.1/", "http://127.0.0.1/a b",
		"http://127.0.0.1/a\nb", "http://127.0.0.1?x", "file:///etc",
		"http://a\\b/",
	};
	struct http_request rq;
	struct call c;

	start(serve_echo);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		echo(&c, HTTP_GET, headers[i], NULL, 0);
		cr_assert(c.r == -EINVAL && c.err.class == ERR_USAGE, "%s: %d",
			  headers[i], c.r);
		call_release(&c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		call_init(&c);
		rq = request(&c, "/");
		buf_clear(&rq.url);
		buf_str(&rq.url, urls[i]);
		run(&c, &rq);
		cr_assert(c.r == -EINVAL && c.err.class == ERR_USAGE, "%s: %d",
			  urls[i], c.r);
		call_release(&c);
	}
	cr_assert(server.requests == 0);
	stop();
}

static void get_from(struct call *c, const char *host, int port)
{
	struct http_request rq;

	call_init(c);
	rq = request(c, "/");
	buf_clear(&rq.url);
	buf_printf(&rq.url, "http://%s:%d/", host, port);
	run(c, &rq);
}

Test(http, nobody_there_is_an_error_that_may_pass)
{
	struct call c;

	start(serve_ok);
	get_from(&c, "127.0.0.1", 1);
	cr_assert(c.r == -ECONNRESET && c.err.class == ERR_RETRY);
	call_release(&c);
	/* Again and again: the handle of the last one is not worth keeping. */
	for (int i = 0; i < 3; i++) {
		get_from(&c, "no-such-host.invalid", 80);
		cr_assert(c.r == -ECONNRESET && c.err.class == ERR_RETRY,
			  "%s", c.err.text);
		cr_assert(strstr(c.err.text, "no-such-host.invalid"), "%s",
			  c.err.text);
		call_release(&c);
	}
	get(&c, "/");
	cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
	call_release(&c);
	stop();
}

Test(http, addresses_are_told_by_how_near_they_are)
{
	static const struct {
		const char *address;
		enum http_reach reach;
	} cases[] = {
		{ "169.254.169.254", HTTP_REACH_LINK },
		{ "169.254.0.1", HTTP_REACH_LINK },
		{ "169.253.1.1", HTTP_REACH_ANY },
		{ "127.0.0.1", HTTP_REACH_MACHINE },
		{ "127.255.0.9", HTTP_REACH_MACHINE },
		{ "0.0.0.0", HTTP_REACH_MACHINE },
		{ "128.0.0.1", HTTP_REACH_ANY },
		{ "10.0.0.1", HTTP_REACH_ANY },
	};
	static const struct {
		const char *address;
		enum http_reach reach;
	} cases6[] = {
		{ "fe80::1", HTTP_REACH_LINK },
		{ "febf::1", HTTP_REACH_LINK },
		{ "fd00:ec2::254", HTTP_REACH_LINK },
		{ "::ffff:169.254.169.254", HTTP_REACH_LINK },
		{ "::ffff:127.0.0.1", HTTP_REACH_MACHINE },
		{ "::ffff:10.0.0.1", HTTP_REACH_ANY },
		{ "::1", HTTP_REACH_MACHINE },
		{ "::", HTTP_REACH_MACHINE },
		{ "2001:db8::1", HTTP_REACH_ANY },
	};
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		inet_pton(AF_INET, cases[i].address, &v4.sin_addr);
		cr_assert(http_address_reach((void *)&v4) == cases[i].reach,
			  "%s", cases[i].address);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases6); i++) {
		inet_pton(AF_INET6, cases6[i].address, &v6.sin6_addr);
		cr_assert(http_address_reach((void *)&v6) == cases6[i].reach,
			  "%s", cases6[i].address);
	}
}

Test(http, a_host_may_lead_as_near_as_it_says_itself)
{
	static const struct {
		const char *authority;
		enum http_reach reach;
	} cases[] = {
		{ "127.0.0.1", HTTP_REACH_LINK },
		{ "10.1.2.3:9000", HTTP_REACH_LINK },
		{ "[::1]:80", HTTP_REACH_LINK },
		{ "[fe80::1]", HTTP_REACH_LINK },
		{ "localhost", HTTP_REACH_MACHINE },
		{ "bucket.LocalHost:9000", HTTP_REACH_MACHINE },
		{ "notlocalhost", HTTP_REACH_ANY },
		{ "localhost.example.com", HTTP_REACH_ANY },
		{ "127.0.0.1.example.com", HTTP_REACH_ANY },
		{ "s3.example.com:443", HTTP_REACH_ANY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert(http_host_reach(cases[i].authority) ==
				  cases[i].reach,
			  "%s", cases[i].authority);
}

Test(http, a_name_that_leads_to_this_machine_is_not_connected)
{
	static const char *const names[] = { "metadata.test", "inside.test" };
	struct call c;

	start(serve_ok);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		get_from(&c, names[i], server.port);
		cr_assert(c.r == -EACCES && c.err.class == ERR_AUTH, "%d %s",
			  c.r, c.err.text);
		cr_assert(strstr(c.err.text, names[i]), "%s", c.err.text);
		cr_assert(strstr(c.err.text, "override_url"), "%s",
			  c.err.text);
		call_release(&c);
	}
	cr_assert(server.connections == 0);
	get_from(&c, "localhost", server.port);
	cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
	call_release(&c);
	stop();
}

static void get_metadata(struct call *c, const char *host)
{
	struct http_request rq;

	call_init(c);
	rq = request(c, "/");
	buf_clear(&rq.url);
	buf_printf(&rq.url, "http://%s:%d/", host, server.port);
	rq.is_metadata = true;
	run(c, &rq);
}

Test(http, a_metadata_request_may_lead_there_and_its_connection_is_its_own)
{
	struct call c;

	start(serve_ok);
	for (unsigned i = 1; i <= 2; i++) {
		get_metadata(&c, "inside.test");
		cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
		cr_assert(server.connections == i);
		call_release(&c);
	}
	/* Data finds no connection that is open already. */
	get_from(&c, "inside.test", server.port);
	cr_assert(c.r == -EACCES, "%d %s", c.r, c.err.text);
	cr_assert(server.connections == 2);
	call_release(&c);
	stop();
}

Test(http, case_36_addresses_that_refuse_give_way_to_the_next)
{
	char proxy_url[64];
	int64_t start_ms;

	/* A name may lead to this machine where a proxy would listen. */
	loopback_start(&server, serve_close);
	(void)snprintf(proxy_url, sizeof(proxy_url), "http://127.0.0.1:%d",
		       server.port);
	setenv("http_proxy", proxy_url, 1);
	setenv("no_proxy", "many.test", 1);
	unsetenv("NO_PROXY");
	start_engine(1);
	for (int i = 0; i < 5; i++) {
		struct call c;

		start_ms = clock_ms();
		get_from(&c, "many.test", server.port);
		cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
		/* 200 ms are libcurl's own, before the second. */
		cr_assert(clock_ms() - start_ms < 1500, "%d ms",
			  (int)(clock_ms() - start_ms));
		call_release(&c);
	}
	stop();
}

/* lock guards the list. */
struct timers {
	struct lock lock;
	struct cond cond;
	int order[8];
	unsigned n;
};
struct timer_arg {
	struct timers *timers;
	int number;
};

static void on_timer(void *arg)
{
	struct timer_arg *t = arg;

	lock_take(&t->timers->lock);
	t->timers->order[t->timers->n++] = t->number;
	cond_signal(&t->timers->cond);
	lock_drop(&t->timers->lock);
}

Test(http, timers_run_in_order_and_not_before_their_time)
{
	static const int delays_ms[] = { 150, 50, 0, 100, -5 };
	struct timers timers = { .lock = LOCK_INIT };
	struct timer_arg args[5];
	int64_t start_ms = clock_ms();

	cond_init(&timers.cond);
	start_engine(1);
	for (int i = 0; i < 5; i++) {
		args[i] = (struct timer_arg){ &timers, delays_ms[i] };
		http_engine_after(engine, start_ms + delays_ms[i], on_timer,
				  &args[i]);
	}
	lock_take(&timers.lock);
	while (timers.n < 5)
		cond_wait(&timers.cond, &timers.lock);
	lock_drop(&timers.lock);
	cr_assert(clock_ms() - start_ms >= 150);
	for (int i = 3; i < 5; i++)
		cr_assert(timers.order[i] > timers.order[i - 1]);

	/* One that is far away runs when the engine ends. */
	http_engine_after(engine, start_ms + 3600000, on_timer, &args[0]);
	http_engine_free(engine);
	cr_assert(timers.n == 6);
}

Test(http, a_ca_file_that_is_missing_is_refused_by_name)
{
	struct http_options opt = { .ca_file = "/nonexistent/ca.pem" };
	struct err err = ERR_INIT;

	cr_assert(http_engine_new(&engine, &opt, &err) < 0);
	cr_assert(err.class == ERR_USAGE && strstr(err.text, opt.ca_file));
}

static atomic_llong clock_ahead_ms;

static int64_t later_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000 +
	       atomic_load(&clock_ahead_ms);
}

static int64_t wall_s(void)
{
	return 1700000000;
}

static void nothing(void *arg)
{
	(void)arg;
}

Test(http, a_quiet_thread_closes_its_connections_and_opens_new_ones)
{
	struct call c;

	clock_fake(later_ms, wall_s);
	start(serve_ok);
	get(&c, "/");
	call_release(&c);
	atomic_store(&clock_ahead_ms, HTTP_QUIET_MS + 1);
	cr_assert(atomic_load(&server.fds[0]) >= 0);
	http_engine_after(engine, 0, nothing, NULL);
	for (int i = 0; i < 500 && atomic_load(&server.fds[0]) >= 0; i++)
		(void)usleep(10000);
	cr_assert(atomic_load(&server.fds[0]) < 0);
	get(&c, "/");
	cr_assert(c.r == 0 && server.connections == 2, "%s", c.err.text);
	call_release(&c);
	stop();
}

/* CONNECT 127.0.0.1:PORT, and bytes in both directions after. */
static int serve_tunnel(struct loopback *lb, struct loopback_call *call)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct pollfd fds[2] = { { .fd = call->fd, .events = POLLIN } };
	char room[4096];
	int port = 0;

	(void)lb;
	if (sscanf(call->head, "CONNECT 127.0.0.1:%d ", &port) != 1)
		return loopback_answer(call, 400, "", "", 0);
	to.sin_port = htons((uint16_t)port);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[1] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM, 0),
				  .events = POLLIN };
	if (connect(fds[1].fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		(void)loopback_answer(call, 502, "", "", 0);
	else
		(void)loopback_send(call, "HTTP/1.1 200 Established\r\n"
					  "Via: tunnel\r\n\r\n");
	while (poll(fds, 2, -1) > 0) {
		int from = fds[0].revents ? 0 : 1;
		ssize_t n = recv(fds[from].fd, room, sizeof(room), 0);

		if (n <= 0 || send(fds[!from].fd, room, (size_t)n,
				   MSG_NOSIGNAL) != n)
			break;
	}
	(void)close(fds[1].fd);
	return LOOPBACK_CLOSE;
}

static struct loopback proxy = { .fd = -1 };

/* The environment names a proxy of ours, for what no_proxy does not name. */
static void start_proxy(const char *no_proxy)
{
	char url[64];

	loopback_start(&proxy, serve_tunnel);
	(void)snprintf(url, sizeof(url), "http://me:s3cret@localhost:%d",
		       proxy.port);
	setenv("http_proxy", url, 1);
	setenv("https_proxy", url, 1);
	unsetenv("NO_PROXY");
	if (no_proxy)
		setenv("no_proxy", no_proxy, 1);
	else
		unsetenv("no_proxy");
}

Test(http, a_proxy_is_a_tunnel_and_its_headers_are_not_the_stores)
{
	struct call c;

	start_proxy(NULL);
	start(serve_echo);
	get(&c, "/a/../b?x=%2F");
	cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
	cr_assert(strncmp(c.body.data, "GET /a/../b?x=%2F HTTP", 22) == 0);
	cr_assert(!strstr(c.headers, "tunnel"), "%s", c.headers);
	cr_assert(strstr(c.headers, "content-length"), "%s", c.headers);
	cr_assert(proxy.requests == 1);
	call_release(&c);
	stop();
	loopback_stop(&proxy);
}

Test(http, a_proxy_on_this_machine_carries_names_from_elsewhere)
{
	struct http_request rq;
	struct call c;

	start_proxy(NULL);
	start(serve_ok);
	get_from(&c, "s3.example.com", 80);
	/* It was asked, and knows no such host. */
	cr_assert(proxy.requests == 1 && c.r < 0 && c.r != -EACCES, "%d %s",
		  c.r, c.err.text);
	cr_assert(!strstr(c.err.text, "s3cret"), "%s", c.err.text);
	call_release(&c);

	call_init(&c);
	rq = request(&c, "/");
	buf_clear(&rq.url);
	buf_str(&rq.url, "https://s3.example.com/");
	run(&c, &rq);
	cr_assert(proxy.requests == 2 && c.r < 0 && c.r != -EACCES, "%d %s",
		  c.r, c.err.text);
	cr_assert(!strstr(c.err.text, "s3cret"), "%s", c.err.text);
	call_release(&c);
	stop();
	loopback_stop(&proxy);
}

Test(http, no_proxy_is_for_whom_it_names_and_opens_no_way_inside)
{
	struct call c;

	start_proxy("127.0.0.1,.test");
	start(serve_ok);
	get(&c, "/");
	cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
	call_release(&c);
	get_from(&c, "inside.test", server.port);
	cr_assert(c.r == -EACCES, "%d %s", c.r, c.err.text);
	call_release(&c);
	cr_assert(proxy.requests == 0);
	stop();
	loopback_stop(&proxy);
}

Test(http, a_metadata_request_passes_no_proxy)
{
	struct call c;

	start_proxy(NULL);
	start(serve_ok);
	get_metadata(&c, "127.0.0.1");
	cr_assert(c.r == 0 && c.status == 200, "%s", c.err.text);
	cr_assert(proxy.requests == 0 && server.requests == 1);
	call_release(&c);
	stop();
	loopback_stop(&proxy);
}

/*
 * TLS: openssl(1) as the server, with a certificate of our own.
 */

static pid_t tls_pid;

static void tls_serve(const char *dir, int port, const char *version)
{
	char accept_arg[32];

	if (chdir(dir) < 0 || !freopen("/dev/null", "w", stdout) ||
	    !freopen("/dev/null", "w", stderr))
		_exit(1);
	(void)snprintf(accept_arg, sizeof(accept_arg), "127.0.0.1:%d", port);
	/* Old versions have only digests that are too weak for the default. */
	execlp("openssl", "openssl", "s_server", "-accept", accept_arg, "-cert",
	       "cert.pem", "-key", "key.pem", "-www", "-cipher",
	       "DEFAULT@SECLEVEL=0", version, NULL);
	_exit(127);
}

/* version: "-tls1_1", or NULL for any. */
static bool tls_start(const char *dir, int port, const char *version)
{
	char command[1024];

	(void)snprintf(command, sizeof(command),
		       "cd %s && openssl req -x509 -newkey rsa:2048 -nodes "
		       "-keyout key.pem -out cert.pem -days 2 -subj /CN=t "
		       "-addext subjectAltName=IP:127.0.0.1 >/dev/null 2>&1",
		       dir);
	if (system(command) != 0)
		return false;
	tls_pid = fork();
	if (tls_pid == 0)
		tls_serve(dir, port, version);
	return tls_pid > 0;
}

static void tls_get(struct call *c, const char *host, int port,
		    const char *ca_file)
{
	struct http_options opt = { .threads = 1, .ca_file = ca_file };
	struct http_request rq;
	struct err err = ERR_INIT;
	int64_t give_up_ms = clock_ms() + 10000;

	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
	do {
		(void)usleep(50000);
		call_init(c);
		rq = request(c, "/");
		rq.grow = NULL;
		buf_clear(&rq.url);
		buf_printf(&rq.url, "https://%s:%d/", host, port);
		run(c, &rq);
	} while (c->r == -ECONNRESET && clock_ms() < give_up_ms);
	http_engine_free(engine);
}

/* A port that was free a moment ago. */
static int free_port(void)
{
	struct loopback lb = { .fd = -1 };

	loopback_start(&lb, serve_ok);
	loopback_stop(&lb);
	return lb.port;
}

/* A server with a certificate of its own, in a folder of its own. */
struct tls {
	char dir[32], ca[64];
	int port;
};

static void tls_begin(struct tls *tls, const char *version)
{
	if (system("openssl version >/dev/null 2>&1") != 0)
		cr_skip_test("no openssl(1)");
	(void)strcpy(tls->dir, "/tmp/http_test.XXXXXX");
	cr_assert(mkdtemp(tls->dir));
	(void)snprintf(tls->ca, sizeof(tls->ca), "%s/cert.pem", tls->dir);
	tls->port = free_port();
	cr_assert(tls_start(tls->dir, tls->port, version));
	unsetenv("AWS_CA_BUNDLE");
	unsetenv("SSL_CERT_FILE");
}

static void tls_end(struct tls *tls)
{
	char command[128];

	(void)kill(tls_pid, SIGTERM);
	(void)waitpid(tls_pid, NULL, 0);
	(void)snprintf(command, sizeof(command), "rm -rf %s", tls->dir);
	cr_expect(system(command) == 0);
}

Test(http, a_certificate_must_be_known_and_be_for_that_host)
{
	struct tls tls;
	struct call c;
	const char *ca = tls.ca;
	int port;

	tls_begin(&tls, NULL);
	port = tls.port;

	tls_get(&c, "127.0.0.1", port, ca);
	cr_expect(c.status == 200, "%d %s", c.r, c.err.text);
	call_release(&c);

	tls_get(&c, "127.0.0.1", port, NULL);
	cr_expect(c.r == -EACCES && c.err.class == ERR_AUTH, "%d %s", c.r,
		  c.err.text);
	cr_expect(strstr(c.err.text, "GET 127.0.0.1:"), "%s", c.err.text);
	cr_expect(strstr(c.err.text, "self-signed") ||
			  strstr(c.err.text, "self signed"),
		  "%s", c.err.text);
	cr_expect(strstr(c.err.text, "ca_file"), "%s", c.err.text);
	call_release(&c);

	/* Its authority is known: another file would not help. */
	tls_get(&c, "localhost", port, ca);
	cr_expect(c.r == -EACCES && c.err.class == ERR_AUTH, "%d %s", c.r,
		  c.err.text);
	cr_expect(strstr(c.err.text, "GET localhost:"), "%s", c.err.text);
	cr_expect(strstr(c.err.text, "localhost'"), "%s", c.err.text);
	cr_expect(!strstr(c.err.text, "ca_file"), "%s", c.err.text);
	call_release(&c);
	tls_end(&tls);
}

Test(http, the_environment_names_authorities_and_the_configuration_goes_first)
{
	static const char *const names[] = { "AWS_CA_BUNDLE", "SSL_CERT_FILE" };
	struct tls tls;
	struct call c;

	tls_begin(&tls, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		setenv(names[i], tls.ca, 1);
		tls_get(&c, "127.0.0.1", tls.port, NULL);
		cr_expect(c.status == 200, "%s: %d %s", names[i], c.r,
			  c.err.text);
		call_release(&c);
		unsetenv(names[i]);
	}
	/* One that is configured stands alone. */
	setenv("SSL_CERT_FILE", tls.ca, 1);
	tls_get(&c, "127.0.0.1", tls.port,
		"/etc/ssl/certs/ca-certificates.crt");
	cr_expect(c.r == -EACCES, "%d %s", c.r, c.err.text);
	call_release(&c);
	tls_end(&tls);
}

Test(http, tls_older_than_1_2_is_refused_at_once)
{
	struct tls tls;
	struct call c;

	tls_begin(&tls, "-tls1_1");
	tls_get(&c, "127.0.0.1", tls.port, tls.ca);
	cr_expect(c.r == -EACCES && c.err.class == ERR_AUTH, "%d %s", c.r,
		  c.err.text);
	cr_expect(strstr(c.err.text, "TLS 1.1"), "%s", c.err.text);
	call_release(&c);
	tls_end(&tls);
}

/* What a plain server says to the first bytes of TLS. */
static void *answer_plainly(void *arg)
{
	static const char reply[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
	int fd = accept(*(int *)arg, NULL, NULL);
	char some[16];

	cr_assert(recv(fd, some, sizeof(some), 0) > 0);
	cr_assert(send(fd, reply, strlen(reply), MSG_NOSIGNAL) > 0);
	(void)recv(fd, some, sizeof(some), 0);
	(void)shutdown(fd, SHUT_WR);
	while (recv(fd, some, sizeof(some), 0) > 0)
		;
	(void)close(fd);
	return NULL;
}

Test(http, who_speaks_no_tls_is_told_so)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);
	struct http_request rq;
	pthread_t thread;
	struct call c;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert(!bind(fd, (void *)&at, len) && !listen(fd, 1) &&
		  !getsockname(fd, (void *)&at, &len));
	cr_assert(!pthread_create(&thread, NULL, answer_plainly, &fd));
	start_engine(1);
	call_init(&c);
	rq = request(&c, "/");
	buf_clear(&rq.url);
	buf_printf(&rq.url, "https://127.0.0.1:%d/", ntohs(at.sin_port));
	run(&c, &rq);
	cr_assert(c.r == -EACCES && c.err.class == ERR_AUTH, "%d %s", c.r,
		  c.err.text);
	cr_assert(strstr(c.err.text, "override_url http://"), "%s", c.err.text);
	call_release(&c);
	http_engine_free(engine);
	pthread_join(thread, NULL);
	(void)close(fd);
}
