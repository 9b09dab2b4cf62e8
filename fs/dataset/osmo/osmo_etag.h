/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that names an OSMO blob: MD5 of its content in digits, or, above
 * 8 MiB, MD5 of the MD5s of its 8 MiB parts and "-N".  S3 builds the ETags of
 * multipart uploads in the same way, with parts of the uploader's choice.
 */
#ifndef DATASETFS_DATASET_OSMO_ETAG_H
#define DATASETFS_DATASET_OSMO_ETAG_H

#include "backends/backend.h"
#include "backends/base/digest.h"
#include "backends/base/err.h"

#define OSMO_PART ((uint64_t)8 << 20)
#define OSMO_ETAG_TEXT_MAX 44	/* 32 digits, "-4294967295", NUL */

struct osmo_etag {
	uint8_t md5[MD5_SIZE];
	uint32_t parts;		/* 0: no "-N" */
	bool is_canonical;	/* osmo_etag_format() gives back the text */
};

/* false: 32 digits with or without "-N" it is not. */
bool osmo_etag_parse(struct osmo_etag *out, const char *text, size_t len);
void osmo_etag_format(char out[OSMO_ETAG_TEXT_MAX], const uint8_t md5[MD5_SIZE],
		      uint32_t parts);

/*
 * What a manifest of ours says of an object that stays where it is: the ETag
 * where it is such a text, for it proves the content; else the validator that
 * pins best, a generation before an ETag.
 */
const char *osmo_etag_of(const struct object_info *info);

/*
 * Whether OSMO, hashing a file of so many bytes, writes so many parts.  A blob
 * that `osmo dataset migrate` copied keeps its source's etag, whose parts may
 * have any size.
 */
bool osmo_etag_fits(uint32_t parts, uint64_t size);

/* Computes an etag front to back; one thread at a time. */
struct osmo_etag_sum;
struct osmo_etag_sum *osmo_etag_sum_new(uint64_t part_size);
void osmo_etag_sum_free(struct osmo_etag_sum *sum);
void osmo_etag_sum_add(struct osmo_etag_sum *sum, const void *bytes,
		       size_t len);
/* Content of at most one part gives a plain MD5.  Starts afresh after. */
void osmo_etag_sum_finish(struct osmo_etag_sum *sum, struct osmo_etag *out);

#endif
