/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel allows this process in memory: the smallest limit on the way
 * from its control group to the root, version 2 (memory.max) or 1
 * (memory.limit_in_bytes).  Documentation/admin-guide/cgroup-v2.rst.
 */
#ifndef DATASETFS_CACHE_MEMORY_CGROUP_H
#define DATASETFS_CACHE_MEMORY_CGROUP_H

#include <stdint.h>

#define MEMORY_CGROUP_NONE UINT64_MAX

/*
 * text: the content of /proc/self/cgroup; sysfs: "/sys/fs/cgroup".  In a
 * container the path in text may be the host's and not exist below sysfs: its
 * ancestors are tried all the same, down to sysfs itself.
 */
uint64_t memory_cgroup_limit(const char *text, const char *sysfs);

/* The same for this process. */
uint64_t memory_cgroup_own(void);

#endif
