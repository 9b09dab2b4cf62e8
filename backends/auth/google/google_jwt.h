/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A token that a service account signs for itself (RFC 7519, RS256; AIP-4111):
 * with a scope it serves as the bearer token, and nobody is asked.  A pure
 * function of key and time.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_GOOGLE_JWT_H
#define DATASETFS_AUTH_GOOGLE_JWT_H

#include <stdint.h>
#include "backends/auth/google/google_config.h"
#include "backends/base/buf.h"

#define GOOGLE_JWT_LIFE_S 3600	/* the most that Google takes */
#define GOOGLE_RSA_BITS_MIN 2048

/*
 * Appends the token, good from now_s on.  -EACCES (ERR_AUTH) for a private key
 * that is none, is encrypted, no RSA key, or a short one; where names its
 * file.
 */
int google_jwt_sign(struct buf *out, const struct google_config *config,
		    const char *where, const char *scope, int64_t now_s,
		    struct err *err) MUST_CHECK;

#endif
