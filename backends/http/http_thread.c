/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
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
static void work_done(struct http_thread *t)
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
		work_done(t);
	}
}

/*
 * Requests.
 */

static void finish(struct http_transfer *x, int r, const struct err *err)
{
	struct http_thread *t = x->thread;

	if (r < 0 && !x->is_loser)
		atomic_fetch_add(&t->engine->errors, 1);
	atomic_fetch_sub(&t->engine->in_flight, 1);
	if (http_hedge_settle(x, r))
		x->done(x->arg, r, &x->rs, err);
	http_transfer_free(x);
	work_done(t);
}

static void count_upload(struct http_transfer *x)
{
	curl_off_t sent = 0;

	(void)curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	/* Less than before: curl sends it again on a fresh connection. */
	if ((uint64_t)sent == x->uploaded)
		return;
	if ((uint64_t)sent > x->uploaded)
		atomic_fetch_add(&x->thread->engine->bytes_out,
				 (uint64_t)sent - x->uploaded);
	x->uploaded = (uint64_t)sent;
	x->progress_ms = clock_ms();
}

/*
 * Off the multi, so that curl touches no buffer of the caller's any more.  Only
 * a handle whose transfer succeeded is used again: libcurl 7.88 leaves its
 * buffer in one whose name had no address, reset or not, and then refuses
 * CURLOPT_BUFFERSIZE.  The connections are the multi's.
 */
static void detach(struct http_transfer *x, bool is_reusable)
{
	struct http_thread *t = x->thread;

	count_upload(x);
	(void)curl_multi_remove_handle(t->multi, x->easy);
	*x->link = x->next;
	if (x->next)
		x->next->link = x->link;
	t->n_active--;
	if (t->n_active == 0)
		t->quiet_at_ms = clock_ms() + HTTP_QUIET_MS;
	if (!is_reusable || t->n_spare == HTTP_SPARE_MAX) {
		curl_easy_cleanup(x->easy);
	} else {
		curl_easy_reset(x->easy);
		t->spare[t->n_spare++] = x->easy;
	}
	x->easy = NULL;
}

void http_thread_start(struct http_transfer *x)
{
	struct http_thread *t = x->thread;
	struct err err = ERR_INIT;
	CURL *easy;
	int r;

	easy = t->n_spare ? t->spare[--t->n_spare] : curl_easy_init();
	r = easy ? http_transfer_init(x, easy, &err) : err_nomem(&err);
	if (r == 0 && curl_multi_add_handle(t->multi, easy) != CURLM_OK)
		r = err_nomem(&err);
	if (r < 0) {
		if (easy)
			curl_easy_cleanup(easy);
		finish(x, r, &err);
		return;
	}
	atomic_fetch_add(&t->engine->requests, 1);
	x->next = t->active;
	x->link = &t->active;
	if (x->next)
		x->next->link = &x->next;
	t->active = x;
	t->n_active++;
	t->quiet_at_ms = -1;
	http_hedge_plan(x, x->progress_ms);
}

static int canceled(struct http_transfer *x, struct err *err)
{
	return err_set(err, ERR_RETRY, ECANCELED, "%s%scanceled", x->host,
		       x->host[0] ? ": " : "");
}

/* 0 where it may go on. */
static int check_time(struct http_transfer *x, int64_t now_ms, struct err *err)
{
	const char *colon = x->host[0] ? ": " : "";

	if (now_ms >= x->rq.deadline_ms)
		return err_set(err, ERR_RETRY, ETIMEDOUT,
			       "%s%sno answer before the deadline", x->host,
			       colon);
	if (x->rq.stall_ms && now_ms - x->progress_ms >= x->rq.stall_ms)
		return err_set(err, ERR_RETRY, ETIMEDOUT,
			       "%s%sno byte for %u ms", x->host, colon,
			       x->rq.stall_ms);
	return http_hedge_slow(x, now_ms, err);
}

/* Ends what is late; with is_stopping, all. */
static void scan_active(struct http_thread *t, int64_t now_ms, bool is_stopping)
{
	struct http_transfer *next;
	bool is_any_lost = false;

	for (struct http_transfer *x = t->active; x; x = next) {
		struct err err = ERR_INIT;
		int r;

		next = x->next;
		if (x->rq.body_len)
			count_upload(x);
		r = is_stopping ? canceled(x, &err) :
				  check_time(x, now_ms, &err);
		if (r == 0) {
			is_any_lost |= x->n_sockets <= 0;
			http_hedge_look(x, now_ms);
			continue;
		}
		detach(x, false);
		finish(x, r, &err);
	}
	if (is_any_lost)
		http_watch_nudge(t);
}

static struct http_transfer *take_waiting(struct http_thread *t,
					  struct http_transfer **at)
{
	struct http_transfer *x = *at;

	*at = x->next;
	if (!*at)
		t->waiting_tail = at;
	t->n_waiting--;
	return x;
}

static void scan_waiting(struct http_thread *t, int64_t now_ms,
			 bool is_stopping)
{
	struct http_transfer **at = &t->waiting;

	while (*at) {
		struct err err = ERR_INIT;
		int r = is_stopping ? canceled(*at, &err) : 0;

		if (r == 0 && now_ms >= (*at)->rq.deadline_ms)
			r = err_set(&err, ERR_RETRY, ETIMEDOUT,
				    "the deadline came while %u requests "
				    "waited", t->n_waiting);
		if (r == 0)
			at = &(*at)->next;
		else
			finish(take_waiting(t, at), r, &err);
	}
}

static void admit(struct http_thread *t, struct http_transfer *x)
{
	struct err err = ERR_INIT;
	int r = 0;

	atomic_fetch_add(&t->engine->in_flight, 1);
	if (atomic_load(&t->engine->is_stopping))
		r = canceled(x, &err);
	else if (clock_ms() >= x->rq.deadline_ms)
		r = err_set(&err, ERR_RETRY, ETIMEDOUT,
			    "sent after its deadline");
	else if (t->n_active >= HTTP_ACTIVE_MAX &&
		 t->n_waiting >= HTTP_WAITING_MAX)
		r = err_set(&err, ERR_RETRY, EAGAIN,
			    "%u requests wait already", t->n_waiting);
	if (r < 0) {
		finish(x, r, &err);
		return;
	}
	x->next = NULL;
	*t->waiting_tail = x;
	t->waiting_tail = &x->next;
	t->n_waiting++;
}

static void start_waiting(struct http_thread *t)
{
	while (t->waiting && t->n_active < HTTP_ACTIVE_MAX)
		http_thread_start(take_waiting(t, &t->waiting));
}

static void cancel(struct http_thread *t, uint64_t id)
{
	struct http_transfer **at = &t->waiting;
	struct http_transfer *x;
	struct err err = ERR_INIT;

	while (*at && (*at)->message.id != id)
		at = &(*at)->next;
	if (*at) {
		x = take_waiting(t, at);
		finish(x, canceled(x, &err), &err);
		return;
	}
	/* Of two twins either one: it ends the other. */
	for (x = t->active; x && (x->message.id != id || x->is_loser);
	     x = x->next)
		;
	if (!x)
		return;
	detach(x, false);
	finish(x, canceled(x, &err), &err);
}

static void read_inbox(struct http_thread *t)
{
	struct http_message *next;

	for (struct http_message *m = take_inbox(t); m; m = next) {
		next = m->next;
		switch (m->kind) {
		case HTTP_MESSAGE_REQUEST:
			admit(t, (struct http_transfer *)m);
			break;
		case HTTP_MESSAGE_TIMER:
			http_timer_push(t, (struct http_timer *)m);
			break;
		case HTTP_MESSAGE_CANCEL:
			cancel(t, m->id);
			free(m);
			break;
		}
	}
}

static void collect_finished(struct http_thread *t)
{
	struct CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(t->multi, &left))) {
		struct http_transfer *x = NULL;
		CURLcode code = msg->data.result;	/* detach() ends *msg */
		struct err err = ERR_INIT;
		int r;

		if (msg->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &x))
			continue;
		r = http_transfer_result(x, code, &err);
		detach(x, code == CURLE_OK);
		finish(x, r, &err);
	}
}

/*
 * The loop.
 */

static void scan(struct http_thread *t)
{
	bool is_stopping = atomic_load(&t->engine->is_stopping);
	int64_t now_ms = clock_ms();

	if (!is_stopping && now_ms < t->scan_at_ms)
		return;
	t->scan_at_ms = now_ms + HTTP_SCAN_MS;
	scan_active(t, now_ms, is_stopping);
	scan_waiting(t, now_ms, is_stopping);
}

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
		collect_finished(t);
		scan(t);
		run_timers(t);
		read_inbox(t);
		start_waiting(t);
		close_idle(t);
	}
	current_thread = NULL;
	return NULL;
}
