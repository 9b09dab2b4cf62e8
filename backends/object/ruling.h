/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a refusal means: what to do about it, and the class and errno where
 * nothing helps.  Each dialect has its own rules, pure functions of the
 * operation, the status and the store's code; what they share is here.
 */
#ifndef DATASETFS_OBJECT_RULING_H
#define DATASETFS_OBJECT_RULING_H

#include "backends/backend_impl.h"

enum ruling_action {
	RULING_FAIL,
	RULING_SUCCEED,		/* what was to be deleted is not there */
	RULING_RETRY,
	RULING_THROTTLED,
	RULING_FIX_CLOCK,
	RULING_FIX_CREDENTIAL,
	RULING_FIX_REGION,	/* S3 */
	RULING_USE_LIST_V1,	/* S3 */
};
struct ruling {
	enum ruling_action action;
	enum err_class class;
	int code;
};
#define RULING(action, class, code) { RULING_##action, class, code }

/* A '*' at the end of pattern stands for whatever follows. */
bool ruling_is_code(const char *pattern, const char *code);

struct ruling_of_code {
	const char *code;	/* a pattern */
	struct ruling ruling;
};
/* NULL where none of the n fits. */
const struct ruling *ruling_find(const struct ruling_of_code *table, size_t n,
				 const char *code);

/* -EEXIST or -ESTALE, by what was asked; -EBADMSG where nothing was. */
struct ruling ruling_condition_failed(const struct backend_op *op);
/* The object, or the upload, is not there; the container is another matter. */
struct ruling ruling_missing(const struct backend_op *op);

#endif
