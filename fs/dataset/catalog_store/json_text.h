/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as text: checked by jansson, but cut out and written here, so that a
 * user's labels and metadata keep their numbers digit by digit and a member
 * that nobody knows survives a rewrite.
 *
 * It must not know: records, datasets.
 */
#ifndef DATASETFS_DATASET_JSON_TEXT_H
#define DATASETFS_DATASET_JSON_TEXT_H

#include "backends/base/buf.h"

#define JSON_TEXT_DEPTH 32	/* of objects and arrays in each other */

struct json_t;

/*
 * The text as jansson's tree (json_decref() it).  ERR_CORRUPT -EBADMSG with
 * the position for bad syntax, depth, duplicate members, NUL, bad UTF-8.
 */
int json_text_parse(struct json_t **out, const void *text, size_t len,
		    struct err *err) MUST_CHECK;

/*
 * Walks the members of an object, in order.  Only over text that
 * json_text_parse() has accepted: it checks bounds, not syntax.
 */
struct json_text_walk {
	const char *p;
	const char *end;
	const char *key;	/* between the quotes, escapes not decoded */
	size_t key_len;
	const char *value;	/* the value's own bytes */
	size_t value_len;
};
struct json_text_walk json_text_walk(const char *text, size_t len);
bool json_text_next(struct json_text_walk *walk);
bool json_text_key_is(const struct json_text_walk *walk, const char *key);

/*
 * Appends the same value without white space, strings with the fewest escapes,
 * numbers as they stand: equal content from different writers is equal bytes.
 * Only over accepted text.
 */
void json_text_compact(struct buf *out, const char *text, size_t len);

/* Appends s as a JSON string with its quotes; s is valid UTF-8. */
void json_text_string(struct buf *out, const char *s, size_t len);
/*
 * The same of any bytes: one that is no UTF-8 is written as Python's
 * surrogateescape does (\udc80 to \udcff), which osmo_manifest.h gives back.
 */
void json_text_bytes(struct buf *out, const char *s, size_t len);

#endif
