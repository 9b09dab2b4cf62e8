/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition that the store would ignore must not look as if it held: what a
 * probe (backend.h) has seen is asked before anything is sent.
 */
#ifndef DATASETFS_OBJECT_CONDITION_H
#define DATASETFS_OBJECT_CONDITION_H

#include "backends/backend_impl.h"

/* 0, or -ENOTSUP (ERR_USAGE) in op->err. */
int condition_check(struct backend_op *op) MUST_CHECK;

#endif
