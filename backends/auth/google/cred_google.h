/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity that a process has at Google, looked for where Google's own
 * clients look ("application default credentials") and in their order:
 *
 *	1 the file that GOOGLE_APPLICATION_CREDENTIALS names, which must be
 *	  good; else CLOUDSDK_CONFIG or ~/.config/gcloud,
 *	  application_default_credentials.json, where it is there
 *	2 the metadata service of Google's machines, at GCE_METADATA_HOST or
 *	  its address; not where NO_GCE_CHECK is true
 *
 * and then unsigned.  What is there and fails ends the search.  Variables are
 * read now, the file whenever a token is wanted.
 */
#ifndef DATASETFS_AUTH_CRED_GOOGLE_H
#define DATASETFS_AUTH_CRED_GOOGLE_H

#include "backends/auth/cred.h"

struct http_engine;

/* All of that: bearer tokens of GOOGLE_SCOPE. */
int cred_source_google(struct cred_source **out, struct http_engine *engine,
		       struct err *err) MUST_CHECK;

#endif
