/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's number as the kernel knows it, computed rather than looked up: the
 * upper half is a version's slot, the lower half the index of an entry in the
 * version's tree.  Slot 0 is the table of names (names.h); its index 1 is the
 * root of the mount, which FUSE fixes at 1.
 */
#ifndef DATASETFS_MOUNT_NODEID_H
#define DATASETFS_MOUNT_NODEID_H

#include <stdint.h>

#define NODEID_SLOT_NAMES 0u
#define NODEID_ROOT UINT64_C(1)

static inline uint64_t nodeid_make(uint32_t slot, uint32_t index)
{
	return (uint64_t)slot << 32 | index;
}

static inline uint32_t nodeid_slot(uint64_t id)
{
	return (uint32_t)(id >> 32);
}

static inline uint32_t nodeid_index(uint64_t id)
{
	return (uint32_t)id;
}

/*
 * st_ino for programs built with a 32-bit ino_t.  Two nodes may share a
 * number, which only confuses what takes inodes for identities; never 0, which
 * readdir(3) takes for a deleted entry.
 */
static inline uint64_t nodeid_inode32(uint64_t id)
{
	uint32_t folded = nodeid_index(id) +
			  nodeid_slot(id) * UINT32_C(2654435761);

	return folded ? folded : UINT32_MAX;
}

#endif
