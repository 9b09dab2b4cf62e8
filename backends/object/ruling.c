/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/ruling.h"

#include <errno.h>
#include <string.h>
#include "backends/object/header.h"

bool ruling_is_code(const char *pattern, const char *code)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(pattern, code, len - 1);
	return !strcmp(pattern, code);
}

const struct ruling *ruling_find(const struct ruling_of_code *table, size_t n,
				 const char *code)
{
	for (size_t i = 0; i < n; i++)
		if (ruling_is_code(table[i].code, code))
			return &table[i].ruling;
	return NULL;
}

struct ruling ruling_condition_failed(const struct backend_op *op)
{
	if (op->create_only)
		return (struct ruling)RULING(FAIL, ERR_CONFLICT, EEXIST);
	if (op->if_match)
		return (struct ruling)RULING(FAIL, ERR_CONFLICT, ESTALE);
	return (struct ruling)RULING(FAIL, ERR_CORRUPT, EBADMSG);
}

struct ruling ruling_missing(const struct backend_op *op)
{
	if (op->kind == BACKEND_OP_DELETE ||
	    op->kind == BACKEND_OP_MULTIPART_ABORT)
		return (struct ruling)RULING(SUCCEED, ERR_NONE, 0);
	/* AWS: If-Match on a key that is gone.  Google: that generation is. */
	if (op->if_match && (op->kind == BACKEND_OP_PUT ||
			     header_is_generation(op->if_match)))
		return ruling_condition_failed(op);
	return (struct ruling)RULING(FAIL, ERR_MISSING, ENOENT);
}
