/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity that a process has on AWS, looked for where botocore looks and
 * in its order:
 *
 *	1 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *	2 the profile's role_arn with source_profile or credential_source
 *	3 AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (EKS's IRSA), then the
 *	  profile's web_identity_token_file and role_arn
 *	4 the profile's keys in the credentials file
 *	5 the profile's credential_process
 *	6 the profile's keys in the config file
 *	7 AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (ECS), ..._FULL_URI (EKS Pod
 *	  Identity)
 *	8 EC2's metadata service, version 2
 *
 * and then unsigned.  One that is configured and fails ends the search; only
 * "there is none" goes on.  SSO is left to "aws configure export-credentials
 * --format process" as a credential_process.
 *
 * What is not configured costs nothing; the metadata service is asked once, by
 * the first who gets so far, and its absence is remembered.
 */
#ifndef DATASETFS_AUTH_AWS_AWS_H
#define DATASETFS_AUTH_AWS_AWS_H

#include "backends/auth/cred.h"

struct http_engine;

/* All of that. */
int cred_source_aws(struct cred_source **out, struct http_engine *engine,
		    struct err *err) MUST_CHECK;

/*
 * One each; *out is NULL where the environment does not speak of it.  Their
 * variables are read now, what they name at each fetch.
 */
int cred_source_web_identity(struct cred_source **out,
			     struct http_engine *engine, struct err *err)
	MUST_CHECK;
int cred_source_container(struct cred_source **out, struct http_engine *engine,
			  struct err *err) MUST_CHECK;
/* NULL only where AWS_EC2_METADATA_DISABLED says so. */
int cred_source_imds(struct cred_source **out, struct http_engine *engine,
		     struct err *err) MUST_CHECK;

/* What the profile says beside keys; *place tells where it belongs. */
enum aws_place {
	AWS_PLACE_NONE,		/* *out is NULL */
	AWS_PLACE_ROLE,		/* 2 above */
	AWS_PLACE_WEB_IDENTITY,	/* 3 */
	AWS_PLACE_PROCESS,	/* 5 */
};
int cred_source_profile(struct cred_source **out, enum aws_place *place,
			struct http_engine *engine, struct err *err) MUST_CHECK;

#endif
