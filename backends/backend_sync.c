/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/backend_sync.h"

#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/lock.h"

/*
 * Pages without a single key are legal (a store may skip over deleted ones),
 * but not without end.
 */
#define EMPTY_PAGES_MAX 10000

/* lock guards all of it; the waiter's stack holds it until is_done. */
struct waiter {
	struct lock lock;
	struct cond cond;
	bool is_done;
	int r;
	struct object_info info;
	struct err err;
	/* A list's page, each entry given to each() on the caller's thread. */
	struct buf keys;
	struct list_entry *entries;
	size_t n_entries;
	char *next;
};

static void waiter_init(struct waiter *w)
{
	memset(w, 0, sizeof(*w));
	lock_init(&w->lock);
	cond_init(&w->cond);
}

static void waiter_release(struct waiter *w)
{
	cond_release(&w->cond);
	lock_release(&w->lock);
}

static void wake(struct waiter *w)
{
	lock_take(&w->lock);
	w->is_done = true;
	/* Under the lock: the waiter's stack may be gone right after. */
	cond_signal(&w->cond);
	lock_drop(&w->lock);
}

static int wait_for(struct waiter *w, struct object_info *info, struct err *err)
{
	lock_take(&w->lock);
	while (!w->is_done)
		cond_wait(&w->cond, &w->lock);
	lock_drop(&w->lock);

	if (info)
		*info = w->info;
	if (w->r < 0)
		err_copy(err, &w->err);
	waiter_release(w);
	return w->r;
}

static void on_done(void *arg, int r, const struct object_info *info,
		    const struct err *err)
{
	struct waiter *w = arg;

	w->r = r;
	if (info)
		w->info = *info;
	if (r < 0)
		err_copy(&w->err, err);
	wake(w);
}

int backend_sync_get(struct backend *b, const struct backend_get *get,
		     struct object_info *info, struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_get(b, get, on_done, &w);
	return wait_for(&w, info, err);
}

int backend_sync_get_all(struct backend *b, const char *key, size_t limit,
			 struct buf *out, struct object_info *info,
			 int64_t deadline_ms, struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_get_all(b, key, limit, out, deadline_ms, on_done, &w);
	return wait_for(&w, info, err);
}

int backend_sync_head(struct backend *b, const char *key,
		      struct object_info *info, int64_t deadline_ms,
		      struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_head(b, key, deadline_ms, on_done, &w);
	return wait_for(&w, info, err);
}

int backend_sync_put(struct backend *b, const struct backend_put *put,
		     struct object_info *info, struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_put(b, put, on_done, &w);
	return wait_for(&w, info, err);
}

int backend_sync_delete(struct backend *b, const char *key,
			const char *if_match, int64_t deadline_ms,
			struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_delete(b, key, if_match, deadline_ms, on_done, &w);
	return wait_for(&w, NULL, err);
}

int backend_sync_multipart_create(struct backend *b, const char *key,
				  char upload_id[BACKEND_UPLOAD_ID_MAX],
				  int64_t deadline_ms, struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_multipart_create(b, key, upload_id, deadline_ms, on_done, &w);
	return wait_for(&w, NULL, err);
}

int backend_sync_multipart_put(struct backend *b, const char *key,
			       const char *upload_id, struct part_etag *part,
			       const void *data, size_t len,
			       int64_t deadline_ms, struct err *err)
{
	struct object_info info;
	struct waiter w;
	int r;

	waiter_init(&w);
	backend_multipart_put(b, key, upload_id, part->number, data, len,
			      deadline_ms, on_done, &w);
	r = wait_for(&w, &info, err);
	if (r == 0)
		memcpy(part->etag, info.etag, sizeof(part->etag));
	return r;
}

int backend_sync_multipart_complete(struct backend *b, const char *key,
				    const char *upload_id,
				    const struct part_etag *parts,
				    size_t n_parts, bool create_only,
				    struct object_info *info,
				    int64_t deadline_ms, struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_multipart_complete(b, key, upload_id, parts, n_parts,
				   create_only, deadline_ms, on_done, &w);
	return wait_for(&w, info, err);
}

int backend_sync_multipart_abort(struct backend *b, const char *key,
				 const char *upload_id, int64_t deadline_ms,
				 struct err *err)
{
	struct waiter w;

	waiter_init(&w);
	backend_multipart_abort(b, key, upload_id, deadline_ms, on_done, &w);
	return wait_for(&w, NULL, err);
}

/* The page is the backend's: keep a copy, with keys as offsets at first. */
static int copy_page(struct waiter *w, const struct list_page *page,
		     struct err *err)
{
	int r;

	w->entries = calloc(page->n_entries + 1, sizeof(*w->entries));
	if (!w->entries)
		return err_nomem(err);
	for (size_t i = 0; i < page->n_entries; i++) {
		const struct list_entry *from = &page->entries[i];

		w->entries[i] = *from;
		w->entries[i].key = NULL;
		r = buf_add(&w->keys, from->key, strlen(from->key) + 1, err);
		if (r < 0)
			return r;
	}
	w->n_entries = page->n_entries;
	for (size_t i = 0, at = 0; i < w->n_entries; i++) {
		w->entries[i].key = w->keys.data + at;
		at += strlen(w->entries[i].key) + 1;
	}
	if (page->next) {
		w->next = strdup(page->next);
		if (!w->next)
			return err_nomem(err);
	}
	return 0;
}

static void on_page(void *arg, int r, const struct list_page *page,
		    const struct err *err)
{
	struct waiter *w = arg;

	w->r = r;
	if (r < 0)
		err_copy(&w->err, err);
	else
		w->r = copy_page(w, page, &w->err);
	wake(w);
}

/* How far a walk has come: what keeps a confused store from looping it. */
struct walk {
	backend_each_fn each;
	void *arg;
	char *last;
	char *token;
	unsigned n_empty;
};

static int walk_entries(struct walk *walk, struct backend *b,
			const struct waiter *w, struct err *err)
{
	for (size_t i = 0; i < w->n_entries; i++) {
		int r;

		if (walk->last && strcmp(w->entries[i].key, walk->last) <= 0)
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "list %s: the store repeats a page or "
				       "does not list in order",
				       backend_name(b));
		r = walk->each(walk->arg, &w->entries[i], err);
		if (r != 0)
			return r;
	}
	if (w->n_entries) {
		free(walk->last);
		walk->last = strdup(w->entries[w->n_entries - 1].key);
		if (!walk->last)
			return err_nomem(err);
	}
	walk->n_empty = w->n_entries ? 0 : walk->n_empty + 1;
	return 0;
}

static int walk_page(struct walk *walk, struct backend *b,
		     const struct backend_list *list, struct err *err)
{
	struct waiter w;
	int r;

	waiter_init(&w);
	backend_list(b, list, on_page, &w);
	r = wait_for(&w, NULL, err);
	if (r == 0)
		r = walk_entries(walk, b, &w, err);
	if (r == 0 && w.next &&
	    ((walk->token && !strcmp(w.next, walk->token)) ||
	     walk->n_empty > EMPTY_PAGES_MAX))
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    "list %s: the store never comes to an end",
			    backend_name(b));
	free(walk->token);
	walk->token = w.next;
	free(w.entries);
	buf_release(&w.keys);
	return r;
}

int backend_sync_list(struct backend *b, const char *prefix,
		      const char *delimiter, int64_t page_timeout_ms,
		      backend_each_fn each, void *arg, struct err *err)
{
	struct walk walk = {.each = each, .arg = arg};
	int r;

	do {
		struct backend_list list = {
			.prefix = prefix,
			.delimiter = delimiter,
			.token = walk.token,
			.deadline_ms = clock_ms() + page_timeout_ms,
		};

		r = walk_page(&walk, b, &list, err);
	} while (r == 0 && walk.token);
	free(walk.token);
	free(walk.last);
	return r;
}
