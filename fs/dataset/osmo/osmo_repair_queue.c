/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/osmo/osmo_repair_queue.h"

#include <errno.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "fs/dataset/osmo/osmo_etag.h"
#include "fs/dataset/osmo/osmo_repair.h"
#include "fs/dataset/tree/tree_prefix.h"

#define LOG "tree"
#define PRINT_MAX 300
#define ORIGINAL (-1)		/* in place of a candidate's number */

enum verdict {
	VERDICT_PENDING,
	VERDICT_KEEP,		/* storage_path as it is */
	VERDICT_REPAIRED,	/* candidate fit */
	VERDICT_MISSING,
	VERDICT_UNCHECKED,	/* no answer, or none for us: as it is, for now */
};

/*
 * An entry that waits.  While verdict is VERDICT_PENDING the look under way
 * owns the fields behind it; verdict itself is guarded by the queue's lock.
 */
struct pending {
	struct pending *next;
	struct osmo_repair_queue *queue;
	enum verdict verdict;

	struct osmo_repair candidates;
	int at;			/* what is looked at */
	int fit;		/* by size alone */
	unsigned n_fit;
	bool is_gone;		/* the original */
	bool was_refused;	/* one of them */

	uint64_t size;
	bool is_malformed;
	size_t path_len, source_len, etag_len;
	char *path, *source, *etag;	/* in text, each with a NUL */
	char text[];
};

struct osmo_repair_queue {
	struct osmo_repair_options opt;
	struct pending *head, **tail;
	unsigned n_queued;
	size_t queued_bytes;
	uint64_t n_unchecked;
	uint32_t n_repaired, n_missing;	/* logged so far */

	struct lock lock;	/* guards what follows and each verdict */
	struct cond settled;
	unsigned n_looking;
	unsigned n_failures;	/* in a row */
};

int osmo_repair_queue_new(struct osmo_repair_queue **out,
			  const struct osmo_repair_options *opt,
			  struct err *err)
{
	struct osmo_repair_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return err_nomem(err);
	q->opt = *opt;
	q->tail = &q->head;
	lock_init(&q->lock);
	cond_init(&q->settled);
	*out = q;
	return 0;
}

static void pending_free(struct pending *p)
{
	osmo_repair_release(&p->candidates);
	free(p);
}

void osmo_repair_queue_free(struct osmo_repair_queue *q)
{
	if (!q)
		return;
	lock_take(&q->lock);
	while (q->n_looking)
		cond_wait(&q->settled, &q->lock);
	lock_drop(&q->lock);
	while (q->head) {
		struct pending *p = q->head;

		q->head = p->next;
		pending_free(p);
	}
	cond_release(&q->settled);
	lock_release(&q->lock);
	free(q);
}

uint64_t osmo_repair_queue_unchecked(const struct osmo_repair_queue *q)
{
	return q->n_unchecked;
}

/* ---- one look after the other ---- */

static void look(struct pending *p);

static void settle(struct pending *p, enum verdict verdict)
{
	struct osmo_repair_queue *q = p->queue;

	lock_take(&q->lock);
	p->verdict = verdict;
	q->n_looking--;
	cond_signal(&q->settled);
	lock_drop(&q->lock);
}

static void note_answer(struct osmo_repair_queue *q, bool has_failed)
{
	lock_take(&q->lock);
	q->n_failures = has_failed ? q->n_failures + 1 : 0;
	lock_drop(&q->lock);
}

static void look_at_next(struct pending *p)
{
	if ((size_t)++p->at < p->candidates.n) {
		look(p);
		return;
	}
	if (p->n_fit == 1)
		settle(p, p->fit == ORIGINAL ? VERDICT_KEEP : VERDICT_REPAIRED);
	else if (p->n_fit == 0 && p->was_refused)
		settle(p, VERDICT_UNCHECKED);
	else if (p->n_fit > 1 || p->is_gone)
		settle(p, VERDICT_MISSING);
	else
		settle(p, VERDICT_KEEP);
}

/* Whether both ETags are of the kind that is the same wherever it was read. */
static bool etags_differ(const struct pending *p, const char *etag,
			 bool *is_comparable)
{
	struct osmo_etag ours, theirs;

	*is_comparable =
		strncmp(p->source, "file://", 7) != 0 &&
		osmo_etag_parse(&ours, p->etag, p->etag_len) &&
		osmo_etag_parse(&theirs, etag, strlen(etag));
	return *is_comparable && (ours.parts != theirs.parts ||
				  memcmp(ours.md5, theirs.md5, MD5_SIZE) != 0);
}

static void found(struct pending *p, const struct object_info *info)
{
	bool is_comparable, differ;

	differ = etags_differ(p, info->etag, &is_comparable);
	if (info->size != p->size || differ) {
		look_at_next(p);
		return;
	}
	p->fit = p->at;
	if (is_comparable) {
		settle(p, p->at == ORIGINAL ? VERDICT_KEEP : VERDICT_REPAIRED);
		return;
	}
	p->n_fit++;
	look_at_next(p);
}

static void not_found(struct pending *p, const struct err *err)
{
	if (p->at == ORIGINAL && err->class == ERR_MISSING)
		p->is_gone = true;
	if (err->class == ERR_AUTH)
		p->was_refused = true;
	look_at_next(p);
}

/* The store, or this machine, failed: that says nothing about the object. */
static bool is_failure(const struct err *err)
{
	return err->class == ERR_RETRY || err->class == ERR_SYSTEM;
}

static void looked(void *arg, int r, const struct object_info *info,
		   const struct err *err)
{
	struct pending *p = arg;

	note_answer(p->queue, r < 0 && is_failure(err));
	if (r == 0)
		found(p, info);
	else if (is_failure(err))
		settle(p, VERDICT_UNCHECKED);
	else
		not_found(p, err);
}

static void look(struct pending *p)
{
	struct osmo_repair_queue *q = p->queue;
	const char *uri = p->at == ORIGINAL ? p->source :
					      p->candidates.uris[p->at];
	struct backend *backend;
	struct err err = ERR_INIT;
	const char *key;

	if (q->opt.locate(q->opt.locate_arg, uri, &backend, &key, &err) < 0)
		not_found(p, &err);
	else
		backend_head(backend, key, clock_ms() + OSMO_REPAIR_TIMEOUT_MS,
			     looked, p);
}

/* ---- the queue ---- */

static void log_entry(const struct osmo_repair_queue *q, uint32_t n,
		      const char *what, const struct pending *p, const char *to)
{
	cleanup_buf struct buf path = BUF_INIT, from = BUF_INIT, new = BUF_INIT;

	if (n > TREE_BUILD_LOG_MAX)
		return;
	encode_printable(&path, p->path, p->path_len, PRINT_MAX);
	encode_printable(&from, p->source, p->source_len, PRINT_MAX);
	encode_printable(&new, to, strlen(to), PRINT_MAX);
	log_warn(LOG, "%s: version=%s path=\"%s\" storage_path=\"%s\"%s%s%s",
		 what, q->opt.label, path.data ? path.data : "",
		 from.data ? from.data : "", *to ? " object=\"" : "",
		 new.data ? new.data : "", *to ? "\"" : "");
}

static int add_pending(struct osmo_repair_queue *q, const struct pending *p,
		       struct err *err)
{
	enum tree_fault fault = p->is_malformed ? TREE_FAULT_SOURCE : TREE_OK;
	const char *source = p->source;
	size_t len = p->source_len;

	switch (p->verdict) {
	case VERDICT_REPAIRED:
		source = p->candidates.uris[p->fit];
		len = strlen(source);
		tree_build_count_repaired(q->opt.build);
		log_entry(q, ++q->n_repaired, "damaged storage_path repaired",
			  p, source);
		break;
	case VERDICT_MISSING:
		fault = TREE_FAULT_MISSING;
		log_entry(q, ++q->n_missing,
			  "damaged storage_path, no object fits", p, "");
		break;
	case VERDICT_UNCHECKED:
		q->n_unchecked++;
		break;
	default:
		break;
	}
	return tree_build_add(q->opt.build, p->path, p->path_len, source, len,
			      p->size, p->etag, p->etag_len, fault, err);
}

static size_t pending_bytes(const struct pending *p)
{
	return sizeof(*p) + p->path_len + p->source_len + p->etag_len + 3;
}

static bool is_over(const struct osmo_repair_queue *q, unsigned n_max,
		    size_t bytes_max)
{
	return q->n_queued > n_max || q->queued_bytes > bytes_max;
}

/* Adds settled entries from the front; waits until no more than that are
 * left. */
static int drain(struct osmo_repair_queue *q, unsigned n_max, size_t bytes_max,
		 struct err *err)
{
	int r = 0;

	while (q->head && r == 0) {
		struct pending *p = q->head;
		bool is_settled;

		lock_take(&q->lock);
		while (p->verdict == VERDICT_PENDING &&
		       is_over(q, n_max, bytes_max))
			cond_wait(&q->settled, &q->lock);
		is_settled = p->verdict != VERDICT_PENDING;
		lock_drop(&q->lock);
		if (!is_settled)
			break;
		r = add_pending(q, p, err);
		q->head = p->next;
		if (!q->head)
			q->tail = &q->head;
		q->n_queued--;
		q->queued_bytes -= pending_bytes(p);
		pending_free(p);
	}
	return r;
}

static char *place(char **at, const char *bytes, size_t len)
{
	char *p = *at;

	memcpy(p, bytes, len);
	p[len] = '\0';
	*at += len + 1;
	return p;
}

static struct pending *pending_new(struct osmo_repair_queue *q,
				   const struct osmo_entry *e)
{
	struct pending *p = calloc(1, sizeof(*p) + e->relative_path_len +
				      e->storage_path_len + e->etag_len + 3);
	char *at;

	if (!p)
		return NULL;
	at = p->text;
	p->queue = q;
	p->verdict = VERDICT_KEEP;
	p->at = ORIGINAL;
	p->size = e->size;
	p->is_malformed = e->is_malformed;
	p->path_len = e->relative_path_len;
	p->source_len = e->storage_path_len;
	p->etag_len = e->etag_len;
	p->path = place(&at, e->relative_path, e->relative_path_len);
	p->source = place(&at, e->storage_path, e->storage_path_len);
	p->etag = place(&at, e->etag, e->etag_len);
	return p;
}

static void start(struct osmo_repair_queue *q, struct pending *p)
{
	bool stop;

	lock_take(&q->lock);
	while (q->n_looking == OSMO_REPAIR_WINDOW)
		cond_wait(&q->settled, &q->lock);
	stop = q->n_failures >= OSMO_REPAIR_GIVE_UP;
	p->verdict = stop ? VERDICT_UNCHECKED : VERDICT_PENDING;
	q->n_looking += !stop;
	lock_drop(&q->lock);
	if (!stop)
		look(p);
}

static bool has_double_slash(const char *uri, size_t len)
{
	const char *at = memmem(uri, len, "://", 3);
	size_t skip = at ? (size_t)(at - uri) + 3 : 0;

	return memmem(uri + skip, len - skip, "//", 2) != NULL;
}

static int find_candidates(struct osmo_repair *out, const struct osmo_entry *e,
			   struct err *err)
{
	out->n = 0;
	if (e->is_malformed)
		return 0;
	/* An own blob is named by its etag, and uploads never damaged those;
	   so most versions pass without a look at anything. */
	if (tree_source_is_etag(e->storage_path, e->storage_path_len, e->etag,
				e->etag_len) &&
	    !has_double_slash(e->storage_path, e->storage_path_len))
		return 0;
	return osmo_repair_init(out, e->relative_path, e->relative_path_len,
				e->storage_path, e->storage_path_len, err);
}

int osmo_repair_queue_add(struct osmo_repair_queue *q,
			  const struct osmo_entry *e, struct err *err)
{
	struct osmo_repair candidates;
	struct pending *p;
	int r = find_candidates(&candidates, e, err);

	if (r < 0)
		return r;
	if (!q->head && candidates.n == 0)
		return tree_build_add(q->opt.build, e->relative_path,
				      e->relative_path_len, e->storage_path,
				      e->storage_path_len, e->size, e->etag,
				      e->etag_len,
				      e->is_malformed ? TREE_FAULT_SOURCE :
							TREE_OK, err);
	p = pending_new(q, e);
	if (!p) {
		osmo_repair_release(&candidates);
		return err_nomem(err);
	}
	p->candidates = candidates;
	*q->tail = p;
	q->tail = &p->next;
	q->n_queued++;
	q->queued_bytes += pending_bytes(p);
	if (candidates.n)
		start(q, p);
	return drain(q, OSMO_REPAIR_QUEUED_MAX, OSMO_REPAIR_BYTES_MAX, err);
}

int osmo_repair_queue_finish(struct osmo_repair_queue *q, struct err *err)
{
	return drain(q, 0, 0, err);
}
