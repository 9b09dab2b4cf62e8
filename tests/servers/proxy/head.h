/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 heads (request or status line, header lines, blank line) and the
 * framing of the bodies behind them: as much as a proxy must know.
 */
#ifndef DATASETFS_TESTS_PROXY_HEAD_H
#define DATASETFS_TESTS_PROXY_HEAD_H

#include "backends/base/buf.h"

#define HEAD_MAX (128 * 1024)

/* The head's length with its blank line; 0 while that has not come. */
size_t head_length(const char *data, size_t len);

/* The value of the first header of that name, cut to size; or false. */
bool head_value(const char *head, size_t len, const char *name, char *out,
		size_t size);

/* The head with that header replaced, added, or (value NULL) taken out. */
void head_set(struct buf *head, const char *name, const char *value);

enum body_kind { BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct body {
	enum body_kind kind;
	uint64_t left;		/* of the body, or of the chunk */
	enum {
		CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_DATA_END,
		CHUNK_TRAILER, CHUNK_TRAILER_LINE,
	} state;
	bool ended;
};

struct body body_of_request(const char *head, size_t len);
/* head_only: the answer to HEAD, or a status that has no body. */
struct body body_of_response(const char *head, size_t len, bool head_only);

/* How many of these bytes belong to the body; notes when it has ended. */
size_t body_take(struct body *body, const char *data, size_t len);
/* The same for bytes that nobody looked at; never of a chunked body. */
void body_pass(struct body *body, size_t len);

#endif
