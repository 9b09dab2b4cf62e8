/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which paths a tree may hold, and the key by which they are sorted: the
 * parent's components, each followed by NUL, then NUL, then the name.  In the
 * order of these keys directories come in pre-order, each with all its
 * children together.  Pure functions.
 */
#ifndef DATASETFS_DATASET_TREE_PATH_H
#define DATASETFS_DATASET_TREE_PATH_H

#include <stdint.h>
#include "backends/base/err.h"
#include "backends/base/buf.h"

#define TREE_KEY_MAX (4096u + 1)

/*
 * NULL, or why not: "absolute", "empty component", ...  *name_at: where in key
 * the name begins; the parent's components are the name_at - 1 bytes before.
 */
const char *tree_path_key(uint8_t key[TREE_KEY_MAX], size_t *key_len,
			  size_t *name_at, const char *path, size_t len);

/* Where the name begins in a key. */
size_t tree_key_name(const uint8_t *key, size_t len);

/* Appends the path that a key was made from, fit for a log line. */
void tree_key_print(struct buf *out, const uint8_t *key, size_t len);

#endif
