/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A credential file of Google's ("application default credentials"): what
 * `gcloud auth application-default login`, the console's service-account keys
 * and workload identity federation write.  A pure function of the text; no
 * value of it is ever in an error.
 *
 * Tokens are asked for, and keys sent, only below googleapis.com by HTTPS and
 * on this machine (loopback), whatever the file says (google-auth had to learn
 * that: a file may come from somebody else).  A program that the file names is
 * never run.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_GOOGLE_CONFIG_H
#define DATASETFS_AUTH_GOOGLE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include "backends/base/err.h"

#define GOOGLE_CONFIG_BYTES_MAX ((size_t)64 << 10)
#define GOOGLE_TOKEN_URI "https://oauth2.googleapis.com/token"

enum google_kind {
	GOOGLE_SERVICE_ACCOUNT,		/* a key that signs its own tokens */
	GOOGLE_AUTHORIZED_USER,		/* a refresh token */
	GOOGLE_EXTERNAL_ACCOUNT,	/* somebody else's token, exchanged */
};

struct google_config {
	enum google_kind kind;

	/* A service account. */
	char *client_email;
	char *private_key_id;
	char *private_key;	/* PEM */

	/* A user. */
	char *client_id;
	char *client_secret;
	char *refresh_token;

	/* Where tokens are asked for; a service account asks nobody. */
	char *token_url;

	/* An external account. */
	char *audience;
	char *subject_token_type;
	char *subject_file;	/* this or subject_url */
	char *subject_url;
	char *subject_headers;	/* "name: value\n" lines for it, or NULL */
	char *subject_field;	/* of JSON; NULL: the text is the token */
	char *impersonation_url;	/* NULL: the exchanged token serves */
};
/* Wipes. */
void google_config_release(struct google_config *config);
#define cleanup_google_config __attribute__((cleanup(google_config_release)))

/*
 * *out must be zeroed.  -EACCES (ERR_AUTH) says what is missing or not
 * supported; where names the file.
 */
int google_config_parse(struct google_config *out, const char *where,
			const char *text, size_t len, struct err *err)
	MUST_CHECK;

/* https:// below googleapis.com, or a loopback address. */
bool google_url_is_allowed(const char *url);

#endif
