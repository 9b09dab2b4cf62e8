/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/registry/manifest_source.h"

#include <errno.h>

#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/base/lock.h"

/* One range under way or arrived; its buffer belongs to the reader. */
struct slice {
	struct lock lock;	/* guards is_done, r, info and err */
	struct cond cond;
	bool is_started;
	bool is_done;
	int r;
	struct object_info info;
	struct err err;
	char *bytes;
	size_t len;
};

static void slice_done(void *arg, int r, const struct object_info *info,
		       const struct err *err)
{
	struct slice *s = arg;

	lock_take(&s->lock);
	s->r = r;
	if (r == 0)
		s->info = *info;
	else
		err_copy(&s->err, err);
	s->is_done = true;
	cond_signal(&s->cond);
	lock_drop(&s->lock);
}

static void slice_start(struct slice *s, struct backend *b, const char *key,
			uint64_t offset, size_t len,
			const struct object_info *whole)
{
	const struct backend_get get = {
		.key = key,
		.offset = offset,
		.len = len,
		.dst = s->bytes,
		.if_match = *object_validator(whole) ? object_validator(whole) :
						       NULL,
		.expect_size = whole->size,
		.deadline_ms = clock_ms() + MANIFEST_RANGE_TIMEOUT_MS,
	};

	s->is_started = true;
	s->is_done = false;
	s->len = len;
	backend_get(b, &get, slice_done, s);
}

static int slice_wait(struct slice *s, struct err *err)
{
	int r;

	lock_take(&s->lock);
	while (!s->is_done)
		cond_wait(&s->cond, &s->lock);
	r = s->r;
	if (r < 0)
		err_copy(err, &s->err);
	lock_drop(&s->lock);
	s->is_started = false;
	return r;
}

static void slice_release(struct slice *s)
{
	struct err ignored = ERR_INIT;

	if (s->is_started && slice_wait(s, &ignored) < 0)
		err_clear(&ignored);
	free(s->bytes);
	cond_release(&s->cond);
	lock_release(&s->lock);
}

static size_t range_at(uint64_t offset, uint64_t size)
{
	return size - offset < MANIFEST_RANGE ? (size_t)(size - offset) :
						MANIFEST_RANGE;
}

static int read_ranges(struct slice slices[2], struct backend *b,
		       const char *key, const struct object_info *whole,
		       manifest_bytes_fn each, void *arg,
		       _Atomic uint64_t *done_bytes, struct err *err)
{
	uint64_t offset = 0, next = range_at(0, whole->size);
	unsigned i = 0;
	int r;

	slice_start(&slices[0], b, key, 0, (size_t)next, whole);
	while (offset < whole->size) {
		struct slice *now = &slices[i];

		if (next < whole->size) {
			size_t len = range_at(next, whole->size);

			slice_start(&slices[!i], b, key, next, len, whole);
			next += len;
		}
		r = slice_wait(now, err);
		if (r < 0)
			return r;
		r = each(arg, now->bytes, now->len, err);
		if (r)
			return r;
		offset += now->len;
		if (done_bytes)
			*done_bytes = offset;
		i = !i;
	}
	return 0;
}

int manifest_source_read(struct backend *b, const char *key,
			 manifest_bytes_fn each, void *arg,
			 _Atomic uint64_t *done_bytes,
			 _Atomic uint64_t *all_bytes, struct err *err)
{
	struct slice slices[2] = { { .bytes = NULL } };
	struct object_info whole;
	int r;

	r = backend_sync_head(b, key, &whole,
			      clock_ms() + MANIFEST_RANGE_TIMEOUT_MS, err);
	if (r < 0)
		return r;
	if (whole.size > MANIFEST_BYTES_MAX)
		return err_set(err, ERR_CORRUPT, EFBIG,
			       "%s: %llu bytes, limit %llu", key,
			       (unsigned long long)whole.size,
			       (unsigned long long)MANIFEST_BYTES_MAX);
	if (all_bytes)
		*all_bytes = whole.size;

	for (unsigned i = 0; i < 2; i++) {
		lock_init(&slices[i].lock);
		cond_init(&slices[i].cond);
		slices[i].bytes = malloc(range_at(0, whole.size) + 1);
	}
	if (!slices[0].bytes || !slices[1].bytes)
		r = err_nomem(err);
	else if (whole.size > 0)
		r = read_ranges(slices, b, key, &whole, each, arg, done_bytes,
				err);
	slice_release(&slices[0]);
	slice_release(&slices[1]);
	return r;
}

static int feed_manifest(void *arg, const void *bytes, size_t len,
			 struct err *err)
{
	return osmo_manifest_feed(arg, bytes, len, err);
}

int manifest_source_entries(struct backend *b, const char *key,
			    osmo_entry_fn each, void *arg,
			    _Atomic uint64_t *done_bytes,
			    _Atomic uint64_t *all_bytes, struct err *err)
{
	struct osmo_manifest *manifest = NULL;
	int r = osmo_manifest_new(&manifest, each, arg, err);

	if (r < 0)
		return r;
	r = manifest_source_read(b, key, feed_manifest, manifest, done_bytes,
				 all_bytes, err);
	if (r == 0)
		r = osmo_manifest_finish(manifest, err);
	osmo_manifest_free(manifest);
	return r;
}
