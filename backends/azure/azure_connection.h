/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's credential for azure:// is a connection string in access_key, as the
 * portal shows it: NAME=VALUE pairs between semicolons, a value beginning
 * behind the first '='.  Names are read whatever their case; what is not
 * about blobs is passed over.
 *
 * It is for one account: AccountName and BlobEndpoint must agree with the URI,
 * or a key would sign for another account than the configuration says.  Only
 * the emulator's account (devstoreaccount1, or UseDevelopmentStorage=true)
 * stands for whatever account the URI names.
 *
 * No text of an error here holds a value.
 */
#ifndef DATASETFS_AZURE_CONNECTION_H
#define DATASETFS_AZURE_CONNECTION_H

#include "backends/auth/cred.h"

#define AZURE_CONNECTION_MAX 8192	/* bytes */

struct azure_connection {
	char *account;	/* NULL where only an endpoint names it */
	char *key;	/* base64; NULL with a SAS */
	char *sas;	/* without "?"; NULL with a key */
	char *endpoint;	/* "https://ACCOUNT.blob.core.windows.net" */
};
/* Wipes. */
void azure_connection_release(struct azure_connection *conn);
#define cleanup_azure_connection                                               \
	__attribute__((cleanup(azure_connection_release)))

/*
 * account is the URI's.  ERR_USAGE (-EINVAL) with a text that says what to
 * write; *out is empty then.
 */
int azure_connection_parse(struct azure_connection *out, const char *text,
			   const char *account, struct err *err) MUST_CHECK;

/* CRED_AZURE_KEY or CRED_AZURE_SAS of it; see cred_source_static(). */
int azure_connection_source(struct cred_source **out, const char *name,
			    const char *text, const char *account,
			    struct err *err) MUST_CHECK;

#endif
