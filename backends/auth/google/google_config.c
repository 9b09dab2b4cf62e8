/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/google/google_config.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include "backends/auth/cred_impl.h"
#include "backends/base/buf.h"
#include "backends/base/json.h"

#define DEPTH_MAX 8
#define VALUE_MAX 8192
#define HEADERS_MAX 16

void google_config_release(struct google_config *config)
{
	char **const strings[] = {
		&config->client_email,	  &config->private_key_id,
		&config->private_key,	  &config->client_id,
		&config->client_secret,	  &config->refresh_token,
		&config->token_url,	  &config->audience,
		&config->subject_token_type, &config->subject_file,
		&config->subject_url,	  &config->subject_headers,
		&config->subject_field,	  &config->impersonation_url,
	};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		cred_wipe_free(*strings[i]);
	memset(config, 0, sizeof(*config));
}

/*
 * Addresses.
 */

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	return true;
}

/* http:// or https://, a host, no user; *host points into url. */
static bool split_url(const char *url, bool *is_https, const char **host,
		      size_t *host_len)
{
	size_t len;

	*is_https = !strncmp(url, "https://", 8);
	if (!*is_https && strncmp(url, "http://", 7) != 0)
		return false;
	*host = url + (*is_https ? 8 : 7);
	len = strcspn(*host, "/?#");
	if (!is_printable(url) || memchr(*host, '@', len) ||
	    memchr(*host, '\\', len))
		return false;
	/* Without the port. */
	*host_len = **host == '[' ? strcspn(*host, "]") + 1 :
				    strcspn(*host, ":/?#");
	return *host_len && *host_len <= len &&
	       (*host_len == len || (*host)[*host_len] == ':');
}

static bool is_host(const char *host, size_t len, const char *name)
{
	return len == strlen(name) && !strncasecmp(host, name, len);
}

bool google_url_is_allowed(const char *url)
{
	static const char domain[] = ".googleapis.com";
	const size_t domain_len = sizeof(domain) - 1;
	const char *host;
	size_t len;
	bool is_https;

	if (!split_url(url, &is_https, &host, &len))
		return false;
	if (is_host(host, len, "127.0.0.1") || is_host(host, len, "[::1]") ||
	    is_host(host, len, "localhost"))
		return true;
	if (!is_https || len <= domain_len ||
	    strncasecmp(host + len - domain_len, domain, domain_len) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)host[i]) && !strchr("-.", host[i]))
			return false;
	return true;
}

/* Whose tokens are foreign may live anywhere: it is shown no secret of ours. */
static bool is_any_url(const char *url)
{
	const char *host;
	size_t len;
	bool is_https;

	return split_url(url, &is_https, &host, &len);
}

/*
 * Members.
 */

enum form {
	FORM_WORD,	/* printable, no white space */
	FORM_PEM,
	FORM_PATH,
	FORM_GOOGLE_URL,
	FORM_ANY_URL,
};

static bool has_form(const char *s, enum form form)
{
	if (!*s || strlen(s) > (form == FORM_PEM ? 2 * VALUE_MAX : VALUE_MAX))
		return false;
	switch (form) {
	case FORM_WORD:
		return is_printable(s);
	case FORM_GOOGLE_URL:
		return google_url_is_allowed(s);
	case FORM_ANY_URL:
		return is_any_url(s);
	case FORM_PEM:
	case FORM_PATH:
		return true;
	}
	return false;
}

struct member {
	const char *name;
	size_t offset;
	enum form form;
	bool is_optional;
};
#define MEMBER(name, field, form, is_optional)                                 \
	{ name, offsetof(struct google_config, field), form, is_optional }

static const struct member service_account[] = {
	MEMBER("client_email", client_email, FORM_WORD, false),
	MEMBER("private_key_id", private_key_id, FORM_WORD, false),
	MEMBER("private_key", private_key, FORM_PEM, false),
};
static const struct member authorized_user[] = {
	MEMBER("client_id", client_id, FORM_WORD, false),
	MEMBER("client_secret", client_secret, FORM_WORD, false),
	MEMBER("refresh_token", refresh_token, FORM_WORD, false),
	MEMBER("token_uri", token_url, FORM_GOOGLE_URL, true),
};
static const struct member external_account[] = {
	MEMBER("audience", audience, FORM_WORD, false),
	MEMBER("subject_token_type", subject_token_type, FORM_WORD, false),
	MEMBER("token_url", token_url, FORM_GOOGLE_URL, false),
	MEMBER("service_account_impersonation_url", impersonation_url,
	       FORM_GOOGLE_URL, true),
};
static const struct member credential_source[] = {
	MEMBER("file", subject_file, FORM_PATH, true),
	MEMBER("url", subject_url, FORM_ANY_URL, true),
};

static int refuse(struct err *err, const char *where, const char *name,
		  const char *why)
{
	return err_set(err, ERR_AUTH, EACCES, "%s: %s %s", where, name, why);
}

static int take_member(struct google_config *out, const char *where,
		       const json_t *object, const struct member *m,
		       struct err *err)
{
	char **to = (char **)((char *)out + m->offset);
	const json_t *value = json_object_get(object, m->name);

	if (!value && m->is_optional)
		return 0;
	if (!value)
		return refuse(err, where, m->name, "is missing");
	if (!json_is_string(value) ||
	    !has_form(json_string_value(value), m->form))
		return refuse(err, where, m->name,
			      m->form == FORM_GOOGLE_URL ?
				      "is no https:// address below "
				      "googleapis.com: nothing is sent there" :
				      "is not what it should be");
	*to = strdup(json_string_value(value));
	return *to ? 0 : err_nomem(err);
}

static int take_members(struct google_config *out, const char *where,
			const json_t *object, const struct member *members,
			size_t n, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = take_member(out, where, object, &members[i], err);
	return r;
}

/*
 * Where an external account has its subject token.
 */

static bool is_header_name(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-')
			return false;
	return true;
}

static bool is_header_value(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s >= 0x7f)
			return false;
	return true;
}

static int take_headers(struct google_config *out, const char *where,
			json_t *headers, struct err *err)
{
	struct buf lines = BUF_INIT;
	const char *name;
	json_t *value;

	if (!headers)
		return 0;
	if (!json_is_object(headers) || json_object_size(headers) > HEADERS_MAX)
		return refuse(err, where, "headers", "is no mapping of a few");
	json_object_foreach(headers, name, value) {
		if (!json_is_string(value) || !is_header_name(name) ||
		    !is_header_value(json_string_value(value))) {
			buf_release(&lines);
			return refuse(err, where, "headers",
				      "holds one that cannot be sent");
		}
		buf_printf(&lines, "%s: %s\n", name, json_string_value(value));
	}
	out->subject_headers = buf_steal(&lines);
	return out->subject_headers ? 0 : err_nomem(err);
}

static int take_format(struct google_config *out, const char *where,
		       const json_t *format, struct err *err)
{
	static const struct member field =
		MEMBER("subject_token_field_name", subject_field, FORM_WORD,
		       false);
	const char *type = json_string_value(json_object_get(format, "type"));

	if (!format || (type && !strcmp(type, "text")))
		return 0;
	if (!type || strcmp(type, "json") != 0)
		return refuse(err, where, "format", "is neither text nor json");
	return take_member(out, where, format, &field, err);
}

/* Kinds of subject tokens that other clients know. */
static const char *find_foreign(const json_t *source)
{
	static const char *const names[] = { "executable", "environment_id",
					     "certificate" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_object_get(source, names[i]))
			return names[i];
	return NULL;
}

static int take_source(struct google_config *out, const char *where,
		       const json_t *source, struct err *err)
{
	const char *foreign = find_foreign(source);
	int r;

	if (!json_is_object(source))
		return refuse(err, where, "credential_source", "is missing");
	if (foreign)
		return refuse(err, where, foreign,
			      "is not supported: only a file or an address "
			      "gives the subject token");
	r = take_members(out, where, source, credential_source,
			 ARRAY_SIZE(credential_source), err);
	if (r == 0 && !out->subject_file == !out->subject_url)
		r = refuse(err, where, "credential_source",
			   "must have one of file and url");
	if (r == 0)
		r = take_headers(out, where, json_object_get(source, "headers"),
				 err);
	if (r == 0)
		r = take_format(out, where, json_object_get(source, "format"),
				err);
	return r;
}

static int take_external(struct google_config *out, const char *where,
			 const json_t *object, struct err *err)
{
	int r = take_members(out, where, object, external_account,
			     ARRAY_SIZE(external_account), err);

	if (r == 0 && json_object_get(object, "client_id"))
		return refuse(err, where, "client_id", "is not supported in an "
						       "external account");
	return r < 0 ? r :
		       take_source(out, where,
				   json_object_get(object, "credential_source"),
				   err);
}

static int take_user(struct google_config *out, const char *where,
		     const json_t *object, struct err *err)
{
	int r = take_members(out, where, object, authorized_user,
			     ARRAY_SIZE(authorized_user), err);

	if (r < 0 || out->token_url)
		return r;
	out->token_url = strdup(GOOGLE_TOKEN_URI);
	return out->token_url ? 0 : err_nomem(err);
}

static int take(struct google_config *out, const char *where,
		const json_t *object, struct err *err)
{
	const char *type = json_string_value(json_object_get(object, "type"));
	const json_t *universe = json_object_get(object, "universe_domain");

	if (!type)
		return refuse(err, where, "type", "is missing");
	if (universe && (!json_is_string(universe) ||
			 strcmp(json_string_value(universe), "googleapis.com")))
		return refuse(err, where, "universe_domain",
			      "is another than googleapis.com");
	if (!strcmp(type, "service_account")) {
		out->kind = GOOGLE_SERVICE_ACCOUNT;
		return take_members(out, where, object, service_account,
				    ARRAY_SIZE(service_account), err);
	}
	if (!strcmp(type, "authorized_user")) {
		out->kind = GOOGLE_AUTHORIZED_USER;
		return take_user(out, where, object, err);
	}
	if (!strcmp(type, "external_account")) {
		out->kind = GOOGLE_EXTERNAL_ACCOUNT;
		return take_external(out, where, object, err);
	}
	return refuse(err, where, "type",
		      "is none of service_account, authorized_user and "
		      "external_account");
}

/* jansson frees what it copied as it is. */
static void wipe_strings(json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
		if (json_is_string(value))
			explicit_bzero((char *)json_string_value(value),
				       json_string_length(value));
}

int google_config_parse(struct google_config *out, const char *where,
			const char *text, size_t len, struct err *err)
{
	json_t *object = NULL;
	int r = len > GOOGLE_CONFIG_BYTES_MAX ?
			-EFBIG :
			json_parse(&object, text, len, DEPTH_MAX, err);

	if (r < 0)
		return err_set(err, ERR_AUTH, EACCES,
			       "%s: no JSON of a credential (%zu bytes)",
			       where, len);
	if (json_is_object(object))
		r = take(out, where, object, err);
	else
		r = refuse(err, where, "it", "is no JSON object");
	wipe_strings(object);
	json_decref(object);
	if (r < 0)
		google_config_release(out);
	return r;
}
