/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text of OSMO's database -> values of a catalog.  NULL is the database's
 * NULL.
 *
 * Those that return int: 0, -ENOMEM, or 1 with *why set to what is wrong with
 * the value (static text: "is too long"); *out is then as before, or 0.
 */
#ifndef DATASETFS_DATASET_IMPORT_VALUE_H
#define DATASETFS_DATASET_IMPORT_VALUE_H

#include <stdint.h>
#include "fs/dataset/catalog.h"

/* UTF-8 of at most max bytes; "" for NULL. */
int import_value_text(char **out, const char *s, size_t max, const char **why)
	MUST_CHECK;
/* 0 to 2^63 - 1; 0 for NULL. */
int import_value_size(uint64_t *out, const char *s, const char **why)
	MUST_CHECK;
/* As PostgreSQL and OSMO write times; 0 for NULL. */
int import_value_time(int64_t *out, const char *s, const char **why) MUST_CHECK;
/* A JSON object, compact, that a record can hold; "{}" for NULL and null. */
int import_value_object(char **out, const char *s, const char **why) MUST_CHECK;
bool import_value_bool(const char *s);	/* "t", "true", "1" */
/* 1: OSMO has no such status. */
int import_value_status(enum version_status *out, const char *s) MUST_CHECK;

#endif
