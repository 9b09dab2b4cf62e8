/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names on one page of a list, whole keys as the store sent them, and the
 * page that is made of them for whoever asked.
 */
#ifndef DATASETFS_OBJECT_LISTING_H
#define DATASETFS_OBJECT_LISTING_H

#include "backends/backend_impl.h"

#define LISTING_ENTRIES_MAX 100000	/* on one page */

struct listing_entry {
	char *key;		/* decoded; NULL: left out by listing_sort() */
	bool is_prefix;
	struct object_info info;
};
struct listing {
	struct listing_entry *entries;
	size_t n_entries;
	size_t cap;
	size_t n_skipped;	/* keys that no file can be named by */
};
void listing_release(struct listing *listing);

/*
 * Takes over the content of *entry.  -EBADMSG (ERR_CORRUPT) without a key, and
 * beyond LISTING_ENTRIES_MAX.
 */
int listing_add(struct listing *listing, struct listing_entry *entry,
		struct err *err) MUST_CHECK;
/* Frees the key of entry i and counts it: it holds a NUL. */
void listing_skip(struct listing *listing, size_t i);
/*
 * Into the byte order of the keys (objects and common prefixes come as two
 * runs), without those that were skipped.  -EBADMSG (ERR_CORRUPT) where one
 * key is there twice.
 */
int listing_sort(struct listing *listing, struct err *err) MUST_CHECK;

/*
 * Fills op->page: the keys relative to the location, those behind start_after
 * only.  Takes over *listing and next (NULL: the last page), in a failure too.
 * -EBADMSG (ERR_CORRUPT) for a key that does not begin with the prefix.
 */
int listing_give(struct backend_op *op, struct listing *listing, char *next,
		 struct err *err) MUST_CHECK;

#endif
