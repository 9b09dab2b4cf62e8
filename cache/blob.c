/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/blob.h"

#include <stdlib.h>
#include "backends/base/digest.h"

/*
 * Everything below the key that decides which bytes are right: two manifests
 * that expect different content of one key must not share a verdict.
 */
#define TRAILER (8 + 1 + 1 + 4 + MD5_SIZE)

void blob_identify(struct blob_id *out, const struct blob *blob)
{
	cleanup_buf struct buf text = BUF_INIT;
	uint8_t trailer[TRAILER] = {0}, sum[SHA256_SIZE];
	bool has_md5 = blob->check == BLOB_CHECK_OSMO ||
		       (blob->check == BLOB_CHECK_FOREIGN && blob->has_md5);
	struct err err = ERR_INIT;

	put_le64(trailer, blob->size);
	trailer[8] = (uint8_t)blob->check;
	trailer[9] = has_md5;
	if (has_md5) {
		put_le32(trailer + 10, blob->parts);
		memcpy(trailer + 14, blob->md5, MD5_SIZE);
	}

	/* Each string ends in a NUL, which none of them can hold. */
	if (buf_reserve(&text, 512, &err) < 0)
		abort();
	buf_str(&text, backend_profile(blob->backend));
	buf_char(&text, '\0');
	backend_full_key(blob->backend, blob->key, &text);
	buf_char(&text, '\0');
	if (blob->check == BLOB_CHECK_FOREIGN && blob->if_match)
		buf_str(&text, blob->if_match);
	buf_char(&text, '\0');
	/* A truncated name would be another blob's: as digest.h, no memory. */
	if (buf_failed(&text) ||
	    buf_add(&text, trailer, sizeof(trailer), &err) < 0)
		abort();

	/* Keys are an attacker's choice: XXH3 collisions can be made. */
	digest_sha256(sum, text.data, text.len);
	out->hi = get_le64(sum);
	out->lo = get_le64(sum + 8);
}
