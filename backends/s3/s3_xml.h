/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that stores of the S3 dialect answer with; see base/xml.h for what
 * holds of all of it.
 */
#ifndef DATASETFS_BACKENDS_S3_XML_H
#define DATASETFS_BACKENDS_S3_XML_H

#include "backends/backend.h"
#include "backends/object/listing.h"
#include "backends/base/xml.h"

struct s3_list {
	struct xml_error error;
	struct listing names;	/* decoded */
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
int s3_xml_upload(struct xml_error *error, char id[BACKEND_UPLOAD_ID_MAX],
		  const void *xml, size_t len, struct err *err) MUST_CHECK;

/* CompleteMultipartUploadResult; the etag without quotes, "" where absent. */
int s3_xml_complete(struct xml_error *error, char etag[BACKEND_ETAG_MAX],
		    const void *xml, size_t len, struct err *err) MUST_CHECK;

#endif
