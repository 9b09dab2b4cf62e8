/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment.
 */
#ifndef DATASETFS_BASE_ENV_H
#define DATASETFS_BASE_ENV_H

#include <stdlib.h>

/* NULL where it is not set; an empty variable is an unset one. */
static inline const char *env_get(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

#endif
