/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include "backends/base/env.h"

#define TOKEN_FILE "AWS_WEB_IDENTITY_TOKEN_FILE"

static int fetch(void *ctx, struct http_engine *engine, struct cred *out,
		 struct err *err)
{
	struct sts_role role = {
		.arn = env_get("AWS_ROLE_ARN"),
		.session_name = env_get("AWS_ROLE_SESSION_NAME"),
	};

	(void)ctx;
	if (!role.arn)
		return err_set(err, ERR_AUTH, EACCES,
			       TOKEN_FILE " is set, but AWS_ROLE_ARN is not");
	return sts_web_identity(engine, &role, env_get(TOKEN_FILE), out, err);
}

int cred_source_web_identity(struct cred_source **out,
			     struct http_engine *engine, struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = fetch,
		.advisory_s = CRED_ADVISORY_S,
		.mandatory_s = CRED_MANDATORY_S,
	};

	*out = NULL;
	if (!env_get(TOKEN_FILE))
		return 0;
	return cred_source_remote(out, "web identity", &ops, NULL, engine, err);
}
