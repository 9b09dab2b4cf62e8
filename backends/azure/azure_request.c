/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/auth/azure_key.h"
#include "backends/base/encode.h"
#include "backends/object/header.h"

#define PAIRS_MAX 10

/*
 * One request before it is signed.  The values point into the op, into text
 * below, or are literals.
 */
struct draft {
	enum http_method method;
	struct azure_pair query[PAIRS_MAX];
	size_t n_query;
	struct azure_pair headers[PAIRS_MAX];
	size_t n_headers;
	const void *body;
	size_t body_len;

	bool is_container;	/* the path is the container, not the key */
	struct buf prefix;
	struct buf md5;
	char date[AZURE_KEY_DATE_SIZE];
	char range[64];
	char if_match[BACKEND_ETAG_MAX + 2];
	char number[16];
	char block_id[AZURE_BLOCK_ID_SIZE];
};

static void draft_release(struct draft *d)
{
	buf_release(&d->prefix);
	buf_release(&d->md5);
}
#define cleanup_draft __attribute__((cleanup(draft_release)))

static void add_query(struct draft *d, const char *name, const char *value)
{
	d->query[d->n_query++] = (struct azure_pair){ name, value };
}

static void add_header(struct draft *d, const char *name, const char *value)
{
	d->headers[d->n_headers++] = (struct azure_pair){ name, value };
}

static void add_conditions(struct draft *d, const struct backend_op *op)
{
	if (op->create_only)
		add_header(d, "if-none-match", "*");
	if (!op->if_match)
		return;
	(void)snprintf(d->if_match, sizeof(d->if_match), "\"%s\"",
		       op->if_match);
	add_header(d, "if-match", d->if_match);
}

/* x-ms-range: proxies leave it alone, and it wins over Range. */
static void draft_get(struct draft *d, const struct backend_op *op)
{
	d->method = HTTP_GET;
	add_conditions(d, op);
	if (op->kind == BACKEND_OP_GET_ALL)
		return;
	(void)snprintf(d->range, sizeof(d->range), "bytes=%llu-%llu",
		       (unsigned long long)op->offset,
		       (unsigned long long)(op->offset + op->len - 1));
	add_header(d, "x-ms-range", d->range);
}

static void draft_body(struct draft *d, const void *body, size_t len,
		       bool is_spoiled)
{
	d->method = HTTP_PUT;
	d->body = body;
	d->body_len = len;
	header_content_md5(&d->md5, body, len, is_spoiled);
	add_header(d, "content-md5", d->md5.data);
}

static void draft_put(struct draft *d, const struct backend_op *op)
{
	draft_body(d, op->data, op->len, op->is_spoiled);
	add_header(d, "x-ms-blob-type", "BlockBlob");
	if (op->content_type)
		add_header(d, "content-type", op->content_type);
	add_conditions(d, op);
}

void azure_block_id(char out[AZURE_BLOCK_ID_SIZE], const char *upload_id,
		    unsigned number)
{
	cleanup_buf struct buf id = BUF_INIT;
	char text[AZURE_UPLOAD_ID_LEN + 8];

	(void)snprintf(text, sizeof(text), "%.*s-%05u", AZURE_UPLOAD_ID_LEN,
		       upload_id, number % 100000);
	encode_base64(&id, text, strlen(text));
	(void)snprintf(out, AZURE_BLOCK_ID_SIZE, "%s",
		       id.data ? id.data : "");
}

static void draft_block(struct draft *d, const struct backend_op *op)
{
	draft_body(d, op->data, op->len, op->is_spoiled);
	azure_block_id(d->block_id, op->upload_id, op->part_number);
	add_query(d, "comp", "block");
	add_query(d, "blockid", d->block_id);
}

/*
 * Latest: a second try, which finds the blocks committed by the first one,
 * commits them again.
 */
static void make_block_list(struct azure_call *call)
{
	const struct backend_op *op = call->op;
	char id[AZURE_BLOCK_ID_SIZE];

	if (call->body.len)
		return;
	buf_str(&call->body,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
	for (size_t i = 0; i < op->n_parts; i++) {
		azure_block_id(id, op->upload_id, op->parts[i].number);
		buf_printf(&call->body, "<Latest>%s</Latest>", id);
	}
	buf_str(&call->body, "</BlockList>");
}

static void draft_complete(struct draft *d, struct azure_call *call)
{
	make_block_list(call);
	draft_body(d, call->body.data, call->body.len, false);
	add_query(d, "comp", "blocklist");
	add_header(d, "content-type", "application/xml");
	add_conditions(d, call->op);
}

/* Metadata is where Hadoop's client says that a blob is a directory. */
static void draft_list(struct draft *d, struct azure_call *call)
{
	const struct backend_op *op = call->op;

	d->method = HTTP_GET;
	d->is_container = true;
	backend_key_prefix(op->backend, &d->prefix);
	buf_str(&d->prefix, op->prefix);
	add_query(d, "restype", "container");
	add_query(d, "comp", "list");
	add_query(d, "include", "metadata");
	if (d->prefix.len)
		add_query(d, "prefix", d->prefix.data);
	if (op->by_slash)
		add_query(d, "delimiter", "/");
	if (op->token)
		add_query(d, "marker", op->token);
	if (op->max_keys && op->max_keys < AZURE_LIST_KEYS_MAX) {
		(void)snprintf(d->number, sizeof(d->number), "%u",
			       op->max_keys);
		add_query(d, "maxresults", d->number);
	}
}

static void draft_make(struct draft *d, struct azure_call *call)
{
	const struct backend_op *op = call->op;

	d->method = HTTP_HEAD;
	if (call->stage == AZURE_STAGE_DELETED)
		return;
	switch (op->kind) {
	case BACKEND_OP_GET:
	case BACKEND_OP_GET_ALL:
		draft_get(d, op);
		break;
	case BACKEND_OP_PUT:
		draft_put(d, op);
		break;
	case BACKEND_OP_DELETE:
		d->method = HTTP_DELETE;
		add_conditions(d, op);
		break;
	case BACKEND_OP_LIST:
		draft_list(d, call);
		break;
	case BACKEND_OP_MULTIPART_PUT:
		draft_block(d, op);
		break;
	case BACKEND_OP_MULTIPART_COMPLETE:
		draft_complete(d, call);
		break;
	default:
		break;
	}
}

/* The path as it is sent, which is also what is signed. */
static int make_path(struct buf *path, const struct azure_call *call,
		     const struct draft *d, struct err *err)
{
	const struct azure_backend *ab = call->ab;
	cleanup_buf struct buf plain = BUF_INIT;

	buf_printf(&plain, "%s/%s", ab->at.base_path,
		   ab->object.base.location.container);
	if (!d->is_container) {
		buf_char(&plain, '/');
		backend_key_prefix(&ab->object.base, &plain);
		buf_str(&plain, call->op->key);
	}
	if (buf_failed(&plain))
		return err_nomem(err);
	encode_percent(path, plain.data, plain.len, "/");
	return buf_failed(path) ? err_nomem(err) : 0;
}

static void make_url(struct buf *url, const struct azure_call *call,
		     const struct draft *d, const struct buf *path)
{
	buf_printf(url, "%s://%s%s", call->ab->at.is_https ? "https" : "http",
		   call->ab->at.authority, path->data);
	for (size_t i = 0; i < d->n_query; i++) {
		buf_printf(url, "%c%s=", i ? '&' : '?', d->query[i].name);
		encode_percent(url, d->query[i].value,
			       strlen(d->query[i].value), "");
	}
}

/* What proves who asks: a header, or a piece of the URL. */
static int add_proof(struct http_request *rq, const struct draft *d,
		     const struct buf *path, const struct cred *cred,
		     struct err *err)
{
	const struct azure_key_request key = {
		.method = http_method_name(d->method),
		.path = path->data,
		.query = d->query,
		.n_query = d->n_query,
		.headers = d->headers,
		.n_headers = d->n_headers,
		.body_len = d->body_len,
	};
	int r = 0;

	switch (cred->kind) {
	case CRED_ANONYMOUS:
		return 0;
	case CRED_AZURE_KEY:
		buf_str(&rq->headers, "authorization: ");
		r = azure_key_sign(&rq->headers, &key, cred->access_key_id,
				   cred->secret_key, err);
		buf_char(&rq->headers, '\n');
		return r;
	case CRED_AZURE_SAS:
		buf_printf(&rq->url, "%c%s", d->n_query ? '&' : '?',
			   cred->token);
		return 0;
	case CRED_BEARER:
		buf_printf(&rq->headers, "authorization: Bearer %s\n",
			   cred->token);
		return 0;
	case CRED_KEYS:
		break;
	}
	return err_set(err, ERR_AUTH, EACCES,
		       "the credential is none for Azure: access_key must be "
		       "a connection string");
}

static int build(struct http_request *rq, struct azure_call *call,
		 struct draft *d, const struct cred *cred, struct err *err)
{
	cleanup_buf struct buf path = BUF_INIT;
	int r;

	if (buf_failed(&d->prefix) || buf_failed(&d->md5) ||
	    buf_failed(&call->body))
		return err_nomem(err);
	azure_key_date(d->date,
		       identity_now_s(&call->ab->object.identity, &call->use));
	add_header(d, "x-ms-date", d->date);
	add_header(d, "x-ms-version", AZURE_VERSION);
	r = make_path(&path, call, d, err);
	if (r < 0)
		return r;
	make_url(&rq->url, call, d, &path);
	for (size_t i = 0; i < d->n_headers; i++)
		buf_printf(&rq->headers, "%s: %s\n", d->headers[i].name,
			   d->headers[i].value);
	r = add_proof(rq, d, &path, cred, err);
	if (r == 0 && (buf_failed(&rq->url) || buf_failed(&rq->headers)))
		r = err_nomem(err);
	return r;
}

int azure_prepare(void *ctx, unsigned attempt, struct http_request *rq,
		  struct err *err)
{
	struct azure_call *call = ctx;
	cleanup_draft struct draft d = { .method = HTTP_GET };
	cleanup_cred struct cred cred;
	int r = identity_get(&call->ab->object.identity, &call->use, false, &cred,
			     err);

	(void)attempt;
	if (r < 0)
		return r;
	draft_make(&d, call);
	r = build(rq, call, &d, &cred, err);
	if (r < 0)
		return r;
	rq->method = d.method;
	rq->body = d.body;
	rq->body_len = d.body_len;
	rq->deadline_ms = call->op->deadline_ms;
	buf_clear(&call->reply);
	answer_route(rq, call->op, &call->reply);
	return 0;
}
