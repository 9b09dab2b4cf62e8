/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/invalidate.h"

#include <errno.h>
#include <string.h>

#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "fs/mount/fuse/upper.h"
#include "fs/mount/nodes/listing.h"

struct notice {
	struct notice *next;
	uint64_t nodeid;
	char name[];		/* "": the node itself */
};

/* The lock guards the queue and the flags. */
struct invalidate {
	struct fuse_session *session;
	pthread_t thread;
	struct lock lock;
	struct cond cond;
	struct notice *first, **last;
	size_t n;
	bool is_stopped;	/* send nothing more */
	bool is_over;		/* the thread ends */
	struct log_limit limit;
};

static void notice_send(struct invalidate *inv, const struct notice *notice)
{
	int r;

	if (notice->name[0])
		r = fuse_lowlevel_notify_inval_entry(inv->session,
						     notice->nodeid,
						     notice->name,
						     strlen(notice->name));
	else
		r = fuse_lowlevel_notify_inval_inode(inv->session,
						     notice->nodeid, 0, 0);
	/* ENOENT: the kernel does not know it, which is as good. */
	if (r < 0 && r != -ENOENT)
		log_debug("mount", "notification refused: node=%llx name=%s error=%d",
			  (unsigned long long)notice->nodeid, notice->name, -r);
}

static void *invalidate_main(void *arg)
{
	struct invalidate *inv = arg;

	lock_take(&inv->lock);
	while (!inv->is_over) {
		struct notice *notice = inv->first;
		bool send = !inv->is_stopped;

		if (!notice) {
			cond_wait(&inv->cond, &inv->lock);
			continue;
		}
		inv->first = notice->next;
		if (!inv->first)
			inv->last = &inv->first;
		inv->n--;
		lock_drop(&inv->lock);
		if (send)
			notice_send(inv, notice);
		free(notice);
		lock_take(&inv->lock);
	}
	lock_drop(&inv->lock);
	return NULL;
}

int invalidate_new(struct invalidate **out, struct fuse_session *session,
		   struct err *err)
{
	struct invalidate *inv = calloc(1, sizeof(*inv));
	int r;

	if (!inv)
		return err_nomem(err);
	inv->session = session;
	inv->last = &inv->first;
	lock_init(&inv->lock);
	cond_init(&inv->cond);
	r = pthread_create(&inv->thread, NULL, invalidate_main, inv);
	if (r) {
		cond_release(&inv->cond);
		lock_release(&inv->lock);
		free(inv);
		return err_errno(err, r, "start the notifying thread");
	}
	*out = inv;
	return 0;
}

void invalidate_stop(struct invalidate *inv)
{
	lock_take(&inv->lock);
	inv->is_stopped = true;
	lock_drop(&inv->lock);
}

void invalidate_free(struct invalidate *inv)
{
	struct notice *notice;

	if (!inv)
		return;
	lock_take(&inv->lock);
	inv->is_stopped = inv->is_over = true;
	cond_signal(&inv->cond);
	lock_drop(&inv->lock);
	pthread_join(inv->thread, NULL);

	while ((notice = inv->first)) {
		inv->first = notice->next;
		free(notice);
	}
	cond_release(&inv->cond);
	lock_release(&inv->lock);
	free(inv);
}

static void invalidate_put(struct invalidate *inv, uint64_t nodeid,
			   const char *name)
{
	size_t len = strlen(name) + 1;
	struct notice *notice = malloc(sizeof(*notice) + len);
	bool fits = false, warn = false;
	unsigned dropped = 0;

	if (notice) {
		notice->next = NULL;
		notice->nodeid = nodeid;
		memcpy(notice->name, name, len);
	}
	lock_take(&inv->lock);
	if (notice && !inv->is_stopped && inv->n < INVALIDATE_QUEUE_MAX) {
		*inv->last = notice;
		inv->last = &notice->next;
		inv->n++;
		fits = true;
		cond_signal(&inv->cond);
	}
	if (!fits && !inv->is_stopped)
		warn = log_limit_ok(&inv->limit, &dropped);
	lock_drop(&inv->lock);
	if (!fits)
		free(notice);
	if (warn)
		log_warn("mount", "notification dropped: node=%llx unlogged=%u",
			 (unsigned long long)nodeid, dropped);
}

void invalidate_name(struct invalidate *inv, uint64_t parent, const char *name)
{
	invalidate_put(inv, parent, name);
}

void invalidate_node(struct invalidate *inv, uint64_t nodeid)
{
	invalidate_put(inv, nodeid, "");
}

/* What a name of the directory stands for, to see whether that changed. */
static bool is_same(const struct listing_entry *a, const struct listing_entry *b)
{
	if (a->kind != b->kind || strcmp(a->ds->id, b->ds->id) != 0)
		return false;
	if (a->kind == LISTING_COLLECTION)
		return true;
	return a->v->number == b->v->number &&
	       memcmp(a->v->digest, b->v->digest, SHA256_SIZE) == 0;
}

static void changed_entry(struct fs *fs, uint64_t bucket,
			  const struct listing_entry *entry,
			  const struct catalog *now)
{
	char name[LISTING_NAME_MAX + 1];
	struct listing_entry other;
	bool is_bare;

	if (!listing_name(entry, name))
		return;
	if (!listing_find(now, name, &other, &is_bare) ||
	    !is_same(entry, &other))
		invalidate_name(fs->invalidate, bucket, name);
}

void invalidate_changed(struct fs *fs, struct bucket *b,
			struct catalog *before, struct catalog *now)
{
	struct listing *listing;
	struct err err = ERR_INIT;
	uint64_t bucket;

	if (!fs->invalidate)
		return;
	if (upper_bucket_nodeid(fs, b, &bucket, &err) < 0 ||
	    listing_new(&listing, before, &err) < 0) {
		log_warn("mount", "changes are seen late: bucket=%s error=\"%s\"",
			 bucket_name(b), err.text);
		return;
	}
	for (uint32_t i = 0; i < listing->n; i++)
		changed_entry(fs, bucket, &listing->entries[i], now);
	listing_put(listing);
	invalidate_node(fs->invalidate, bucket);
}
