/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the objects of one S3-dialect location live: host, path and signing
 * region.  Immutable once made; the region is an argument, because it may be
 * discovered later and on AWS it is part of the host.
 *
 * The rules, by scheme:
 *	s3	override_url, else AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL,
 *		else s3.REGION.amazonaws.com (s3.dualstack.REGION...)
 *	gs	override_url, else STORAGE_EMULATOR_HOST, else
 *		storage.googleapis.com
 *	swift	override_url, else https://HOST; path style unless configured
 *	tos	override_url, else https://HOST; virtual only; the region is
 *		the host's ("tos-s3-REGION.")
 * Region: the configured one, else (s3) AWS_REGION, AWS_DEFAULT_REGION, else
 * us-east-1 (gs: us-east1) until the store names another one.
 * Style: the credential's, else OSMO_S3_ADDRESSING_STYLE, else
 * AWS_S3_FORCE_PATH_STYLE, else virtual; but path where virtual cannot work
 * (a host that is an address, a name that is no DNS label, or over TLS a name
 * with dots, which no wildcard certificate covers).  An empty override_url or
 * variable is an unset one.
 *
 * It must not know: requests, credentials.
 */
#ifndef DATASETFS_BACKENDS_S3_ENDPOINT_H
#define DATASETFS_BACKENDS_S3_ENDPOINT_H

#include "backends/backend.h"
#include "backends/object/address.h"

#define S3_REGION_SIZE BACKEND_REGION_MAX
#define S3_REGION_DEFAULT "us-east-1"

struct s3_endpoint {
	struct address at;	/* authority: NULL on AWS */
	bool is_aws;		/* the authority depends on the region */
	bool is_dualstack;	/* and answers by IPv6 as well */
	bool is_google;		/* one of Google's own hosts */
	bool is_virtual;
	bool is_region_fixed;	/* tos: never discovered */
	char *bucket;
	char region[S3_REGION_SIZE];	/* to begin with */
};

/* ERR_USAGE with a text that says what to write. */
int s3_endpoint_init(struct s3_endpoint *out, const struct backend_spec *spec,
		     struct err *err) MUST_CHECK;
void s3_endpoint_release(struct s3_endpoint *endpoint);
#define cleanup_s3_endpoint __attribute__((cleanup(s3_endpoint_release)))

/*
 * Appends the host as sent (no default port) and the raw path of a key; key
 * NULL is the bucket itself.  For a bucket in path style the path is "/b", in
 * virtual style "/".
 */
void s3_endpoint_locate(const struct s3_endpoint *endpoint, const char *region,
			const char *key, struct buf *host, struct buf *path);

/* ^[a-z0-9-]{1,63}$: what may be spliced into a host name. */
bool s3_region_is_valid(const char *region);

#endif
