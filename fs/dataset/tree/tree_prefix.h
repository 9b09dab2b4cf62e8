/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginnings that the sources of a version share ("s3://b/p/ID/hashes"),
 * each kept once.  Bounded: what does not fit is simply not shared.  Whether a
 * source can be read at all is decided once a prefix, too.  One thread.
 */
#ifndef DATASETFS_DATASET_TREE_PREFIX_H
#define DATASETFS_DATASET_TREE_PREFIX_H

#include "backends/base/buf.h"
#include "fs/dataset/tree/tree_format.h"

#define TREE_PREFIX_SLOTS (2 * TREE_PREFIXES_MAX)

struct tree_prefix {
	uint64_t hash;
	uint32_t at;		/* of the text in table.bytes */
	uint16_t len;
	bool is_readable;
};

struct tree_prefixes {
	struct buf bytes;	/* le16 length, text: as in the trailer */
	struct tree_prefix *all;
	uint32_t n;
	uint16_t *slots;	/* 0: empty; else number + 1 */
	uint32_t last;		/* found: most entries have their neighbour's */
};

/* A source taken apart: prefix "/" text, or all of it as text. */
struct tree_source_form {
	uint8_t flags;		/* TREE_F_SOURCE_ETAG, TREE_F_SOURCE_TAIL or 0 */
	uint16_t prefix;
	const char *text;	/* not with TREE_F_SOURCE_ETAG */
	size_t text_len;
	bool is_readable;	/* a URI of a known scheme, with a key */
};

/* Whether the source ends in "/" and the etag: it is named by its content. */
bool tree_source_is_etag(const char *source, size_t source_len,
			 const char *etag, size_t etag_len);

int tree_prefixes_init(struct tree_prefixes *p, struct err *err) MUST_CHECK;
void tree_prefixes_release(struct tree_prefixes *p);
int tree_prefixes_split(struct tree_prefixes *p, struct tree_source_form *out,
			const char *source, size_t source_len,
			const char *etag, size_t etag_len, struct err *err)
	MUST_CHECK;
bool tree_prefixes_equal(const struct tree_prefixes *p, uint16_t number,
			 const char *text, size_t len);

#endif
