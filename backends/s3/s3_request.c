/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/auth/sigv4.h"
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "backends/object/header.h"

#define PAIRS_MAX 8

static const struct s3_flavour amazon = {
	.scheme = &sigv4_aws,
	.service = "s3",
};
static const struct s3_flavour google = {
	.scheme = &sigv4_goog,
	.service = "storage",
	.region = "auto",
	.has_generations = true,
};

static const struct s3_flavour *choose_flavour(const struct s3_backend *sb,
					       const struct cred *cred)
{
	bool is_googles = cred->kind == CRED_BEARER ||
			  (cred->kind == CRED_KEYS &&
			   !strncmp(cred->access_key_id, "GOOG", 4));

	if (sb->object.base.location.scheme != URI_GS)
		return &amazon;
	return sb->endpoint.is_google || is_googles ? &google : &amazon;
}

/*
 * One request before it is signed.  The values point into the op, into text
 * below, or are literals.
 */
struct draft {
	enum http_method method;
	struct sigv4_pair query[PAIRS_MAX];
	size_t n_query;
	struct sigv4_pair headers[PAIRS_MAX];
	size_t n_headers;
	const void *body;
	size_t body_len;

	struct buf key;		/* whole key */
	bool is_bucket;		/* the path is the bucket, not the key */
	struct buf prefix;
	struct buf start_after;
	struct buf md5;
	char range[64];
	char if_match[BACKEND_ETAG_MAX + 2];
	char number[16];
};

static void draft_release(struct draft *d)
{
	buf_release(&d->key);
	buf_release(&d->prefix);
	buf_release(&d->start_after);
	buf_release(&d->md5);
}
#define cleanup_draft __attribute__((cleanup(draft_release)))

static void add_query(struct draft *d, const char *name, const char *value)
{
	d->query[d->n_query++] = (struct sigv4_pair){ name, value };
}

static void add_header(struct draft *d, const char *name, const char *value)
{
	d->headers[d->n_headers++] = (struct sigv4_pair){ name, value };
}

static void add_if_match(struct draft *d, const char *etag, bool is_quoted)
{
	const char *quote = is_quoted ? "\"" : "";

	(void)snprintf(d->if_match, sizeof(d->if_match), "%s%s%s", quote, etag,
		       quote);
	add_header(d, "if-match", d->if_match);
}

/* What a read is pinned by: the generation itself, or the ETag. */
static void pin_read(struct draft *d, const struct backend_op *op)
{
	if (!op->if_match)
		return;
	if (backend_has_generations(op->backend) &&
	    header_is_generation(op->if_match))
		add_query(d, "generation", op->if_match);
	else
		add_if_match(d, op->if_match, true);
}

/* The conditions of a write. */
static void add_conditions(struct draft *d, const struct s3_call *call)
{
	const struct backend_op *op = call->op;

	if (call->flavour->has_generations) {
		if (op->create_only)
			add_header(d, "x-goog-if-generation-match", "0");
		else if (op->if_match)
			add_header(d, "x-goog-if-generation-match",
				   op->if_match);
		return;
	}
	if (op->create_only)
		add_header(d, "if-none-match", "*");
	if (op->if_match)
		add_if_match(d, op->if_match,
			     !op->backend->caps.if_match_unquoted);
}

static void draft_get(struct draft *d, struct s3_call *call)
{
	struct backend_op *op = call->op;

	d->method = HTTP_GET;
	pin_read(d, op);
	if (op->kind == BACKEND_OP_GET_ALL)
		return;
	(void)snprintf(d->range, sizeof(d->range), "bytes=%llu-%llu",
		       (unsigned long long)op->offset,
		       (unsigned long long)(op->offset + op->len - 1));
	add_header(d, "range", d->range);
}

static void draft_body(struct draft *d, const void *body, size_t len,
		       bool is_spoiled)
{
	d->body = body;
	d->body_len = len;
	header_content_md5(&d->md5, body, len, is_spoiled);
	add_header(d, "content-md5", d->md5.data);
}

static void draft_put(struct draft *d, struct s3_call *call)
{
	struct backend_op *op = call->op;

	d->method = HTTP_PUT;
	draft_body(d, op->data, op->len, op->is_spoiled);
	if (op->content_type)
		add_header(d, "content-type", op->content_type);
	add_conditions(d, call);
}

static void draft_list(struct draft *d, struct s3_call *call)
{
	struct backend_op *op = call->op;
	const char *token = op->token;

	d->method = HTTP_GET;
	d->is_bucket = true;
	backend_key_prefix(&call->sb->object.base, &d->prefix);
	buf_str(&d->prefix, op->prefix);
	add_query(d, "prefix", d->prefix.data ? d->prefix.data : "");
	if (op->by_slash)
		add_query(d, "delimiter", "/");
	if (op->max_keys && op->max_keys < S3_LIST_KEYS_MAX) {
		(void)snprintf(d->number, sizeof(d->number), "%u",
			       op->max_keys);
		add_query(d, "max-keys", d->number);
	}
	if (!token && op->start_after) {
		backend_key_prefix(&call->sb->object.base, &d->start_after);
		buf_str(&d->start_after, op->start_after);
	}

	/* A token names its dialect, so a walk never changes it midway. */
	call->is_list_v1 = token ? token[0] == '1' :
				   atomic_load(&call->sb->is_list_v1);
	if (call->is_list_v1) {
		if (token || d->start_after.data)
			add_query(d, "marker",
				  token ? token + 1 : d->start_after.data);
		return;
	}
	add_query(d, "list-type", "2");
	add_query(d, "encoding-type", "url");
	if (token)
		add_query(d, "continuation-token", token + 1);
	else if (d->start_after.data)
		add_query(d, "start-after", d->start_after.data);
}

static void complete_body(struct s3_call *call)
{
	struct backend_op *op = call->op;
	struct buf *xml = &call->body;

	if (xml->len)
		return;
	buf_str(xml, "<CompleteMultipartUpload>");
	for (size_t i = 0; i < op->n_parts; i++) {
		buf_printf(xml, "<Part><PartNumber>%u</PartNumber><ETag>&quot;",
			   op->parts[i].number);
		for (const char *p = op->parts[i].etag; *p; p++)
			if (strchr("&<>", *p))
				buf_printf(xml, "&#%d;", *p);
			else
				buf_char(xml, *p);
		buf_str(xml, "&quot;</ETag></Part>");
	}
	buf_str(xml, "</CompleteMultipartUpload>");
}

static void draft_complete(struct draft *d, struct s3_call *call)
{
	complete_body(call);
	d->method = HTTP_POST;
	add_query(d, "uploadId", call->op->upload_id);
	draft_body(d, call->body.data, call->body.len, false);
	add_header(d, "content-type", "application/xml");
	add_conditions(d, call);
}

static void draft_make(struct draft *d, struct s3_call *call)
{
	struct backend_op *op = call->op;

	if (call->stage != S3_STAGE_CALL) {
		d->method = HTTP_HEAD;
		d->is_bucket = call->stage == S3_STAGE_REGION;
		return;
	}
	switch (op->kind) {
	case BACKEND_OP_GET:
	case BACKEND_OP_GET_ALL:
		draft_get(d, call);
		break;
	case BACKEND_OP_HEAD:
	case BACKEND_OP_KINDS:
		d->method = HTTP_HEAD;
		break;
	case BACKEND_OP_PUT:
		draft_put(d, call);
		break;
	case BACKEND_OP_DELETE:
		d->method = HTTP_DELETE;
		add_conditions(d, call);
		break;
	case BACKEND_OP_LIST:
		draft_list(d, call);
		break;
	case BACKEND_OP_MULTIPART_CREATE:
		d->method = HTTP_POST;
		add_query(d, "uploads", NULL);
		break;
	case BACKEND_OP_MULTIPART_PUT:
		draft_put(d, call);
		(void)snprintf(d->number, sizeof(d->number), "%u",
			       op->part_number);
		add_query(d, "partNumber", d->number);
		add_query(d, "uploadId", op->upload_id);
		break;
	case BACKEND_OP_MULTIPART_COMPLETE:
		draft_complete(d, call);
		break;
	case BACKEND_OP_MULTIPART_ABORT:
		d->method = HTTP_DELETE;
		add_query(d, "uploadId", op->upload_id);
		break;
	}
}

/* The bucket's region may be asked by anybody, in no name and at no cost. */
static void add_options(struct draft *d, const struct s3_call *call)
{
	const struct s3_backend *sb = call->sb;
	bool is_write = call->stage == S3_STAGE_CALL &&
			(call->op->kind == BACKEND_OP_PUT ||
			 call->op->kind == BACKEND_OP_MULTIPART_CREATE);

	if (call->stage == S3_STAGE_REGION)
		return;
	if (sb->requester_pays)
		add_header(d, "x-amz-request-payer", "requester");
	if (sb->expected_owner)
		add_header(d, "x-amz-expected-bucket-owner",
			   sb->expected_owner);
	if (!sb->sse_kms_key || !is_write)
		return;
	add_header(d, "x-amz-server-side-encryption", "aws:kms");
	add_header(d, "x-amz-server-side-encryption-aws-kms-key-id",
		   sb->sse_kms_key);
}

/* Over TLS the transport and Content-MD5 protect the body already. */
static const char *payload_hash(struct s3_call *call, const struct draft *d)
{
	uint8_t sha256[SHA256_SIZE];

	if (d->body_len && call->sb->endpoint.at.is_https)
		return "UNSIGNED-PAYLOAD";
	if (call->stage != S3_STAGE_CALL)
		call->sha256[0] = '\0';
	if (!call->sha256[0]) {
		digest_sha256(sha256, d->body_len ? d->body : "", d->body_len);
		encode_hex(call->sha256, sha256, sizeof(sha256));
	}
	return call->sha256;
}

/* A swift credential is for one namespace: "user:NS", "NS" or "AUTH_NS". */
static int check_namespace(const struct s3_backend *sb, const struct cred *cred,
			   struct err *err)
{
	const char *space = sb->object.base.location.space;
	const char *id = cred->access_key_id;
	const char *colon;

	if (sb->object.base.location.scheme != URI_SWIFT ||
	    cred->kind != CRED_KEYS)
		return 0;
	colon = strrchr(id, ':');
	if (colon)
		id = colon + 1;
	if (!strcmp(id, space) ||
	    (!strncmp(space, "AUTH_", 5) && !strcmp(id, space + 5)))
		return 0;
	return err_set(err, ERR_AUTH, EACCES,
		       "the credential is for another namespace than %s: its "
		       "access_key_id must be USER:%s or %s",
		       space, space, space);
}

static int get_cred(struct s3_call *call, struct cred *cred, struct err *err)
{
	/* Its region is what anybody may ask of a bucket. */
	int r = identity_get(&call->sb->object.identity, &call->use,
			     call->stage == S3_STAGE_REGION, cred, err);

	return r < 0 ? r : check_namespace(call->sb, cred, err);
}

/* What would be ignored must not look as if it held. */
static int check_flavour(const struct s3_call *call, struct err *err)
{
	const struct backend_op *op = call->op;

	if (!call->flavour->has_generations)
		return 0;
	if (op->kind == BACKEND_OP_MULTIPART_COMPLETE && op->create_only)
		return err_set(err, ERR_USAGE, ENOTSUP,
			       "the store completes an upload without "
			       "conditions");
	if ((op->kind == BACKEND_OP_PUT || op->kind == BACKEND_OP_DELETE) &&
	    op->if_match && !header_is_generation(op->if_match))
		return err_set(err, ERR_USAGE, ENOTSUP,
			       "the store replaces and deletes by generation, "
			       "and an ETag is none");
	return 0;
}

static int sign(struct s3_call *call, const struct draft *d,
		const struct cred *cred, const struct buf *host,
		const struct buf *path, struct sigv4_signed *out,
		struct err *err)
{
	const struct s3_flavour *flavour = call->flavour;
	struct sigv4_request rq = {
		.scheme = flavour->scheme,
		.method = http_method_name(d->method),
		.host = host->data,
		.path = path->data,
		.query = d->query,
		.n_query = d->n_query,
		.headers = d->headers,
		.n_headers = d->n_headers,
		.payload_sha256 = payload_hash(call, d),
		.region = flavour->region ? flavour->region : call->region,
		.service = flavour->service,
	};

	rq.time_s = identity_now_s(&call->sb->object.identity, &call->use);
	return sigv4_sign(out, &rq, cred, err);
}

static void fill_headers(struct http_request *rq, struct s3_call *call,
			 const struct draft *d, const struct sigv4_signed *sig)
{
	for (size_t i = 0; i < d->n_headers; i++)
		buf_printf(&rq->headers, "%s: %s\n", d->headers[i].name,
			   d->headers[i].value);
	/*
	 * Not signed (Google's front end rewrites it): the stored bytes of a
	 * gzip object, in place of a transcoded stream that has no ranges.
	 */
	if (backend_has_generations(&call->sb->object.base) &&
	    (d->method == HTTP_GET || d->method == HTTP_HEAD))
		buf_str(&rq->headers, "accept-encoding: gzip\n");
	buf_str(&rq->headers, sig->headers.data ? sig->headers.data : "");
}

static int build(struct http_request *rq, struct s3_call *call,
		 const struct draft *d, const struct cred *cred,
		 struct sigv4_signed *sig, struct err *err)
{
	const struct s3_endpoint *endpoint = &call->sb->endpoint;
	cleanup_buf struct buf host = BUF_INIT;
	cleanup_buf struct buf path = BUF_INIT;
	int r;

	s3_endpoint_locate(endpoint, call->region,
			   d->is_bucket ? NULL : d->key.data, &host, &path);
	if (buf_failed(&host) || buf_failed(&path) || buf_failed(&d->key) ||
	    buf_failed(&d->prefix) || buf_failed(&d->start_after) ||
	    buf_failed(&call->body))
		return err_nomem(err);
	r = sign(call, d, cred, &host, &path, sig, err);
	if (r < 0)
		return r;

	rq->method = d->method;
	buf_printf(&rq->url, "%s://%s%s",
		   endpoint->at.is_https ? "https" : "http", host.data,
		   sig->target.data);
	fill_headers(rq, call, d, sig);
	rq->body = d->body;
	rq->body_len = d->body_len;
	rq->deadline_ms = call->op->deadline_ms;
	buf_clear(&call->reply);
	rq->stall_ms = ANSWER_STALL_MS;
	if (call->stage == S3_STAGE_CALL)
		answer_route(rq, call->op, &call->reply);
	return buf_failed(&rq->url) || buf_failed(&rq->headers) ?
		       err_nomem(err) :
		       0;
}

int s3_prepare(void *ctx, unsigned attempt, struct http_request *rq,
	       struct err *err)
{
	struct s3_call *call = ctx;
	cleanup_draft struct draft d = { .method = HTTP_GET };
	struct sigv4_signed sig = { .target = BUF_INIT };
	cleanup_cred struct cred cred;
	int r = get_cred(call, &cred, err);

	if (r < 0)
		return r;
	call->flavour = choose_flavour(call->sb, &cred);
	r = check_flavour(call, err);
	if (r < 0)
		return r;
	call->attempt = attempt;
	lock_take(&call->sb->lock);
	memcpy(call->region, call->sb->region, sizeof(call->region));
	lock_drop(&call->sb->lock);

	if (call->op->key) {
		backend_key_prefix(&call->sb->object.base, &d.key);
		buf_str(&d.key, call->op->key);
	}
	draft_make(&d, call);
	add_options(&d, call);
	r = build(rq, call, &d, &cred, &sig, err);
	sigv4_release(&sig);
	return r;
}
