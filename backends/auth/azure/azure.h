/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity that a process has on Azure, as bearer tokens for Blob storage,
 * looked for where DefaultAzureCredential looks and in its order:
 *
 *	1 AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET
 *	2 the same with AZURE_FEDERATED_TOKEN_FILE (workload identity)
 *	3 a managed identity: IDENTITY_ENDPOINT and IDENTITY_HEADER (App
 *	  Service, Container Apps), else the metadata service of a machine;
 *	  AZURE_CLIENT_ID names one of several
 *
 * and then unsigned.  AZURE_TOKEN_CREDENTIALS names the only one that counts:
 * EnvironmentCredential, WorkloadIdentityCredential or
 * ManagedIdentityCredential ("prod" is all three).  What is set but fails ends
 * the search.
 */
#ifndef DATASETFS_AUTH_AZURE_AZURE_H
#define DATASETFS_AUTH_AZURE_AZURE_H

#include "backends/auth/cred.h"

struct http_engine;

/* All of that. */
int cred_source_azure(struct cred_source **out, struct http_engine *engine,
		      struct err *err) MUST_CHECK;

/* One each; *out is NULL where the environment does not speak of it. */
int cred_source_azure_secret(struct cred_source **out,
			     struct http_engine *engine, struct err *err)
	MUST_CHECK;
int cred_source_azure_federated(struct cred_source **out,
				struct http_engine *engine, struct err *err)
	MUST_CHECK;
/* Never NULL: a machine does not say that it has one. */
int cred_source_azure_managed(struct cred_source **out,
			      struct http_engine *engine, struct err *err)
	MUST_CHECK;

#endif
