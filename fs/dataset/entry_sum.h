/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether content is what a tree says that a file's content is: added up in
 * order, and compared.
 */
#ifndef DATASETFS_DATASET_ENTRY_SUM_H
#define DATASETFS_DATASET_ENTRY_SUM_H

#include "fs/dataset/osmo/osmo_etag.h"
#include "fs/dataset/tree.h"

/*
 * Of a foreign object's etag only a plain MD5 says what the content is; and
 * even that usually, not surely: see is_hashed.
 */
bool entry_has_sum(const struct tree_entry *e);
/* NULL: no memory.  osmo_etag_sum_add(), then: */
struct osmo_etag_sum *entry_sum_new(const struct tree_entry *e);
/* False: *err says what it is and must be (-EBADMSG, ERR_CORRUPT). */
bool entry_sum_agrees(struct osmo_etag_sum *sum, const struct tree_entry *e,
		      struct err *err);

#endif
