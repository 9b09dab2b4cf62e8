/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a backend over HTTP begins with: the engine that its requests go by, and
 * as whom.  Each dialect's own struct has it as its first member.
 */
#ifndef DATASETFS_OBJECT_BACKEND_H
#define DATASETFS_OBJECT_BACKEND_H

#include "backends/backend_impl.h"
#include "backends/object/identity.h"

struct object_backend {
	struct backend base;
	struct http_engine *engine;	/* borrowed, lives longer */
	struct identity identity;
};

/* *ob must be zeroed.  After a failure nothing is left to release. */
int object_backend_init(struct object_backend *ob,
			const struct backend_ops *ops,
			const struct backend_spec *spec,
			struct http_engine *engine, struct err *err) MUST_CHECK;
/* What was added to base. */
void object_backend_release(struct object_backend *ob);

/* The slot "later": on an I/O thread of the engine. */
void object_backend_later(struct backend_op *op,
			  void (*run)(struct backend_op *op));

/*
 * A call has ended with r: the op's result is set, and of an answer that is
 * none nothing stays in the caller's buf.  To be finished by the dialect.
 */
void object_backend_settle(struct backend_op *op,
			   const struct identity_use *use, int r,
			   const struct err *err);

#endif
