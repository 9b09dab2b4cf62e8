/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Freshness.  A lookup that meets a catalog older than CATALOG_FRESH_MS starts
 * one look at the store (however many lookups come) and waits for it, at most
 * CATALOG_WAIT_MS where an older catalog is known; then the older one is
 * served and counts as stale.  So another node's publication is seen within
 * ten seconds, a bucket that nobody uses costs no request, and a store that is
 * away delays nobody for long.
 */
#include <config.h>

#include <errno.h>

#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "fs/dataset/registry/buckets_impl.h"

#define LOG "catalog"

/* Takes the waiters that are due: all, or those past their deadline. */
static struct catalog_waiter *waiters_take(struct bucket *b, bool all,
					   int64_t now) REQUIRES(&b->lock)
{
	struct catalog_waiter **link = &b->waiters;
	struct catalog_waiter *taken = NULL, **tail = &taken;

	while (*link) {
		struct catalog_waiter *w = *link;

		if (!all && w->deadline_ms > now) {
			link = &w->next;
			continue;
		}
		*link = w->next;
		w->next = NULL;
		*tail = w;
		tail = &w->next;
		b->n_waiters--;
	}
	return taken;
}

static void waiters_answer(struct catalog_waiter *w, int r,
			   struct catalog *catalog, const struct err *err)
{
	while (w) {
		struct catalog_waiter *next = w->next;

		w->done(w->arg, r, catalog, err);
		free(w);
		w = next;
	}
}

/* The answer of the moment: what is known, or why nothing is. */
static int bucket_known(struct bucket *b, struct catalog **catalog,
			struct err *err) REQUIRES(&b->lock)
{
	if (b->catalog) {
		*catalog = catalog_get(b->catalog);
		return 0;
	}
	*catalog = NULL;
	return err_set(err, ERR_RETRY, EIO, "bucket %s: no catalog yet: %s",
		       b->name,
		       b->look_problem[0] ? b->look_problem :
					    "the store has not answered");
}

static void bucket_answer(struct bucket *b, bool all)
{
	struct err err = ERR_INIT;
	struct catalog *catalog;
	struct catalog_waiter *taken;
	int r;

	lock_take(&b->lock);
	taken = waiters_take(b, all, clock_ms());
	r = bucket_known(b, &catalog, &err);
	lock_drop(&b->lock);

	waiters_answer(taken, r, catalog, &err);
	if (catalog)
		catalog_put(catalog);
}

static void bucket_note_look(struct bucket *b, int r, struct catalog *fresh,
			     const struct err *err)
{
	bool was_bad, is_bad = r < 0, has_known;
	struct catalog *old = NULL;

	lock_take(&b->lock);
	b->tried_ms = clock_ms();
	b->look_started_ms = 0;
	was_bad = b->look_problem[0] != '\0';
	if (r == 0) {
		old = b->catalog;
		b->catalog = fresh;
		b->confirmed_ms = b->tried_ms;
		b->look_problem[0] = '\0';
	} else {
		snprintf(b->look_problem, sizeof(b->look_problem), "%s",
			 err->text);
	}
	has_known = b->catalog != NULL;
	lock_drop(&b->lock);

	if (old)
		catalog_put(old);
	/* A command that gets nothing tells the error itself. */
	if (is_bad && !was_bad && (has_known || !b->owner->sync_only))
		log_warn(LOG, "catalog cannot be read, %s: bucket=%s error=\"%s\"",
			 has_known ? "the last one known is served" :
				     "and none is known",
			 b->name, err->text);
	else if (was_bad && !is_bad)
		log_info(LOG, "catalog is current again: bucket=%s",
			 b->name);
}

static int bucket_look(struct bucket *b, struct err *err)
{
	struct catalog *fresh = NULL;
	int r;

	r = catalog_store_load(b->store, &fresh,
			       clock_ms() + CATALOG_TIMEOUT_MS, err);
	if (r < 0)
		err_wrap(err, "catalog of bucket %s", b->name);
	bucket_note_look(b, r, fresh, err);
	return r;
}

static void bucket_look_job(void *arg)
{
	struct bucket *b = arg;
	struct err err = ERR_INIT;

	if (bucket_look(b, &err) < 0)
		log_debug(LOG, "look failed: bucket=%s", b->name);
	bucket_answer(b, true);
}

static bool bucket_is_fresh(const struct bucket *b, int64_t now)
{
	if (b->confirmed_ms && now - b->confirmed_ms < CATALOG_FRESH_MS)
		return true;
	/* A look that just failed is not repeated at once. */
	return b->tried_ms && now - b->tried_ms < CATALOG_FRESH_MS &&
	       b->look_problem[0];
}

/*
 * Queues a waiter, and a look unless one is under way.  Returns false when the
 * caller is to be answered at once with what is known.
 */
static bool bucket_park(struct bucket *b, bucket_catalog_fn done, void *arg,
			int64_t now, bool *start) REQUIRES(&b->lock)
{
	struct catalog_waiter *w;
	int64_t wait = b->catalog ? CATALOG_WAIT_MS :
				    CATALOG_TIMEOUT_MS + BACKEND_GRACE_MS;

	*start = false;
	if (bucket_is_fresh(b, now))
		return false;
	if (b->catalog && b->look_started_ms &&
	    now - b->look_started_ms > CATALOG_WAIT_MS)
		return false;
	if (b->n_waiters >= BUCKETS_CATALOG_WAITERS_MAX)
		return false;
	w = calloc(1, sizeof(*w));
	if (!w)
		return false;
	w->done = done;
	w->arg = arg;
	w->deadline_ms = now + wait;
	w->next = b->waiters;
	b->waiters = w;
	b->n_waiters++;
	if (!b->look_started_ms) {
		b->look_started_ms = now;
		*start = true;
	}
	return true;
}

/* Whether its catalog may be asked for at all. */
static int bucket_check(const struct bucket *b, struct err *err)
{
	if (b->problem)
		return err_set(err, ERR_AUTH, EACCES,
			       "bucket %s cannot be used: %s", b->name,
			       b->problem);
	return bucket_is_gone(b) ? bucket_gone(b, err) : 0;
}

void bucket_catalog(struct bucket *b, bucket_catalog_fn done, void *arg)
{
	struct buckets *bs = b->owner;
	struct err err = ERR_INIT;
	struct catalog *catalog = NULL;
	bool parked, start = false;
	int r = 0;

	r = bucket_check(b, &err);
	if (r < 0) {
		done(arg, r, NULL, &err);
		return;
	}

	lock_take(&b->lock);
	parked = bucket_park(b, done, arg, clock_ms(), &start);
	if (!parked)
		r = bucket_known(b, &catalog, &err);
	lock_drop(&b->lock);

	if (!parked) {
		done(arg, r, catalog, &err);
		if (catalog)
			catalog_put(catalog);
		return;
	}
	if (start && pool_submit(bs->catalog_pool, bucket_look_job, b,
				 &err) < 0) {
		bucket_note_look(b, -err.code, NULL, &err);
		bucket_answer(b, true);
		return;
	}
	lock_take(&bs->timer_lock);
	bs->timer_kicked = true;
	cond_signal(&bs->timer_cond);
	lock_drop(&bs->timer_lock);
}

/* Confirms or looks; without the store the last known one, with a warning. */
int bucket_catalog_sync(struct bucket *b, struct catalog **out,
			struct err *err)
{
	int r;

	r = bucket_check(b, err);
	if (r < 0)
		return r;
	lock_take(&b->lock);
	if (b->catalog && bucket_is_fresh(b, clock_ms())) {
		*out = catalog_get(b->catalog);
		lock_drop(&b->lock);
		return 0;
	}
	lock_drop(&b->lock);

	r = bucket_look(b, err);
	lock_take(&b->lock);
	if (b->catalog) {
		*out = catalog_get(b->catalog);
		lock_drop(&b->lock);
		err_clear(err);
		return 0;
	}
	lock_drop(&b->lock);
	return r;
}

int64_t bucket_catalog_age_ms(struct bucket *b)
{
	int64_t age = -1;

	lock_take(&b->lock);
	if (b->confirmed_ms)
		age = clock_ms() - b->confirmed_ms;
	lock_drop(&b->lock);
	return age;
}

void bucket_catalog_problem(struct bucket *b, char *out, size_t size)
{
	lock_take(&b->lock);
	snprintf(out, size, "%s", b->look_problem);
	lock_drop(&b->lock);
}

static int64_t bucket_next_deadline(struct bucket *b)
{
	int64_t next = INT64_MAX;

	lock_take(&b->lock);
	for (const struct catalog_waiter *w = b->waiters; w; w = w->next)
		if (w->deadline_ms < next)
			next = w->deadline_ms;
	lock_drop(&b->lock);
	return next;
}

static void *timer_main(void *arg)
{
	struct buckets *bs = arg;

	lock_take(&bs->timer_lock);
	while (!bs->stopping) {
		int64_t next = INT64_MAX;

		bs->timer_kicked = false;
		lock_drop(&bs->timer_lock);
		for (size_t i = 0; i < buckets_count(bs); i++) {
			int64_t at;

			bucket_answer(bs->all[i], false);
			at = bucket_next_deadline(bs->all[i]);
			if (at < next)
				next = at;
		}
		lock_take(&bs->timer_lock);
		if (!bs->stopping && !bs->timer_kicked)
			(void)cond_wait_until(&bs->timer_cond, &bs->timer_lock,
					      next);
	}
	lock_drop(&bs->timer_lock);
	return NULL;
}

/* What was known before the restart is served until a look succeeds. */
void bucket_load_local(struct bucket *b)
{
	struct err err = ERR_INIT;
	struct catalog *local = NULL;

	if (!b->store)
		return;
	if (catalog_store_load_local(b->store, &local, &err) == 0)
		b->catalog = local;
	else if (err.class != ERR_MISSING)
		log_warn(LOG, "local copy of the catalog is left aside: bucket=%s error=\"%s\"",
			 b->name, err.text);
}

int buckets_catalog_start(struct buckets *bs, struct err *err)
{
	int r;

	if (bs->sync_only)
		return 0;
	r = pool_new(&bs->catalog_pool, "catalog", BUCKETS_CATALOG_THREADS,
		     BUCKETS_QUEUE_MAX, err);
	if (r < 0)
		return r;
	r = pthread_create(&bs->timer, NULL, timer_main, bs);
	if (r)
		return err_errno(err, r, "start the catalog timer");
	bs->has_timer = true;
	return 0;
}

void buckets_catalog_stop(struct buckets *bs)
{
	lock_take(&bs->timer_lock);
	bs->stopping = true;
	cond_broadcast(&bs->timer_cond);
	lock_drop(&bs->timer_lock);
	if (bs->has_timer)
		pthread_join(bs->timer, NULL);
	if (bs->catalog_pool)
		pool_free(bs->catalog_pool);
	for (size_t i = 0; i < bs->n_all; i++)
		bucket_answer(bs->all[i], true);
}
