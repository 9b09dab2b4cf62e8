/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_foreign.h"

#include <errno.h>
#include <string.h>

#include "backends/base/encode.h"
#include "backends/base/lock.h"
#include "fs/dataset/import/import_each.h"
#include "fs/dataset/import/import_impl.h"
#include "fs/dataset/registry/manifest_source.h"

#define SHOWN_MAX 2048
#define MANIFESTS_AT_ONCE 6u	/* two ranges of MANIFEST_RANGE each */

void import_foreign_release(struct import_foreign *f)
{
	import_prefixes_release(&f->prefixes);
	for (size_t i = 0; i < f->n_notes; i++)
		free(f->notes[i]);
	memset(f, 0, sizeof(*f));
}

static int note(struct import_foreign *f, struct err *err, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
static int note(struct import_foreign *f, struct err *err, const char *fmt, ...)
{
	va_list ap;
	int r;

	f->n_failed++;
	if (f->n_notes == IMPORT_FOREIGN_NOTES)
		return 0;
	va_start(ap, fmt);
	r = vasprintf(&f->notes[f->n_notes], fmt, ap);
	va_end(ap);
	if (r < 0)
		return err_nomem(err);
	f->n_notes++;
	return 0;
}

struct scan {
	struct bucket *bucket;
	struct import_foreign *out;
	struct buf uri;		/* the folder that was looked at last */
	size_t folder_len;	/* ... in it; 0: none */
};

/* Where the container's part of a URI ends; 0 for what is no URI. */
static size_t base_of(const char *uri, size_t len)
{
	struct err ignored = ERR_INIT;
	struct uri parsed;
	size_t key;
	bool is_file;

	if (uri_parse_object(&parsed, uri, &ignored) < 0)
		return 0;
	key = strlen(parsed.key);
	is_file = parsed.scheme == URI_FILE;
	uri_release(&parsed);
	if (key == 0)
		return 0;
	return is_file ? len - key : len - key - 1;
}

/* 1: the bucket may read objects below that folder; 0: it may not. */
static int is_covered(struct scan *scan, const char *dir, size_t len,
		      struct err *err)
{
	cleanup_buf struct buf probe = BUF_INIT;
	struct err ignored = ERR_INIT;
	struct backend *backend;
	const char *key;

	buf_bytes(&probe, dir, len);
	buf_str(&probe, "/x");
	if (buf_failed(&probe))
		return err_nomem(err);
	return bucket_locate(scan->bucket, probe.data, &backend, &key,
			     &ignored) == 0 ||
	       /* No foreign: line mends a location that cannot be opened. */
	       bucket_location_is_broken(scan->bucket, probe.data);
}

/*
 * The configuration takes no empty component and no "," ";" "*" in a location,
 * and a line must be fit for a terminal: what comes before such a component
 * must do.
 */
static size_t configurable(const char *dir, size_t len, size_t base)
{
	size_t end = base;

	for (size_t i = base; i < len;) {
		size_t start = ++i;	/* behind the slash */

		while (i < len && dir[i] != '/') {
			size_t n = encode_shown_len(dir + i, len - i);

			if (n == 0 || strchr(",;*", dir[i]))
				return end;
			i += n;
		}
		if (i == start)
			return end;
		end = i;
	}
	return end;
}

/* Takes note of a folder that the bucket may not read: 1. */
static int need(struct scan *scan, const char *dir, size_t len, size_t base,
		struct err *err)
{
	int r = is_covered(scan, dir, len, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = import_prefixes_add(&scan->out->prefixes, dir,
				configurable(dir, len, base), base, err);
	return r < 0 ? r : 1;
}

static int scan_folder(struct scan *scan, const char *path, size_t len,
		       const char *relative, size_t relative_len,
		       struct err *err)
{
	size_t base = base_of(path, len);
	int r;

	if (base == 0) {
		scan->out->n_unreadable++;
		return 0;
	}
	r = need(scan, path,
		 import_prefixes_source(path, len, base, relative,
					relative_len), base, err);
	return r < 0 ? r : 0;
}

/*
 * Neighbours of one folder are one question, except where the paths disagree
 * about where the source begins: so the relative path's own end counts too.
 */
static int scan_entry(void *arg, const struct osmo_entry *e, struct err *err)
{
	struct scan *scan = arg;
	const char *slash = e->storage_path_len == 0 ? NULL :
			    memrchr(e->storage_path, '/', e->storage_path_len);
	size_t folder = slash ? (size_t)(slash - e->storage_path) : 0;
	const char *name = slash ? slash + 1 : "";
	size_t name_len = slash ? e->storage_path_len - folder - 1 : 0;
	bool is_plain = e->relative_path_len >= name_len &&
			memcmp(e->relative_path + e->relative_path_len -
			       name_len, name, name_len) == 0;
	int r;

	if (memchr(e->storage_path, '\0', e->storage_path_len)) {
		scan->out->n_unreadable++;
		return 0;
	}
	/* Hashed blobs share nothing with their names: one look a folder. */
	if (!is_plain && folder > 0 && folder == scan->folder_len &&
	    memcmp(scan->uri.data, e->storage_path, folder) == 0)
		return 0;
	buf_clear(&scan->uri);
	r = buf_add(&scan->uri, e->storage_path, e->storage_path_len, err);
	if (r == 0)
		r = buf_add(&scan->uri, "", 1, err);
	if (r < 0)
		return r;
	scan->folder_len = is_plain ? 0 : folder;
	return scan_folder(scan, scan->uri.data, e->storage_path_len,
			   e->relative_path, e->relative_path_len, err);
}

static int scan_manifest(struct scan *scan, const char *uri, struct err *err)
{
	struct backend *backend;
	const char *key;
	int r;

	r = bucket_locate(scan->bucket, uri, &backend, &key, err);
	if (r < 0)
		return r;
	scan->folder_len = 0;
	return manifest_source_entries(backend, key, scan_entry, scan, NULL,
				       NULL, err);
}

/*
 * Where the manifest, or a legacy version's files, lie is needed as well.  1:
 * not yet, as a line is lacking.
 */
static int scan_place(struct scan *scan, const struct import_version *v,
		      struct err *err)
{
	size_t len = strlen(v->uri), base = base_of(v->uri, len);
	const char *slash;

	if (base == 0) {
		scan->out->n_unreadable++;
		return 0;
	}
	if (import_kind(v) == VERSION_LEGACY) {
		while (len > base && v->uri[len - 1] == '/')
			len--;
	} else {
		slash = memrchr(v->uri, '/', len);
		len = slash ? (size_t)(slash - v->uri) : base;
	}
	return need(scan, v->uri, len > base ? len : base, base, err);
}

static int scan_version(struct scan *scan, const struct import_dataset *ds,
			const struct import_version *v, struct err *err)
{
	struct err bad = ERR_INIT;
	int r;

	if (import_kind(v) == VERSION_EMPTY)
		return 0;
	r = scan_place(scan, v, err);
	if (r < 0 || import_kind(v) == VERSION_LEGACY)
		return r < 0 ? r : 0;
	if (r == 1) {
		scan->out->n_elsewhere++;
		return 0;
	}
	r = scan_manifest(scan, v->uri, &bad);
	if (r == 0) {
		scan->out->n_manifests++;
		return 0;
	}
	if (r == -ENOMEM) {
		err_copy(err, &bad);
		return r;
	}
	return note(scan->out, err, "%s:%u: its manifest was not read: %s",
		    ds->name, v->number, bad.text);
}

struct scan_task {
	const struct import_dataset *ds;
	const struct import_version *v;
};

struct scan_all {
	struct bucket *bucket;
	const struct scan_task *tasks;
	struct lock lock;		/* guards out */
	struct import_foreign *out;
};

static int merge_prefixes(struct import_prefixes *to,
			  const struct import_prefixes *from, struct err *err)
{
	int r = 0;

	to->n_dropped += from->n_dropped;
	for (size_t i = 0; i < from->n_containers; i++) {
		const struct import_container *c = &from->containers[i];

		for (size_t k = 0; k < c->n_prefixes && r == 0; k++)
			r = import_prefixes_add(to, c->prefixes[k],
						strlen(c->prefixes[k]),
						strlen(c->base), err);
	}
	return r;
}

static int merge(struct import_foreign *to, struct import_foreign *from,
		 struct err *err)
{
	to->n_manifests += from->n_manifests;
	to->n_failed += from->n_failed;
	to->n_elsewhere += from->n_elsewhere;
	to->n_unreadable += from->n_unreadable;
	for (size_t i = 0; i < from->n_notes; i++)
		if (to->n_notes < IMPORT_FOREIGN_NOTES)
			to->notes[to->n_notes++] =
				steal_pointer(&from->notes[i]);
	return merge_prefixes(&to->prefixes, &from->prefixes, err);
}

static int scan_one(void *arg, size_t i, struct err *err)
{
	struct scan_all *all = arg;
	cleanup_import_foreign struct import_foreign out = { .n_notes = 0 };
	struct scan scan = { .bucket = all->bucket, .out = &out };
	int r = scan_version(&scan, all->tasks[i].ds, all->tasks[i].v, err);

	buf_release(&scan.uri);
	if (r < 0)
		return r;
	lock_take(&all->lock);
	r = merge(all->out, &out, err);
	lock_drop(&all->lock);
	return r;
}

static bool is_wanted(const struct import_report *report,
		      const struct import_line *line)
{
	return line->version > 0 &&
	       (line->action == IMPORT_ADDED ||
		(line->action == IMPORT_UNCHANGED && report->is_dry_run));
}

static int note_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int import_foreign_scan(struct bucket *b, const struct import_source *src,
			const struct import_report *report,
			struct import_foreign *out, struct err *err)
{
	cleanup_free struct scan_task *tasks = NULL;
	struct scan_all all = { .bucket = b, .out = out };
	size_t n = 0;
	int r;

	memset(out, 0, sizeof(*out));
	tasks = calloc(report->n_lines + 1, sizeof(*tasks));
	if (!tasks)
		return err_nomem(err);
	for (size_t i = 0; i < report->n_lines; i++) {
		const struct import_line *line = &report->lines[i];
		const struct import_dataset *ds;
		const struct import_version *v;

		if (!is_wanted(report, line))
			continue;
		ds = import_source_find(src, line->id);
		v = ds ? import_dataset_version(ds, line->version) : NULL;
		if (v && v->status == VERSION_READY && !v->problem)
			tasks[n++] = (struct scan_task){ .ds = ds, .v = v };
	}
	all.tasks = tasks;
	lock_init(&all.lock);
	r = import_each(n, MANIFESTS_AT_ONCE, scan_one, &all, err);
	lock_release(&all.lock);
	qsort(out->notes, out->n_notes, sizeof(*out->notes), note_compare);
	return r;
}

bool import_foreign_is_needed(const struct import_foreign *f)
{
	return f->prefixes.n_containers > 0;
}

void import_foreign_print(const struct import_foreign *f, const char *bucket,
			  struct buf *out)
{
	if (!import_foreign_is_needed(f))
		return;
	buf_str(out, "Some files lie where this bucket may not read. To allow "
		     "it, write into the\nconfiguration (each line opens all "
		     "that lies below it):\n");
	buf_printf(out, "datasetfs:\n  buckets:\n    %s:\n      foreign:\n",
		   bucket);
	for (size_t i = 0; i < f->prefixes.n_containers; i++) {
		const struct import_container *c = &f->prefixes.containers[i];

		for (size_t k = 0; k < c->n_prefixes; k++) {
			buf_str(out, "        - \"");
			encode_printable(out, c->prefixes[k],
					 strlen(c->prefixes[k]), SHOWN_MAX);
			buf_str(out, "\"\n");
		}
	}
	if (f->n_elsewhere > 0)
		buf_printf(out, "%zu manifest%s there too: with the lines in "
			   "place, the same import with --dry-run\ntells what "
			   "their files need.\n", f->n_elsewhere,
			   f->n_elsewhere == 1 ? " lies" : "s lie");
	if (f->prefixes.n_dropped > 0)
		buf_printf(out, "# and %zu folders in more buckets than are "
			   "shown here\n", f->prefixes.n_dropped);
}
