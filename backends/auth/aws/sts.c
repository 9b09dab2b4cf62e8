/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS's Security Token Service, API version 2011-06-15: a form by POST, XML
 * back.  AssumeRoleWithWebIdentity is unsigned, AssumeRole signed.
 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "backends/auth/ask.h"
#include "backends/auth/sigv4.h"
#include "backends/base/clock.h"
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "backends/base/env.h"
#include "backends/base/xml.h"

#define FORM_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define REGION_MAX 63

struct endpoint {
	struct buf url;
	struct buf host;
	const char *region;
};

static void endpoint_release(struct endpoint *e)
{
	buf_release(&e->url);
	buf_release(&e->host);
}

static bool is_region(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= REGION_MAX &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static const char *choose_region(const struct sts_role *role)
{
	const char *region = env_get("AWS_REGION");

	if (!region)
		region = env_get("AWS_DEFAULT_REGION");
	if (!region)
		region = role->region;
	return region ? region : "us-east-1";
}

/* What is asked is "/": a URL with a path of its own is refused. */
static int take_url(struct endpoint *e, const char *url, struct err *err)
{
	const char *host = strstr(url, "://");
	size_t len = host ? strcspn(host + 3, "/?#@\\ ") : 0;
	bool is_http = !strncmp(url, "http://", 7) ||
		       !strncmp(url, "https://", 8);

	if (!is_http || !len ||
	    (host[3 + len] && strcmp(host + 3 + len, "/") != 0))
		return err_set(err, ERR_AUTH, EACCES,
			       "the endpoint of STS is no https://HOST");
	buf_bytes(&e->host, host + 3, len);
	buf_bytes(&e->url, url, (size_t)(host - url) + 3 + len);
	buf_char(&e->url, '/');
	return 0;
}

static int choose_endpoint(struct endpoint *e, const struct sts_role *role,
			   struct err *err)
{
	const char *url = env_get("AWS_ENDPOINT_URL_STS");
	int r = 0;

	e->region = choose_region(role);
	if (!is_region(e->region))
		return err_set(err, ERR_AUTH, EACCES,
			       "a region for STS that is none");
	if (!url)
		url = env_get("AWS_ENDPOINT_URL");
	if (url) {
		r = take_url(e, url, err);
	} else {
		buf_printf(&e->host, "sts.%s.amazonaws.com%s", e->region,
			   strncmp(e->region, "cn-", 3) ? "" : ".cn");
		buf_printf(&e->url, "https://%s/", e->host.data);
	}
	if (r == 0 && (buf_failed(&e->host) || buf_failed(&e->url)))
		r = err_nomem(err);
	return r;
}

static void add_field(struct buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(form, "&%s=", name);
	encode_percent(form, value, strlen(value), "");
}

/* [\w+=,.@-]{2,64}; who looks at CloudTrail sees which node it was. */
static void add_session_name(struct buf *form, const char *name)
{
	char host[48] = "";
	char made[64];

	if (!name) {
		(void)gethostname(host, sizeof(host) - 1);
		for (char *p = host; *p; p++)
			if (!strchr("abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-",
				    *p))
				*p = '-';
		(void)snprintf(made, sizeof(made), "datasetfs-%s", host);
		name = made;
	}
	add_field(form, "RoleSessionName", name);
}

static void add_role(struct buf *form, const char *action,
		     const struct sts_role *role)
{
	buf_printf(form, "Action=%s&Version=2011-06-15", action);
	add_field(form, "RoleArn", role->arn);
	add_session_name(form, role->session_name);
	add_field(form, "ExternalId", role->external_id);
	add_field(form, "DurationSeconds", role->duration_s);
}

/*
 * The answer.
 */

struct answer {
	const char *result;	/* "AssumeRoleResult" */
	char *id, *secret, *token, *expiration;
};

static void answer_release(struct answer *a)
{
	cred_wipe_free(a->id);
	cred_wipe_free(a->secret);
	cred_wipe_free(a->token);
	cred_wipe_free(a->expiration);
}

static int take_field(struct xml_document *doc, const char *path,
		      const char *text, struct err *err)
{
	struct answer *a = doc->arg;
	size_t len = strlen(a->result);
	char **slot = NULL;

	if (strncmp(path, a->result, len) != 0 ||
	    strncmp(path + len, "/Credentials/", 13) != 0)
		return 0;
	path += len + 13;
	if (!strcmp(path, "AccessKeyId"))
		slot = &a->id;
	else if (!strcmp(path, "SecretAccessKey"))
		slot = &a->secret;
	else if (!strcmp(path, "SessionToken"))
		slot = &a->token;
	else if (!strcmp(path, "Expiration"))
		slot = &a->expiration;
	if (!slot)
		return 0;
	cred_wipe_free(*slot);
	*slot = strdup(text);
	return *slot ? 0 : err_nomem(err);
}

static int take_answer(const struct ask_reply *reply, const char *action,
		       struct cred *out, struct err *err)
{
	char root[64];
	char result[64];
	struct xml_error error;
	struct answer a = { .result = result };
	struct xml_document doc = {
		.root = root,
		.on_end = take_field,
		.arg = &a,
		.error = &error,
	};
	int r;

	(void)snprintf(root, sizeof(root), "%sResponse", action);
	(void)snprintf(result, sizeof(result), "%sResult", action);
	r = xml_parse(&doc, reply->body.data, reply->body.len, err);
	if (r == 0 && error.code[0])
		r = err_set(err, ERR_CORRUPT, EBADMSG, "an error under 200");
	if (r == 0)
		r = cred_fill(out, "STS's answer", a.id, a.secret, a.token,
			      err);
	if (r == 0 &&
	    (!a.expiration ||
	     clock_parse_iso(a.expiration, &out->expires_s, NULL) < 0))
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    "an Expiration that is no date");
	answer_release(&a);
	if (r < 0)
		cred_release(out);
	return r;
}

static int take_code(struct xml_document *doc, const char *path,
		     const char *text, struct err *err)
{
	struct buf *code = doc->arg;

	(void)err;
	if (!strcmp(path, "Error/Code"))
		encode_printable(code, text, strlen(text), 64);
	return 0;
}

/* <ErrorResponse><Error><Code>; "" where there is none. */
static void error_code(struct buf *code, const struct ask_reply *reply)
{
	struct xml_error error;
	struct err ignored = ERR_INIT;
	struct xml_document doc = {
		.root = "ErrorResponse",
		.on_end = take_code,
		.arg = code,
		.error = &error,
	};

	if (xml_parse(&doc, reply->body.data, reply->body.len, &ignored) < 0)
		buf_clear(code);
	if (!code->data)
		buf_str(code, "");
}

/*
 * The provider of a web identity may be away for a moment, and a token so
 * fresh that its signing key is not known everywhere yet.
 */
static bool is_transient(const struct ask_reply *reply)
{
	static const char *const codes[] = {
		"IDPCommunicationError", "InvalidIdentityToken", "Throttling",
		"ThrottlingException", "RequestLimitExceeded",
	};
	cleanup_buf struct buf code = BUF_INIT;

	if (ask_is_transient(reply))
		return true;
	if (reply->status < 400)
		return false;
	error_code(&code, reply);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (code.data && !strcmp(code.data, codes[i]))
			return true;
	return false;
}

static int refused(const struct ask_reply *reply, const char *action,
		   const struct sts_role *role, struct err *err)
{
	bool is_final = reply->status >= 400 && !ask_is_transient(reply);
	cleanup_buf struct buf code = BUF_INIT;
	cleanup_buf struct buf arn = BUF_INIT;

	error_code(&code, reply);
	encode_printable(&arn, role->arn, strlen(role->arn), 128);
	return err_set(err, is_final ? ERR_AUTH : ERR_RETRY,
		       is_final ? EACCES : EIO,
		       "STS refuses %s of %s: status %d%s%s", action,
		       arn.data ? arn.data : "?", reply->status,
		       code.len ? " " : "", code.len ? code.data : "");
}

static int post(struct http_engine *engine, const struct endpoint *e,
		const struct sts_role *role, const char *action,
		const char *headers, const struct buf *form, struct cred *out,
		struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	struct ask question = {
		.who = "STS",
		.method = HTTP_POST,
		.url = e->url.data,
		.headers = headers,
		.body = form->data,
		.is_transient = is_transient,
	};
	int r = ask(engine, &question, &reply, err);

	if (r < 0)
		return r;
	if (reply.status != 200)
		return refused(&reply, action, role, err);
	r = take_answer(&reply, action, out, err);
	return r < 0 ? err_wrap(err, "STS, %s", action) : 0;
}

int sts_web_identity(struct http_engine *engine, const struct sts_role *role,
		     const char *token_file, struct cred *out, struct err *err)
{
	static const char action[] = "AssumeRoleWithWebIdentity";
	cleanup_ask_wipe struct buf token = BUF_INIT;
	cleanup_ask_wipe struct buf form = BUF_INIT;
	struct endpoint e = { .region = NULL };
	int r = ask_file(&token, "the web identity's token", token_file, err);

	if (r == 0)
		r = choose_endpoint(&e, role, err);
	if (r == 0)
		r = buf_reserve(&form, 4 * ASK_FILE_MAX, err);
	if (r == 0) {
		token.data[strcspn(token.data, "\r\n")] = '\0';
		add_role(&form, action, role);
		add_field(&form, "WebIdentityToken", token.data);
		r = buf_failed(&form) ? err_nomem(err) : 0;
	}
	if (r == 0)
		r = post(engine, &e, role, action,
			 "content-type: " FORM_TYPE "\n", &form, out, err);
	endpoint_release(&e);
	return r;
}

static int sign(const struct endpoint *e, const struct buf *form,
		const struct cred *base, struct sigv4_signed *out,
		struct err *err)
{
	struct sigv4_pair header = { "content-type", FORM_TYPE };
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	struct sigv4_request rq = {
		.method = "POST",
		.host = e->host.data,
		.path = "/",
		.headers = &header,
		.n_headers = 1,
		.payload_sha256 = hex,
		.region = e->region,
		.service = "sts",
		.time_s = clock_wall_s(),
	};

	digest_sha256(digest, form->data, form->len);
	encode_hex(hex, digest, sizeof(digest));
	return sigv4_sign(out, &rq, base, err);
}

int sts_assume_role(struct http_engine *engine, const struct sts_role *role,
		    const struct cred *base, struct cred *out, struct err *err)
{
	static const char action[] = "AssumeRole";
	cleanup_sigv4 struct sigv4_signed signed_by_base = SIGV4_SIGNED_INIT;
	cleanup_buf struct buf form = BUF_INIT;
	struct endpoint e = { .region = NULL };
	int r = choose_endpoint(&e, role, err);

	if (r == 0) {
		add_role(&form, action, role);
		r = buf_failed(&form) ? err_nomem(err) : 0;
	}
	if (r == 0)
		r = sign(&e, &form, base, &signed_by_base, err);
	if (r == 0) {
		buf_str(&signed_by_base.headers, "content-type: " FORM_TYPE "\n");
		r = buf_failed(&signed_by_base.headers) ? err_nomem(err) : 0;
	}
	if (r == 0)
		r = post(engine, &e, role, action, signed_by_base.headers.data,
			 &form, out, err);
	endpoint_release(&e);
	return r;
}
