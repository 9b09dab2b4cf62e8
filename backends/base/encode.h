/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text encodings: hexadecimal, base64, percent.
 */
#ifndef DATASETFS_BASE_ENCODE_H
#define DATASETFS_BASE_ENCODE_H

#include <stdint.h>
#include "backends/base/buf.h"

/* Lower-case; out holds 2 * len + 1 bytes. */
void encode_hex(char *out, const void *bytes, size_t len);
/* Exactly 2 * len digits of either case; 0 or -EINVAL. */
int decode_hex(void *out, size_t len, const char *digits, size_t n_digits)
	MUST_CHECK;

/* Standard alphabet with padding, appended. */
void encode_base64(struct buf *out, const void *bytes, size_t len);
/* URL alphabet, without padding (RFC 7515). */
void encode_base64url(struct buf *out, const void *bytes, size_t len);
/*
 * Standard or URL alphabet, padding optional (but right where it is there),
 * no white space; 0 or -EINVAL (ERR_CORRUPT), *out is as before then.
 */
int decode_base64(struct buf *out, const char *text, size_t len,
		  struct err *err) MUST_CHECK;

/*
 * Appends s percent-encoded: A-Z a-z 0-9 - . _ ~ stay, and every byte of
 * keep (for example "/"); upper-case digits.
 */
void encode_percent(struct buf *out, const char *s, size_t len,
		    const char *keep);
/*
 * plus_is_space: form data, as list-v2 with encoding-type=url sends it.  "%00"
 * is a byte like others: the caller looks for NULs.  -EINVAL (ERR_CORRUPT),
 * *out is as before then.
 */
int decode_percent(struct buf *out, const char *s, size_t len,
		   bool plus_is_space, struct err *err) MUST_CHECK;

/*
 * s, made safe for a log line or a message: control bytes, quotes, backslashes
 * and invalid UTF-8 as \xNN.  At most max bytes are added; where s needs more
 * they end in "...".
 */
void encode_printable(struct buf *out, const char *s, size_t len, size_t max);

/*
 * The same for sentences, which stand in no quotes: quotes and backslashes are
 * as they were, so that what was made printable before is not escaped twice.
 */
void encode_prose(struct buf *out, const char *s, size_t len, size_t max);

/* The length of the UTF-8 character that s begins with; 0: invalid. */
size_t encode_utf8_len(const char *s, size_t len);
/* The same, but 0 for control characters as well (C0, DEL, C1). */
size_t encode_shown_len(const char *s, size_t len);

#endif
