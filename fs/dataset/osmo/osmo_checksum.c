/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/osmo/osmo_checksum.h"

#include <stdlib.h>

#include "backends/base/encode.h"

struct osmo_checksum {
	struct digest *md5;
	bool is_empty;
};

struct osmo_checksum *osmo_checksum_new(void)
{
	struct osmo_checksum *sum = calloc(1, sizeof(*sum));

	if (!sum)
		return NULL;
	sum->md5 = digest_new(DIGEST_MD5);
	sum->is_empty = true;
	return sum;
}

void osmo_checksum_free(struct osmo_checksum *sum)
{
	if (!sum)
		return;
	digest_free(sum->md5);
	free(sum);
}

void osmo_checksum_add(struct osmo_checksum *sum, const struct osmo_entry *e)
{
	digest_add(sum->md5, e->relative_path, e->relative_path_len);
	digest_add(sum->md5, " ", 1);
	digest_add(sum->md5, e->etag, e->etag_len);
	sum->is_empty = false;
}

void osmo_checksum_finish(struct osmo_checksum *sum,
			  char out[OSMO_CHECKSUM_TEXT])
{
	uint8_t md5[MD5_SIZE];

	digest_finish(sum->md5, md5);
	if (sum->is_empty)
		out[0] = '\0';
	else
		encode_hex(out, md5, sizeof(md5));
	sum->is_empty = true;
}
