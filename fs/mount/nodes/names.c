/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/nodes/names.h"

#include <errno.h>
#include <string.h>

#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "fs/mount/nodes/keymap.h"
#include "fs/mount/nodes/nodeid.h"

static const struct name_node root_node = {
	.kind = NAME_ROOT, .dataset_id = "", .text = "",
};

/* The lock guards everything; nodes never change once they are in. */
struct names {
	struct lock lock;
	struct name_node **by_index;	/* NULL: known from the state file only */
	uint32_t n, cap;
	struct keymap keys;
	struct state_file *state;
};

int names_new(struct names **out, struct err *err)
{
	struct names *names = calloc(1, sizeof(*names));

	if (!names)
		return err_nomem(err);
	lock_init(&names->lock);
	names->n = NODEID_ROOT + 1;
	*out = names;
	return 0;
}

void names_free(struct names *names)
{
	if (!names)
		return;
	for (uint32_t i = 0; i < names->cap; i++)
		free(names->by_index[i]);
	free(names->by_index);
	keymap_release(&names->keys);
	lock_release(&names->lock);
	free(names);
}

void names_set_state(struct names *names, struct state_file *state)
{
	names->state = state;
}

static bool names_reserve(struct names *names, uint32_t index)
	REQUIRES(&names->lock)
{
	if (index >= NAMES_MAX)
		return false;
	if (index >= names->cap) {
		uint32_t cap = names->cap ? names->cap : 64;
		struct name_node **grown;

		while (cap <= index)
			cap *= 2;
		grown = realloc(names->by_index, cap * sizeof(*grown));
		if (!grown)
			return false;
		memset(grown + names->cap, 0,
		       (cap - names->cap) * sizeof(*grown));
		names->by_index = grown;
		names->cap = cap;
	}
	if (index >= names->n)
		names->n = index + 1;
	return true;
}

void names_restore(struct names *names, const struct state_record *record)
{
	lock_take(&names->lock);
	if (record->number > NODEID_ROOT &&
	    names_reserve(names, record->number) &&
	    keymap_set(&names->keys, record->key, record->number) < 0)
		log_debug("mount", "name is not restored: no memory");
	lock_drop(&names->lock);
}

static void name_key(uint8_t out[STATE_KEY_SIZE], const struct name_node *node)
{
	const char *parts[] = {
		"name", bucket_key(node->bucket), node->dataset_id, node->text,
	};
	uint32_t bytes[] = { node->kind, node->number };

	keymap_key(out, parts, ARRAY_SIZE(parts), bytes, sizeof(bytes));
}

/* One allocation: the node and behind it its strings. */
static struct name_node *name_node_copy(const struct name_node *node)
{
	size_t id_len = strlen(node->dataset_id) + 1;
	size_t text_len = strlen(node->text) + 1;
	struct name_node *copy = malloc(sizeof(*copy) + id_len + text_len);
	char *strings;

	if (!copy)
		return NULL;
	strings = (char *)(copy + 1);
	*copy = *node;
	copy->dataset_id = memcpy(strings, node->dataset_id, id_len);
	copy->text = memcpy(strings + id_len, node->text, text_len);
	return copy;
}

static void names_write(struct names *names, uint32_t index,
			const uint8_t key[STATE_KEY_SIZE])
{
	struct state_record rec = { .kind = STATE_NAME, .number = index };
	struct err err = ERR_INIT;

	if (!names->state)
		return;
	memcpy(rec.key, key, STATE_KEY_SIZE);
	if (state_file_append(names->state, &rec, &err) < 0)
		log_warn("mount", "inode numbers will change with the next mount: error=\"%s\"",
			 err.text);
}

int names_bind(struct names *names, const struct name_node *node,
	       uint32_t *index, struct err *err)
{
	uint8_t key[STATE_KEY_SIZE];
	uint32_t i;
	bool is_new = false;
	int r = 0;

	if (node->kind == NAME_ROOT) {
		*index = NODEID_ROOT;
		return 0;
	}
	name_key(key, node);
	lock_take(&names->lock);
	i = keymap_find(&names->keys, key);
	if (!i) {
		i = names->n;
		is_new = true;
		if (!names_reserve(names, i))
			r = err_set(err, ERR_SYSTEM, ENFILE,
				    "more than %u names were used since the mount",
				    NAMES_MAX);
		else if (keymap_set(&names->keys, key, i) < 0)
			r = err_nomem(err);
	}
	if (r == 0 && !names->by_index[i]) {
		names->by_index[i] = name_node_copy(node);
		if (!names->by_index[i])
			r = err_nomem(err);
	}
	lock_drop(&names->lock);
	if (r < 0)
		return r;
	if (is_new)
		names_write(names, i, key);
	*index = i;
	return 0;
}

const struct name_node *names_get(struct names *names, uint32_t index)
{
	const struct name_node *node = NULL;

	if (index == NODEID_ROOT)
		return &root_node;
	lock_take(&names->lock);
	if (index < names->cap)
		node = names->by_index[index];
	lock_drop(&names->lock);
	return node;
}
