/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/registry/version_tree.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "backends/backend_sync.h"
#include "backends/base/digest.h"
#include "backends/base/log.h"
#include "fs/dataset/registry/buckets_impl.h"
#include "fs/dataset/registry/manifest_source.h"
#include "fs/dataset/osmo/osmo_etag.h"
#include "fs/dataset/osmo/osmo_repair_queue.h"

#define LOG "tree"

/* Raised whenever the same record must give another tree. */
#define VERSION_TREE_RULES 5
#define LEGACY_PAGE_TIMEOUT_MS 60000

void version_tree_identity(const struct bucket *b, const struct dataset *ds,
			   const struct version *v,
			   uint8_t identity[TREE_IDENTITY_SIZE])
{
	struct digest *d = digest_new(DIGEST_SHA256);
	const char *place = backend_name(b->catalog_place->backend);
	uint8_t head[8];

	put_le32(head, VERSION_TREE_RULES);
	put_le32(head + 4, v->number);
	digest_add(d, head, sizeof(head));
	digest_add(d, place, strlen(place) + 1);
	digest_add(d, ds->id, strlen(ds->id) + 1);
	digest_add(d, v->digest, sizeof(v->digest));
	digest_finish(d, identity);
	digest_free(d);
}

static int add_osmo_entry(void *arg, const struct osmo_entry *e,
			  struct err *err)
{
	return osmo_repair_queue_add(arg, e, err);
}

static int locate(void *arg, const char *uri, struct backend **backend,
		  const char **key, struct err *err)
{
	return bucket_locate(arg, uri, backend, key, err);
}

static int read_manifest(struct bucket *b, const struct version *v,
			 struct osmo_repair_queue *queue,
			 struct version_tree_progress *progress,
			 struct err *err)
{
	struct backend *backend;
	const char *key;
	int r;

	r = bucket_locate_manifest(b, v->manifest_uri, &backend, &key, err);
	if (r < 0)
		return r;
	return manifest_source_entries(backend, key, add_osmo_entry, queue,
				       &progress->done_bytes,
				       &progress->all_bytes, err);
}

/* *unchecked: entries whose repair has to wait for their store. */
static int build_osmo(struct bucket *b, const struct version *v,
		      struct tree_build *build, const char *label,
		      struct version_tree_progress *progress,
		      uint64_t *unchecked, struct err *err)
{
	const struct osmo_repair_options opt = {
		.build = build,
		.label = label,
		.locate = locate,
		.locate_arg = b,
	};
	struct osmo_repair_queue *queue = NULL;
	int r = osmo_repair_queue_new(&queue, &opt, err);

	if (r < 0)
		return r;
	r = read_manifest(b, v, queue, progress, err);
	if (r == 0)
		r = osmo_repair_queue_finish(queue, err);
	*unchecked = osmo_repair_queue_unchecked(queue);
	osmo_repair_queue_free(queue);
	return r < 0 ? err_wrap(err, "manifest %s", v->manifest_uri) : 0;
}

struct legacy {
	struct tree_build *build;
	const char *location;	/* without trailing slash */
	size_t skip;		/* bytes of a key before the relative path */
};

static int add_legacy_entry(void *arg, const struct list_entry *e,
			    struct err *err)
{
	struct legacy *legacy = arg;
	cleanup_buf struct buf source = BUF_INIT;
	const char *etag = osmo_etag_of(&e->info);
	size_t len = strlen(e->key);

	/* Directory markers, and the prefix itself, are no files. */
	if (e->is_prefix || len <= legacy->skip || e->key[len - 1] == '/')
		return 0;
	buf_printf(&source, "%s/%s", legacy->location, e->key + legacy->skip);
	if (buf_failed(&source))
		return err_nomem(err);
	return tree_build_add(legacy->build, e->key + legacy->skip,
			      len - legacy->skip, source.data, source.len,
			      e->info.size, etag, strlen(etag), TREE_OK, err);
}

static int build_legacy(struct bucket *b, const struct version *v,
			struct tree_build *build, struct err *err)
{
	cleanup_free char *location = strdup(v->location);
	cleanup_buf struct buf prefix = BUF_INIT;
	struct legacy legacy = { .build = build };
	struct backend *backend;
	const char *key;
	size_t len;
	int r;

	if (!location)
		return err_nomem(err);
	len = strlen(location);
	while (len > 0 && location[len - 1] == '/')
		location[--len] = '\0';
	r = bucket_locate(b, location, &backend, &key, err);
	if (r < 0)
		return err_wrap(err, "legacy prefix %s", location);

	buf_printf(&prefix, "%s/", key);
	if (buf_failed(&prefix))
		return err_nomem(err);
	legacy.location = location;
	legacy.skip = prefix.len;
	r = backend_sync_list(backend, prefix.data, NULL,
			      LEGACY_PAGE_TIMEOUT_MS, add_legacy_entry, &legacy,
			      err);
	return r < 0 ? err_wrap(err, "legacy prefix %s", location) : 0;
}

/*
 * A prefix that is gone looks like one without files.  What the record says
 * tells them apart where it is not 0.
 */
static bool is_legacy_gone(const struct version *v,
			   const struct tree_info *info)
{
	return v->kind == VERSION_LEGACY && v->size > 0 && info->n_files == 0;
}

/* Good while it is open; the next start asks again. */
static void keep_no_longer(const struct tree_build_options *opt)
{
	(void)unlinkat(opt->dirfd, opt->name, 0);
}

int version_tree_build(struct bucket *b, const struct version *v,
		       const struct tree_build_options *opt,
		       struct version_tree_progress *progress,
		       struct tree **out, struct err *err)
{
	struct tree_build_options with_kind = *opt;
	struct tree_build *build = NULL;
	struct tree_info info;
	uint64_t unchecked = 0;
	int r;

	with_kind.is_listing = v->kind == VERSION_LEGACY;
	r = tree_build_new(&build, &with_kind, err);
	if (r < 0)
		return r;
	switch (v->kind) {
	case VERSION_EMPTY:
		break;
	case VERSION_OSMO:
		r = build_osmo(b, v, build, opt->label, progress, &unchecked,
			       err);
		break;
	case VERSION_LEGACY:
		r = build_legacy(b, v, build, err);
		break;
	}
	if (r == 0)
		r = tree_build_finish(build, out, err);
	tree_build_free(build);
	if (r < 0)
		return r;

	if (unchecked) {
		keep_no_longer(opt);
		log_warn(LOG, "damaged entries are not repaired, their store did not answer or may not be read: version=%s entries=%llu",
			 opt->label, (unsigned long long)unchecked);
	}
	tree_info(*out, &info);
	if (is_legacy_gone(v, &info)) {
		keep_no_longer(opt);
		log_warn(LOG, "a version of %llu bytes has no files, its prefix may be gone: version=%s prefix=%s",
			 (unsigned long long)v->size, opt->label, v->location);
	}
	log_info(LOG, "expanded: version=%s files=%u directories=%u duplicates=%u clashes=%u rejected=%u repaired=%u faults=%u",
		 opt->label, info.n_files, info.n_dirs, info.n_duplicates,
		 info.n_clashes, info.n_rejected, info.n_repaired,
		 info.n_faults);
	return 0;
}
