/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange over the wire; the only user of libcurl.  The engine runs a
 * few I/O threads, each with one curl multi driven by socket_action and epoll
 * and woken by an eventfd; handles and connections never cross threads.
 * HTTP/1.1 only, no redirects, no cookies, no netrc, CAPATH off, paths as
 * they are, connections closed after a short idle age.  http_proxy,
 * https_proxy and no_proxy are honoured, always by a tunnel (CONNECT).
 *
 * No retries here: see exchange.h.
 */
#ifndef DATASETFS_HTTP_HTTP_H
#define DATASETFS_HTTP_HTTP_H

#include <stdint.h>
#include "backends/base/buf.h"

struct http_engine;

struct http_options {
	unsigned threads;	/* 0: HTTP_THREADS_DEFAULT */
	const char *ca_file;	/* NULL: AWS_CA_BUNDLE, SSL_CERT_FILE, system */
	const char *user_agent;
};
#define HTTP_THREADS_DEFAULT 2
#define HTTP_IDLE_AGE_S 4		/* S3 closes idle ones after 5 s */
#define HTTP_LIFETIME_S 300
#define HTTP_NAME_AGE_S 10		/* a name's addresses, shuffled */
#define HTTP_HEADER_BYTES_MAX (64 << 10)
#define HTTP_ERROR_BODY_MAX (64 << 10)
#define HTTP_CONNECT_MS 3000
/* A thread's: transfers at work, and requests that wait behind them. */
#define HTTP_ACTIVE_MAX 128
#define HTTP_WAITING_MAX 4096

/*
 * Whether a ca_file can be read and holds certificates in PEM form, all of
 * them whole.  ERR_CORRUPT -EBADMSG, -EFBIG; ERR_MISSING, ERR_SYSTEM.
 */
#define HTTP_CA_BYTES_MAX ((size_t)8 << 20)	/* all of Mozilla's: 230 kB */
int http_ca_file_check(const char *path, struct err *err) MUST_CHECK;

int http_engine_new(struct http_engine **out, const struct http_options *opt,
		    struct err *err) MUST_CHECK;
/*
 * Ends every exchange with -ECANCELED and runs what http_engine_after() still
 * holds at once; what is submitted from now on ends the same way.  So whoever
 * waits for a store can be joined.  Does not wait.
 */
void http_engine_stop(struct http_engine *engine);
/* The same, waits for who holds it, and joins the threads.  Not from one of
   them. */
void http_engine_free(struct http_engine *engine);

/*
 * For a thread that is not the owner's and outlives what started it: the
 * engine is not freed before it lets go.  False where it is stopping already.
 */
bool http_engine_hold(struct http_engine *engine) MUST_CHECK;
void http_engine_let_go(struct http_engine *engine);
bool http_engine_is_stopping(const struct http_engine *engine);

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE };
/* As it is sent and signed: "GET". */
const char *http_method_name(enum http_method method);

/* What the steps of one request took; -1 where it did not come so far. */
struct http_timing {
	int64_t resolve_us;	/* of the proxy's name, where there is one */
	int64_t connect_us;
	int64_t tls_us;		/* -1 over plain HTTP too */
	int64_t answer_us;	/* to the first byte, from the connection on */
	bool is_tls_failed;	/* it ended between connection and answer */
};

struct http_request {
	enum http_method method;
	struct buf url;		/* scheme://host[:port] + exact target bytes */
	struct buf headers;	/* "name: value\n" lines */
	const void *body;	/* borrowed until done */
	size_t body_len;

	/*
	 * Where a 2xx body goes: dst for exactly-sized ranges (a longer body
	 * is an error, not an overflow), or grow up to grow_limit, which must
	 * be framed by a length or chunks: one that ends with its connection
	 * may have been cut.  Without either a small body is dropped.  Other
	 * statuses' bodies go to response->error_body.
	 */
	void *dst;
	size_t dst_len;
	struct buf *grow;
	size_t grow_limit;

	int64_t deadline_ms;	/* clock_ms(): the whole exchange */
	unsigned stall_ms;	/* no byte for so long: -ETIMEDOUT; 0: never */
	/*
	 * To a token or metadata service: without a proxy, on a connection of
	 * its own, and to a loopback or link-local address whatever the name.
	 */
	bool is_metadata;
	/*
	 * NULL, or filled before done: on a connection of its own, whatever
	 * comes of it.
	 */
	struct http_timing *timing;

	/* The exchange's own. */
	bool is_fresh;		/* a new connection, the name looked up anew */
	struct endpoint *endpoint;
	unsigned patience_ms;	/* how long it should take; 0: unknown */
};
/* Wipes headers and URL, which carry signatures and tokens. */
void http_request_release(struct http_request *rq);

struct http_response {
	int status;		/* 0 where the exchange broke before one */
	size_t body_len;	/* bytes delivered to dst or grow */
	struct buf headers;	/* "name: value\n" lines, names lower-case;
				   none with control bytes */
	struct buf error_body;	/* of statuses >= 300, cut at the limit */
	bool reused;		/* on a kept connection, before any byte */
	bool was_slow;		/* ended as slower than others of its kind */
};
/* The first header of that lower-case name; false when absent. */
bool http_response_header(const struct http_response *rs, const char *name,
			  char *value, size_t size);

/*
 * r: 0 when a whole response arrived (whatever its status), else -errno:
 * -ETIMEDOUT, -ECONNRESET (also no such host, a body that was cut, and one
 * with both a length and chunks; all these ERR_RETRY), -EBADMSG (ERR_CORRUPT: body too long, bad framing),
 * -EACCES (ERR_AUTH: TLS refused, or a name that leads to a link-local or
 * loopback address: localhost may, and a proxy), -EAGAIN (ERR_RETRY: HTTP_WAITING_MAX wait already), -EINVAL
 * (ERR_USAGE: a request that cannot be sent as it is), -ENOMEM, -ECANCELED;
 * err says which host and why.  Runs on an I/O thread and must not block.
 * rq and rs are the engine's until it returns.
 */
typedef void (*http_done_fn)(void *arg, int r, struct http_response *rs,
			     const struct err *err);
/*
 * Takes over the content of *rq.  Never calls done from inside.  The number
 * is for http_cancel() and never given twice.
 */
uint64_t http_submit(struct http_engine *engine, struct http_request *rq,
		     http_done_fn done, void *arg);

/*
 * Ends it soon with -ECANCELED, if it has not ended: done() is called in any
 * case, and only then are the buffers the caller's again.
 */
void http_cancel(struct http_engine *engine, uint64_t id);

/* Runs fn(arg) on an I/O thread at that time or soon after; for back-off. */
void http_engine_after(struct http_engine *engine, int64_t at_ms,
		       void (*fn)(void *arg), void *arg);

/* Totals since start, for status. */
struct http_stats {
	uint64_t requests, bytes_in, bytes_out, errors, retries;
	unsigned in_flight;
};
void http_engine_stats(struct http_engine *engine, struct http_stats *out);

/*
 * What was asked of one endpoint (endpoint.h): only exchanges count, and keep
 * its limit.
 */
#define HTTP_ENDPOINTS_MAX 256		/* the rest is counted as "others" */
#define HTTP_ENDPOINT_NAME_MAX 268	/* "https://host:port", with NUL */
struct http_endpoint_stats {
	char name[HTTP_ENDPOINT_NAME_MAX];
	unsigned limit;		/* of in_flight, at this time */
	unsigned in_flight, waiting;
	uint64_t requests;
	uint64_t throttled;	/* how many answers said: too much */
	uint64_t hedged;	/* asked twice: http_hedge.c */
	uint64_t hedges_won;
	uint64_t replaced;	/* ended for being slow, and asked again */
};
/* Fills out, at most max of them (HTTP_ENDPOINTS_MAX + 1 are all); how many. */
size_t http_engine_endpoints(struct http_engine *engine,
			     struct http_endpoint_stats *out, size_t max);

#endif
