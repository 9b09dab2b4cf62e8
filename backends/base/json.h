/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from somewhere else, parsed by jansson once its nesting is known to be
 * bounded.
 */
#ifndef DATASETFS_BASE_JSON_H
#define DATASETFS_BASE_JSON_H

#include "backends/base/err.h"

struct json_t;

/*
 * The text as jansson's tree (json_decref() it).  ERR_CORRUPT -EBADMSG with
 * the position for bad syntax, more than depth objects and arrays in each
 * other, duplicate members, NUL, bad UTF-8.  The error may quote the text.
 */
int json_parse(struct json_t **out, const void *text, size_t len,
	       unsigned depth, struct err *err) MUST_CHECK;

#endif
