/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Managed identities: of a machine, by its metadata service ("How to use
 * managed identities on a virtual machine to acquire an access token"), and of
 * App Service and its like, by a service beside the program.
 */
#include <config.h>
#include "backends/auth/azure/azure_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/base/encode.h"
#include "backends/base/env.h"

#define MANAGED "Azure's managed identity"
#define RESOURCE "https://storage.azure.com"
#define IMDS_TOKEN "/metadata/identity/oauth2/token"
#define PROBE_MS 1000
#define PROBE_ATTEMPTS 2
#define PROBE_TOTAL_MS 3000

/* Who asks without the header is told 400, and at once. */
static int probe(struct http_engine *engine, const char *url, struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	struct ask question = {
		.who = MANAGED,
		.method = HTTP_GET,
		.url = url,
		.attempt_ms = PROBE_MS,
		.attempts = PROBE_ATTEMPTS,
		.total_ms = PROBE_TOTAL_MS,
		.is_near = true,
	};
	int r = ask(engine, &question, &reply, err);

	if (r == 0 || r == -ECANCELED || r == -ENOMEM)
		return r;
	return err_set(err, ERR_AUTH, ENOENT,
		       MANAGED ": the metadata service gave no answer within "
			       "%d ms: this is no machine of Azure's",
		       PROBE_MS);
}

static void add_query(struct buf *url, const char *version)
{
	const char *client = env_get("AZURE_CLIENT_ID");

	buf_printf(url, "%capi-version=%s&resource=",
		   url->data && strchr(url->data, '?') ? '&' : '?', version);
	encode_percent(url, RESOURCE, strlen(RESOURCE), "");
	if (client) {
		buf_str(url, "&client_id=");
		encode_percent(url, client, strlen(client), "");
	}
}

/* 404 and 410 while the service starts or is renewed, as its page has it. */
static bool is_transient(const struct ask_reply *reply)
{
	return ask_is_transient(reply) || reply->status == 404 ||
	       reply->status == 410;
}

static int get(struct http_engine *engine, const char *url,
	       const char *header, struct ask_reply *reply, struct err *err)
{
	struct ask question = {
		.who = MANAGED,
		.method = HTTP_GET,
		.url = url,
		.headers = header,
		.is_near = true,
		.is_transient = is_transient,
	};

	return ask(engine, &question, reply, err);
}

static int fetch_imds(struct http_engine *engine, struct cred *out,
		      struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	const char *base = env_get("AZURE_POD_IDENTITY_AUTHORITY_HOST");
	cleanup_buf struct buf url = BUF_INIT;
	int r;

	buf_str(&url, base ? base : "http://169.254.169.254");
	while (url.len && url.data[url.len - 1] == '/')
		url.data[--url.len] = '\0';
	buf_str(&url, IMDS_TOKEN);
	if (buf_failed(&url))
		return err_nomem(err);
	r = probe(engine, url.data, err);
	if (r < 0)
		return r;
	add_query(&url, "2018-02-01");
	if (buf_failed(&url))
		return err_nomem(err);
	r = get(engine, url.data, "metadata: true\n", &reply, err);
	if (r < 0)
		return r;
	if (reply.status == 200)
		return azure_token(out, MANAGED, &reply, err);
	r = azure_refused(MANAGED, &reply, err);
	/* "Identity not found": this machine has none. */
	if (reply.status == 400 && !env_get("AZURE_CLIENT_ID"))
		r = err_set(err, ERR_AUTH, ENOENT,
			    MANAGED ": this machine has none");
	return r;
}

static int fetch_service(struct http_engine *engine, const char *endpoint,
			 struct cred *out, struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	cleanup_ask_wipe struct buf header = BUF_INIT;
	cleanup_buf struct buf url = BUF_INIT;
	const char *proof = env_get("IDENTITY_HEADER");
	int r;

	if (!proof)
		return err_set(err, ERR_AUTH, EACCES,
			       "IDENTITY_ENDPOINT is set, but IDENTITY_HEADER "
			       "is not (Azure Arc is not supported)");
	if (strpbrk(proof, "\r\n"))
		return err_set(err, ERR_AUTH, EACCES,
			       "IDENTITY_HEADER has a line break");
	buf_printf(&header, "x-identity-header: %s\n", proof);
	buf_str(&url, endpoint);
	add_query(&url, "2019-08-01");
	if (buf_failed(&url) || buf_failed(&header))
		return err_nomem(err);
	r = get(engine, url.data, header.data, &reply, err);
	if (r < 0)
		return r;
	return reply.status == 200 ? azure_token(out, MANAGED, &reply, err) :
				     azure_refused(MANAGED, &reply, err);
}

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	const char *endpoint = env_get("IDENTITY_ENDPOINT");

	(void)ctx;
	return endpoint ? fetch_service(engine, endpoint, out, err) :
			  fetch_imds(engine, out, err);
}

int cred_source_azure_managed(struct cred_source **out,
			      struct http_engine *engine, struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch,
		.advisory_s = CRED_CACHED_ADVISORY_S,
		.mandatory_s = CRED_CACHED_MANDATORY_S,
	};

	return cred_source_remote(out, "Azure managed identity", &ops, NULL,
				  engine, err);
}
