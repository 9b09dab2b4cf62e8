/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of waiters: by argument, for cancelling, and a heap by deadline
 * with the thread that answers who waited too long.
 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "backends/base/clock.h"

static struct fetch_waiter **bucket_of(struct fetcher *f, const void *arg)
{
	uintptr_t n = (uintptr_t)arg >> 4;

	return &f->by_arg[(n ^ n >> 14) & (FETCH_BUCKETS - 1)];
}

static void heap_set(struct fetcher *f, size_t at, struct fetch_waiter *w)
{
	f->heap[at] = w;
	w->heap_at = at;
}

static void heap_up(struct fetcher *f, size_t at)
{
	struct fetch_waiter *w = f->heap[at];

	while (at > 0) {
		size_t up = (at - 1) / 2;

		if (f->heap[up]->deadline_ms <= w->deadline_ms)
			break;
		heap_set(f, at, f->heap[up]);
		at = up;
	}
	heap_set(f, at, w);
}

static void heap_down(struct fetcher *f, size_t at)
{
	struct fetch_waiter *w = f->heap[at];

	for (;;) {
		size_t down = 2 * at + 1;

		if (down >= f->n_heap)
			break;
		if (down + 1 < f->n_heap &&
		    f->heap[down + 1]->deadline_ms < f->heap[down]->deadline_ms)
			down++;
		if (f->heap[down]->deadline_ms >= w->deadline_ms)
			break;
		heap_set(f, at, f->heap[down]);
		at = down;
	}
	heap_set(f, at, w);
}

static bool heap_grow(struct fetcher *f)
{
	size_t cap = f->heap_cap ? 2 * f->heap_cap : 256;
	struct fetch_waiter **heap;

	if (f->n_heap < f->heap_cap)
		return true;
	heap = reallocarray(f->heap, cap, sizeof(struct fetch_waiter *));
	if (!heap)
		return false;
	f->heap = heap;
	f->heap_cap = cap;
	return true;
}

bool waiter_add(struct fetcher *f, struct fetch_waiter *w)
{
	struct fetch_waiter **at = bucket_of(f, w->arg);

	if (!heap_grow(f))
		return false;
	w->arg_next = *at;
	*at = w;
	heap_set(f, f->n_heap, w);
	f->n_heap++;
	heap_up(f, w->heap_at);
	if (w->heap_at == 0)
		cond_signal(&f->timer_wake);
	return true;
}

void waiter_remove(struct fetcher *f, struct fetch_waiter *w)
{
	struct fetch_waiter **at = bucket_of(f, w->arg);
	struct fetch_waiter *last = f->heap[--f->n_heap];

	while (*at != w)
		at = &(*at)->arg_next;
	*at = w->arg_next;
	if (last != w) {
		size_t hole = w->heap_at;

		heap_set(f, hole, last);
		heap_down(f, hole);
		heap_up(f, last->heap_at);
	}
	waiter_unpark(w);
}

struct fetch_waiter *waiter_find(struct fetcher *f, const void *arg)
{
	struct fetch_waiter *w = *bucket_of(f, arg);

	while (w && w->arg != arg)
		w = w->arg_next;
	return w;
}

void waiter_park(struct fetch_waiter *w, struct fetch *fetch)
{
	w->fetch = fetch;
	w->next = NULL;
	w->prev = fetch->waiters_tail;
	if (w->prev)
		w->prev->next = w;
	else
		fetch->waiters = w;
	fetch->waiters_tail = w;
}

void waiter_unpark(struct fetch_waiter *w)
{
	if (!w->fetch)
		return;
	if (w->prev)
		w->prev->next = w->next;
	else
		w->fetch->waiters = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		w->fetch->waiters_tail = w->prev;
	w->fetch = NULL;
	w->prev = w->next = NULL;
}

void waiter_leave(struct fetcher *f, struct fetch_waiter *w)
{
	struct fetch *fetch = w->fetch;

	waiter_unpark(w);
	if (fetch && fetch->is_queued && !fetch->waiters)
		fetch_abandon(f, fetch);
}

/* The first one whose time is up, out of the tables; NULL: none. */
static struct fetch_waiter *take_late(struct fetcher *f, int64_t now)
	REQUIRES(&f->lock)
{
	struct fetch_waiter *w = f->n_heap ? f->heap[0] : NULL;

	if (!w || w->deadline_ms > now)
		return NULL;
	waiter_leave(f, w);
	waiter_remove(f, w);
	state_put(f, w->state);
	return w;
}

static void *timer_run(void *arg)
{
	struct fetcher *f = arg;

	lock_take(&f->lock);
	while (!f->stopping) {
		struct fetch_waiter *w = take_late(f, clock_ms());

		if (w) {
			struct err err = ERR_INIT;

			lock_drop(&f->lock);
			err_set(&err, ERR_RETRY, ETIMEDOUT,
				"the store did not answer in time");
			waiter_fail(w, -ETIMEDOUT, &err);
			lock_take(&f->lock);
			continue;
		}
		(void)cond_wait_until(&f->timer_wake, &f->lock,
				      f->n_heap ? f->heap[0]->deadline_ms :
						  INT64_MAX);
	}
	lock_drop(&f->lock);
	return NULL;
}

int fetch_wait_init(struct fetcher *f, struct err *err)
{
	int r;

	f->by_arg = calloc(FETCH_BUCKETS, sizeof(struct fetch_waiter *));
	if (!f->by_arg)
		return err_nomem(err);
	r = pthread_create(&f->timer, NULL, timer_run, f);
	if (r)
		return err_errno(err, r, "thread for deadlines");
	f->has_timer = true;
	return 0;
}

void fetch_wait_stop(struct fetcher *f)
{
	if (f->has_timer) {
		lock_take(&f->lock);
		cond_signal(&f->timer_wake);
		lock_drop(&f->lock);
		pthread_join(f->timer, NULL);
	}
	free(f->by_arg);
	free(f->heap);
}
