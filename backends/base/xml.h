/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that services answer with, read from its front to its end.  Takes
 * memory, never a path.  Stops at a DOCTYPE (no entities beyond XML's five),
 * beyond XML_DEPTH_MAX levels, XML_TEXT_MAX bytes in one element and
 * XML_SIZE_MAX in all; a byte order mark and unknown elements are passed over.
 * What is cut, malformed or not the expected document is -EBADMSG
 * (ERR_CORRUPT): stores have been seen to send such under a 200, and the
 * caller asks again.
 *
 * <Error> may stand in place of any document, with status 200 too: the result
 * is then 0 and error.code is set.  A store's own message is never kept: it
 * may quote what was signed.
 */
#ifndef DATASETFS_BASE_XML_H
#define DATASETFS_BASE_XML_H

#include <expat.h>
#include "backends/base/buf.h"

#define XML_DEPTH_MAX 16
#define XML_TEXT_MAX (16 << 10)
#define XML_SIZE_MAX (16 << 20)
#define XML_PATH_MAX 256

struct xml_error {
	char code[64];		/* "" where there is none; A-Za-z0-9._- only */
	char region[64];	/* as sent: not validated */
};

struct xml_document;

/* path: element names below the root, "Contents/Key"; "" is the root. */
typedef void (*xml_start_fn)(struct xml_document *doc, const char *path,
			     const char **attributes);
typedef int (*xml_end_fn)(struct xml_document *doc, const char *path,
			  const char *text, struct err *err);

/* One parse: what the caller wants of it, and where it is. */
struct xml_document {
	const char *root;	/* the expected root element */
	xml_start_fn on_start;	/* NULL: not interested */
	xml_end_fn on_end;	/* neither is called inside <Error> */
	void *arg;
	struct xml_error *error;

	/* Its own. */
	XML_Parser parser;
	bool is_error;		/* the root is <Error> */
	unsigned depth;
	char path[XML_PATH_MAX];
	struct buf text;
	int r;			/* the first failure, with err */
	struct err *err;
};
int xml_parse(struct xml_document *doc, const void *xml, size_t len,
	      struct err *err) MUST_CHECK;

/* The body of a refusal; what cannot be parsed leaves *error empty. */
void xml_parse_error(struct xml_error *error, const void *xml, size_t len);

/*
 * A word such as the code of an error, A-Za-z0-9._- only; false, and *out as
 * it was, for another text and for one of size bytes or more.
 */
bool xml_word(char *out, size_t size, const char *text);

#endif
