/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that stores of the S3 dialect answer with.  Takes memory, never a
 * path.  Stops at a DOCTYPE (no entities beyond XML's five), beyond
 * S3_XML_DEPTH_MAX levels, S3_XML_TEXT_MAX bytes in one element and
 * S3_XML_SIZE_MAX in all; a byte order mark and unknown elements are passed
 * over.  What is cut, malformed or not the expected document is -EBADMSG
 * (ERR_CORRUPT): stores have been seen to send such under a 200, and the
 * caller asks again.
 *
 * <Error> may stand in place of any of these documents, with status 200 too:
 * the result is then 0 and error.code is set.  A store's own message is never
 * kept: it may quote what was signed.
 */
#ifndef DATASETFS_BACKENDS_S3_XML_H
#define DATASETFS_BACKENDS_S3_XML_H

#include "backends/backend.h"

#define S3_XML_DEPTH_MAX 16
#define S3_XML_TEXT_MAX (16 << 10)
#define S3_XML_SIZE_MAX (16 << 20)
#define S3_XML_ENTRIES_MAX 100000

struct s3_error {
	char code[64];		/* "" where there is none; A-Za-z0-9._- only */
	char region[64];	/* as sent: not validated */
};

struct s3_list_entry {
	char *key;		/* decoded; whole key */
	bool is_prefix;
	struct object_info info;
};
struct s3_list {
	struct s3_error error;
	struct s3_list_entry *entries;	/* in the byte order of the keys */
	size_t n_entries;
	size_t cap;
	size_t n_skipped;	/* keys that hold a NUL */
	bool is_truncated;
	bool is_url_encoded;	/* the reply says that names are */
	char *token;		/* list-v2's, NULL where there is none */
	char *next_marker;	/* list-v1's, decoded, likewise */
};
int s3_xml_list(struct s3_list *out, const void *xml, size_t len,
		struct err *err) MUST_CHECK;
void s3_list_release(struct s3_list *list);
#define cleanup_s3_list __attribute__((cleanup(s3_list_release)))

/* InitiateMultipartUploadResult. */
int s3_xml_upload(struct s3_error *error, char id[BACKEND_UPLOAD_ID_MAX],
		  const void *xml, size_t len, struct err *err) MUST_CHECK;

/* CompleteMultipartUploadResult; the etag without quotes, "" where absent. */
int s3_xml_complete(struct s3_error *error, char etag[BACKEND_ETAG_MAX],
		    const void *xml, size_t len, struct err *err) MUST_CHECK;

/* The body of a refusal; what cannot be parsed leaves *error empty. */
void s3_xml_error(struct s3_error *error, const void *xml, size_t len);

/*
 * An etag as a header or element has it, quotes dropped; "" for a weak one,
 * and for one that is too long or could not be sent back in a header.
 */
void s3_etag_take(char etag[BACKEND_ETAG_MAX], const char *text);

#endif
