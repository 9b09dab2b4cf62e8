/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/sigv4.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <openssl/crypto.h>

#include "backends/auth/sigv4_key.h"
#include "backends/base/encode.h"

#define PAIRS_MAX 40		/* of a query or of headers: ours use ten */
#define STAMP_SIZE 17		/* "20130524T000000Z" */

/* A parameter or a header in its canonical form, within items.text. */
struct item {
	const char *name;
	const char *value;
	size_t order;		/* equal names keep the caller's order */
};

struct items {
	struct item at[PAIRS_MAX];
	size_t n;
	struct buf text;	/* NUL-terminated names and values */
};

static void wipe(struct buf *buf)
{
	if (buf->data)
		OPENSSL_cleanse(buf->data, buf->cap);
	buf_release(buf);
}

void sigv4_release(struct sigv4_signed *out)
{
	wipe(&out->target);
	wipe(&out->headers);
	wipe(&out->canonical);
	wipe(&out->to_sign);
}

static int too_many(struct err *err)
{
	return err_set(err, ERR_USAGE, EINVAL,
		       "a request with more than %d headers or parameters",
		       PAIRS_MAX);
}

/*
 * The text moves while it grows, so offsets are kept until all of it is there;
 * text_resolve() makes items of them.
 */
static size_t text_mark(const struct items *items)
{
	return items->text.len;
}

static void text_resolve(struct items *items, const size_t *names,
			 const size_t *values)
{
	for (size_t i = 0; i < items->n; i++) {
		items->at[i].name = items->text.data + names[i];
		items->at[i].value = items->text.data + values[i];
		items->at[i].order = i;
	}
}

static int compare_parameters(const void *a, const void *b)
{
	const struct item *x = a;
	const struct item *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : strcmp(x->value, y->value);
}

static int compare_headers(const void *a, const void *b)
{
	const struct item *x = a;
	const struct item *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (x->order > y->order) - (x->order < y->order);
}

/* Encoded, then sorted: "%C3" and "z" change places by encoding. */
static int query_build(struct buf *out, const struct sigv4_request *rq,
		       struct err *err)
{
	struct items items = { .n = 0 };
	size_t names[PAIRS_MAX];
	size_t values[PAIRS_MAX];

	if (rq->n_query > PAIRS_MAX)
		return too_many(err);
	for (; items.n < rq->n_query; items.n++) {
		const char *name = rq->query[items.n].name;
		const char *value = rq->query[items.n].value;

		names[items.n] = text_mark(&items);
		encode_percent(&items.text, name, strlen(name), "");
		buf_char(&items.text, '\0');
		values[items.n] = text_mark(&items);
		if (value)
			encode_percent(&items.text, value, strlen(value), "");
		buf_char(&items.text, '\0');
	}
	if (buf_failed(&items.text)) {
		wipe(&items.text);
		return err_nomem(err);
	}
	text_resolve(&items, names, values);
	qsort(items.at, items.n, sizeof(items.at[0]), compare_parameters);
	for (size_t i = 0; i < items.n; i++)
		buf_printf(out, "%s%s=%s", i ? "&" : "", items.at[i].name,
			   items.at[i].value);
	wipe(&items.text);
	return 0;
}

/*
 * What proxies and libcurl add, drop or rewrite on the way (botocore and the
 * CRT leave the same ones out), and what is signed in any case.
 */
static bool is_left_out(const char *name)
{
	static const char *const names[] = {
		"accept-encoding", "authorization", "connection", "expect",
		"te", "transfer-encoding", "user-agent", "x-amzn-trace-id",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcasecmp(name, names[i]))
			return true;
	}
	return false;
}

static bool has_control(const char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' && *s != '\t')
			return true;
		if (*s == 0x7f)
			return true;
	}
	return false;
}

static bool is_header_name(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (!isalnum((unsigned char)*s) && !strchr("-_.", *s))
			return false;
	}
	return true;
}

/* Without outer white space, inner runs of it become one space. */
static void add_trimmed(struct buf *out, const char *s)
{
	bool gap = false;
	bool any = false;

	for (; *s; s++) {
		if (*s == ' ' || *s == '\t') {
			gap = true;
			continue;
		}
		if (gap && any)
			buf_char(out, ' ');
		gap = false;
		any = true;
		buf_char(out, *s);
	}
}

struct header_list {
	struct items items;
	size_t names[PAIRS_MAX];
	size_t values[PAIRS_MAX];
};

static int header_add(struct header_list *list, const char *name,
		      const char *value, struct err *err)
{
	struct items *items = &list->items;

	if (items->n == PAIRS_MAX)
		return too_many(err);
	if (!is_header_name(name) || has_control(value))
		return err_set(err, ERR_USAGE, EINVAL,
			       "a header that cannot be sent (%zu bytes of name)",
			       strlen(name));
	list->names[items->n] = text_mark(items);
	for (const char *p = name; *p; p++)
		buf_char(&items->text, (char)tolower((unsigned char)*p));
	buf_char(&items->text, '\0');
	list->values[items->n] = text_mark(items);
	add_trimmed(&items->text, value);
	buf_char(&items->text, '\0');
	items->n++;
	return 0;
}

static int headers_collect(struct header_list *list,
			   const struct sigv4_request *rq, struct err *err)
{
	int r = header_add(list, "host", rq->host, err);

	for (size_t i = 0; i < rq->n_headers && r == 0; i++) {
		if (!is_left_out(rq->headers[i].name))
			r = header_add(list, rq->headers[i].name,
				       rq->headers[i].value, err);
	}
	return r;
}

/* Only stores want the payload's hash in a header of its own. */
static bool has_payload_header(const struct sigv4_request *rq)
{
	return !strncmp(rq->service, rq->scheme->payload_service,
			strlen(rq->scheme->payload_service));
}

/* To the list that is signed, and on the wire. */
static int signer_header(struct header_list *list, struct buf *wire,
			 const struct sigv4_request *rq, const char *name,
			 const char *value, struct err *err)
{
	char whole[64];

	(void)snprintf(whole, sizeof(whole), "%s%s", rq->scheme->header_prefix,
		       name);
	buf_printf(wire, "%s: %s\n", whole, value);
	return header_add(list, whole, value, err);
}

/* Adds what the signer puts on the wire itself, to both lists. */
static int headers_of_signer(struct header_list *list, struct buf *wire,
			     const struct sigv4_request *rq,
			     const struct cred *cred, const char *stamp,
			     struct err *err)
{
	int r = signer_header(list, wire, rq, "date", stamp, err);

	if (r == 0 && has_payload_header(rq))
		r = signer_header(list, wire, rq, "content-sha256",
				  rq->payload_sha256, err);
	if (r == 0 && cred->token)
		r = signer_header(list, wire, rq, "security-token",
				  cred->token, err);
	return r;
}

/* The canonical headers, one a line, equal names joined; and their names. */
static void headers_build(struct buf *lines, struct buf *names,
			  struct header_list *list)
{
	struct items *items = &list->items;

	text_resolve(items, list->names, list->values);
	qsort(items->at, items->n, sizeof(items->at[0]), compare_headers);
	for (size_t i = 0; i < items->n; i++) {
		const struct item *item = &items->at[i];

		if (i && !strcmp(item->name, items->at[i - 1].name)) {
			buf_printf(lines, ",%s", item->value);
			continue;
		}
		buf_printf(lines, "%s%s:%s", i ? "\n" : "", item->name,
			   item->value);
		buf_printf(names, "%s%s", i ? ";" : "", item->name);
	}
	buf_char(lines, '\n');
}

static void hex_sha256(char out[2 * SHA256_SIZE + 1], const struct buf *of)
{
	uint8_t digest[SHA256_SIZE];

	digest_sha256(digest, of->data, of->len);
	encode_hex(out, digest, sizeof(digest));
}

/* region, service: what a scope may hold without ambiguity. */
static bool is_scope(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len < SIGV4_SCOPE_MAX &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz"
			 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == len;
}

static int check_bearer(const struct cred *cred, struct err *err)
{
	const char *token = cred->token;

	if (!token || !*token || has_control(token) || strpbrk(token, " \t"))
		return err_set(err, ERR_AUTH, EACCES,
			       "a bearer token that cannot be sent");
	return 0;
}

static int check(const struct sigv4_request *rq, const struct cred *cred,
		 struct err *err)
{
	if (rq->path[0] != '/')
		return err_set(err, ERR_USAGE, EINVAL,
			       "a path that does not begin with a slash");
	if (cred->kind == CRED_ANONYMOUS)
		return 0;
	if (cred->kind == CRED_BEARER && rq->scheme->takes_bearer)
		return check_bearer(cred, err);
	if (cred->kind != CRED_KEYS)
		return err_set(err, ERR_AUTH, EACCES,
			       "the credential is no pair of keys, which is "
			       "what this store's requests are signed with");
	if (!is_scope(rq->region))
		return err_set(err, ERR_USAGE, EINVAL,
			       "a region holds letters, digits, '-', '_' and "
			       "'.', at most %d", SIGV4_SCOPE_MAX - 1);
	if (!is_scope(rq->service))
		return err_set(err, ERR_USAGE, EINVAL,
			       "a service name that cannot be signed");
	if (!cred->access_key_id || !cred->secret_key)
		return err_set(err, ERR_AUTH, EACCES,
			       "a credential without its keys");
	if (has_control(cred->access_key_id) ||
	    strpbrk(cred->access_key_id, ", \t"))
		return err_set(err, ERR_AUTH, EACCES,
			       "the access key id holds white space, a comma "
			       "or control characters");
	if (strlen(cred->secret_key) > SIGV4_SECRET_MAX)
		return err_set(err, ERR_AUTH, EACCES,
			       "the secret key is longer than %d bytes",
			       SIGV4_SECRET_MAX);
	return 0;
}

static int stamp_of(char stamp[STAMP_SIZE], int64_t time_s, struct err *err)
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) ||
	    strftime(stamp, STAMP_SIZE, "%Y%m%dT%H%M%SZ", &tm) !=
		    STAMP_SIZE - 1)
		return err_set(err, ERR_USAGE, EINVAL,
			       "a time that cannot be signed");
	return 0;
}

/* Fills to_sign and adds the authorization to the headers for the wire. */
static void authorize(struct sigv4_signed *out, const struct sigv4_request *rq,
		      const struct cred *cred, const char *stamp,
		      const char *signed_names)
{
	char hex[2 * SHA256_SIZE + 1];
	char date[SIGV4_DATE_SIZE];
	char scope[SIGV4_DATE_SIZE + 2 * SIGV4_SCOPE_MAX + 32];
	uint8_t key[SHA256_SIZE];
	uint8_t signature[SHA256_SIZE];

	memcpy(date, stamp, SIGV4_DATE_SIZE - 1);
	date[SIGV4_DATE_SIZE - 1] = '\0';
	hex_sha256(hex, &out->canonical);
	(void)snprintf(scope, sizeof(scope), "%s/%s/%s/%s", date, rq->region,
		       rq->service, rq->scheme->scope_end);
	buf_printf(&out->to_sign, "%s\n%s\n%s\n%s", rq->scheme->algorithm,
		   stamp, scope, hex);
	if (buf_failed(&out->to_sign))
		return;

	sigv4_key_get(key, rq->scheme, cred->generation, cred->secret_key,
		      date, rq->region, rq->service);
	digest_hmac_sha256(signature, key, sizeof(key), out->to_sign.data,
			   out->to_sign.len);
	OPENSSL_cleanse(key, sizeof(key));
	encode_hex(hex, signature, sizeof(signature));
	buf_printf(&out->headers,
		   "authorization: %s Credential=%s/%s, SignedHeaders=%s, "
		   "Signature=%s\n",
		   rq->scheme->algorithm, cred->access_key_id, scope,
		   signed_names, hex);
}

/* Room at once: a buf that grows leaves copies of a token behind. */
static int reserve(struct sigv4_signed *out, struct header_list *list,
		   const struct cred *cred, struct err *err)
{
	size_t room = 2048 + (cred->token ? strlen(cred->token) : 0);
	int r = buf_reserve(&out->headers, room, err);

	if (r == 0)
		r = buf_reserve(&out->canonical, room + out->target.len, err);
	if (r == 0)
		r = buf_reserve(&list->items.text, room, err);
	return r;
}

static int sign(struct sigv4_signed *out, const struct sigv4_request *rq,
		const struct cred *cred, size_t path_len, struct err *err)
{
	struct header_list list = { .items = { .n = 0 } };
	cleanup_buf struct buf names = BUF_INIT;
	char stamp[STAMP_SIZE];
	const char *query;
	int r;

	r = stamp_of(stamp, rq->time_s, err);
	if (r == 0)
		r = reserve(out, &list, cred, err);
	if (r == 0)
		r = headers_collect(&list, rq, err);
	if (r == 0)
		r = headers_of_signer(&list, &out->headers, rq, cred, stamp,
				      err);
	if (r == 0 && buf_failed(&list.items.text))
		r = err_nomem(err);
	if (r < 0)
		goto out;

	query = out->target.data + path_len;
	buf_printf(&out->canonical, "%s\n%.*s\n%s\n", rq->method,
		   (int)path_len, out->target.data, *query ? query + 1 : "");
	headers_build(&out->canonical, &names, &list);
	buf_printf(&out->canonical, "\n%s\n%s", names.data, rq->payload_sha256);
	if (buf_failed(&names) || buf_failed(&out->canonical)) {
		r = err_nomem(err);
		goto out;
	}
	authorize(out, rq, cred, stamp, names.data);
	if (buf_failed(&out->to_sign) || buf_failed(&out->headers))
		r = err_nomem(err);
out:
	wipe(&list.items.text);
	return r;
}

static int bear(struct sigv4_signed *out, const struct cred *cred,
		struct err *err)
{
	static const char name[] = "authorization: Bearer ";
	/* Room at once: a buf that grows leaves copies of a token behind. */
	int r = buf_reserve(&out->headers,
			    sizeof(name) + strlen(cred->token) + 1, err);

	buf_printf(&out->headers, "%s%s\n", name, cred->token);
	return r;
}

int sigv4_sign(struct sigv4_signed *out, const struct sigv4_request *asked,
	       const struct cred *cred, struct err *err)
{
	struct sigv4_request request = *asked, *rq = &request;
	size_t path_len;
	int r;

	if (!rq->scheme)
		rq->scheme = &sigv4_aws;
	r = check(rq, cred, err);
	if (r < 0)
		return r;
	encode_percent(&out->target, rq->path, strlen(rq->path), "/");
	path_len = out->target.len;
	if (rq->n_query) {
		buf_char(&out->target, '?');
		r = query_build(&out->target, rq, err);
	}
	if (r == 0 && buf_failed(&out->target))
		r = err_nomem(err);
	if (r == 0 && cred->kind == CRED_BEARER)
		r = bear(out, cred, err);
	else if (r == 0 && cred->kind != CRED_ANONYMOUS)
		r = sign(out, rq, cred, path_len, err);
	if (r < 0)
		sigv4_release(out);
	return r;
}
