/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/errand_check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/lock.h"
#include "cache/disk/segment.h"
#include "fs/dataset/entry_sum.h"
#include "fs/dataset/reference.h"
#include "fs/mount/fuse/content.h"

#define BEAT_MS 500	/* between signs of life while a store is waited for */

struct check {
	struct errand *errand;
	struct slot_ref ref;
	const json_t *paths;
	void *room;
	uint64_t files, records, bytes, damaged, refetched;
	json_t *named;
};

struct damaged {
	uint64_t offset;
	uint32_t len;
};

/* What the disk has of one file. */
struct file_check {
	struct check *check;
	struct osmo_etag_sum *sum;	/* NULL: nothing to compare with */
	uint64_t next;			/* so far without a gap */
	uint64_t records, damaged, refetched;
	struct damaged first[ERRAND_CHECK_REFETCH_MAX];
};

/* ---- what was damaged, from the store ---- */

struct refetch {
	struct lock lock;
	struct cond over;
	bool is_over;
	int r;
};

static void refetched(void *arg, int r, const struct iovec *iov, int n,
		      const struct err *err)
{
	struct refetch *refetch = arg;

	(void)iov;
	(void)n;
	(void)err;
	lock_take(&refetch->lock);
	refetch->is_over = true;
	refetch->r = r;
	cond_signal(&refetch->over);
	lock_drop(&refetch->lock);
}

/* Why not is told by who reads it. */
static bool fetch_again(struct check *c, const struct blob *blob,
			const struct damaged *at)
{
	struct refetch refetch = { .lock = LOCK_INIT };
	struct fetcher *fetcher = c->errand->fs->fetcher;
	bool is_cancelled = false, is_over = false;

	cond_init(&refetch.over);
	fetcher_fill(fetcher, blob, at->offset, at->len,
		     clock_ms() + FILL_READ_MS, refetched, &refetch);
	while (!is_over) {
		lock_take(&refetch.lock);
		if (!refetch.is_over)
			(void)cond_wait_until(&refetch.over, &refetch.lock,
					      clock_ms() + BEAT_MS);
		is_over = refetch.is_over;
		lock_drop(&refetch.lock);
		if (!is_over && !is_cancelled &&
		    !c->errand->beat(c->errand->arg)) {
			is_cancelled = true;
			fetcher_cancel(fetcher, &refetch);
		}
	}
	cond_release(&refetch.over);
	lock_release(&refetch.lock);
	return refetch.r >= 0;
}

static void refetch_file(struct file_check *file, const struct blob *blob)
{
	uint64_t n = file->damaged < ERRAND_CHECK_REFETCH_MAX ?
			     file->damaged : ERRAND_CHECK_REFETCH_MAX;

	for (uint64_t i = 0; i < n; i++)
		if (fetch_again(file->check, blob, &file->first[i]))
			file->refetched++;
		else
			return;
}

/* ---- one file ---- */

static int take_record(void *arg, uint64_t offset, const void *data,
		       uint32_t len)
{
	struct file_check *file = arg;
	struct errand *errand = file->check->errand;

	file->records++;
	if (!data) {
		if (file->damaged < ERRAND_CHECK_REFETCH_MAX)
			file->first[file->damaged] =
				(struct damaged){ offset, len };
		file->damaged++;
	}
	file->check->bytes += len;
	/* Records may lie below longer ones, whole or in part. */
	if (data && offset <= file->next && offset + len > file->next) {
		size_t known = (size_t)(file->next - offset);

		if (file->sum)
			osmo_etag_sum_add(file->sum,
					  (const uint8_t *)data + known,
					  len - known);
		file->next = offset + len;
	}
	return errand->beat(errand->arg) ? 0 : -EINTR;
}

static void name_file(struct check *c, uint32_t index, const char *what)
{
	cleanup_buf struct buf path = BUF_INIT, shown = BUF_INIT;
	struct err ignored = ERR_INIT;
	json_t *o = json_object(), *text;

	if (tree_path(c->ref.tree, index, &path, &ignored) < 0)
		buf_str(&path, "a file");
	text = json_string(path.data);
	if (!text) {
		encode_printable(&shown, path.data, path.len,
				 4 * path.len + 4);
		text = json_string(shown.data ? shown.data : "a file");
	}
	json_object_set_new(o, "path", text);
	json_object_set_new(o, "error", json_string(what));
	json_array_append_new(c->named, o);
}

/* What its records are together; said of a foreign object too seldom. */
static bool is_content_wrong(const struct file_check *file,
			     const struct tree_entry *e, struct err *why)
{
	return file->sum && file->next == e->size && e->is_hashed &&
	       !entry_sum_agrees(file->sum, e, why);
}

static int check_file(struct check *c, const struct content *content,
		      struct err *err)
{
	const struct tree_entry *e = &content->entry;
	struct fetcher *fetcher = c->errand->fs->fetcher;
	struct file_check file = { .check = c };
	struct err why = ERR_INIT;
	int r;

	if (entry_has_sum(e))
		file.sum = entry_sum_new(e);
	r = fetcher_check_disk(fetcher, &content->blob, c->room, take_record,
			       &file);
	c->files += file.records > 0;
	c->records += file.records;
	if (r > 0) {
		refetch_file(&file, &content->blob);
		err_set(&why, ERR_CORRUPT, EIO,
			"%llu of %llu cached records are damaged, %llu fetched again",
			(unsigned long long)file.damaged,
			(unsigned long long)file.records,
			(unsigned long long)file.refetched);
	} else if (r == 0 && is_content_wrong(&file, e, &why)) {
		file.damaged = file.records;
		fetcher_forget(fetcher, &content->blob);
	}
	osmo_etag_sum_free(file.sum);
	c->damaged += file.damaged;
	c->refetched += file.refetched;
	if (file.damaged)
		name_file(c, e->index, why.text);
	return r < 0 ? err_set(err, ERR_SYSTEM, EINTR,
			       "ended before it was done") : 0;
}

/* ---- which files ---- */

static bool is_asked_for(const struct check *c, uint32_t index)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct err ignored = ERR_INIT;
	const json_t *top;
	size_t i;

	if (json_array_size(c->paths) == 0)
		return true;
	if (tree_path(c->ref.tree, index, &path, &ignored) < 0)
		return false;
	json_array_foreach(c->paths, i, top)
		if (tree_is_within(path.data, json_string_value(top)))
			return true;
	return false;
}

static int check_entry(struct check *c, uint32_t index, struct err *err)
{
	cleanup_content struct content content = CONTENT_INIT;
	struct err ignored = ERR_INIT;

	if (!c->errand->beat(c->errand->arg))
		return err_set(err, ERR_SYSTEM, EINTR,
			       "ended before it was done");
	/* What cannot be read is not cached. */
	if (content_entry(&content, &c->ref, index, &ignored) < 0 ||
	    !content.entry.size || !is_asked_for(c, index) ||
	    content_locate(&content, &c->ref, &ignored) < 0)
		return 0;
	return check_file(c, &content, err);
}

static int walk(struct check *c, uint32_t from, json_t *doc, struct err *err)
{
	int64_t end = clock_ms() + ERRAND_CHECK_MS;
	char checksum[17];
	struct tree_info info;
	uint32_t i = from;
	int r = 0;

	tree_info(c->ref.tree, &info);
	while (r == 0 && i < info.n_entries && clock_ms() < end &&
	       json_array_size(c->named) < ERRAND_CHECK_NAMED_MAX)
		r = check_entry(c, i++, err);
	(void)snprintf(checksum, sizeof(checksum), "%016llx",
		       (unsigned long long)info.checksum);
	json_object_set_new(doc, "tree", json_string(checksum));
	json_object_set_new(doc, "next", i < info.n_entries ?
				    json_integer(i) : json_null());
	return r;
}

static int find_tree(struct check *c, const char *text, struct tree **tree,
		     struct err *err)
{
	cleanup_catalog struct catalog *catalog = NULL;
	const struct dataset *ds;
	const struct version *v;
	struct reference ref;
	int r = reference_parse(&ref, text, err);

	if (r == 0)
		r = buckets_resolve_sync(c->errand->fs->buckets, &ref,
					 &c->ref.bucket, &catalog, &ds, &v,
					 err);
	if (r == 0)
		r = bucket_tree_sync(c->ref.bucket, catalog, ds, v, tree, err);
	c->ref.tree = *tree;
	return r;
}

static int check_all(struct check *c, const char *ref, json_int_t from,
		     json_t *doc, struct err *err)
{
	cleanup_tree struct tree *tree = NULL;
	int r = find_tree(c, ref, &tree, err);

	if (r < 0)
		return r;
	c->room = aligned_alloc(SEGMENT_PAGE, SEGMENT_RECORD_MAX);
	if (!c->room)
		return err_nomem(err);
	r = walk(c, (uint32_t)from, doc, err);
	free(c->room);
	return r;
}

int errand_check(struct errand *errand, const char *text, json_t *doc,
		 struct err *err)
{
	json_t *question = json_loads(text, 0, NULL);
	const char *ref = json_string_value(json_object_get(question, "ref"));
	json_int_t from = json_integer_value(json_object_get(question, "from"));
	struct check c = {
		.errand = errand, .named = json_array(),
		.paths = json_object_get(question, "paths"),
	};
	int r = 0;

	if (!ref || from < 0 || from > TREE_ENTRIES_MAX)
		r = err_set(err, ERR_USAGE, EINVAL, "check what?");
	else if (c.paths)
		r = fill_check_paths(c.paths, err);
	if (r == 0 && errand->fs->disk)
		r = check_all(&c, ref, from, doc, err);
	json_object_set_new(doc, "has_disk",
			    json_boolean(errand->fs->disk != NULL));
	json_object_set_new(doc, "files", json_integer((json_int_t)c.files));
	json_object_set_new(doc, "records",
			    json_integer((json_int_t)c.records));
	json_object_set_new(doc, "bytes", json_integer((json_int_t)c.bytes));
	json_object_set_new(doc, "damaged",
			    json_integer((json_int_t)c.damaged));
	json_object_set_new(doc, "refetched",
			    json_integer((json_int_t)c.refetched));
	json_object_set_new(doc, "failures", c.named);
	json_decref(question);
	return r;
}
