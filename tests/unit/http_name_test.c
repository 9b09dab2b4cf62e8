/* SPDX-License-Identifier: Apache-2.0 */
/* A store whose name moves to another address while connections are kept. */
#include <config.h>
#include "backends/http/exchange.h"

#include <criterion/criterion.h>
#include <netdb.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "tests/loopback.h"

#define NAME "store.test"

static struct http_engine *engine;
static struct loopback first, second;
static const char *_Atomic address;
static const char *moves_to;	/* when an attempt has failed */
static atomic_uint n_lookups;

/* libcurl's, too. */
int getaddrinfo(const char *name, const char *service,
		const struct addrinfo *hints, struct addrinfo **out)
{
	struct sockaddr_in *in = calloc(1, sizeof(*in));
	struct addrinfo *info = calloc(1, sizeof(*info));

	(void)hints;
	cr_assert(strcmp(name, NAME) == 0, "%s", name);
	atomic_fetch_add(&n_lookups, 1);
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)(service ? atoi(service) : 0));
	inet_pton(AF_INET, address, &in->sin_addr);
	info->ai_family = AF_INET;
	info->ai_socktype = SOCK_STREAM;
	info->ai_protocol = IPPROTO_TCP;
	info->ai_addrlen = sizeof(*in);
	info->ai_addr = (struct sockaddr *)in;
	*out = info;
	return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
	free(info->ai_addr);
	free(info);
}

/* lock guards the result. */
struct call {
	struct lock lock;
	struct cond cond;
	bool is_done;
	unsigned n_prepared;
	int r;
	struct err err;
};

static int prepare(void *ctx, unsigned attempt, struct http_request *rq,
		   struct err *err)
{
	struct call *c = ctx;

	(void)err;
	if (attempt && moves_to)
		address = moves_to;
	c->n_prepared++;
	buf_printf(&rq->url, "http://" NAME ":%d/", first.port);
	return 0;
}

static enum exchange_verdict judge(void *ctx, int r, struct http_response *rs,
				   int *out, struct err *err)
{
	(void)ctx;
	(void)out;
	(void)err;
	return r == 0 && rs->status == 200 ? EXCHANGE_DONE : EXCHANGE_RETRY;
}

static void done(void *ctx, int r, const struct err *err)
{
	struct call *c = ctx;

	lock_take(&c->lock);
	c->is_done = true;
	c->r = r;
	if (r < 0)
		err_copy(&c->err, err);
	cond_signal(&c->cond);
	lock_drop(&c->lock);
}

static unsigned ask(void)
{
	static const struct exchange_ops ops = { prepare, judge, done };
	struct call c = { .is_done = false };

	lock_init(&c.lock);
	cond_init(&c.cond);
	exchange_start(engine, &ops, &c, clock_ms() + 9000);
	lock_take(&c.lock);
	while (!c.is_done)
		cond_wait(&c.cond, &c.lock);
	lock_drop(&c.lock);
	cr_assert(c.r == 0, "%s", c.err.text);
	return c.n_prepared;
}

static int serve(struct loopback *lb, struct loopback_call *call)
{
	(void)lb;
	return loopback_answer(call, 200, "", "", 0);
}

static void start(void)
{
	struct http_options opt = { .threads = 1 };
	struct err err = ERR_INIT;
	char proxy[64];

	loopback_start_at(&first, serve, "127.0.0.2", 0);
	/* A name may lead to this machine where a proxy would listen. */
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", first.port);
	setenv("http_proxy", proxy, 1);
	setenv("no_proxy", NAME, 1);
	unsetenv("NO_PROXY");
	cr_assert(http_engine_new(&engine, &opt, &err) == 0, "%s", err.text);
}

TestSuite(http_name, .init = start);

Test(http_name, a_connection_is_kept_while_it_works_and_then_the_new_one_is_found)
{
	address = "127.0.0.2";
	cr_assert(ask() == 1);
	loopback_start_at(&second, serve, "127.0.0.1", first.port);
	address = "127.0.0.1";
	cr_assert(ask() == 1);
	cr_assert(first.connections == 1 && first.requests == 2);
	cr_assert(second.connections == 0 && n_lookups == 1);

	loopback_stop(&first);
	(void)ask();
	cr_assert(second.requests == 1, "%u", second.requests);
	http_engine_free(engine);
	loopback_stop(&second);
}

/* Its address is kept for HTTP_NAME_AGE_S, but not for who was refused there. */
Test(http_name, an_address_that_refuses_is_looked_up_anew)
{
	unsigned n;

	address = "127.0.0.3";
	moves_to = "127.0.0.1";
	loopback_start_at(&second, serve, "127.0.0.1", first.port);
	n = ask();
	cr_assert(n == 2 && n_lookups == 2, "%u %u", n, n_lookups);
	cr_assert(second.requests == 1 && first.connections == 0);
	http_engine_free(engine);
	loopback_stop(&first);
	loopback_stop(&second);
}
