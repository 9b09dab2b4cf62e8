/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread that hashes parts.  Nobody waits for one part, only for the
 * verdict on all of them, so that they can wait for one another and be hashed
 * side by side.
 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include "backends/base/clock.h"

/* As many as the memory has room for. */
static int batch_of(const struct fetcher *f)
{
	uint64_t n = f->memory / FETCH_BATCH_SHARE / BLOB_PART;

	return n < 1 ? 1 : n < MD5_LANES ? (int)n : MD5_LANES;
}

struct batch {
	struct fetch *fetches;
	int n;			/* jobs of all of them */
};

static bool is_due(struct fetcher *f) REQUIRES(&f->lock)
{
	return f->hash_head &&
	       (f->n_hash_jobs >= batch_of(f) || f->stopping ||
		clock_ms() >= f->hash_at_ms);
}

static struct batch take(struct fetcher *f) REQUIRES(&f->lock)
{
	struct batch batch = { .n = 0 };
	struct fetch **at = &f->hash_head;

	batch.fetches = f->hash_head;
	while (*at && batch.n + (*at)->n_jobs <= MD5_LANES) {
		batch.n += (*at)->n_jobs;
		at = &(*at)->hash_next;
	}
	f->hash_head = *at;
	if (!f->hash_head)
		f->hash_tail = &f->hash_head;
	*at = NULL;
	f->n_hash_jobs -= batch.n;
	return batch;
}

static void lane_of(struct md5_lane *lane, struct iovec *iov,
		    const struct part_job *job)
{
	for (int i = 0; i < job->n; i++) {
		iov[i].iov_base = (void *)(uintptr_t)job->pins[i]->data;
		iov[i].iov_len = job->pins[i]->len;
	}
	*lane = (struct md5_lane){ .iov = iov, .n = job->n };
}

static void hash(struct fetcher *f, const struct batch *batch)
{
	struct iovec iov[MD5_LANES][FETCH_PINS_MAX];
	struct md5_lane lanes[MD5_LANES];
	struct fetch *fetch, *next;
	int n = 0;

	for (fetch = batch->fetches; fetch; fetch = fetch->hash_next)
		for (int i = 0; i < fetch->n_jobs; i++, n++)
			lane_of(&lanes[n], iov[n], &fetch->jobs[i]);
	md5_lanes(lanes, n);
	n = 0;
	for (fetch = batch->fetches; fetch; fetch = next) {
		next = fetch->hash_next;
		parts_judge(f, fetch, &lanes[n]);
		n += fetch->n_jobs;
		fetch_end_hashing(f, fetch);
	}
}

static void *hash_run(void *arg)
{
	struct fetcher *f = arg;

	lock_take(&f->lock);
	while (!f->is_hashing_over) {
		struct batch batch;

		if (!is_due(f)) {
			(void)cond_wait_until(&f->hash_wake, &f->lock,
					      f->hash_head ? f->hash_at_ms :
							     INT64_MAX);
			continue;
		}
		batch = take(f);
		lock_drop(&f->lock);
		hash(f, &batch);
		lock_take(&f->lock);
	}
	lock_drop(&f->lock);
	return NULL;
}

void fetch_hash(struct fetcher *f, struct fetch *fetch)
{
	int64_t now = clock_ms();

	lock_take(&f->lock);
	if (!f->hash_head)
		f->hash_at_ms = now + FETCH_BATCH_MS;
	if (parts_are_all_here(fetch->state))
		f->hash_at_ms = now;
	fetch->hash_next = NULL;
	*f->hash_tail = fetch;
	f->hash_tail = &fetch->hash_next;
	f->n_hash_jobs += fetch->n_jobs;
	cond_signal(&f->hash_wake);
	fetch_uncount(f, fetch);
	lock_drop(&f->lock);
	fetch_pump(f);
}

int fetch_hash_init(struct fetcher *f, struct err *err)
{
	int r;

	f->hash_tail = &f->hash_head;
	r = pthread_create(&f->hasher, NULL, hash_run, f);
	if (r)
		return err_errno(err, r, "thread for digests");
	f->has_hasher = true;
	return 0;
}

void fetch_hash_stop(struct fetcher *f)
{
	if (!f->has_hasher)
		return;
	lock_take(&f->lock);
	f->is_hashing_over = true;
	cond_signal(&f->hash_wake);
	lock_drop(&f->lock);
	pthread_join(f->hasher, NULL);
}
