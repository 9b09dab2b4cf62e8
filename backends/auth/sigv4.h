/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4 for the S3 dialect, and Google's own spelling of it:
 * a pure function of request, keys and time.  Rules: AWS "Authenticating
 * Requests (AWS Signature Version 4)"; S3's exception that the path is encoded
 * once and not normalised; Google "V4 signing process" for the other words.
 */
#ifndef DATASETFS_AUTH_SIGV4_H
#define DATASETFS_AUTH_SIGV4_H

#include <stdbool.h>
#include <stdint.h>
#include "backends/base/buf.h"
#include "backends/auth/cred.h"

/* What differs between the signers that share one canonical request. */
struct sigv4_scheme {
	const char *algorithm;		/* "AWS4-HMAC-SHA256" */
	const char *key_prefix;		/* "AWS4" */
	const char *scope_end;		/* "aws4_request" */
	const char *header_prefix;	/* "x-amz-" */
	const char *payload_service;	/* services that begin so get
					   x-...-content-sha256 */
	bool takes_bearer;		/* else CRED_BEARER is refused */
};
extern const struct sigv4_scheme sigv4_aws;
extern const struct sigv4_scheme sigv4_goog;

struct sigv4_pair {
	const char *name;
	const char *value;	/* NULL in a query: "uploads=" */
};

struct sigv4_request {
	const struct sigv4_scheme *scheme; /* NULL: sigv4_aws */
	const char *method;
	const char *host;		/* as sent: no default port */
	const char *path;		/* raw bytes, begins with "/" */
	const struct sigv4_pair *query;	/* raw, any order */
	size_t n_query;
	const struct sigv4_pair *headers; /* beyond host, x-amz-date,
					     x-amz-content-sha256 and token; all
					     are signed but those that proxies
					     and libcurl change (User-Agent,
					     Expect, Accept-Encoding, ...) */
	size_t n_headers;
	const char *payload_sha256;	/* hex, or "UNSIGNED-PAYLOAD" */
	const char *region;
	const char *service;		/* "s3" */
	int64_t time_s;
};

/*
 * What the wire must carry, byte for byte, beside the headers of the request,
 * which the caller sends himself.  Begins as SIGV4_SIGNED_INIT; release with
 * sigv4_release, which wipes it.
 */
struct sigv4_signed {
	struct buf target;	/* encoded path, "?", encoded sorted query */
	struct buf headers;	/* "name: value\n" lines: x-amz-date,
				   x-amz-content-sha256, token, authorization */
	struct buf canonical;	/* the canonical request, for tests */
	struct buf to_sign;
};
#define SIGV4_SIGNED_INIT { .target = BUF_INIT }
void sigv4_release(struct sigv4_signed *out);
#define cleanup_sigv4 __attribute__((cleanup(sigv4_release)))

/*
 * An anonymous credential yields target and no headers, a bearer token target
 * and one header: nothing is signed with it.  ERR_USAGE for what cannot be
 * signed (control characters, a region with odd bytes, more than 40 headers),
 * ERR_AUTH for keys that cannot be sent.
 */
int sigv4_sign(struct sigv4_signed *out, const struct sigv4_request *rq,
	       const struct cred *cred, struct err *err) MUST_CHECK;

#endif
