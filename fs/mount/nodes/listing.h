/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bucket's directory shows, as an array over one catalog snapshot: all
 * READY versions "NAME@N", the tags that name one "NAME@TAG", and the
 * collections "NAME".  Immutable and reference-counted; the generation makes
 * readdir offsets of different snapshots distinct.
 */
#ifndef DATASETFS_MOUNT_LISTING_H
#define DATASETFS_MOUNT_LISTING_H

#include "fs/dataset/catalog.h"

#define LISTING_NAME_MAX 255	/* longer ones cannot be shown */

#define LISTING_GENERATION_MAX 0x7ffffffeu	/* it is the upper half of an
						   off_t, and never 0 */

enum listing_kind { LISTING_VERSION, LISTING_TAG, LISTING_COLLECTION };

struct listing_entry {
	const struct dataset *ds;
	const struct version *v;	/* VERSION, TAG: what it leads to */
	const struct tag *tag;		/* TAG */
	enum listing_kind kind;
};

struct listing {
	unsigned refs;		/* atomic */
	uint32_t generation;
	struct catalog *catalog;
	struct listing_entry *entries;
	uint32_t n;
};

/* Takes a reference to catalog; the caller sets the generation. */
int listing_new(struct listing **out, struct catalog *catalog,
		struct err *err) MUST_CHECK;
struct listing *listing_get(struct listing *listing);
void listing_put(struct listing *listing);

/* False where the name would be too long to be a file name. */
bool listing_name(const struct listing_entry *entry,
		  char out[LISTING_NAME_MAX + 1]);

/*
 * What NAME or NAME@V of a bucket's directory stands for; the rules of
 * listing and lookup are the same and stand here.  False: nothing.
 * is_bare is set for a dataset's bare NAME, which is not listed.
 */
bool listing_find(const struct catalog *catalog, const char *name,
		  struct listing_entry *out, bool *is_bare);

/* A member of a collection that can be shown: its dataset and READY version. */
bool listing_member(const struct catalog *catalog, const struct member *member,
		    const struct dataset **ds, const struct version **v);

/* READY, by number. */
const struct version *listing_ready(const struct dataset *ds, uint32_t number);

#endif
