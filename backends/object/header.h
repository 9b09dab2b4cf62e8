/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The values that stores put into headers, and into elements of the same form.
 * Pure functions of the text: exact, or false.
 */
#ifndef DATASETFS_OBJECT_HEADER_H
#define DATASETFS_OBJECT_HEADER_H

#include "backends/backend.h"
#include "backends/http/http.h"

#define HEADER_MAX 512	/* a longer value counts as absent */

bool header_get(const struct http_response *rs, const char *name,
		char value[HEADER_MAX]);

/*
 * An etag as a header or element has it, quotes dropped; "" for a weak one,
 * and for one that is too long or could not be sent back in a header.
 */
void header_etag(char etag[BACKEND_ETAG_MAX], const char *text);

/* Google's generation likewise; "" for what is no such number. */
void header_generation(char generation[BACKEND_GENERATION_MAX],
		       const char *text);
bool header_is_generation(const char *text);

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7); false for another. */
bool header_date(int64_t *s, const char *text);

/* "bytes 0-9/100" (RFC 9110 14.4); false for anything less exact. */
bool header_content_range(uint64_t *first, uint64_t *last, uint64_t *total,
			  const char *text);

/* A Content-Length or a list's size, below 2^63. */
bool header_length(uint64_t *out, const char *text);

/*
 * Appends the Content-MD5 of a body; is_spoiled: another one (backend.h).
 */
void header_content_md5(struct buf *out, const void *body, size_t len,
			bool is_spoiled);

#endif
