/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a scheme implements behind backend.h.  backend.c checks the arguments
 * in one place, copies a call into one struct backend_op, and hands it to the
 * scheme's slot; the scheme fills in the result and calls backend_op_finish()
 * once, on a thread of its own.  Only what lies in this
 * folder includes this.
 *
 * An op owns copies of all its strings and a reference to its backend; the
 * data buffers are the caller's.  It belongs to whoever runs it.
 */
#ifndef DATASETFS_BACKENDS_BACKEND_IMPL_H
#define DATASETFS_BACKENDS_BACKEND_IMPL_H

#include <stdatomic.h>
#include "backends/backend.h"

enum backend_op_kind {
	BACKEND_OP_GET,
	BACKEND_OP_GET_ALL,
	BACKEND_OP_HEAD,
	BACKEND_OP_PUT,
	BACKEND_OP_DELETE,
	BACKEND_OP_LIST,
	BACKEND_OP_MULTIPART_CREATE,
	BACKEND_OP_MULTIPART_PUT,
	BACKEND_OP_MULTIPART_COMPLETE,
	BACKEND_OP_MULTIPART_ABORT,
	BACKEND_OP_KINDS
};

struct backend_op {
	struct backend *backend;
	enum backend_op_kind kind;
	int64_t deadline_ms;

	/* What to do; NULL or 0 where the kind has no such thing. */
	char *key;
	char *if_match;
	bool create_only;
	bool is_spoiled;
	uint64_t offset;
	size_t len;
	void *dst;
	uint64_t expect_size;
	struct buf *out;
	size_t out_start; /* out->len before the op */
	size_t limit;
	const void *data;
	char *content_type;
	char *prefix;
	bool by_slash; /* the delimiter is "/" */
	char *start_after;
	char *token;
	unsigned max_keys;
	char *upload_id;
	char *upload_id_out; /* the caller's, BACKEND_UPLOAD_ID_MAX */
	unsigned part_number;
	struct part_etag *parts;
	size_t n_parts;

	/* What came of it. */
	int r;
	struct err err;
	struct object_info info;
	struct list_page page;
	void *page_memory; /* freed with the op by page_free */
	void (*page_free)(void *page_memory);

	backend_done_fn done;
	backend_list_fn list_done;
	void *arg;

	unsigned n_malformed; /* answers so far that made no sense */

	/* For the scheme's own queue. */
	struct backend_op *next;
	void (*run)(struct backend_op *op);
};

struct backend_ops {
	/* A slot that is NULL answers -ENOTSUP. */
	void (*start[BACKEND_OP_KINDS])(struct backend_op *op);
	/* Runs fn(op) on a thread of the backend's own, soon. */
	void (*later)(struct backend_op *op, void (*fn)(struct backend_op *op));
	/* Releases what the scheme added; backend.c frees the rest. */
	void (*release)(struct backend *b);

	/*
	 * Of HTTP stores, whose structs begin with an object_backend; NULL of
	 * file://.  Appends "https://host[:port]/": what an unsigned GET may
	 * ask.
	 */
	void (*origin)(struct backend *b, struct buf *out);
	/* The region that requests are signed for; NULL: there is none. */
	void (*region)(struct backend *b, char out[BACKEND_REGION_MAX]);
};

/* The first member of each scheme's own struct. */
struct backend {
	const struct backend_ops *ops;
	atomic_uint refs;
	struct uri location;
	char *name;
	atomic_bool read_only;
	/* Written by backend_probe() before conditional writes, then only
	 * read. */
	struct backend_caps caps;
	atomic_llong clock_skew_s;	/* valid when has_clock */
	atomic_bool has_clock;
};

/* Google's: others' headers and elements of the same name are not looked at. */
static inline bool backend_has_generations(const struct backend *b)
{
	return b->location.scheme == URI_GS;
}

/* Takes a copy of spec's location; *b must be zeroed. */
int backend_init(struct backend *b, const struct backend_ops *ops,
		 const struct backend_spec *spec, struct err *err) MUST_CHECK;
void backend_release(struct backend *b);

/* Calls done with op->r, op->info, op->page and op->err; frees op. */
void backend_op_finish(struct backend_op *op);

/* Sets the result of err_set() and friends and finishes. */
static inline void backend_op_end(struct backend_op *op, int r)
{
	op->r = r;
	backend_op_finish(op);
}

/* Appends "p/" or "": what stands in front of each relative key. */
void backend_key_prefix(const struct backend *b, struct buf *out);

/* -ETIMEDOUT where the op's deadline has passed. */
int backend_op_expired(struct backend_op *op) MUST_CHECK;

int file_open(struct backend **out, const struct backend_spec *spec,
	      struct err *err) MUST_CHECK;
int azure_open(struct backend **out, const struct backend_spec *spec,
	       struct http_engine *engine, struct err *err) MUST_CHECK;
int s3_open(struct backend **out, const struct backend_spec *spec,
	    struct http_engine *engine, struct err *err) MUST_CHECK;

#endif
