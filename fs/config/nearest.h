/* SPDX-License-Identifier: Apache-2.0 */
/* The known name that a mistyped one was probably meant to be. */
#ifndef DATASETFS_CONFIG_NEAREST_H
#define DATASETFS_CONFIG_NEAREST_H

#include <stddef.h>

/*
 * One of names, or NULL where none is near.  Case, "_", "-" and spaces do not
 * count, so "datasetPath" is "dataset_path".
 */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
