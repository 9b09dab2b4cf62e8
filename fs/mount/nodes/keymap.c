/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/nodes/keymap.h"

#include <errno.h>
#include <string.h>

#include "backends/base/buf.h"
#include "backends/base/digest.h"

#define KEYMAP_CAP_FIRST 256

_Static_assert(STATE_KEY_SIZE == SHA256_SIZE, "a key is a SHA-256");

void keymap_key(uint8_t out[STATE_KEY_SIZE], const char *const *parts,
		size_t n_parts, const void *bytes, size_t len)
{
	struct digest *digest = digest_new(DIGEST_SHA256);
	uint8_t size[8];

	for (size_t i = 0; i < n_parts; i++) {
		size_t part_len = strlen(parts[i]);

		put_le64(size, part_len);
		digest_add(digest, size, sizeof(size));
		digest_add(digest, parts[i], part_len);
	}
	digest_add(digest, bytes, len);
	digest_finish(digest, out);
	digest_free(digest);
}

void keymap_release(struct keymap *map)
{
	free(map->entries);
	*map = (struct keymap)KEYMAP_INIT;
}

/* The entry of key, or the free one where it belongs. */
static struct keymap_entry *keymap_slot(struct keymap_entry *entries,
					size_t cap, const uint8_t *key)
{
	size_t i = get_le64(key) & (cap - 1);

	while (entries[i].number &&
	       memcmp(entries[i].key, key, STATE_KEY_SIZE) != 0)
		i = (i + 1) & (cap - 1);
	return &entries[i];
}

uint32_t keymap_find(const struct keymap *map,
		     const uint8_t key[STATE_KEY_SIZE])
{
	if (!map->cap)
		return 0;
	return keymap_slot(map->entries, map->cap, key)->number;
}

static int keymap_grow(struct keymap *map)
{
	size_t cap = map->cap ? map->cap * 2 : KEYMAP_CAP_FIRST;
	struct keymap_entry *entries = calloc(cap, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < map->cap; i++)
		if (map->entries[i].number)
			*keymap_slot(entries, cap, map->entries[i].key) =
				map->entries[i];
	free(map->entries);
	map->entries = entries;
	map->cap = cap;
	return 0;
}

int keymap_set(struct keymap *map, const uint8_t key[STATE_KEY_SIZE],
	       uint32_t number)
{
	struct keymap_entry *e;

	if (map->n >= map->cap / 4 * 3) {
		int r = keymap_grow(map);

		if (r < 0)
			return r;
	}
	e = keymap_slot(map->entries, map->cap, key);
	if (!e->number) {
		memcpy(e->key, key, STATE_KEY_SIZE);
		map->n++;
	}
	e->number = number;
	return 0;
}
