/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/google/google_token.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include "backends/auth/ask.h"
#include "backends/auth/cred_impl.h"
#include "backends/auth/google/google_jwt.h"
#include "backends/base/clock.h"
#include "backends/base/encode.h"

/* The exchanged token only opens the door to another one. */
#define SCOPE_OF_IMPERSONATION "https://www.googleapis.com/auth/cloud-platform"
#define FORM_TYPE "content-type: application/x-www-form-urlencoded\n"
#define METADATA_PATH "instance/service-accounts/default/token"
#define METADATA_ATTEMPT_MS 1000
#define METADATA_ATTEMPTS 3

/*
 * Answers.
 */

/* A number, or a string of digits as some send it; 0: neither. */
static int64_t seconds_of(const json_t *value)
{
	const char *text = json_string_value(value);
	int64_t s = json_is_integer(value) ? json_integer_value(value) : 0;

	if (text && strlen(text) < 10 &&
	    text[strspn(text, "0123456789")] == '\0')
		s = strtoll(text, NULL, 10);
	if (s < 0)
		return 0;
	return s > GOOGLE_TOKEN_LIFE_MAX_S ? GOOGLE_TOKEN_LIFE_MAX_S : s;
}

static int no_token(const char *who, struct err *err)
{
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "%s: the answer holds no token and its end", who);
}

static int take_token(struct cred *out, const char *who, const char *token,
		      int64_t life_s, int64_t now_s, struct err *err)
{
	int r;

	if (!token || life_s <= 0)
		return no_token(who, err);
	r = cred_fill_bearer(out, who, "access token", token, err);
	if (r == 0)
		out->expires_s = now_s + life_s;
	return r;
}

int google_token_parse(struct cred *out, const char *who, const char *text,
		       size_t len, int64_t now_s, struct err *err)
{
	json_t *reply = NULL;
	const char *type;
	int r = ask_json(&reply, who, text, len, err);

	if (r < 0)
		return r;
	type = ask_json_string(reply, "token_type");
	if (type && strcasecmp(type, "Bearer") != 0)
		r = no_token(who, err);
	else
		r = take_token(out, who, ask_json_string(reply, "access_token"),
			       seconds_of(json_object_get(reply, "expires_in")),
			       now_s, err);
	json_decref(reply);
	return r;
}

int google_token_parse_impersonated(struct cred *out, const char *who,
				    const char *text, size_t len,
				    int64_t now_s, struct err *err)
{
	json_t *reply = NULL;
	const char *end;
	int64_t end_s = now_s;
	int r = ask_json(&reply, who, text, len, err);

	if (r < 0)
		return r;
	end = ask_json_string(reply, "expireTime");
	if (end && clock_parse_iso(end, &end_s, NULL) < 0)
		end_s = now_s;
	if (end_s > now_s + GOOGLE_TOKEN_LIFE_MAX_S)
		end_s = now_s + GOOGLE_TOKEN_LIFE_MAX_S;
	r = take_token(out, who, ask_json_string(reply, "accessToken"),
		       end_s - now_s, now_s, err);
	json_decref(reply);
	return r;
}

/*
 * Refusals: OAuth's {"error": "invalid_grant"}, Google's {"error": {"status":
 * "PERMISSION_DENIED"}}.  The word is shown, the sentence beside it never: it
 * may quote what was sent.
 */

static bool is_word(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (!isalnum((unsigned char)s[n]) && !strchr("_-.", s[n]))
			return false;
	return n && n <= 64;
}

static void take_word(char word[72], const struct ask_reply *reply)
{
	struct err ignored = ERR_INIT;
	json_t *body = NULL;
	const json_t *error;
	const char *s;

	word[0] = '\0';
	if (ask_json(&body, "", reply->body.data, reply->body.len,
		     &ignored) < 0)
		return;
	error = json_object_get(body, "error");
	s = json_is_object(error) ? ask_json_string(error, "status") :
				    json_string_value(error);
	if (s && is_word(s))
		(void)snprintf(word, 72, " %s", s);
	json_decref(body);
}

static int refused(const char *who, const struct ask_reply *reply,
		   struct err *err)
{
	bool is_transient = ask_is_transient(reply);
	char word[72];

	take_word(word, reply);
	return err_set(err, is_transient ? ERR_RETRY : ERR_AUTH,
		       is_transient ? EIO : EACCES,
		       "%s gives no token: %d%s", who, reply->status, word);
}

/*
 * Questions.
 */

static void form_add(struct buf *form, const char *name, const char *value)
{
	buf_printf(form, "%s%s=", form->len ? "&" : "", name);
	encode_percent(form, value, strlen(value), "");
}

/* Posts body and takes the token that comes back. */
static int post(struct cred *out, struct http_engine *engine, const char *who,
		const char *url, const char *headers, const struct buf *body,
		int (*parse)(struct cred *out, const char *who,
			     const char *text, size_t len, int64_t now_s,
			     struct err *err),
		struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	const struct ask question = {
		.who = who,
		.method = HTTP_POST,
		.url = url,
		.headers = headers,
		.body = body->data,
	};
	int r = buf_failed(body) ? err_nomem(err) :
				   ask(engine, &question, &reply, err);

	if (r < 0)
		return r;
	if (reply.status != 200)
		return refused(who, &reply, err);
	return parse(out, who, reply.body.data, reply.body.len, clock_wall_s(),
		     err);
}

static int refresh(struct cred *out, struct http_engine *engine,
		   const struct google_config *config, struct err *err)
{
	cleanup_ask_wipe struct buf form = BUF_INIT;
	int r = buf_reserve(&form, 4096, err);

	if (r < 0)
		return r;
	form_add(&form, "grant_type", "refresh_token");
	form_add(&form, "client_id", config->client_id);
	form_add(&form, "client_secret", config->client_secret);
	form_add(&form, "refresh_token", config->refresh_token);
	return post(out, engine, "Google's token endpoint", config->token_url,
		    FORM_TYPE, &form, google_token_parse, err);
}

static int sign_own(struct cred *out, const struct google_config *config,
		    const char *where, struct err *err)
{
	cleanup_ask_wipe struct buf token = BUF_INIT;
	int64_t now_s = clock_wall_s();
	int r = buf_reserve(&token, 2048, err);

	if (r == 0)
		r = google_jwt_sign(&token, config, where, GOOGLE_SCOPE, now_s,
				    err);
	return r < 0 ? r :
		       take_token(out, where, token.data, GOOGLE_JWT_LIFE_S,
				  now_s, err);
}

/*
 * An external account.
 */

static int read_subject(struct buf *out, struct http_engine *engine,
			const struct google_config *config, struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	const struct ask question = {
		.who = "the issuer of the subject token",
		.method = HTTP_GET,
		.url = config->subject_url,
		.headers = config->subject_headers,
		/* Such as Azure's, at a link-local address. */
		.is_near = true,
	};
	int r;

	if (config->subject_file)
		return ask_file(out, "the subject token's file",
				config->subject_file, err);
	r = ask(engine, &question, &reply, err);
	if (r == 0 && reply.status != 200)
		r = refused(question.who, &reply, err);
	if (r == 0)
		buf_bytes(out, reply.body.data, reply.body.len);
	return r;
}

/* The token in text, as the file says that it stands there. */
static int take_subject(struct buf *form, const struct buf *text,
			const struct google_config *config, struct err *err)
{
	static const char who[] = "the subject token";
	json_t *object = NULL;
	const char *token = text->data ? text->data : "";
	size_t len = text->len;
	int r = 0;

	if (config->subject_field) {
		r = ask_json(&object, who, token, len, err);
		if (r < 0)
			return r;
		token = ask_json_string(object, config->subject_field);
		len = token ? strlen(token) : 0;
	}
	while (len && isspace((unsigned char)token[len - 1]))
		len--;
	if (!len || memchr(token, '\0', len)) {
		r = err_set(err, ERR_AUTH, EACCES, "%s is empty", who);
	} else {
		buf_str(form, "&subject_token=");
		encode_percent(form, token, len, "");
	}
	json_decref(object);
	return r;
}

static int exchange(struct cred *out, struct http_engine *engine,
		    const struct google_config *config, struct err *err)
{
	cleanup_ask_wipe struct buf text = BUF_INIT, form = BUF_INIT;
	int r = buf_reserve(&text, ASK_BYTES_MAX, err);

	if (r == 0)
		r = read_subject(&text, engine, config, err);
	if (r == 0)
		r = buf_reserve(&form, 4096 + 3 * text.len, err);
	if (r < 0)
		return r;
	form_add(&form, "grant_type",
		 "urn:ietf:params:oauth:grant-type:token-exchange");
	form_add(&form, "requested_token_type",
		 "urn:ietf:params:oauth:token-type:access_token");
	form_add(&form, "audience", config->audience);
	form_add(&form, "scope", config->impersonation_url ?
					 SCOPE_OF_IMPERSONATION :
					 GOOGLE_SCOPE);
	form_add(&form, "subject_token_type", config->subject_token_type);
	r = take_subject(&form, &text, config, err);
	return r < 0 ? r :
		       post(out, engine, "Google's security token service",
			    config->token_url, FORM_TYPE, &form,
			    google_token_parse, err);
}

/* Replaces *cred, the exchanged one, by the service account's. */
static int impersonate(struct cred *cred, struct http_engine *engine,
		       const struct google_config *config, struct err *err)
{
	cleanup_ask_wipe struct buf headers = BUF_INIT;
	cleanup_buf struct buf body = BUF_INIT;
	struct cred exchanged = *cred;
	int r = buf_reserve(&headers, 128 + strlen(exchanged.token), err);

	memset(cred, 0, sizeof(*cred));
	buf_printf(&headers,
		   "content-type: application/json\n"
		   "authorization: Bearer %s\n", exchanged.token);
	buf_str(&body, "{\"scope\":[\"" GOOGLE_SCOPE "\"],"
		       "\"lifetime\":\"3600s\"}");
	if (r == 0)
		r = post(cred, engine, "Google's service account credentials",
			 config->impersonation_url, headers.data, &body,
			 google_token_parse_impersonated, err);
	cred_release(&exchanged);
	return r;
}

int google_token_fetch(struct cred *out, struct http_engine *engine,
		       const struct google_config *config, const char *where,
		       struct err *err)
{
	int r = -EINVAL;

	switch (config->kind) {
	case GOOGLE_SERVICE_ACCOUNT:
		return sign_own(out, config, where, err);
	case GOOGLE_AUTHORIZED_USER:
		r = refresh(out, engine, config, err);
		break;
	case GOOGLE_EXTERNAL_ACCOUNT:
		r = exchange(out, engine, config, err);
		if (r == 0 && config->impersonation_url)
			r = impersonate(out, engine, config, err);
		break;
	}
	return r < 0 ? err_wrap(err, "%s", where) : 0;
}

/*
 * The metadata service.
 */

/* It answers in Google's name: a router's or another cloud's does not. */
static bool is_googles(const struct ask_reply *reply)
{
	const struct http_response view = { .headers = reply->headers };
	char flavour[16];

	return http_response_header(&view, "metadata-flavor", flavour,
				    sizeof(flavour)) &&
	       !strcmp(flavour, "Google");
}

static int nobody(const char *host, const char *why, struct err *err)
{
	return err_set(err, ERR_AUTH, ENOENT,
		       "no metadata service of Google's at %s: %s", host, why);
}

int google_token_metadata(struct cred *out, struct http_engine *engine,
			  const char *host, bool is_certain, struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	char url[512];
	const struct ask question = {
		.who = "Google's metadata service",
		.method = HTTP_GET,
		.url = url,
		.headers = "metadata-flavor: Google\n",
		.attempt_ms = METADATA_ATTEMPT_MS,
		.attempts = is_certain ? METADATA_ATTEMPTS : 1,
		.is_near = true,
	};
	int r;

	if (snprintf(url, sizeof(url), "http://%s/computeMetadata/v1/%s", host,
		     METADATA_PATH) >= (int)sizeof(url))
		return nobody("GCE_METADATA_HOST", "the name is too long", err);
	r = ask(engine, &question, &reply, err);
	if (r < 0 && r != -ECANCELED && r != -ENOMEM && !is_certain)
		return nobody(host, "no answer", err);
	if (r < 0)
		return r;
	if (!is_googles(&reply))
		return nobody(host, "what answers is another", err);
	if (reply.status == 404)
		return nobody(host, "the instance has no service account", err);
	if (reply.status != 200)
		return refused(question.who, &reply, err);
	return google_token_parse(out, question.who, reply.body.data,
				  reply.body.len, clock_wall_s(), err);
}
