/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 32-byte digests to node numbers, in memory.  Digests are spread evenly, so
 * their first bytes are the hash.  Not thread-safe: its owner locks.
 */
#ifndef DATASETFS_MOUNT_KEYMAP_H
#define DATASETFS_MOUNT_KEYMAP_H

#include "fs/mount/nodes/state_file.h"

struct keymap_entry {
	uint8_t key[STATE_KEY_SIZE];
	uint32_t number;	/* 0: free */
};

struct keymap {
	struct keymap_entry *entries;
	size_t cap;		/* a power of two, or 0 */
	size_t n;
};
#define KEYMAP_INIT { .entries = NULL }

/* The key of a tuple of strings and some bytes, unambiguous (lengths count). */
void keymap_key(uint8_t out[STATE_KEY_SIZE], const char *const *parts,
		size_t n_parts, const void *bytes, size_t len);

void keymap_release(struct keymap *map);
/* 0: not there. */
uint32_t keymap_find(const struct keymap *map,
		     const uint8_t key[STATE_KEY_SIZE]);
/* number > 0; replaces what was there.  -ENOMEM. */
int keymap_set(struct keymap *map, const uint8_t key[STATE_KEY_SIZE],
	       uint32_t number) MUST_CHECK;

#endif
