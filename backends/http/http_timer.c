/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's timers: a binary heap, the earliest first.
 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <stdlib.h>
#include <string.h>

static bool is_earlier(const struct http_thread *t, size_t a, size_t b)
{
	return t->timers[a]->at_ms < t->timers[b]->at_ms;
}

static void swap_timers(struct http_thread *t, size_t a, size_t b)
{
	struct http_timer *timer = t->timers[a];

	t->timers[a] = t->timers[b];
	t->timers[b] = timer;
}

void http_timer_push(struct http_thread *t, struct http_timer *timer)
{
	size_t i = t->n_timers;

	if (t->n_timers == t->timers_cap) {
		size_t cap = t->timers_cap ? t->timers_cap * 2 : 64;
		struct http_timer **heap = http_alloc(cap * sizeof(*heap));

		if (t->n_timers)
			memcpy(heap, t->timers, t->n_timers * sizeof(*heap));
		free(t->timers);
		t->timers = heap;
		t->timers_cap = cap;
	}
	t->timers[t->n_timers++] = timer;
	for (; i > 0 && is_earlier(t, i, (i - 1) / 2); i = (i - 1) / 2)
		swap_timers(t, i, (i - 1) / 2);
}

struct http_timer *http_timer_pop(struct http_thread *t)
{
	struct http_timer *first = t->timers[0];
	size_t i = 0;

	t->timers[0] = t->timers[--t->n_timers];
	for (;;) {
		size_t least = i;

		for (size_t c = 2 * i + 1; c <= 2 * i + 2; c++)
			if (c < t->n_timers && is_earlier(t, c, least))
				least = c;
		if (least == i)
			return first;
		swap_timers(t, i, least);
		i = least;
	}
}
