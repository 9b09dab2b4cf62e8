/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/errand.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "backends/base/clock.h"
#include "fs/dataset/reference.h"
#include "fs/mount/control/errand_check.h"
#include "fs/mount/fuse/content.h"

/* What is done with a blob of a version. */
struct walk {
	struct errand *errand;
	int (*each)(struct walk *walk, const struct blob *blob,
		    struct err *err);
	uint64_t files_max;
	uint64_t files;
	unsigned versions;
	unsigned versions_unknown;	/* were never expanded here */
	unsigned versions_left;		/* beyond files_max */
	struct fetcher_evicted evicted;
	struct disk_tally tally;
};

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* ---- the blobs of a version ---- */

static int check_beat(const struct walk *w, struct err *err)
{
	if (w->errand->beat(w->errand->arg))
		return 0;
	return err_set(err, ERR_SYSTEM, EINTR,
		       "ended before it was done: what was evicted so far is");
}

static int walk_tree(struct walk *w, struct bucket *b, struct tree *tree,
		     struct err *err)
{
	struct slot_ref ref = { .bucket = b, .tree = tree };
	struct tree_info info;
	int r = 0;

	tree_info(tree, &info);
	for (uint32_t i = 0; r == 0 && i < info.n_entries; i++) {
		cleanup_content struct content content = CONTENT_INIT;
		struct err ignored = ERR_INIT;

		r = check_beat(w, err);
		if (r < 0 || content_entry(&content, &ref, i, &ignored) < 0 ||
		    !content.entry.size)
			continue;
		w->files++;
		/* What cannot be read is not cached. */
		if (content_locate(&content, &ref, &ignored) == 0)
			r = w->each(w, &content.blob, err);
	}
	w->versions++;
	return r;
}

/* Of a version that was never expanded here nothing was read here. */
static int walk_version(struct walk *w, struct bucket *b,
			const struct dataset *ds, const struct version *v,
			struct err *err)
{
	cleanup_tree struct tree *tree = NULL;
	struct err ignored = ERR_INIT;
	struct tree_info info;

	if (bucket_tree_known(b, ds, v, &tree, &ignored) < 0) {
		w->versions_unknown++;
		return 0;
	}
	tree_info(tree, &info);
	if (info.n_files > w->files_max - w->files) {
		w->versions_left++;
		return 0;
	}
	return walk_tree(w, b, tree, err);
}

/* ---- evict ---- */

static int flush(struct fs *fs, struct err *err)
{
	if (!fs->disk ||
	    disk_cache_flush(fs->disk, clock_ms() + ERRAND_DISK_MS))
		return 0;
	return err_set(err, ERR_RETRY, ETIMEDOUT, "the cache disk is too slow: %s",
		       fs->settings->cache_dir);
}

static int evict_blob(struct walk *w, const struct blob *blob, struct err *err)
{
	fetcher_evict(w->errand->fs->fetcher, blob, &w->evicted);
	return w->files % ERRAND_FLUSH_EVERY == 0 ?
		       flush(w->errand->fs, err) : 0;
}

static int evict_ref(struct walk *w, const char *text, struct err *err)
{
	cleanup_catalog struct catalog *catalog = NULL;
	cleanup_tree struct tree *tree = NULL;
	const struct dataset *ds;
	const struct version *v;
	struct reference ref;
	struct bucket *b;
	int r;

	r = reference_parse(&ref, text, err);
	if (r == 0)
		r = buckets_resolve_sync(w->errand->fs->buckets, &ref, &b,
					 &catalog, &ds, &v, err);
	if (r == 0)
		r = bucket_tree_sync(b, catalog, ds, v, &tree, err);
	return r < 0 ? r : walk_tree(w, b, tree, err);
}

/* Or whatever else is done with each of its blobs. */
static int evict_bucket(struct walk *w, const char *name, struct err *err)
{
	cleanup_catalog struct catalog *catalog = NULL;
	struct bucket *b;
	int r;

	r = buckets_find_or_default(w->errand->fs->buckets, name, &b, err);
	if (r == 0)
		r = bucket_catalog_sync(b, &catalog, err);
	for (size_t i = 0; r == 0 && i < catalog->n_datasets; i++) {
		const struct dataset *ds = &catalog->datasets[i];

		for (size_t k = 0; r == 0 && k < ds->n_versions; k++)
			r = walk_version(w, b, ds, &ds->versions[k], err);
	}
	return r;
}

static int pass_blob(struct walk *w, const struct blob *blob, struct err *err)
{
	(void)w;
	(void)blob;
	(void)err;
	return 0;
}

/* What cannot be counted is gone all the same. */
static void count_all(struct walk *w)
{
	struct buckets *buckets = w->errand->fs->buckets;

	w->each = pass_blob;
	w->files_max = ERRAND_STAT_FILES_MAX;
	for (size_t i = 0; i < buckets_count(buckets); i++) {
		struct bucket *b = buckets_at(buckets, i);
		struct err ignored = ERR_INIT;

		if (b && !bucket_problem(b) &&
		    evict_bucket(w, bucket_name(b), &ignored) == -EINTR)
			return;
	}
}

static void evict_all(struct walk *w)
{
	struct fs *fs = w->errand->fs;
	struct disk_cache_stats stats = { .record_bytes = 0 };

	if (fs->disk)
		disk_cache_stats(fs->disk, &stats);
	w->evicted.bytes_disk = stats.record_bytes;
	fetcher_evict_all(fs->fetcher, &w->evicted);
}

static int evict(struct errand *e, const char *what, json_t *doc,
		 struct err *err)
{
	struct walk w = { .errand = e, .each = evict_blob,
			  .files_max = UINT64_MAX };
	struct fs *fs = e->fs;
	bool is_all = strcmp(what, "all") == 0;
	uint64_t freed = 0;
	/* So that what is queued counts too. */
	int r = flush(fs, err);

	if (r < 0)
		return r;
	if (is_all)
		evict_all(&w);
	else if (strncmp(what, "ref ", 4) == 0)
		r = evict_ref(&w, what + 4, err);
	else if (strncmp(what, "bucket ", 7) == 0)
		r = evict_bucket(&w, what + 7, err);
	else
		r = err_set(err, ERR_USAGE, EINVAL, "evict what?");
	if (fs->disk && (r == 0 || r == -EINTR)) {
		struct err late = ERR_INIT;
		int s = disk_cache_reclaim(fs->disk, is_all,
					   clock_ms() + ERRAND_DISK_MS,
					   &freed, &late);

		if (s < 0 && r == 0) {
			err_copy(err, &late);
			r = s;
		}
	}
	if (is_all)
		count_all(&w);
	json_object_set_new(doc, "files", number(w.files));
	json_object_set_new(doc, "versions", number(w.versions));
	json_object_set_new(doc, "versions_not_expanded",
			    number(w.versions_unknown));
	json_object_set_new(doc, "bytes_disk", number(w.evicted.bytes_disk));
	json_object_set_new(doc, "bytes_memory",
			    number(w.evicted.bytes_memory));
	json_object_set_new(doc, "bytes_freed", number(freed));
	return r;
}

/* ---- stat ---- */

enum { TALLY_VERSION, TALLY_DATASET, TALLY_BUCKET };

static int tally_blob(struct walk *w, const struct blob *blob, struct err *err)
{
	(void)err;
	fetcher_tally(w->errand->fs->fetcher, blob, &w->tally);
	return 0;
}

static void tally_next(struct walk *w, unsigned level)
{
	disk_cache_tally_next(w->errand->fs->disk, &w->tally, level);
}

static int stat_dataset(struct walk *w, struct bucket *b,
			const struct dataset *ds, json_t *list,
			struct err *err)
{
	json_t *o = json_object(), *versions = json_array();
	int r = 0;

	tally_next(w, TALLY_DATASET);
	for (size_t i = 0; r == 0 && i < ds->n_versions; i++) {
		unsigned before = w->versions;
		json_t *v;

		tally_next(w, TALLY_VERSION);
		r = walk_version(w, b, ds, &ds->versions[i], err);
		if (w->versions == before)
			continue;
		v = json_object();
		json_object_set_new(v, "version",
				    json_integer(ds->versions[i].number));
		json_object_set_new(v, "bytes",
				    number(w->tally.bytes[TALLY_VERSION]));
		json_array_append_new(versions, v);
	}
	json_object_set_new(o, "name", json_string(ds->name));
	json_object_set_new(o, "bytes", number(w->tally.bytes[TALLY_DATASET]));
	if (json_array_size(versions))
		json_array_append(list, o);
	json_object_set_new(o, "versions", versions);
	json_decref(o);
	return r;
}

/*
 * NULL: it is gone.  A bucket whose catalog nobody asked for yet has nothing
 * that is in use.
 */
static int stat_bucket(struct walk *w, struct bucket *b, json_t *list,
		       struct err *err)
{
	cleanup_catalog struct catalog *catalog = NULL;
	struct err problem = ERR_INIT;
	json_t *o, *datasets;
	int r = 0;

	if (!b || bucket_problem(b))
		return 0;
	o = json_object();
	datasets = json_array();
	tally_next(w, TALLY_BUCKET);
	if (bucket_catalog_sync(b, &catalog, &problem) < 0)
		json_object_set_new(o, "problem", json_string(problem.text));
	for (size_t i = 0; catalog && r == 0 && i < catalog->n_datasets; i++)
		r = stat_dataset(w, b, &catalog->datasets[i], datasets, err);
	json_object_set_new(o, "name", json_string(bucket_name(b)));
	json_object_set_new(o, "bytes", number(w->tally.bytes[TALLY_BUCKET]));
	json_object_set_new(o, "datasets", datasets);
	json_array_append_new(list, o);
	return r;
}

static int stat_all(struct errand *e, json_t *doc, struct err *err)
{
	struct walk w = { .errand = e, .each = tally_blob,
			  .files_max = ERRAND_STAT_FILES_MAX };
	struct buckets *buckets = e->fs->buckets;
	struct disk_cache_stats stats;
	json_t *list = json_array();
	int r = 0;

	for (size_t i = 0; e->fs->disk && r == 0 && i < buckets_count(buckets);
	     i++)
		r = stat_bucket(&w, buckets_at(buckets, i), list, err);
	json_object_set_new(doc, "buckets", list);
	json_object_set_new(doc, "versions_not_counted",
			    number(w.versions_left));
	if (!e->fs->disk)
		return r;
	disk_cache_stats(e->fs->disk, &stats);
	json_object_set_new(doc, "bytes", number(stats.record_bytes));
	return r;
}

/* ---- prefetch ---- */

static int prefetch(struct errand *e, const char *text, json_t *doc,
		    struct err *err)
{
	json_t *question = json_loads(text, 0, NULL);
	const char *ref = json_string_value(json_object_get(question, "ref"));
	bool is_new = false;
	int r;

	if (!ref || !e->jobs)
		r = err_set(err, ERR_USAGE, EINVAL, "prefetch what?");
	else
		r = fill_jobs_start(e->jobs, ref,
				    json_object_get(question, "paths"),
				    &is_new, err);
	json_decref(question);
	json_object_set_new(doc, "new", json_boolean(is_new));
	return r;
}

static int cancel(struct errand *e, const char *ref, json_t *doc,
		  struct err *err)
{
	unsigned n = 0;
	int r = e->jobs ? fill_jobs_cancel(e->jobs, ref, &n, err) :
			  err_set(err, ERR_USAGE, EINVAL, "cancel what?");

	json_object_set_new(doc, "cancelled", number(n));
	return r;
}

/* ---- question and answer ---- */

static void say(struct buf *answer, json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(doc);
	buf_str(answer, text ? text : "{}");
	free(text);
}

void errand_refuse(struct buf *answer, const struct err *err)
{
	json_t *doc = json_object(), *e = json_object();
	json_t *text = json_string(err->text);

	json_object_set_new(e, "class", json_string(err_class_name(err->class)));
	json_object_set_new(e, "code", json_integer(err->code));
	json_object_set_new(e, "text",
			    text ? text : json_string(strerror(err->code)));
	json_object_set_new(doc, "error", e);
	say(answer, doc);
}

bool errand_is_one(const char *question)
{
	return strncmp(question, "evict ", 6) == 0 ||
	       strncmp(question, "prefetch ", 9) == 0 ||
	       strncmp(question, "cancel ", 7) == 0 ||
	       strncmp(question, "check ", 6) == 0 ||
	       strcmp(question, "stat") == 0;
}

void errand_answer(struct errand *errand, const char *question,
		   struct buf *answer)
{
	struct err err = ERR_INIT;
	json_t *doc = json_object();
	int r;

	if (strncmp(question, "evict ", 6) == 0)
		r = evict(errand, question + 6, doc, &err);
	else if (strncmp(question, "prefetch ", 9) == 0)
		r = prefetch(errand, question + 9, doc, &err);
	else if (strncmp(question, "cancel ", 7) == 0)
		r = cancel(errand, question + 7, doc, &err);
	else if (strncmp(question, "check ", 6) == 0)
		r = errand_check(errand, question + 6, doc, &err);
	else
		r = stat_all(errand, doc, &err);
	if (r == 0) {
		say(answer, doc);
		return;
	}
	json_decref(doc);
	errand_refuse(answer, &err);
}
