/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/object_backend.h"

#include <errno.h>
#include "backends/base/clock.h"
#include "backends/object/answer.h"

int object_backend_init(struct object_backend *ob,
			const struct backend_ops *ops,
			const struct backend_spec *spec,
			struct http_engine *engine, struct err *err)
{
	int r;

	if (!engine)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: opened without an HTTP engine",
			       spec->location->text);
	r = backend_init(&ob->base, ops, spec, err);
	if (r < 0) {
		backend_release(&ob->base);
		return r;
	}
	ob->engine = engine;
	identity_init(&ob->identity, spec->creds);
	return 0;
}

void object_backend_release(struct object_backend *ob)
{
	identity_release(&ob->identity);
}

static void run_later(void *arg)
{
	struct backend_op *op = arg;

	op->run(op);
}

void object_backend_later(struct backend_op *op,
			  void (*run)(struct backend_op *op))
{
	struct object_backend *ob = (struct object_backend *)op->backend;

	op->run = run;
	http_engine_after(ob->engine, clock_ms(), run_later, op);
}

void object_backend_settle(struct backend_op *op,
			   const struct identity_use *use, int r,
			   const struct err *err)
{
	struct object_backend *ob = (struct object_backend *)op->backend;

	op->r = r;
	if (r == 0) {
		identity_good(&ob->identity, use);
		return;
	}
	err_copy(&op->err, err);
	if (op->kind == BACKEND_OP_GET_ALL)
		answer_cut(op->out, op->out_start);
}
