/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "backends/base/clock.h"

#define EVENTS_MAX 64
#define IDLE_WAIT_MS 60000

static __thread struct http_thread *current_thread;

struct http_thread *http_thread_current(const struct http_engine *engine)
{
	struct http_thread *t = current_thread;

	return t && t->engine == engine ? t : NULL;
}

void http_thread_wake(struct http_thread *t)
{
	uint64_t one = 1;

	/* Fails only where the counter is full, and then it is awake. */
	if (write(t->event_fd, &one, sizeof(one)) < 0)
		return;
}

void http_thread_post(struct http_thread *t, struct http_message *message)
{
	bool was_empty;

	message->next = NULL;
	lock_take(&t->lock);
	was_empty = !t->inbox;
	*t->inbox_tail = message;
	t->inbox_tail = &message->next;
	lock_drop(&t->lock);
	if (was_empty && current_thread != t)
		http_thread_wake(t);
}

static struct http_message *take_inbox(struct http_thread *t)
{
	struct http_message *all;

	lock_take(&t->lock);
	all = t->inbox;
	t->inbox = NULL;
	t->inbox_tail = &t->inbox;
	lock_drop(&t->lock);
	return all;
}

/* One piece of work is over, its callback included. */
void http_thread_work_done(struct http_thread *t)
{
	struct http_engine *engine = t->engine;

	atomic_fetch_sub(&t->load, 1);
	if (atomic_fetch_sub(&engine->pending, 1) != 1 ||
	    !atomic_load(&engine->is_ending))
		return;
	for (unsigned i = 0; i < engine->n_threads; i++)
		http_thread_wake(&engine->threads[i]);
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_thread *t = arg;

	(void)multi;
	t->curl_at_ms = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
	return 0;
}

static CURLM *new_multi(struct http_thread *t)
{
	CURLM *multi = curl_multi_init();

	if (!multi)
		return NULL;
	if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
			      http_watch_socket) ||
	    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, t) ||
	    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) ||
	    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, t) ||
	    curl_multi_setopt(multi, CURLMOPT_PIPELINING,
			      (long)CURLPIPE_NOTHING) ||
	    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
			      (long)HTTP_ACTIVE_MAX)) {
		(void)curl_multi_cleanup(multi);
		return NULL;
	}
	return multi;
}

int http_thread_init(struct http_thread *t, struct http_engine *engine,
		     unsigned index, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN };

	t->engine = engine;
	t->index = index;
	lock_init(&t->lock);
	t->inbox_tail = &t->inbox;
	t->waiting_tail = &t->waiting;
	t->curl_at_ms = -1;
	t->quiet_at_ms = -1;
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event.data.fd = t->event_fd;
	if (t->epoll_fd < 0 || t->event_fd < 0 ||
	    epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, t->event_fd, &event) < 0) {
		int code = errno;

		http_thread_release(t);
		return err_errno(err, code, "http: epoll");
	}
	t->multi = new_multi(t);
	t->share = curl_share_init();
	if (!t->multi || !t->share ||
	    curl_share_setopt(t->share, CURLSHOPT_SHARE,
			      CURL_LOCK_DATA_SSL_SESSION)) {
		http_thread_release(t);
		return err_nomem(err);
	}
	return 0;
}

void http_thread_release(struct http_thread *t)
{
	struct http_message *next;

	/* Only cancellations that came too late. */
	for (struct http_message *m = take_inbox(t); m; m = next) {
		next = m->next;
		free(m);
	}
	while (t->n_spare)
		curl_easy_cleanup(t->spare[--t->n_spare]);
	if (t->multi)
		(void)curl_multi_cleanup(t->multi);
	if (t->share)
		(void)curl_share_cleanup(t->share);
	if (t->epoll_fd >= 0)
		(void)close(t->epoll_fd);
	if (t->event_fd >= 0)
		(void)close(t->event_fd);
	free(t->timers);
	free(t->watched);
	lock_release(&t->lock);
}

/*
 * Timers.
 */

/* Those that are due now; what they start themselves waits a turn. */
static void run_timers(struct http_thread *t)
{
	int64_t now_ms = clock_ms();
	bool is_stopping = atomic_load(&t->engine->is_stopping);

	while (t->n_timers &&
	       (is_stopping || t->timers[0]->at_ms <= now_ms)) {
		struct http_timer *timer = http_timer_pop(t);

		timer->fn(timer->arg);
		free(timer);
		http_thread_work_done(t);
	}
}

static void read_inbox(struct http_thread *t)
{
	struct http_message *next;

	for (struct http_message *m = take_inbox(t); m; m = next) {
		next = m->next;
		switch (m->kind) {
		case HTTP_MESSAGE_REQUEST:
			http_queue_admit(t, (struct http_transfer *)m);
			break;
		case HTTP_MESSAGE_TIMER:
			http_timer_push(t, (struct http_timer *)m);
			break;
		case HTTP_MESSAGE_CANCEL:
			http_queue_cancel(t, m->id);
			free(m);
			break;
		}
	}
}

/*
 * The loop.
 */

/*
 * curl looks at idle connections only when it needs one, so a thread that has
 * nothing to do would keep sockets that the server closed long ago.
 */
static void close_idle(struct http_thread *t)
{
	CURLM *fresh;

	if (t->quiet_at_ms < 0 || clock_ms() < t->quiet_at_ms)
		return;
	t->quiet_at_ms = -1;
	fresh = new_multi(t);
	if (!fresh)
		return;
	(void)curl_multi_cleanup(t->multi);
	t->multi = fresh;
	t->curl_at_ms = -1;
}

static int wait_ms(struct http_thread *t)
{
	int64_t now_ms = clock_ms();
	int64_t at_ms = now_ms + IDLE_WAIT_MS;
	bool is_empty;

	lock_take(&t->lock);
	is_empty = !t->inbox;
	lock_drop(&t->lock);
	if (!is_empty)
		return 0;
	if (t->curl_at_ms >= 0 && t->curl_at_ms < at_ms)
		at_ms = t->curl_at_ms;
	if (t->n_timers && t->timers[0]->at_ms < at_ms)
		at_ms = t->timers[0]->at_ms;
	if ((t->active || t->waiting) && t->scan_at_ms < at_ms)
		at_ms = t->scan_at_ms;
	if (t->quiet_at_ms >= 0 && t->quiet_at_ms < at_ms)
		at_ms = t->quiet_at_ms;
	return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}

static void drive_socket(struct http_thread *t, const struct epoll_event *e)
{
	uint64_t count;
	int mask = 0;
	int running;

	if (e->data.fd == t->event_fd) {
		/* EAGAIN: somebody else's wake-up was read with an earlier. */
		if (read(t->event_fd, &count, sizeof(count)) < 0)
			return;
		return;
	}
	if (e->events & EPOLLIN)
		mask |= CURL_CSELECT_IN;
	if (e->events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (e->events & (EPOLLERR | EPOLLHUP))
		mask |= CURL_CSELECT_ERR;
	(void)curl_multi_socket_action(t->multi, e->data.fd, mask, &running);
}

static void drive_curl(struct http_thread *t)
{
	struct epoll_event events[EVENTS_MAX];
	int n = epoll_wait(t->epoll_fd, events, EVENTS_MAX, wait_ms(t));
	int running;

	for (int i = 0; i < n; i++)
		drive_socket(t, &events[i]);
	if (t->curl_at_ms >= 0 && t->curl_at_ms <= clock_ms()) {
		t->curl_at_ms = -1;
		(void)curl_multi_socket_action(t->multi, CURL_SOCKET_TIMEOUT,
					       0, &running);
	}
}

void *http_thread_run(void *arg)
{
	struct http_thread *t = arg;
	struct http_engine *engine = t->engine;

	current_thread = t;
	while (!atomic_load(&engine->is_ending) ||
	       atomic_load(&engine->pending)) {
		drive_curl(t);
		http_queue_collect(t);
		http_queue_scan(t);
		run_timers(t);
		read_inbox(t);
		http_queue_start(t);
		close_idle(t);
	}
	current_thread = NULL;
	return NULL;
}
