/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/import_rest.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/http/http_fetch.h"
#include "fs/dataset/catalog_store/json_text.h"
#include "fs/dataset/import/import_each.h"
#include "fs/dataset/import/osmo_json.h"

#define SAID_MAX 300	/* of what an error says, for people */

struct rest {
	struct import_source *src;
	struct http_engine *engine;
	const struct import_rest_options *opt;
	struct buf base;	/* the URL without trailing slashes */
	struct buf headers;

	char **names;		/* of the datasets */
	size_t n, cap;
	int64_t oldest_s;	/* of the latest page */
};

struct answer {
	struct buf body;
	int status;
};

/* --- requests --------------------------------------------------------- */

static bool is_loopback(const char *host)
{
	static const char *const names[] = { "localhost", "127.0.0.1", "[::1]" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(host, names[i], n) == 0 &&
		    strchr(":/", host[n]) != NULL)
			return true;
	}
	return false;
}

static int check_url(const struct rest *rest, struct err *err)
{
	static const char plain[] = "http://";
	const char *url = rest->base.data;

	if (strpbrk(url, "?#@ \n\r"))
		return err_set(err, ERR_USAGE, EINVAL,
			       "the service's URL has no user, query or "
			       "fragment: write https://HOST[/PATH]");
	if (rest->opt->token && strncmp(url, plain, sizeof(plain) - 1) == 0 &&
	    !is_loopback(url + sizeof(plain) - 1))
		return err_set(err, ERR_AUTH, EACCES,
			       "%s: a token is not sent in plain text: write "
			       "https://", url);
	return 0;
}

static int add_header(struct rest *rest, const char *name, const char *value,
		      const char *prefix, struct err *err)
{
	if (!value)
		return 0;
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return err_set(err, ERR_AUTH, EACCES,
				       "the %s has a byte that cannot be sent, "
				       "at position %zu", name,
				       (size_t)(p - value) + 1);
	buf_printf(&rest->headers, "%s: %s%s\n", name, prefix, value);
	return 0;
}

static int begin(struct rest *rest, struct err *err)
{
	int r;

	buf_str(&rest->base, rest->opt->url);
	while (rest->base.len > 0 &&
	       rest->base.data[rest->base.len - 1] == '/')
		rest->base.data[--rest->base.len] = '\0';
	if (buf_failed(&rest->base))
		return err_nomem(err);
	r = check_url(rest, err);
	if (r == 0)
		r = add_header(rest, "authorization", rest->opt->token,
			       "Bearer ", err);
	if (r == 0)
		r = add_header(rest, "x-osmo-user", rest->opt->user, "", err);
	buf_str(&rest->headers, "accept: application/json\n");
	return r == 0 && buf_failed(&rest->headers) ? err_nomem(err) : r;
}

/* "message" of an error's JSON, or nothing. */
static void said(const struct buf *body, struct buf *out)
{
	struct err ignored = ERR_INIT;
	json_t *doc = NULL;
	const char *text = NULL;

	if (body->len &&
	    json_text_parse(&doc, body->data, body->len, &ignored) == 0)
		text = json_string_value(json_object_get(doc, "message"));
	if (text) {
		buf_str(out, ": ");
		encode_prose(out, text, strlen(text), SAID_MAX);
	}
	json_decref(doc);
}

static int refused(const struct rest *rest, const struct answer *answer,
		   struct err *err)
{
	cleanup_buf struct buf words = BUF_INIT;
	const char *url = rest->base.data;

	said(&answer->body, &words);
	if (buf_failed(&words))
		return err_nomem(err);
	if (answer->status == 401 || answer->status == 403 ||
	    answer->status / 100 == 3)
		return err_set(err, ERR_AUTH, EACCES,
			       "%s answers %d%s%s: run \"osmo login %s\" "
			       "again, or give --token-file FILE",
			       url, answer->status,
			       answer->status / 100 == 3 ?
				       ", as to somebody who is not logged in" :
				       "",
			       words.data ? words.data : "", url);
	if (answer->status == 404)
		return err_set(err, ERR_MISSING, ENOENT,
			       "%s has no datasets' interface (404%s): OSMO "
			       "6.4 removed it; take a pg_dump "
			       "(datasetfs-format(5), IMPORT)", url,
			       words.data ? words.data : "");
	return err_set(err, ERR_CORRUPT, EBADMSG, "%s answers %d%s", url,
		       answer->status, words.data ? words.data : "");
}

/* path: "/api/...", as it is sent. */
static int get(const struct rest *rest, const char *path,
	       struct answer *answer, struct err *err)
{
	cleanup_buf struct buf url = BUF_INIT;
	struct http_fetch fetch = {
		.headers = &rest->headers,
		.limit = IMPORT_REST_BODY_MAX,
		.deadline_ms = clock_ms() + rest->opt->timeout_ms,
	};

	buf_printf(&url, "%s%s", rest->base.data, path);
	if (buf_failed(&url))
		return err_nomem(err);
	fetch.url = url.data;
	return http_fetch(rest->engine, &fetch, &answer->body,
			  &answer->status, err);
}

/* --- the list --------------------------------------------------------- */

static int remember(struct rest *rest, const char *name, struct err *err)
{
	if (rest->n >= IMPORT_REST_DATASETS_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "more than %u datasets",
			       IMPORT_REST_DATASETS_MAX);
	if (rest->n == rest->cap) {
		size_t cap = rest->cap ? 2 * rest->cap : 256;
		char **names = reallocarray(rest->names, cap, sizeof(*names));

		if (!names)
			return err_nomem(err);
		rest->names = names;
		rest->cap = cap;
	}
	rest->names[rest->n] = strdup(name);
	if (!rest->names[rest->n])
		return err_nomem(err);
	rest->n++;
	return 0;
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Pages overlap where several datasets bear one time. */
static void drop_repeated(struct rest *rest)
{
	size_t kept = 0;

	if (rest->n)
		qsort(rest->names, rest->n, sizeof(*rest->names), name_compare);
	for (size_t i = 0; i < rest->n; i++) {
		if (kept && !strcmp(rest->names[kept - 1], rest->names[i]))
			free(rest->names[i]);
		else
			rest->names[kept++] = rest->names[i];
	}
	rest->n = kept;
}

static int take_listed(struct rest *rest, const json_t *v, struct err *err)
{
	const char *name = json_string_value(json_object_get(v, "name"));
	const char *when = json_string_value(json_object_get(v,
							     "last_created"));
	int64_t s;

	if (!name)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "a dataset without a name in the list");
	if (!when)
		when = json_string_value(json_object_get(v, "create_time"));
	if (when && clock_parse_iso(when, &s, NULL) == 0 &&
	    (rest->oldest_s == 0 || s < rest->oldest_s))
		rest->oldest_s = s;
	return remember(rest, name, err);
}

static int read_page(struct rest *rest, const struct answer *answer,
		     size_t *n_listed, struct err *err)
{
	const json_t *list, *v;
	json_t *doc = NULL;
	size_t i;
	int r;

	if (answer->status != 200)
		return refused(rest, answer, err);
	r = json_text_parse(&doc, answer->body.data ? answer->body.data : "",
			    answer->body.len, err);
	list = json_object_get(doc, "datasets");
	if (r == 0 && !json_is_array(list))
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    "no list of datasets");
	*n_listed = json_array_size(list);
	rest->oldest_s = 0;
	json_array_foreach(list, i, v)
		if (r == 0)
			r = take_listed(rest, v, err);
	json_decref(doc);
	return r < 0 ? err_wrap(err, "%s", rest->base.data) : 0;
}

/*
 * before_s 0: the newest.  One second more than the oldest of the page before:
 * whether the service counts that second in or not, none of it is lost.
 */
static int list_path(const struct rest *rest, int64_t before_s,
		     struct buf *path, struct err *err)
{
	const char *bucket = rest->opt->bucket;
	char when[CLOCK_ISO_MAX];

	buf_str(path, "/api/bucket/list_dataset?all_users=true&order=DESC");
	buf_printf(path, "&count=%u&buckets=", IMPORT_REST_PAGE);
	encode_percent(path, bucket, strlen(bucket), "");
	if (before_s) {
		clock_format_iso(before_s + 1, when);
		when[strcspn(when, "Z")] = '\0';	/* naive, as OSMO's */
		buf_str(path, "&latest_before=");
		encode_percent(path, when, strlen(when), "");
	}
	return buf_failed(path) ? err_nomem(err) : 0;
}

static int list_all(struct rest *rest, struct err *err)
{
	size_t n_listed = 0;
	int64_t before_s = 0, asked_s;
	int r;

	do {
		cleanup_buf struct buf path = BUF_INIT;
		struct answer answer = { .body = BUF_INIT };

		asked_s = before_s;
		r = list_path(rest, before_s, &path, err);
		if (r == 0)
			r = get(rest, path.data, &answer, err);
		if (r == 0)
			r = read_page(rest, &answer, &n_listed, err);
		buf_release(&answer.body);
		if (r < 0)
			return r;
		if (rest->opt->tell)
			rest->opt->tell(rest->opt->arg, 0, rest->n);
		before_s = rest->oldest_s;
	} while (n_listed >= IMPORT_REST_PAGE && before_s &&
		 (!asked_s || before_s < asked_s));
	drop_repeated(rest);
	if (n_listed < IMPORT_REST_PAGE)
		return 0;
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "%s: the list cannot be paged, as %u datasets of it "
		       "bear one time: take a pg_dump (datasetfs-format(5), "
		       "IMPORT)", rest->base.data, IMPORT_REST_PAGE);
}

/* --- what there is to know of each ------------------------------------ */

struct batch {
	const struct rest *rest;
	size_t first;
	struct answer answers[IMPORT_REST_BATCH];
};

static int get_info(void *arg, size_t i, struct err *err)
{
	struct batch *batch = arg;
	const struct rest *rest = batch->rest;
	const char *name = rest->names[batch->first + i];
	cleanup_buf struct buf path = BUF_INIT;

	buf_str(&path, "/api/bucket/");
	encode_percent(&path, rest->opt->bucket, strlen(rest->opt->bucket), "");
	buf_str(&path, "/dataset/");
	encode_percent(&path, name, strlen(name), "");
	buf_str(&path, "/info?all_flag=true&count=0&order=ASC");
	if (buf_failed(&path))
		return err_nomem(err);
	return get(rest, path.data, &batch->answers[i], err);
}

static int take_info(struct rest *rest, const char *name,
		     const struct answer *answer, struct err *err)
{
	cleanup_buf struct buf where = BUF_INIT, words = BUF_INIT;

	if (answer->status == 401 || answer->status == 403 ||
	    answer->status / 100 == 3)
		return refused(rest, answer, err);
	buf_printf(&where, "%s: %s", rest->base.data, name);
	said(&answer->body, &words);
	if (buf_failed(&where) || buf_failed(&words))
		return err_nomem(err);
	if (answer->status == 200)
		return osmo_json_read_info(rest->src, where.data,
					   answer->body.data ?
						   answer->body.data : "",
					   answer->body.len, err);
	import_source_note(rest->src, "%s skipped: the service answers %d%s",
			   where.data, answer->status,
			   words.data ? words.data : "");
	return 0;
}

static int read_batch(struct rest *rest, size_t first, struct err *err)
{
	struct batch batch = { .rest = rest, .first = first };
	size_t n = rest->n - first;
	int r;

	if (n > IMPORT_REST_BATCH)
		n = IMPORT_REST_BATCH;
	r = import_each(n, IMPORT_REST_REQUESTS, get_info, &batch, err);
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_info(rest, rest->names[first + i],
			      &batch.answers[i], err);
	for (size_t i = 0; i < n; i++)
		buf_release(&batch.answers[i].body);
	if (r == 0 && rest->opt->tell)
		rest->opt->tell(rest->opt->arg, first + n, rest->n);
	return r;
}

static void rest_release(struct rest *rest)
{
	if (rest->headers.data)
		explicit_bzero(rest->headers.data, rest->headers.cap);
	buf_release(&rest->headers);
	buf_release(&rest->base);
	for (size_t i = 0; i < rest->n; i++)
		free(rest->names[i]);
	free(rest->names);
}

int import_rest_read(struct import_source *src, struct http_engine *engine,
		     const struct import_rest_options *opt, struct err *err)
{
	struct rest rest = { .src = src, .engine = engine, .opt = opt };
	int r = begin(&rest, err);

	if (r == 0)
		r = list_all(&rest, err);
	if (r == 0 && rest.n == 0)
		r = err_set(err, ERR_MISSING, ENOENT,
			    "%s has no dataset in bucket %s", opt->url,
			    opt->bucket);
	for (size_t i = 0; i < rest.n && r == 0; i += IMPORT_REST_BATCH)
		r = read_batch(&rest, i, err);
	rest_release(&rest);
	return r;
}
