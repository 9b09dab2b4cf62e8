/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Microsoft Entra ID (Azure AD): an application's token for its secret, or for
 * a token that another authority (a Kubernetes cluster) gave it.  ("Microsoft
 * identity platform and the OAuth 2.0 client credentials flow".)
 */
#include <config.h>
#include "backends/auth/azure/azure_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/base/encode.h"
#include "backends/base/env.h"

#define ENTRA "Azure AD"
#define SCOPE "https://storage.azure.com/.default"
#define ASSERTION "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
#define ID_MAX 256

/* A tenant or a client: a GUID, or a domain. */
static int check_id(const char *name, const char **out, struct err *err)
{
	const char *value = env_get(name);

	if (!value)
		return err_set(err, ERR_AUTH, EACCES, "%s is not set", name);
	if (strlen(value) > ID_MAX ||
	    strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			  "0123456789.-_") != strlen(value) ||
	    !strcmp(value, ".") || !strcmp(value, ".."))
		return err_set(err, ERR_AUTH, EACCES,
			       "%s is neither a GUID nor a domain", name);
	*out = value;
	return 0;
}

static int make_url(struct buf *url, const char *tenant, struct err *err)
{
	const char *host = env_get("AZURE_AUTHORITY_HOST");
	size_t len;

	if (!host)
		host = "https://login.microsoftonline.com";
	len = strlen(host);
	while (len && host[len - 1] == '/')
		len--;
	/* Some write it without a scheme. */
	if (!strstr(host, "://"))
		buf_str(url, "https://");
	buf_bytes(url, host, len);
	buf_printf(url, "/%s/oauth2/v2.0/token", tenant);
	return buf_failed(url) ? err_nomem(err) : 0;
}

static void add_field(struct buf *form, const char *name, const char *value)
{
	buf_printf(form, "&%s=", name);
	encode_percent(form, value, strlen(value), "");
}

/* add() puts the proof into the form. */
static int grant(struct http_engine *engine, struct cred *out,
		 int (*add)(struct buf *form, struct err *err), struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	cleanup_ask_wipe struct buf form = BUF_INIT;
	cleanup_buf struct buf url = BUF_INIT;
	struct ask question = {
		.who = ENTRA,
		.method = HTTP_POST,
		.headers = "content-type: application/x-www-form-urlencoded\n"
			   "accept: application/json\n",
	};
	const char *tenant;
	const char *client;
	int r = check_id("AZURE_TENANT_ID", &tenant, err);

	if (r == 0)
		r = check_id("AZURE_CLIENT_ID", &client, err);
	if (r == 0)
		r = make_url(&url, tenant, err);
	/* All of it at once, so that growing leaves no copies behind. */
	if (r == 0)
		r = buf_reserve(&form, 4 * ASK_FILE_MAX, err);
	if (r < 0)
		return r;
	buf_str(&form, "grant_type=client_credentials");
	add_field(&form, "scope", SCOPE);
	add_field(&form, "client_id", client);
	r = add(&form, err);
	if (r == 0 && buf_failed(&form))
		r = err_nomem(err);
	question.url = url.data;
	question.body = form.data;
	if (r == 0)
		r = ask(engine, &question, &reply, err);
	if (r < 0)
		return r;
	return reply.status == 200 ? azure_token(out, ENTRA, &reply, err) :
				     azure_refused(ENTRA, &reply, err);
}

static int add_secret(struct buf *form, struct err *err)
{
	const char *secret = env_get("AZURE_CLIENT_SECRET");

	if (!secret)
		return err_set(err, ERR_AUTH, EACCES,
			       "AZURE_CLIENT_SECRET is not set");
	add_field(form, "client_secret", secret);
	return 0;
}

/* The file is rotated: read each time. */
static int add_assertion(struct buf *form, struct err *err)
{
	static const char name[] = "AZURE_FEDERATED_TOKEN_FILE";
	cleanup_ask_wipe struct buf token = BUF_INIT;
	const char *path = env_get(name);
	int r;

	if (!path)
		return err_set(err, ERR_AUTH, EACCES, "%s is not set", name);
	r = ask_file(&token, name, path, err);
	if (r < 0)
		return r;
	token.data[strcspn(token.data, "\r\n")] = '\0';
	add_field(form, "client_assertion_type", ASSERTION);
	add_field(form, "client_assertion", token.data);
	return 0;
}

static int fetch_secret(void *ctx, struct http_engine *engine,
			struct cred *out, struct err *err)
{
	(void)ctx;
	return grant(engine, out, add_secret, err);
}

static int fetch_federated(void *ctx, struct http_engine *engine,
			   struct cred *out, struct err *err)
{
	(void)ctx;
	return grant(engine, out, add_assertion, err);
}

int cred_source_azure_secret(struct cred_source **out,
			     struct http_engine *engine, struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch_secret,
		.advisory_s = CRED_CACHED_ADVISORY_S,
		.mandatory_s = CRED_CACHED_MANDATORY_S,
	};

	*out = NULL;
	if (!env_get("AZURE_CLIENT_SECRET"))
		return 0;
	return cred_source_remote(out, "Azure client secret", &ops, NULL,
				  engine, err);
}

int cred_source_azure_federated(struct cred_source **out,
				struct http_engine *engine, struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch_federated,
		.advisory_s = CRED_CACHED_ADVISORY_S,
		.mandatory_s = CRED_CACHED_MANDATORY_S,
	};

	*out = NULL;
	if (!env_get("AZURE_FEDERATED_TOKEN_FILE"))
		return 0;
	return cred_source_remote(out, "Azure workload identity", &ops, NULL,
				  engine, err);
}
