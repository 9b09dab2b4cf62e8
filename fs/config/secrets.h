/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's references to Kubernetes Secrets, resolved in the tree: a mapping
 * with secret_file, secretName and secretKey, or secretName alone becomes what
 * the files say.  What comes from a secret carries its origin, and stands at
 * the position of the mapping that named it.
 */
#ifndef DATASETFS_CONFIG_SECRETS_H
#define DATASETFS_CONFIG_SECRETS_H

#include "fs/config/settings_context.h"

#define SECRET_BYTES_MAX ((size_t)1 << 20)	/* as Kubernetes allows */
#define SECRET_FIELDS_MAX 64

/*
 * Resolves *node and what lies below it, in place; *node may become another
 * node.  False where something could not be resolved, which is reported; the
 * reference is then gone from the tree.
 */
bool secrets_resolve(struct settings_context *context, struct yaml_node **node,
		     const struct field_path *path);

#endif
