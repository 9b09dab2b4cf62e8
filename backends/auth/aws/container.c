/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials of a container: ECS's by a path on 169.254.170.2, EKS Pod
 * Identity's (and others') by a whole URL.  ("Container credential provider",
 * AWS SDKs and Tools.)  A URL without TLS may only lead to this machine or to
 * the addresses of those two, as it takes a token along.
 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include "backends/auth/ask.h"
#include "backends/base/buf.h"
#include "backends/base/encode.h"
#include "backends/base/env.h"

#define CONTAINER "the container's credentials"
#define CONTAINER_ATTEMPT_MS 2000
#define CONTAINER_TOTAL_MS 10000
#define CONTAINER_URL_MAX 2048
#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI"

static bool is_printable(const char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	return true;
}

/* "127.0.0.1" or so: four numbers, of which the first is 127. */
static bool is_loopback_v4(const char *host)
{
	unsigned a, b, c, d;
	int end = 0;

	return sscanf(host, "%3u.%3u.%3u.%3u%n", &a, &b, &c, &d, &end) == 4 &&
	       !host[end] && a == 127 && b < 256 && c < 256 && d < 256;
}

static bool is_near_host(const char *host)
{
	static const char *const hosts[] = {
		"localhost", "[::1]", "169.254.170.2", "169.254.170.23",
		"[fd00:ec2::23]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		if (!strcasecmp(host, hosts[i]))
			return true;
	return is_loopback_v4(host);
}

/* "host" of "host:80/path", a literal with its brackets. */
static bool cut_host(char *out, size_t size, const char *authority)
{
	size_t len = strcspn(authority, "/?#");
	size_t host_len = len;

	if (memchr(authority, '@', len) || memchr(authority, '\\', len))
		return false;
	if (authority[0] == '[')
		host_len = strcspn(authority, "]") + 1;
	else
		host_len = strcspn(authority, ":/?#");
	if (host_len == 0 || host_len > len || host_len >= size ||
	    (host_len < len && authority[host_len] != ':'))
		return false;
	memcpy(out, authority, host_len);
	out[host_len] = '\0';
	return true;
}

static int check_full(const char *url, struct err *err)
{
	char host[256];
	bool is_tls = !strncasecmp(url, "https://", 8);

	if (!is_tls && strncasecmp(url, "http://", 7) != 0)
		return err_set(err, ERR_USAGE, EINVAL, FULL " is no http URL");
	if (strlen(url) > CONTAINER_URL_MAX || !is_printable(url) ||
	    !cut_host(host, sizeof(host), url + (is_tls ? 8 : 7)))
		return err_set(err, ERR_USAGE, EINVAL, FULL " is no URL");
	if (!is_tls && !is_near_host(host))
		return err_set(err, ERR_AUTH, EACCES,
			       FULL " leads to %s without TLS: only to this "
			       "machine, 169.254.170.2, 169.254.170.23 and "
			       "fd00:ec2::23 it may",
			       host);
	return 0;
}

int container_choose(struct container_config *out, struct err *err)
{
	const char *relative = env_get(RELATIVE);
	const char *full = env_get(FULL);
	cleanup_buf struct buf url = BUF_INIT;
	int r = 0;

	memset(out, 0, sizeof(*out));
	if (!relative && !full)
		return 0;
	if (!relative)
		r = check_full(full, err);
	else if (relative[0] != '/' || strlen(relative) > CONTAINER_URL_MAX ||
		 !is_printable(relative))
		r = err_set(err, ERR_USAGE, EINVAL,
			    RELATIVE " is no path that begins with a slash");
	if (r < 0)
		return r;
	buf_printf(&url, "%s%s", relative ? "http://169.254.170.2" : "",
		   relative ? relative : full);
	out->token_file = env_get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	out->token = env_get("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	out->url = buf_steal(&url);
	return out->url ? 0 : err_nomem(err);
}

/* The file is rotated: read each time. */
static int authorization(const struct container_config *config,
			 struct buf *header, struct err *err)
{
	cleanup_ask_wipe struct buf text = BUF_INIT;
	const char *token = config->token;
	int r;

	if (config->token_file) {
		r = ask_file(&text, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
			     config->token_file, err);
		if (r < 0)
			return r;
		token = text.data;
	}
	if (token && strpbrk(token, "\r\n"))
		return err_set(err, ERR_AUTH, EACCES,
			       CONTAINER ": the authorization token has a line "
			       "break");
	if (token)
		buf_printf(header, "authorization: %s\n", token);
	return buf_failed(header) ? err_nomem(err) : 0;
}

/* {"code": "AccessDenied", ...}, of which only the code is shown. */
static int refused(const struct ask_reply *reply, struct err *err)
{
	bool is_final = reply->status >= 400 && !ask_is_transient(reply);
	cleanup_buf struct buf code = BUF_INIT;
	struct err ignored = ERR_INIT;
	json_t *object = NULL;
	const char *text = NULL;

	if (ask_json(&object, CONTAINER, reply->body.data, reply->body.len,
		     &ignored) == 0)
		text = ask_json_string(object, "code");
	if (text)
		encode_printable(&code, text, strlen(text), 64);
	json_decref(object);
	return err_set(err, is_final ? ERR_AUTH : ERR_RETRY,
		       is_final ? EACCES : EIO, CONTAINER ": status %d%s%s",
		       reply->status, code.data ? " " : "",
		       code.data ? code.data : "");
}

int container_fetch(const struct container_config *config,
		    struct http_engine *engine, struct cred *out,
		    struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	cleanup_ask_wipe struct buf header = BUF_INIT;
	struct ask question = {
		.who = CONTAINER,
		.method = HTTP_GET,
		.url = config->url,
		.attempt_ms = CONTAINER_ATTEMPT_MS,
		.total_ms = CONTAINER_TOTAL_MS,
		.is_near = true,
	};
	json_t *object = NULL;
	int r = authorization(config, &header, err);

	if (r == 0) {
		question.headers = header.data;
		r = ask(engine, &question, &reply, err);
	}
	if (r == 0 && reply.status != 200)
		r = refused(&reply, err);
	if (r == 0)
		r = ask_json(&object, CONTAINER, reply.body.data,
			     reply.body.len, err);
	if (r == 0)
		r = aws_keys(out, CONTAINER, object, "Token", err);
	json_decref(object);
	return r;
}

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	struct container_config config;
	int r = container_choose(&config, err);

	(void)ctx;
	if (r < 0) {
		err->class = ERR_AUTH;
		return -(err->code = EACCES);
	}
	r = container_fetch(&config, engine, out, err);
	free(config.url);
	return r;
}

int cred_source_container(struct cred_source **out, struct http_engine *engine,
			  struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch,
		.advisory_s = CRED_ADVISORY_S,
		.mandatory_s = CRED_MANDATORY_S,
	};

	*out = NULL;
	if (!env_get(RELATIVE) && !env_get(FULL))
		return 0;
	return cred_source_remote(out, "container", &ops, NULL, engine, err);
}
