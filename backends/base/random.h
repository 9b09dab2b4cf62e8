/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that spread waits, so that who failed together does not come back
 * together.  Nothing for keys.  Any thread may call.
 */
#ifndef DATASETFS_BASE_RANDOM_H
#define DATASETFS_BASE_RANDOM_H

#include <stdint.h>

/* In [0, n); n > 0. */
int64_t random_below(int64_t n);

#endif
