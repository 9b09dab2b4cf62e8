/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bucket in a scratch folder, for tests of catalogs: place_open() before,
 * place_close() after.
 */
#ifndef DATASETFS_TESTS_CATALOG_PLACE_H
#define DATASETFS_TESTS_CATALOG_PLACE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <criterion/criterion.h>
#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "fs/config/settings.h"
#include "fs/dataset/catalog_store.h"

#define PLACE_ID "Yb3kq0HnSHuGuLxg2ZfPzA"

struct place {
	char dir[64];
	char cache[80];
	struct backend *backend;
	struct catalog_store *store;
};

static inline int64_t place_deadline(void)
{
	return clock_ms() + 20000;
}

static inline struct catalog_store *place_store(struct place *p, bool cached)
{
	struct catalog_store *store;
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_store_new(&store, p->backend,
				       cached ? p->cache : NULL, &err), 0);
	return store;
}

static inline void place_backend(struct place *p, bool read_only)
{
	struct backend_spec spec = { .read_only = read_only };
	cleanup_uri struct uri uri = { .text = NULL };
	struct err err = ERR_INIT;
	char text[96];

	(void)snprintf(text, sizeof(text), "file://%s/bucket", p->dir);
	cr_assert_eq(uri_parse_location(&uri, text, &err), 0, "%s", err.text);
	spec.location = &uri;
	cr_assert_eq(backend_open(&p->backend, &spec, NULL, &err), 0, "%s",
		     err.text);
}

static inline void place_open(struct place *p)
{
	char bucket[80];

	memset(p, 0, sizeof(*p));
	(void)snprintf(p->dir, sizeof(p->dir), "/tmp/datasetfs-place-XXXXXX");
	cr_assert_not_null(mkdtemp(p->dir));
	(void)snprintf(p->cache, sizeof(p->cache), "%s/cache", p->dir);
	(void)snprintf(bucket, sizeof(bucket), "%s/bucket", p->dir);
	cr_assert_eq(mkdir(bucket, 0700), 0);
	cr_assert_eq(mkdir(p->cache, 0700), 0);
	place_backend(p, false);
	p->store = place_store(p, true);
}

static inline void place_close(struct place *p)
{
	char line[128];

	catalog_store_free(p->store);
	if (p->backend)
		backend_put_ref(p->backend);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", p->dir);
	cr_assert_eq(system(line), 0);
}

/* Writes an object behind everybody's back; key is relative to the bucket. */
static inline void place_write(struct place *p, const char *key,
			       const char *text)
{
	struct err err = ERR_INIT;
	char path[1024], *slash;

	(void)snprintf(path, sizeof(path), "%s/bucket/%s", p->dir, key);
	slash = strrchr(path, '/');
	*slash = '\0';
	cr_assert_eq(io_mkdir_p(path, 0700), 0);
	*slash = '/';
	cr_assert_eq(io_replace_file(path, text, strlen(text), 0600, false,
				     &err), 0, "%s", err.text);
}

static inline void place_unlink(struct place *p, const char *key)
{
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/bucket/%s", p->dir, key);
	cr_assert_eq(unlink(path), 0, "%s", path);
}

static inline void place_read(struct place *p, const char *key, struct buf *out)
{
	struct err err = ERR_INIT;
	char path[1024];

	(void)snprintf(path, sizeof(path), "%s/bucket/%s", p->dir, key);
	buf_clear(out);
	cr_assert_eq(io_read_file(path, (size_t)32 << 20, out, &err), 0, "%s",
		     err.text);
	buf_str(out, "");
}

#define PLACE_CATALOG ".datasetfs/catalog/"

static inline void place_write_format(struct place *p)
{
	place_write(p, ".datasetfs/format.json",
		    "{\"format\":1,\"id\":\"catalogcatalogcatalogx\"}\n");
}

static inline void place_write_name(struct place *p, const char *name,
				    const char *id)
{
	char key[256], text[256];

	(void)snprintf(key, sizeof(key), PLACE_CATALOG "names/%s.json", name);
	(void)snprintf(text, sizeof(text), "{\"format\":1,\"id\":\"%s\"}\n", id);
	place_write(p, key, text);
}

/* more: members behind type, beginning with a comma, or "". */
static inline void place_write_head(struct place *p, const char *id,
				    const char *name, const char *more)
{
	char key[256], text[4096];

	(void)snprintf(key, sizeof(key), PLACE_CATALOG "datasets/%s/head.json",
		       id);
	(void)snprintf(text, sizeof(text), "{\"format\":1,\"id\":\"%s\","
		       "\"name\":\"%s\",\"type\":\"dataset\"%s}\n", id, name,
		       more);
	place_write(p, key, text);
}

static inline void place_write_version(struct place *p, const char *id,
				       unsigned number, const char *manifest)
{
	char key[256], text[1024];

	(void)snprintf(key, sizeof(key), PLACE_CATALOG
		       "datasets/%s/versions/%010u.json", id, number);
	(void)snprintf(text, sizeof(text), "{\"format\":1,\"dataset\":\"%s\","
		       "\"version\":%u,\"kind\":\"osmo\",\"manifest\":\"%s\","
		       "\"size\":1}\n", id, number, manifest);
	place_write(p, key, text);
}

static inline struct catalog *place_load(struct catalog_store *store)
{
	struct catalog *c = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_store_load(store, &c, place_deadline(), &err), 0,
		     "%s", err.text);
	return c;
}

/* A configuration of which the place is bucket b, and the cache directory. */
static inline struct settings *place_settings(const struct place *p)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct settings *settings = NULL;
	struct err err = ERR_INIT;

	buf_printf(&text, "buckets:\n"
		   "  b: {dataset_path: \"file://%s/bucket\"}\n"
		   "datasetfs: {cache: {dir: \"%s\"}}\n",
		   p->dir, p->cache);
	cr_assert_eq(settings_parse(&settings, "test.yaml", text.data,
				    text.len, &report, &err), 0, "%s",
		     err.text);
	settings_report_release(&report);
	return settings;
}

#endif
