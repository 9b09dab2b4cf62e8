/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/entry_sum.h"

#include <errno.h>
#include <string.h>

bool entry_has_sum(const struct tree_entry *e)
{
	return e->size && e->has_md5 && (e->is_hashed || e->parts == 0);
}

struct osmo_etag_sum *entry_sum_new(const struct tree_entry *e)
{
	return osmo_etag_sum_new(e->is_hashed ? OSMO_PART : UINT64_MAX);
}

bool entry_sum_agrees(struct osmo_etag_sum *sum, const struct tree_entry *e,
		      struct err *err)
{
	char is[OSMO_ETAG_TEXT_MAX], must[OSMO_ETAG_TEXT_MAX];
	struct osmo_etag got;

	osmo_etag_sum_finish(sum, &got);
	if (got.parts == e->parts &&
	    memcmp(got.md5, e->md5, sizeof(got.md5)) == 0)
		return true;
	osmo_etag_format(is, got.md5, got.parts);
	osmo_etag_format(must, e->md5, e->parts);
	(void)err_set(err, ERR_CORRUPT, EBADMSG,
		      "content damaged: its etag is %s, expected %s", is,
		      must);
	return false;
}
