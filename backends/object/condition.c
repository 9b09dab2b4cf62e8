/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/condition.h"

#include <errno.h>

static int refuse(struct backend_op *op, const char *name)
{
	return err_set(&op->err, ERR_USAGE, ENOTSUP,
		       "the store does not honour %s", name);
}

int condition_check(struct backend_op *op)
{
	const struct backend_caps *caps = &op->backend->caps;

	if (op->kind == BACKEND_OP_MULTIPART_COMPLETE && op->create_only &&
	    !caps->complete_create_only)
		return refuse(op, "If-None-Match of an upload");
	if (!caps->probed)
		return 0;
	if (op->create_only && !caps->create_only)
		return refuse(op, "If-None-Match");
	if (op->kind == BACKEND_OP_PUT && op->if_match && !caps->if_match)
		return refuse(op, "If-Match");
	if (op->kind == BACKEND_OP_DELETE && op->if_match &&
	    !caps->delete_if_match)
		return refuse(op, "If-Match on DELETE");
	return 0;
}
