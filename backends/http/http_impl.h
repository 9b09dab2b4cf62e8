/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the engine.  Requests, cancellations and timers reach a thread as
 * messages in its inbox; everything else of a thread is touched by itself
 * alone.  Private to http/: http.c (the engine, any thread), http_thread.c
 * (the loop of one thread), http_queue.c (its requests), http_timer.c,
 * http_watch.c (sockets and epoll), http_transfer.c (one request on a curl
 * handle), http_address.c (where it may go), http_reply.c (what the server
 * sends), http_result.c (how it ended), http_hedge.c (one read asked twice),
 * exchange.c (only the counters).
 */
#ifndef DATASETFS_HTTP_HTTP_IMPL_H
#define DATASETFS_HTTP_HTTP_IMPL_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include "backends/base/lock.h"
#include "backends/http/endpoint.h"
#include "backends/http/http.h"

/* Deadlines and stalls are looked at so often while anything is under way. */
#define HTTP_SCAN_MS 50
/* A thread without requests for so long closes its connections. */
#define HTTP_QUIET_MS 15000
#define HTTP_SPARE_MAX 32
#define HTTP_BUFFER_BYTES (128 << 10)
/* For small reads: free() gives larger ones back to the kernel each time. */
#define HTTP_SMALL_BUFFER_BYTES (32 << 10)
/* A handle's, for reads from here on: 15 % less CPU for each, and 8 MiB for
   the 64 of them that may be under way; 512 KiB would be 24. */
#define HTTP_LARGE_BYTES (1 << 20)
#define HTTP_LARGE_BUFFER_BYTES (256 << 10)
#define HTTP_ERROR_TEXT_MAX 256
#define HTTP_HOST_SIZE 256	/* of host:port, with NUL */
/* Reads up to here may be asked twice: so much is a hedge's own buffer. */
#define HTTP_HEDGE_BYTES_MAX (1 << 20)
#define HTTP_HEDGES_MAX 16		/* a thread's at once */
/* The loser's connection is kept where it has no more than this to say. */
#define HTTP_DRAIN_BYTES_MAX (256 << 10)
#define HTTP_DRAIN_MS 2000
/* A longer read is ended where what is left would take so many times as long
   as all of it should, and that is worth a new connection. */
#define HTTP_SLOW_FACTOR 4
#define HTTP_SLOW_MS_MIN 1000
#define HTTP_PROXIES_MAX 5	/* variables that name one */

enum http_message_kind {
	HTTP_MESSAGE_REQUEST,
	HTTP_MESSAGE_CANCEL,
	HTTP_MESSAGE_TIMER,
};

struct http_message {
	struct http_message *next;
	enum http_message_kind kind;
	uint64_t id;		/* request or cancel */
};

struct http_timer {
	struct http_message message;
	int64_t at_ms;
	void (*fn)(void *arg);
	void *arg;
};

/* Why we ended it ourselves, where curl only knows that we did. */
enum http_cut {
	HTTP_CUT_NONE,
	HTTP_CUT_BODY,		/* longer than its buffer */
	HTTP_CUT_HEADERS,
	HTTP_CUT_FRAMING,	/* two that contradict each other */
	HTTP_CUT_ERROR_BODY,	/* enough of it: not a failure */
	HTTP_CUT_MEMORY,
	HTTP_CUT_ADDRESS,
};

/* How near an address is; a request may go so near and no nearer. */
enum http_reach {
	HTTP_REACH_ANY,
	HTTP_REACH_MACHINE,	/* loopback */
	HTTP_REACH_LINK,	/* link-local: the metadata services */
};

/* One request; in the inbox, then waiting, then active. */
struct http_transfer {
	struct http_message message;
	struct http_thread *thread;
	struct http_request rq;
	struct http_response rs;
	http_done_fn done;
	void *arg;

	struct http_transfer *next;	/* of waiting or active */
	struct http_transfer **link;	/* active: what points here */

	/* http_hedge.c */
	int64_t started_ms;
	int64_t hedge_at_ms;	/* -1: never, or not any more */
	struct http_transfer *twin;	/* that asks for the same */
	void *scratch;		/* a hedge's rq.dst */
	void *copy_to;		/* ... and the caller's */
	bool is_loser;		/* the twin has answered: to be dropped */

	CURL *easy;
	struct curl_slist *headers;
	int64_t progress_ms;
	uint64_t uploaded;
	size_t header_bytes;
	bool is_head_done;	/* the final status and its headers are in */
	bool is_chunked, has_length;
	int n_sockets;		/* that libcurl has us watch for it */
	enum http_reach reach;
	enum http_cut cut;
	char host[HTTP_HOST_SIZE];	/* host:port, for messages */
	char curl_text[CURL_ERROR_SIZE];
};

/* lock guards inbox and inbox_tail; load counts what was not yet done. */
struct http_thread {
	struct http_engine *engine;
	unsigned index;
	pthread_t thread;
	bool is_started;
	struct lock lock;
	struct http_message *inbox;
	struct http_message **inbox_tail;
	atomic_uint load;
	int epoll_fd;
	int event_fd;

	CURLM *multi;
	uint32_t *watched;	/* by descriptor: its epoll events, or 0 */
	size_t watched_cap;
	CURLSH *share;		/* TLS sessions of this thread's handles */
	int64_t curl_at_ms;	/* when curl wants to be called; -1: never */
	int64_t scan_at_ms;
	int64_t quiet_at_ms;	/* -1: nothing to close */
	struct http_transfer *active;
	unsigned n_active;
	unsigned n_hedges;
	struct http_transfer *waiting;
	struct http_transfer **waiting_tail;
	unsigned n_waiting;
	struct http_timer **timers;	/* a heap, the earliest first */
	size_t n_timers;
	size_t timers_cap;
	CURL *spare[HTTP_SPARE_MAX];
	unsigned n_spare;
};

/* tokens_lock guards tokens and tokens_ms. */
struct http_engine {
	struct http_thread *threads;
	unsigned n_threads;
	char *ca_file;		/* NULL: curl's own */
	char *user_agent;
	unsigned proxy_ports[HTTP_PROXIES_MAX];	/* of those on loopback, or 0 */
	atomic_bool is_stopping;	/* all that is asked is canceled */
	atomic_bool is_ending;	/* threads end when nothing is pending */
	atomic_uint pending;	/* requests and timers, all threads */
	atomic_uint in_flight;	/* requests */
	atomic_ullong next_id;
	atomic_ullong requests, bytes_in, bytes_out, errors, retries;

	/* held_lock guards n_holders and who becomes one. */
	struct lock held_lock;
	struct cond held_cond;
	unsigned n_holders;

	struct endpoints endpoints;
	struct lock tokens_lock;
	double tokens;
	int64_t tokens_ms;	/* when they were last topped up */
};

/* NULL where the caller is not one of the engine's threads. */
struct http_thread *http_thread_current(const struct http_engine *engine);
int http_thread_init(struct http_thread *t, struct http_engine *engine,
		     unsigned index, struct err *err) MUST_CHECK;
void http_thread_release(struct http_thread *t);
void *http_thread_run(void *arg);
void http_thread_post(struct http_thread *t, struct http_message *message);
void http_thread_wake(struct http_thread *t);
/* One piece of work is over, its callback included. */
void http_thread_work_done(struct http_thread *t);

/* A new request: it waits, or ends at once. */
void http_queue_admit(struct http_thread *t, struct http_transfer *x);
void http_queue_cancel(struct http_thread *t, uint64_t id);
/* Begins what waits, as far as there is room. */
void http_queue_start(struct http_thread *t);
/* Puts it to work; what it counts for has been counted. */
void http_queue_begin(struct http_transfer *x);
/* Ends what curl has ended. */
void http_queue_collect(struct http_thread *t);
/* Ends what is late, when it is time to look; all, when the engine stops. */
void http_queue_scan(struct http_thread *t);

/*
 * Hedges: all of them the same thread's as what they are beside.
 */
/* It is put to work. */
void http_hedge_plan(struct http_transfer *x, int64_t now_ms);
/* A look at an active one, whose plan is due: it may get a twin. */
void http_hedge_look(struct http_transfer *x, int64_t now_ms);
/* Whether an active one is so slow that its connection must be to blame. */
int http_hedge_slow(struct http_transfer *x, int64_t now_ms, struct err *err);
/* It ended with r.  False where that is nobody's answer. */
bool http_hedge_settle(struct http_transfer *x, int r);

void http_timer_push(struct http_thread *t, struct http_timer *timer);
/* The earliest; there must be one. */
struct http_timer *http_timer_pop(struct http_thread *t);

/* A CURLMOPT_SOCKETFUNCTION; arg is the thread. */
int http_watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		      void *unused);
/* A new socket of this thread's. */
void http_watch_opened(struct http_thread *t, int fd);
/* For transfers that wait for nothing. */
void http_watch_nudge(struct http_thread *t);

/* Sets up t->easy; the transfer can be added to a multi after 0. */
int http_transfer_init(struct http_transfer *t, CURL *easy, struct err *err)
	MUST_CHECK;
/* curl's verdict and our own in the terms of http_done_fn. */
int http_transfer_result(struct http_transfer *t, CURLcode code,
			 struct err *err);
/* What belongs to an attempt: headers and body counts; wipes. */
void http_transfer_free(struct http_transfer *t);

struct sockaddr;
enum http_reach http_address_reach(const struct sockaddr *sa);
/*
 * How near a data request to that host may go: an address was written by
 * whoever configured it, and localhost means what it says.
 */
enum http_reach http_host_reach(const char *authority);
/* The ports of the environment's proxies on this machine: these are allowed. */
void http_proxy_ports(unsigned ports[HTTP_PROXIES_MAX]);
/* Asked of each address that is really connected to. */
bool http_address_is_allowed(const struct http_transfer *t,
			     const struct sockaddr *sa);

size_t http_reply_header(char *data, size_t size, size_t n, void *arg);
size_t http_reply_body(char *data, size_t size, size_t n, void *arg);

/* calloc() that ends the process: there is nobody to tell. */
void *http_alloc(size_t size);

#endif
