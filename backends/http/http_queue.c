/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's requests: those that wait, those at work, and how they end.
 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <errno.h>
#include "backends/base/clock.h"

static void finish(struct http_transfer *x, int r, const struct err *err)
{
	struct http_thread *t = x->thread;

	if (r < 0 && !x->is_loser)
		atomic_fetch_add(&t->engine->errors, 1);
	atomic_fetch_sub(&t->engine->in_flight, 1);
	if (http_hedge_settle(x, r))
		x->done(x->arg, r, &x->rs, err);
	http_transfer_free(x);
	http_thread_work_done(t);
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

void http_queue_begin(struct http_transfer *x)
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

void http_queue_admit(struct http_thread *t, struct http_transfer *x)
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

void http_queue_start(struct http_thread *t)
{
	while (t->waiting && t->n_active < HTTP_ACTIVE_MAX)
		http_queue_begin(take_waiting(t, &t->waiting));
}

void http_queue_cancel(struct http_thread *t, uint64_t id)
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

void http_queue_collect(struct http_thread *t)
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

void http_queue_scan(struct http_thread *t)
{
	bool is_stopping = atomic_load(&t->engine->is_stopping);
	int64_t now_ms = clock_ms();

	if (!is_stopping && now_ms < t->scan_at_ms)
		return;
	t->scan_at_ms = now_ms + HTTP_SCAN_MS;
	scan_active(t, now_ms, is_stopping);
	scan_waiting(t, now_ms, is_stopping);
}
