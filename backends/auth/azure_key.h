/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Azure's SharedKey for blobs: a pure function of request and key.  Rules:
 * "Authorize with Shared Key", versions 2015-02-21 and later (a length of 0 is
 * signed as nothing); the path is signed as it is sent, the query decoded.
 * Header names sort as .NET sorts them, which for the names that we send is
 * the order of their bytes.
 */
#ifndef DATASETFS_AUTH_AZURE_KEY_H
#define DATASETFS_AUTH_AZURE_KEY_H

#include <stdint.h>
#include "backends/base/buf.h"

struct azure_pair {
	const char *name;	/* lower-case */
	const char *value;
};

struct azure_key_request {
	const char *method;
	const char *path;	/* as sent: encoded, begins with "/" */
	const struct azure_pair *query;	/* not encoded, any order */
	size_t n_query;
	const struct azure_pair *headers; /* all that begin with x-ms-, and
					     content-md5, content-type,
					     if-match, if-none-match, range */
	size_t n_headers;
	uint64_t body_len;
};
#define AZURE_KEY_PAIRS_MAX 16	/* of each kind */

/* What is signed, for tests; a text without a secret. */
int azure_key_string(struct buf *out, const struct azure_key_request *rq,
		     const char *account, struct err *err) MUST_CHECK;
/*
 * Appends "SharedKey ACCOUNT:SIGNATURE".  ERR_AUTH (-EACCES) for a key that is
 * no base64, ERR_USAGE (-EINVAL) for what cannot be signed (control characters
 * in a header, more than AZURE_KEY_PAIRS_MAX pairs).
 */
int azure_key_sign(struct buf *out, const struct azure_key_request *rq,
		   const char *account, const char *key, struct err *err)
	MUST_CHECK;

/* 0, or -EACCES (ERR_AUTH): not the base64 of a key. */
int azure_key_check(const char *key, struct err *err) MUST_CHECK;

/* "Sun, 06 Nov 1994 08:49:37 GMT", for x-ms-date. */
#define AZURE_KEY_DATE_SIZE 40
void azure_key_date(char out[AZURE_KEY_DATE_SIZE], int64_t s);

#endif
