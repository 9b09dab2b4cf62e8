/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store for tests of what lies above backends: objects with computed bytes,
 * answered on a thread of its own, where a test says what goes wrong.
 */
#ifndef DATASETFS_TESTS_FAKE_STORE_H
#define DATASETFS_TESTS_FAKE_STORE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backends/backend_impl.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"

struct fake_store {
	struct backend backend;
	struct lock lock;
	struct cond wake;
	pthread_t thread;
	struct backend_op *head, *tail;
	bool stopping;

	/* What a test sets; read under the lock. */
	bool is_held;		/* nothing is answered */
	int fail_r;		/* of the next fail_count requests */
	unsigned fail_count;
	enum err_class fail_class;	/* ERR_NONE: ERR_MISSING */
	unsigned seed;		/* of the content */
	char etag[64];
	long damage_at;		/* this byte comes flipped; -1: none */
	unsigned delay_us;	/* before an answer, at most; 0: none */
	unsigned change_after;	/* so many answers all objects are others */

	/* What a test looks at. */
	atomic_uint gets;
	atomic_ullong bytes;
	atomic_uint in_flight, in_flight_max;
};

static inline uint8_t fake_byte(unsigned seed, uint64_t at)
{
	uint64_t n = (at + seed * 0x10001u) * 0x9e3779b97f4a7c15u;

	return (uint8_t)(n >> 56 ^ n >> 24);
}

/* Other content under another validator. */
static inline void fake_change(struct fake_store *s)
{
	s->seed += 5;
	snprintf(s->etag, sizeof(s->etag), "v%u", s->seed);
}

static inline int fake_answer(struct fake_store *s, struct backend_op *op)
{
	uint8_t *dst = op->dst;

	if (op->if_match && strcmp(op->if_match, s->etag) != 0)
		return err_set(&op->err, ERR_CONFLICT, ESTALE, "changed");
	for (size_t i = 0; i < op->len; i++)
		dst[i] = fake_byte(s->seed, op->offset + i);
	if (s->damage_at >= 0 && (uint64_t)s->damage_at >= op->offset &&
	    (uint64_t)s->damage_at < op->offset + op->len)
		dst[(uint64_t)s->damage_at - op->offset] ^= 1;
	snprintf(op->info.etag, sizeof(op->info.etag), "%s", s->etag);
	op->info.size = op->expect_size;
	atomic_fetch_add(&s->bytes, op->len);
	if (s->change_after && --s->change_after == 0)
		fake_change(s);
	return 0;
}

static inline struct backend_op *fake_next(struct fake_store *s)
	REQUIRES(&s->lock)
{
	struct backend_op **at = &s->head;

	while (*at && s->is_held && !(*at)->run &&
	       (*at)->deadline_ms > clock_ms())
		at = &(*at)->next;
	if (*at) {
		struct backend_op *op = *at;

		*at = op->next;
		s->tail = NULL;
		for (struct backend_op *o = s->head; o; o = o->next)
			s->tail = o;
		return op;
	}
	return NULL;
}

static inline void *fake_run(void *arg)
{
	struct fake_store *s = arg;

	lock_take(&s->lock);
	while (!s->stopping || s->head) {
		struct backend_op *op = fake_next(s);
		unsigned delay;
		int r = 0;

		if (!op) {
			(void)cond_wait_until(&s->wake, &s->lock,
					      clock_ms() + 5);
			continue;
		}
		if (op->run) {
			lock_drop(&s->lock);
			op->run(op);
			lock_take(&s->lock);
			continue;
		}
		if (s->is_held)
			r = err_set(&op->err, ERR_RETRY, ETIMEDOUT, "stalled");
		else if (s->fail_count && s->fail_count--)
			r = err_set(&op->err, s->fail_class ? s->fail_class :
							      ERR_MISSING,
				    -s->fail_r, "told so");
		if (r == 0)
			r = fake_answer(s, op);
		delay = s->delay_us ? (unsigned)rand() % s->delay_us : 0;
		lock_drop(&s->lock);
		if (delay)
			usleep(delay);
		atomic_fetch_sub(&s->in_flight, 1);
		backend_op_end(op, r);
		lock_take(&s->lock);
	}
	lock_drop(&s->lock);
	return NULL;
}

static inline void fake_queue(struct fake_store *s, struct backend_op *op)
{
	lock_take(&s->lock);
	op->next = NULL;
	if (s->tail)
		s->tail->next = op;
	else
		s->head = op;
	s->tail = op;
	cond_signal(&s->wake);
	lock_drop(&s->lock);
}

static inline void fake_get(struct backend_op *op)
{
	struct fake_store *s = (struct fake_store *)op->backend;
	unsigned n;

	atomic_fetch_add(&s->gets, 1);
	n = atomic_fetch_add(&s->in_flight, 1) + 1;
	if (n > atomic_load(&s->in_flight_max))
		atomic_store(&s->in_flight_max, n);
	op->run = NULL;
	fake_queue(s, op);
}

static inline void fake_later(struct backend_op *op,
			      void (*fn)(struct backend_op *op))
{
	op->run = fn;
	fake_queue((struct fake_store *)op->backend, op);
}

static inline void fake_release(struct backend *b)
{
	(void)b;	/* the test owns it */
}

static const struct backend_ops fake_ops = {
	.start = { [BACKEND_OP_GET] = fake_get },
	.later = fake_later,
	.release = fake_release,
};

/* In place: fetchers hold references, the test frees last. */
static inline struct fake_store *fake_store_new(void)
{
	struct fake_store *s = calloc(1, sizeof(*s));
	struct backend_spec spec = { .location = NULL };
	struct uri uri;
	struct err err = ERR_INIT;

	if (!s || uri_parse_location(&uri, "file:///fake", &err) < 0)
		abort();
	spec.location = &uri;
	if (backend_init(&s->backend, &fake_ops, &spec, &err) < 0)
		abort();
	uri_release(&uri);
	lock_init(&s->lock);
	cond_init(&s->wake);
	s->damage_at = -1;
	strcpy(s->etag, "v1");
	if (pthread_create(&s->thread, NULL, fake_run, s))
		abort();
	return s;
}

static inline void fake_store_hold(struct fake_store *s, bool is_held)
{
	lock_take(&s->lock);
	s->is_held = is_held;
	cond_signal(&s->wake);
	lock_drop(&s->lock);
}

static inline void fake_store_free(struct fake_store *s)
{
	fake_store_hold(s, false);
	lock_take(&s->lock);
	s->stopping = true;
	cond_signal(&s->wake);
	lock_drop(&s->lock);
	pthread_join(s->thread, NULL);
	cond_release(&s->wake);
	lock_release(&s->lock);
	backend_put_ref(&s->backend);	/* the last one: frees it */
}

#endif
