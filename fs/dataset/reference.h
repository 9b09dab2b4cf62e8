/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user writes for a dataset: [BUCKET/]NAME[:TAG-OR-VERSION], with "@"
 * accepted for ":".  Names and buckets are [A-Za-z0-9_-]+, a tag may be empty
 * (the same as none), as in OSMO.
 */
#ifndef DATASETFS_DATASET_REFERENCE_H
#define DATASETFS_DATASET_REFERENCE_H

#include "backends/base/err.h"

#define NAME_MAX_BYTES 200	/* so that "name@tag" is a legal file name */

struct reference {
	char bucket[NAME_MAX_BYTES + 1];	/* "": the default bucket */
	char name[NAME_MAX_BYTES + 1];
	char version[NAME_MAX_BYTES + 1];	/* "": none given */
};

/* -EINVAL (ERR_USAGE) in OSMO's own words. */
int reference_parse(struct reference *out, const char *text, struct err *err)
	MUST_CHECK;

/* [A-Za-z0-9_-]+ and at most NAME_MAX_BYTES. */
bool reference_is_name(const char *s, size_t len);

/* A version number: decimal, no sign, no leading zero, >= 1; 0 if it is not. */
unsigned reference_version_number(const char *s);

#endif
