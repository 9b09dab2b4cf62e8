/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage URIs as OSMO writes them (reference: OSMO's storage backends):
 *
 *	file:///DIR                      our addition
 *	s3://BUCKET[/PREFIX]
 *	gs://BUCKET[/PREFIX]
 *	azure://ACCOUNT/CONTAINER[/PREFIX]
 *	tos://HOST/BUCKET[/PREFIX]
 *	swift://HOST/NAMESPACE/CONTAINER[/PREFIX]
 *
 * Schemes are lower-case.  There is no percent-decoding, and '?' and '#' are
 * ordinary bytes of a key: everything behind the container is the key, taken
 * verbatim.  A struct uri owns one allocation and is immutable once parsed.
 */
#ifndef DATASETFS_BACKENDS_URI_H
#define DATASETFS_BACKENDS_URI_H

#include "backends/base/err.h"

enum uri_scheme {
	URI_FILE, URI_S3, URI_GS, URI_AZURE, URI_TOS, URI_SWIFT,
};

struct uri {
	enum uri_scheme scheme;
	char *text;		/* as it was written, less trailing slashes */
	char *profile;		/* "s3://bucket", "swift://host/ns", "file://":
				   what a credential is for */
	char *host;		/* tos, swift: the host; azure: the account */
	char *space;		/* swift: the namespace; else NULL */
	char *container;	/* bucket or container; NULL for file */
	char *key;		/* prefix or key without leading slash, "" for
				   none; for file: the absolute path */
};

/*
 * A location that is configured (dataset_path, catalog, foreign): trailing
 * slashes are dropped; empty components ("//"), "," ";" "*" are refused as
 * OSMO refuses them.  ERR_USAGE with a text that says what is missing and an
 * example of what to write ("azure://archive-storage has no container: write
 * azure://archive-storage/CONTAINER").
 */
int uri_parse_location(struct uri *out, const char *text, struct err *err)
	MUST_CHECK;

/*
 * The storage_path of one entry: the same, but the key is verbatim (any byte
 * but NUL, "//" and trailing slashes kept).
 */
int uri_parse_object(struct uri *out, const char *text, struct err *err)
	MUST_CHECK;

void uri_release(struct uri *uri);
#define cleanup_uri __attribute__((cleanup(uri_release)))

const char *uri_scheme_name(enum uri_scheme scheme);	/* "s3", ... */

/*
 * Where text (an object's URI) lies below location: a pointer into text to
 * the part after the location and its slash, compared component by component
 * ("s3://a/b" holds "s3://a/b/c", not "s3://a/bc"); NULL where it does not.
 * Never allocates: called once an entry.
 */
const char *uri_below(const struct uri *location, const char *text);

#endif
