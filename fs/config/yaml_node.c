/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/yaml_node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void wipe_free(char *text, size_t len)
{
	if (!text)
		return;
	explicit_bzero(text, len);
	free(text);
}

static void item_release(struct yaml_item *item)
{
	if (item->key)
		wipe_free(item->key, strlen(item->key));
	yaml_node_free(item->value);
}

void yaml_node_free(struct yaml_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->n_items; i++)
		item_release(&node->items[i]);
	free(node->items);
	wipe_free(node->text, node->len);
	free(node->origin);
	free(node);
}

const struct yaml_item *yaml_node_item(const struct yaml_node *node,
				       const char *key)
{
	if (!node || node->kind != NODE_MAPPING)
		return NULL;
	for (size_t i = 0; i < node->n_items; i++)
		if (strcmp(node->items[i].key, key) == 0)
			return &node->items[i];
	return NULL;
}

struct yaml_node *yaml_node_get(const struct yaml_node *node, const char *key)
{
	const struct yaml_item *item = yaml_node_item(node, key);

	return item ? item->value : NULL;
}

bool yaml_node_is_null(const struct yaml_node *node)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

	if (!node)
		return true;
	if (node->kind != NODE_SCALAR || !node->plain)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
		if (node->len == strlen(nulls[i]) &&
		    memcmp(node->text, nulls[i], node->len) == 0)
			return true;
	return false;
}

struct yaml_node *yaml_node_scalar(const char *text, size_t len,
				   struct yaml_position at)
{
	struct yaml_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = NODE_SCALAR;
	node->at = at;
	node->text = malloc(len + 1);
	if (!node->text) {
		free(node);
		return NULL;
	}
	memcpy(node->text, text, len);
	node->text[len] = '\0';
	node->len = len;
	return node;
}

int yaml_node_put(struct yaml_node *map, const char *key,
		  struct yaml_node *value)
{
	struct yaml_item *items;
	char *copy;

	for (size_t i = 0; i < map->n_items; i++) {
		if (strcmp(map->items[i].key, key) != 0)
			continue;
		yaml_node_free(map->items[i].value);
		map->items[i].value = value;
		return 0;
	}
	copy = strdup(key);
	items = reallocarray(map->items, map->n_items + 1, sizeof(*items));
	if (items)
		map->items = items;
	if (!copy || !items) {
		free(copy);
		yaml_node_free(value);
		return -ENOMEM;
	}
	items[map->n_items++] = (struct yaml_item){
		.key = copy, .at = value->at, .value = value,
	};
	return 0;
}

void yaml_node_remove(struct yaml_node *map, const char *key)
{
	size_t n = 0;

	for (size_t i = 0; i < map->n_items; i++) {
		if (strcmp(map->items[i].key, key) == 0)
			item_release(&map->items[i]);
		else
			map->items[n++] = map->items[i];
	}
	map->n_items = n;
}

const char *yaml_node_kind_name(const struct yaml_node *node)
{
	if (yaml_node_is_null(node))
		return "null";
	switch (node->kind) {
	case NODE_SEQUENCE:
		return "a list";
	case NODE_MAPPING:
		return "a mapping";
	case NODE_SCALAR:
		break;
	}
	return "a text";
}
