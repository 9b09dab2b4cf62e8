/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the AWS sources share.  All of it waits: only for fetch() of
 * cred_remote.h.  Private to auth/aws/.
 */
#ifndef DATASETFS_AUTH_AWS_AWS_IMPL_H
#define DATASETFS_AUTH_AWS_AWS_IMPL_H

#include "backends/auth/aws/aws.h"
#include "backends/auth/cred_remote.h"

/*
 * A role to assume.  Borrows; what is NULL is not sent.  The region is that of
 * the endpoint: AWS_REGION, AWS_DEFAULT_REGION, else this, else us-east-1.
 */
struct sts_role {
	const char *arn;
	const char *session_name;	/* NULL: "datasetfs-" and the host */
	const char *external_id;
	const char *duration_s;		/* digits */
	const char *region;
};

/*
 * STS at AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, else that of the region.
 * -EACCES with its code for a refusal (never its message, which may quote the
 * token).  The token goes into the body, as it would be logged with a query.
 */
int sts_web_identity(struct http_engine *engine, const struct sts_role *role,
		     const char *token_file, struct cred *out, struct err *err)
	MUST_CHECK;
int sts_assume_role(struct http_engine *engine, const struct sts_role *role,
		    const struct cred *base, struct cred *out, struct err *err)
	MUST_CHECK;

/*
 * AccessKeyId, SecretAccessKey, token_name and Expiration of a JSON object;
 * the last two may be missing.
 */
struct json_t;
int aws_keys(struct cred *out, const char *who, const struct json_t *object,
	     const char *token_name, struct err *err) MUST_CHECK;

/* Which services of this machine and its neighbours are meant, if any. */
struct container_config {
	char *url;		/* NULL: none */
	const char *token_file;	/* borrowed from the environment */
	const char *token;
};
int container_choose(struct container_config *out, struct err *err) MUST_CHECK;
int container_fetch(const struct container_config *config,
		    struct http_engine *engine, struct cred *out,
		    struct err *err) MUST_CHECK;

struct imds_config {
	const char *base;	/* "http://169.254.169.254"; NULL: disabled */
	bool allows_v1;
};
void imds_choose(struct imds_config *out);
int imds_fetch(const struct imds_config *config, struct http_engine *engine,
	       struct cred *out, struct err *err) MUST_CHECK;

/*
 * Runs the program of a credential_process (split as a shell would, no shell)
 * and reads what it prints.  Ends with the engine.
 */
#define PROCESS_MS 30000
#define PROCESS_ARGS_MAX 64
int process_fetch(const char *command, const struct http_engine *engine,
		  struct cred *out, struct err *err) MUST_CHECK;
/* The words of command, argv[n] NULL, in one piece to free(); -EINVAL. */
int process_split(char ***argv, const char *command, struct err *err)
	MUST_CHECK;

#endif
