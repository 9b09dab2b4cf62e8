/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EC2's metadata service, version 2: a token by PUT, then the role's name,
 * then its keys.  ("Instance metadata and user data", AWS.)  Version 1, which
 * any page or program that can send a GET may use, only where
 * AWS_EC2_METADATA_V1_DISABLED is "false".
 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>
#include "backends/auth/ask.h"
#include "backends/base/encode.h"
#include "backends/base/env.h"

#define IMDS "EC2's metadata service"
#define IMDS_ATTEMPT_MS 1000
#define IMDS_ATTEMPTS 2
#define IMDS_TOTAL_MS 3000
#define IMDS_TOKEN_MAX 1024
#define IMDS_ROLE_MAX 128
#define IMDS_ROLES "/latest/meta-data/iam/security-credentials/"

void imds_choose(struct imds_config *out)
{
	const char *disabled = env_get("AWS_EC2_METADATA_DISABLED");
	const char *mode = env_get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	const char *v1_disabled = env_get("AWS_EC2_METADATA_V1_DISABLED");

	out->base = env_get("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	if (!out->base)
		out->base = mode && !strcasecmp(mode, "ipv6") ?
				    "http://[fd00:ec2::254]" :
				    "http://169.254.169.254";
	if (disabled && !strcasecmp(disabled, "true"))
		out->base = NULL;
	out->allows_v1 = v1_disabled && !strcasecmp(v1_disabled, "false");
}

/* path_tail is encoded; headers may be NULL. */
static int ask_imds(struct http_engine *engine, const struct imds_config *config,
		    enum http_method method, const char *path,
		    const char *path_tail, const char *headers,
		    struct ask_reply *out, struct err *err)
{
	cleanup_buf struct buf url = BUF_INIT;
	size_t base_len = strlen(config->base);
	struct ask question = {
		.who = IMDS,
		.method = method,
		.headers = headers,
		.attempt_ms = IMDS_ATTEMPT_MS,
		.attempts = IMDS_ATTEMPTS,
		.total_ms = IMDS_TOTAL_MS,
		.is_near = true,
	};

	while (base_len && config->base[base_len - 1] == '/')
		base_len--;
	buf_bytes(&url, config->base, base_len);
	buf_str(&url, path);
	encode_percent(&url, path_tail, strlen(path_tail), "");
	if (buf_failed(&url))
		return err_nomem(err);
	question.url = url.data;
	return ask(engine, &question, out, err);
}

/* One line of printable bytes; false where it is none. */
static bool is_line(const struct buf *body, size_t max)
{
	if (!body->len || body->len > max)
		return false;
	for (size_t i = 0; i < body->len; i++)
		if (body->data[i] <= ' ' || body->data[i] >= 0x7f)
			return false;
	return true;
}

/* There is no such service here, as far as can be seen. */
static int absent(struct err *err)
{
	return err_set(err, ERR_AUTH, ENOENT,
		       IMDS " gave no answer within %d ms: this is no EC2 "
		       "instance, or a container behind a hop limit of 1 (aws "
		       "ec2 modify-instance-metadata-options "
		       "--http-put-response-hop-limit 2)",
		       IMDS_ATTEMPT_MS);
}

static int no_token(const struct imds_config *config, int status,
		    struct err *err)
{
	if (status == 403)
		return err_set(err, ERR_AUTH, ENOENT,
			       IMDS " is turned off (status 403)");
	if (status != 404 && status != 405 && status != 501)
		return err_set(err, ERR_RETRY, EIO, IMDS " gave no token: status %d",
			       status);
	if (config->allows_v1)
		return 0;
	return err_set(err, ERR_AUTH, ENOENT,
		       IMDS " knows no version 2 (status %d); "
		       "AWS_EC2_METADATA_V1_DISABLED=false allows version 1",
		       status);
}

/* The header line of all that follows; empty with version 1. */
static int get_token(struct http_engine *engine,
		     const struct imds_config *config, struct buf *header,
		     struct err *err)
{
	cleanup_ask_reply struct ask_reply reply = { .status = 0 };
	int r = ask_imds(engine, config, HTTP_PUT, "/latest/api/token", "",
			 "x-aws-ec2-metadata-token-ttl-seconds: 21600\n",
			 &reply, err);

	if (r == -ECANCELED || r == -ENOMEM)
		return r;
	if (r < 0)
		return absent(err);
	if (reply.status != 200)
		return no_token(config, reply.status, err);
	if (!is_line(&reply.body, IMDS_TOKEN_MAX))
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       IMDS ": a token that is none");
	buf_printf(header, "x-aws-ec2-metadata-token: %s\n", reply.body.data);
	return buf_failed(header) ? err_nomem(err) : 0;
}

static int get(struct http_engine *engine, const struct imds_config *config,
	       const char *role, const char *header, struct ask_reply *out,
	       struct err *err)
{
	int r = ask_imds(engine, config, HTTP_GET, IMDS_ROLES, role, header,
			 out, err);

	if (r < 0 || out->status == 200)
		return r;
	if (out->status == 404 && !*role)
		return err_set(err, ERR_AUTH, ENOENT,
			       IMDS ": the instance has no role");
	return err_set(err, ERR_RETRY, EIO, IMDS ": status %d", out->status);
}

/* With status 200 too: {"Code": "AssumeRoleUnauthorizedAccess", ...}. */
static int check_code(const json_t *object, struct err *err)
{
	const char *code = ask_json_string(object, "Code");
	cleanup_buf struct buf shown = BUF_INIT;

	if (code && !strcmp(code, "Success"))
		return 0;
	encode_printable(&shown, code ? code : "none", strlen(code ? code : "none"),
			 64);
	return err_set(err, ERR_RETRY, EIO, IMDS ": the role's keys have Code %s",
		       shown.data ? shown.data : "?");
}

static int take_keys(const struct ask_reply *reply, struct cred *out,
		     struct err *err)
{
	json_t *object;
	int r = ask_json(&object, IMDS, reply->body.data, reply->body.len, err);

	if (r < 0)
		return r;
	r = check_code(object, err);
	if (r == 0)
		r = aws_keys(out, IMDS, object, "Token", err);
	json_decref(object);
	return r;
}

int imds_fetch(const struct imds_config *config, struct http_engine *engine,
	       struct cred *out, struct err *err)
{
	cleanup_ask_reply struct ask_reply role = { .status = 0 };
	cleanup_ask_reply struct ask_reply keys = { .status = 0 };
	cleanup_ask_wipe struct buf header = BUF_INIT;
	char *line_end;
	int r = get_token(engine, config, &header, err);

	if (r == 0)
		r = get(engine, config, "", header.data, &role, err);
	/* The first of them; there has never been another. */
	line_end = r == 0 ? strchr(role.body.data, '\n') : NULL;
	if (line_end) {
		role.body.len = (size_t)(line_end - role.body.data);
		*line_end = '\0';
	}
	if (r == 0 && !is_line(&role.body, IMDS_ROLE_MAX))
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    IMDS ": a role's name that is none");
	if (r == 0)
		r = get(engine, config, role.body.data, header.data, &keys, err);
	if (r == 0)
		r = take_keys(&keys, out, err);
	return r;
}

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	(void)ctx;
	struct imds_config config;

	imds_choose(&config);
	if (!config.base)
		return err_set(err, ERR_AUTH, ENOENT,
			       "AWS_EC2_METADATA_DISABLED is set");
	return imds_fetch(&config, engine, out, err);
}

int cred_source_imds(struct cred_source **out, struct http_engine *engine,
		     struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch,
		.advisory_s = CRED_ADVISORY_S,
		.mandatory_s = CRED_MANDATORY_S,
		.is_stable = true,
	};
	struct imds_config config;

	*out = NULL;
	imds_choose(&config);
	if (!config.base)
		return 0;
	return cred_source_remote(out, "EC2 instance role", &ops, NULL, engine,
				  err);
}
