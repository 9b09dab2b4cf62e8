/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange over the wire; the only user of libcurl.  The engine runs a
 * few I/O threads, each with one curl multi driven by socket_action and epoll
 * and woken by an eventfd; handles and connections never cross threads.
 * HTTP/1.1 only, no redirects, no cookies, no netrc, CAPATH off, paths as
 * they are, connections closed after a short idle age.
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
#define HTTP_HEADER_BYTES_MAX (64 << 10)
#define HTTP_ERROR_BODY_MAX (64 << 10)
#define HTTP_CONNECT_MS 3000

int http_engine_new(struct http_engine **out, const struct http_options *opt,
		    struct err *err) MUST_CHECK;
/* Ends every exchange with -ECANCELED, joins the threads. */
void http_engine_free(struct http_engine *engine);

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE };

struct http_request {
	enum http_method method;
	struct buf url;		/* scheme://host[:port] + exact target bytes */
	struct buf headers;	/* "name: value\n" lines */
	const void *body;	/* borrowed until done */
	size_t body_len;

	/*
	 * Where a 2xx body goes: dst for exactly-sized ranges (a longer body
	 * is an error, not an overflow), or grow up to grow_limit.  Other
	 * statuses' bodies go to response->error_body.
	 */
	void *dst;
	size_t dst_len;
	struct buf *grow;
	size_t grow_limit;

	int64_t deadline_ms;	/* clock_ms(): the whole exchange */
	unsigned stall_ms;	/* no byte for so long: -ETIMEDOUT */
};
void http_request_release(struct http_request *rq);

struct http_response {
	int status;		/* 0 where the exchange broke before one */
	size_t body_len;	/* bytes delivered to dst or grow */
	struct buf headers;	/* "name: value\n" lines, names lower-case */
	struct buf error_body;	/* of statuses >= 300, cut at the limit */
	bool reused;		/* on a kept connection, before any byte */
};
/* The first header of that lower-case name; false when absent. */
bool http_response_header(const struct http_response *rs, const char *name,
			  char *value, size_t size);

/*
 * r: 0 when a whole response arrived (whatever its status), else -errno:
 * -ETIMEDOUT, -ECONNRESET, -EBADMSG (body too long, bad framing), -EACCES
 * (TLS refused), -ECANCELED; err says which host and why.  Runs on an I/O
 * thread and must not block.  rq and rs are the engine's until it returns.
 */
typedef void (*http_done_fn)(void *arg, int r, struct http_response *rs,
			     const struct err *err);
/* Takes over the content of *rq.  Never calls done from inside. */
void http_submit(struct http_engine *engine, struct http_request *rq,
		 http_done_fn done, void *arg);

/* Runs fn(arg) on an I/O thread at that time or soon after; for back-off. */
void http_engine_after(struct http_engine *engine, int64_t at_ms,
		       void (*fn)(void *arg), void *arg);

/* Totals since start, for status. */
struct http_stats {
	uint64_t requests, bytes_in, bytes_out, errors, retries;
	unsigned in_flight;
};
void http_engine_stats(struct http_engine *engine, struct http_stats *out);

#endif
