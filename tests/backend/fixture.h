/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs that drive a backend share: opening one, deadlines, and
 * puts and gets of strings.  A failure of the fixture itself ends the program.
 */
#ifndef DATASETFS_TESTS_BACKEND_FIXTURE_H
#define DATASETFS_TESTS_BACKEND_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/auth/cred.h"
#include "backends/azure/azure_connection.h"
#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/http/http.h"

#define DEADLINE_MS 20000

static inline int64_t soon(void)
{
	return clock_ms() + DEADLINE_MS;
}

static inline void must(int r, const struct err *err, const char *what)
{
	if (r >= 0)
		return;
	printf("Bail out! %s: %s\n", what, err->text);
	exit(99);
}

static inline bool is_scheme(const char *uri, const char *scheme)
{
	size_t len = strlen(scheme);

	return !strncmp(uri, scheme, len) && !strncmp(uri + len, "://", 3);
}

/* OSMO's connection string, for the account of an azure:// location. */
static inline struct cred_source *azure_creds(const char *location,
					      const char *connection)
{
	cleanup_uri struct uri uri = { .text = NULL };
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;

	must(uri_parse_location(&uri, location, &err), &err, "uri");
	must(azure_connection_source(&creds, "test", connection, uri.host,
				     &err),
	     &err, "connection string");
	return creds;
}

/* What is opened: like a backend_spec, with the URI as text. */
struct opening {
	const char *uri;
	const char *override_url;
	const char *region;
	enum addressing addressing;
	struct cred_source *creds;
	bool read_only;
	struct backend_s3_options s3;
};

static inline int try_open(struct backend **out, const struct opening *how,
			   struct http_engine *engine, struct err *err)
{
	cleanup_uri struct uri uri = { .text = NULL };
	const struct backend_spec spec = {
		.location = &uri,
		.region = how->region,
		.override_url = how->override_url,
		.addressing = how->addressing,
		.creds = how->creds,
		.read_only = how->read_only,
		.s3 = how->s3,
	};
	int r = uri_parse_location(&uri, how->uri, err);

	return r < 0 ? r : backend_open(out, &spec, engine, err);
}

static inline struct backend *must_open(const struct opening *how,
					struct http_engine *engine)
{
	struct backend *b = NULL;
	struct err err = ERR_INIT;

	must(try_open(&b, how, engine, &err), &err, how->uri);
	return b;
}

static inline int put_bytes(struct backend *b, const char *key,
			    const void *data, size_t len,
			    struct object_info *info, struct err *err)
{
	const struct backend_put put = {
		.key = key, .data = data, .len = len, .deadline_ms = soon()
	};

	return backend_sync_put(b, &put, info, err);
}

static inline int put_text(struct backend *b, const char *key,
			   const char *text, bool create_only,
			   const char *if_match, struct object_info *info)
{
	const struct backend_put put = {
		.key = key,
		.data = text,
		.len = strlen(text),
		.create_only = create_only,
		.if_match = if_match,
		.deadline_ms = soon(),
	};
	struct err err = ERR_INIT;

	return backend_sync_put(b, &put, info, &err);
}

static inline int get_range(struct backend *b, const char *key, void *dst,
			    uint64_t offset, size_t len, const char *if_match,
			    uint64_t expect_size, struct object_info *info,
			    struct err *err)
{
	const struct backend_get get = {
		.key = key,
		.offset = offset,
		.len = len,
		.dst = dst,
		.if_match = if_match,
		.expect_size = expect_size,
		.deadline_ms = soon(),
	};

	err_clear(err);
	return backend_sync_get(b, &get, info, err);
}

/* "" where it cannot be read. */
static inline char *get_text(struct backend *b, const char *key,
			     struct object_info *info)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	char *text;

	if (backend_sync_get_all(b, key, 1 << 20, &out, info, soon(), &err) < 0)
		buf_clear(&out);
	buf_str(&out, "");
	text = strdup(out.data ? out.data : "");
	buf_release(&out);
	return text;
}

/* All keys in order, each with a newline. */
static inline int add_key(void *arg, const struct list_entry *entry,
			  struct err *err)
{
	(void)err;
	buf_str(arg, entry->key);
	buf_char(arg, '\n');
	return 0;
}

static inline int list_keys(struct backend *b, const char *prefix,
			    const char *delimiter, struct buf *out,
			    struct err *err)
{
	err_clear(err);
	buf_clear(out);
	buf_str(out, "");
	return backend_sync_list(b, prefix, delimiter, DEADLINE_MS, add_key,
				 out, err);
}

#endif
