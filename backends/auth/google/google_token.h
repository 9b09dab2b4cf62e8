/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bearer tokens for Google Cloud Storage: what is asked of whom, and what an
 * answer is worth.  Everything here may wait, within ask.h's bounds: it is for
 * fetch() of cred_remote.h, whose -errno it returns.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_GOOGLE_TOKEN_H
#define DATASETFS_AUTH_GOOGLE_TOKEN_H

#include "backends/auth/cred.h"
#include "backends/auth/google/google_config.h"
#include "backends/http/http.h"

#define GOOGLE_SCOPE "https://www.googleapis.com/auth/devstorage.read_write"
#define GOOGLE_TOKEN_LIFE_MAX_S 86400	/* whatever an answer says */

/* Of a credential file; where names it. */
int google_token_fetch(struct cred *out, struct http_engine *engine,
		       const struct google_config *config, const char *where,
		       struct err *err) MUST_CHECK;

/*
 * Of the metadata service at host (GCE_METADATA_HOST, or its address).
 * -ENOENT: nobody answers there, or somebody else's service, or the instance
 * has no service account.  is_certain: this is a machine of Google's, so
 * silence is a failure that may pass (on GKE it lasts seconds after a pod's
 * start).
 */
int google_token_metadata(struct cred *out, struct http_engine *engine,
			  const char *host, bool is_certain, struct err *err)
	MUST_CHECK;

/*
 * {"access_token", "expires_in", "token_type"} and {"accessToken",
 * "expireTime"}: pure functions, for the two above and for tests.  -EBADMSG
 * (ERR_CORRUPT) for what is no such answer; never quoted.
 */
int google_token_parse(struct cred *out, const char *who, const char *text,
		       size_t len, int64_t now_s, struct err *err) MUST_CHECK;
int google_token_parse_impersonated(struct cred *out, const char *who,
				    const char *text, size_t len,
				    int64_t now_s, struct err *err) MUST_CHECK;

#endif
