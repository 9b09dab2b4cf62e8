/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/backend_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/encode.h"

static const char *const kind_names[BACKEND_OP_KINDS] = {
	[BACKEND_OP_GET] = "get",
	[BACKEND_OP_GET_ALL] = "get",
	[BACKEND_OP_HEAD] = "head",
	[BACKEND_OP_PUT] = "put",
	[BACKEND_OP_DELETE] = "delete",
	[BACKEND_OP_LIST] = "list",
	[BACKEND_OP_MULTIPART_CREATE] = "create upload of",
	[BACKEND_OP_MULTIPART_PUT] = "put part of",
	[BACKEND_OP_MULTIPART_COMPLETE] = "complete upload of",
	[BACKEND_OP_MULTIPART_ABORT] = "abort upload of",
};

static bool is_write(enum backend_op_kind kind)
{
	return kind != BACKEND_OP_GET && kind != BACKEND_OP_GET_ALL &&
	       kind != BACKEND_OP_HEAD && kind != BACKEND_OP_LIST;
}

int backend_init(struct backend *b, const struct backend_ops *ops,
		 const struct backend_spec *spec, struct err *err)
{
	int r = uri_parse_location(&b->location, spec->location->text, err);

	if (r < 0)
		return r;
	b->name = strdup(b->location.text);
	if (!b->name)
		return err_nomem(err);
	b->ops = ops;
	atomic_init(&b->read_only, spec->read_only);
	atomic_init(&b->refs, 1);
	return 0;
}

void backend_set_read_only(struct backend *b, bool read_only)
{
	atomic_store(&b->read_only, read_only);
}

void backend_release(struct backend *b)
{
	uri_release(&b->location);
	free(b->name);
}

int backend_open(struct backend **out, const struct backend_spec *spec,
		 struct http_engine *engine, struct err *err)
{
	*out = NULL;
	switch (spec->location->scheme) {
	case URI_FILE:
		return file_open(out, spec, err);
	case URI_S3:
	case URI_GS:
	case URI_TOS:
	case URI_SWIFT:
		return s3_open(out, spec, engine, err);
	case URI_AZURE:
		return azure_open(out, spec, engine, err);
	}
	return err_set(
		err, ERR_USAGE, ENOTSUP, "%s: the scheme %s:// is not built in",
		spec->location->text, uri_scheme_name(spec->location->scheme));
}

struct backend *backend_get_ref(struct backend *b)
{
	atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
	return b;
}

void backend_put_ref(struct backend *b)
{
	if (!b ||
	    atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
		return;
	b->ops->release(b);
	backend_release(b);
	free(b);
}

const struct backend_caps *backend_caps(const struct backend *b)
{
	return &b->caps;
}

void backend_caps_set(struct backend *b, const struct backend_caps *caps)
{
	b->caps = *caps;
}

void backend_caps_forget(struct backend *b)
{
	if (b->ops->origin)	/* of file:// they are known */
		b->caps = (struct backend_caps){ .probed = false };
}

bool backend_clock_skew(const struct backend *b, int64_t *seconds)
{
	if (!atomic_load(&b->has_clock))
		return false;
	*seconds = atomic_load(&b->clock_skew_s);
	return true;
}

const char *backend_name(const struct backend *b)
{
	return b->name;
}

const char *backend_profile(const struct backend *b)
{
	return b->location.profile;
}

void backend_full_key(const struct backend *b, const char *key, struct buf *out)
{
	const struct uri *at = &b->location;

	if (at->container)
		buf_str(out, at->container);
	if (at->container && *at->key)
		buf_char(out, '/');
	buf_str(out, at->key);
	buf_char(out, '/');
	buf_str(out, key);
}

void backend_key_prefix(const struct backend *b, struct buf *out)
{
	if (!*b->location.key)
		return;
	buf_str(out, b->location.key);
	buf_char(out, '/');
}

/*
 * An op is a few hundred bytes: where they cannot be had there is no way to
 * keep the promise that done() is called, and never from inside the call.
 */
static void *must_alloc(void *p)
{
	if (!p)
		abort();
	return p;
}

static char *copy(const char *s)
{
	return s ? must_alloc(strdup(s)) : NULL;
}

static struct backend_op *op_new(struct backend *b, enum backend_op_kind kind,
				 const char *key, int64_t deadline_ms,
				 backend_done_fn done, void *arg)
{
	struct backend_op *op = must_alloc(calloc(1, sizeof(*op)));

	op->backend = backend_get_ref(b);
	op->kind = kind;
	op->key = copy(key);
	op->deadline_ms = deadline_ms;
	op->done = done;
	op->arg = arg;
	op->info.size = BACKEND_SIZE_UNKNOWN;
	return op;
}

static void op_free(struct backend_op *op)
{
	if (op->page_free)
		op->page_free(op->page_memory);
	free(op->key);
	free(op->if_match);
	free(op->content_type);
	free(op->prefix);
	free(op->start_after);
	free(op->token);
	free(op->upload_id);
	free(op->parts);
	backend_put_ref(op->backend);
	free(op);
}

/* As much of a key as tells it from another one in a log line. */
#define KEY_SHOWN_MAX 300

static void name_error(struct backend_op *op)
{
	const char *key = op->key ? op->key : op->prefix;
	cleanup_buf struct buf shown = BUF_INIT;

	encode_printable(&shown, key, strlen(key), KEY_SHOWN_MAX);
	(void)err_wrap(&op->err, "%s %s/%s", kind_names[op->kind],
		       op->backend->name, shown.data ? shown.data : "");
}

void backend_op_finish(struct backend_op *op)
{
	if (op->r < 0)
		name_error(op);
	if (op->list_done)
		op->list_done(op->arg, op->r, op->r < 0 ? NULL : &op->page,
			      &op->err);
	else
		op->done(op->arg, op->r, &op->info, &op->err);
	op_free(op);
}

int backend_op_expired(struct backend_op *op)
{
	if (clock_ms() < op->deadline_ms)
		return 0;
	return err_set(&op->err, ERR_RETRY, ETIMEDOUT,
		       "the deadline passed before it could start");
}

static int check_key(struct backend_op *op)
{
	size_t len = strlen(op->key) + strlen(op->backend->location.key) + 1;

	if (!*op->key)
		return err_set(&op->err, ERR_USAGE, EINVAL, "the key is empty");
	/* A local directory's own path is no part of a key. */
	if (op->backend->location.scheme == URI_FILE ||
	    !*op->backend->location.key)
		len = strlen(op->key);
	if (len > BACKEND_KEY_MAX)
		return err_set(&op->err, ERR_USAGE, ENAMETOOLONG,
			       "a key of %zu bytes, the limit is %d", len,
			       BACKEND_KEY_MAX);
	return 0;
}

/* It will be sent in a header: nothing that could end one. */
static int check_etag(struct backend_op *op, const char *etag)
{
	size_t len = strlen(etag);

	if (!len || len >= BACKEND_ETAG_MAX)
		return err_set(&op->err, ERR_USAGE, EINVAL,
			       "an etag of %zu bytes", len);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)etag[i] <= 0x20 ||
		    (unsigned char)etag[i] >= 0x7f || etag[i] == '"')
			return err_set(&op->err, ERR_USAGE, EINVAL,
				       "an etag with the byte 0x%02x",
				       (unsigned char)etag[i]);
	return 0;
}

static int check_range(struct backend_op *op)
{
	uint64_t end;

	if (!op->len || !op->dst)
		return err_set(&op->err, ERR_USAGE, EINVAL,
			       "a range of no bytes");
	if (__builtin_add_overflow(op->offset, (uint64_t)op->len, &end) ||
	    end > INT64_MAX)
		return err_set(&op->err, ERR_USAGE, EINVAL,
			       "a range beyond 2^63");
	if (op->expect_size != BACKEND_SIZE_UNKNOWN && end > op->expect_size)
		return err_set(&op->err, ERR_CORRUPT, EBADMSG,
			       "bytes %llu-%llu of an object of %llu",
			       (unsigned long long)op->offset,
			       (unsigned long long)end - 1,
			       (unsigned long long)op->expect_size);
	return 0;
}

static int check(struct backend_op *op)
{
	int r = 0;

	if (op->key)
		r = check_key(op);
	if (r == 0 && op->if_match)
		r = check_etag(op, op->if_match);
	if (r == 0 && op->kind == BACKEND_OP_GET)
		r = check_range(op);
	if (r == 0 && op->if_match && op->create_only)
		r = err_set(&op->err, ERR_USAGE, EINVAL,
			    "create_only and if_match exclude one another");
	for (size_t i = 0; r == 0 && i < op->n_parts; i++)
		r = check_etag(op, op->parts[i].etag);
	if (r < 0)
		return r;
	if (is_write(op->kind) && op->backend->read_only)
		return err_set(&op->err, ERR_USAGE, EROFS,
			       "the bucket is configured read-only");
	if (!op->backend->ops->start[op->kind])
		return err_set(&op->err, ERR_USAGE, ENOTSUP,
			       "%s:// has no such operation",
			       uri_scheme_name(op->backend->location.scheme));
	return backend_op_expired(op);
}

static void start(struct backend_op *op)
{
	const struct backend_ops *ops = op->backend->ops;

	op->r = check(op);
	if (op->r < 0)
		ops->later(op, backend_op_finish);
	else
		ops->start[op->kind](op);
}

void backend_get(struct backend *b, const struct backend_get *get,
		 backend_done_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_GET, get->key,
				       get->deadline_ms, done, arg);

	op->offset = get->offset;
	op->len = get->len;
	op->dst = get->dst;
	op->if_match = copy(get->if_match);
	op->expect_size = get->expect_size;
	start(op);
}

void backend_get_all(struct backend *b, const char *key, size_t limit,
		     struct buf *out, int64_t deadline_ms, backend_done_fn done,
		     void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_GET_ALL, key, deadline_ms,
				       done, arg);

	op->out = out;
	op->out_start = out->len;
	op->limit = limit;
	start(op);
}

void backend_head(struct backend *b, const char *key, int64_t deadline_ms,
		  backend_done_fn done, void *arg)
{
	start(op_new(b, BACKEND_OP_HEAD, key, deadline_ms, done, arg));
}

void backend_put(struct backend *b, const struct backend_put *put,
		 backend_done_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_PUT, put->key,
				       put->deadline_ms, done, arg);

	op->data = put->data;
	op->len = put->len;
	op->content_type = copy(put->content_type ? put->content_type
						  : "application/octet-stream");
	op->create_only = put->create_only;
	op->if_match = copy(put->if_match);
	op->is_spoiled = put->is_spoiled;
	start(op);
}

void backend_delete(struct backend *b, const char *key, const char *if_match,
		    int64_t deadline_ms, backend_done_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_DELETE, key, deadline_ms,
				       done, arg);

	op->if_match = copy(if_match);
	start(op);
}

void backend_list(struct backend *b, const struct backend_list *list,
		  backend_list_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_LIST, NULL,
				       list->deadline_ms, NULL, arg);

	op->list_done = done;
	op->prefix = copy(list->prefix ? list->prefix : "");
	op->start_after = copy(list->start_after);
	op->token = copy(list->token);
	op->max_keys = list->max_keys;
	op->by_slash = list->delimiter != NULL;
	if (list->delimiter && strcmp(list->delimiter, "/") != 0) {
		op->r = err_set(&op->err, ERR_USAGE, EINVAL,
				"a delimiter other than '/'");
		b->ops->later(op, backend_op_finish);
		return;
	}
	start(op);
}

void backend_multipart_create(struct backend *b, const char *key,
			      char upload_id[BACKEND_UPLOAD_ID_MAX],
			      int64_t deadline_ms, backend_done_fn done,
			      void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_MULTIPART_CREATE, key,
				       deadline_ms, done, arg);

	op->upload_id_out = upload_id;
	start(op);
}

void backend_multipart_put(struct backend *b, const char *key,
			   const char *upload_id, unsigned number,
			   const void *data, size_t len, int64_t deadline_ms,
			   backend_done_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_MULTIPART_PUT, key,
				       deadline_ms, done, arg);

	op->upload_id = copy(upload_id);
	op->part_number = number;
	op->data = data;
	op->len = len;
	start(op);
}

void backend_multipart_complete(struct backend *b, const char *key,
				const char *upload_id,
				const struct part_etag *parts, size_t n_parts,
				bool create_only, int64_t deadline_ms,
				backend_done_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_MULTIPART_COMPLETE, key,
				       deadline_ms, done, arg);

	op->upload_id = copy(upload_id);
	op->parts = must_alloc(calloc(n_parts + 1, sizeof(*parts)));
	if (n_parts)
		memcpy(op->parts, parts, n_parts * sizeof(*parts));
	op->n_parts = n_parts;
	op->create_only = create_only;
	start(op);
}

void backend_multipart_abort(struct backend *b, const char *key,
			     const char *upload_id, int64_t deadline_ms,
			     backend_done_fn done, void *arg)
{
	struct backend_op *op = op_new(b, BACKEND_OP_MULTIPART_ABORT, key,
				       deadline_ms, done, arg);

	op->upload_id = copy(upload_id);
	start(op);
}
