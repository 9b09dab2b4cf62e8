/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings: keys, what "<<" merges into them, and keys that stand twice.
 */
#include <config.h>
#include "fs/config/yaml_load.h"

#include <stdlib.h>
#include <string.h>

static int load_key(struct yaml_node **out, struct loader *ld, unsigned depth)
{
	int r = loader_load(out, ld, depth + 1);

	if (r < 0)
		return r;
	if ((*out)->kind != NODE_SCALAR)
		return loader_fault(ld, (*out)->at,
			     "%s stands where a key is expected; text that "
			     "begins with { or [ must be quoted (is this a "
			     "template that was not rendered?)",
			     yaml_node_kind_name(*out));
	if (memchr((*out)->text, '\0', (*out)->len))
		return loader_fault(ld, (*out)->at, "a key holds a NUL byte");
	return 0;
}

/* Copies what source has to the end of node; dedup() drops what node had. */
static int merge_mapping(struct yaml_node *node, struct loader *ld,
			 const struct yaml_node *source, unsigned depth,
			 size_t *cap)
{
	if (source->kind != NODE_MAPPING)
		return loader_fault(ld, source->at,
			     "<< merges %s: expected a mapping or a list of "
			     "mappings",
			     yaml_node_kind_name(source));
	for (size_t i = 0; i < source->n_items; i++) {
		const struct yaml_item *item = &source->items[i];
		struct yaml_node *value = NULL;
		int r;

		if (item->duplicate)
			continue;
		r = loader_copy(&value, ld, item->value, source->at, depth + 1);
		if (r < 0)
			return r;
		r = loader_append(ld, node, item->key, item->at, value, cap);
		if (r < 0)
			return r;
	}
	return 0;
}

/* sources: the values of "<<", each a mapping or a list of mappings. */
static int merge(struct yaml_node *node, struct loader *ld,
		 const struct yaml_node *sources, unsigned depth, size_t *cap)
{
	for (size_t i = 0; i < sources->n_items; i++) {
		const struct yaml_node *one = sources->items[i].value;
		int r = 0;

		if (one->kind != NODE_SEQUENCE)
			r = merge_mapping(node, ld, one, depth, cap);
		else
			for (size_t k = 0; r == 0 && k < one->n_items; k++)
				r = merge_mapping(node, ld, one->items[k].value,
						  depth, cap);
		if (r < 0)
			return r;
	}
	return 0;
}

struct sorted_key {
	const char *key;
	size_t index;
};

static int compare_keys(const void *va, const void *vb)
{
	const struct sorted_key *a = va, *b = vb;
	int c = strcmp(a->key, b->key);

	if (c != 0)
		return c;
	return (a->index > b->index) - (a->index < b->index);
}

/* Keys from n_own on were merged, and give way; own ones are marked. */
static int dedup(struct yaml_node *node, struct loader *ld, size_t n_own)
{
	cleanup_free struct sorted_key *sorted = NULL;
	size_t n = 0;

	if (node->n_items < 2)
		return 0;
	sorted = calloc(node->n_items, sizeof(*sorted));
	if (!sorted)
		return err_nomem(ld->err);
	for (size_t i = 0; i < node->n_items; i++)
		sorted[i] = (struct sorted_key){ node->items[i].key, i };
	qsort(sorted, node->n_items, sizeof(*sorted), compare_keys);
	for (size_t i = 1; i < node->n_items; i++)
		if (strcmp(sorted[i - 1].key, sorted[i].key) == 0)
			node->items[sorted[i].index].duplicate = true;

	for (size_t i = 0; i < node->n_items; i++) {
		struct yaml_item *item = &node->items[i];

		if (i >= n_own && item->duplicate) {
			free(item->key);
			yaml_node_free(item->value);
		} else {
			node->items[n++] = *item;
		}
	}
	node->n_items = n;
	return 0;
}

/* Takes node over: anchors may point into it until the end. */
static int keep(struct loader *ld, struct yaml_node *node)
{
	struct yaml_node **kept =
		reallocarray(ld->kept, ld->n_kept + 1, sizeof(struct yaml_node *));

	if (!kept) {
		yaml_node_free(node);
		return err_nomem(ld->err);
	}
	ld->kept = kept;
	kept[ld->n_kept++] = node;
	return 0;
}

struct pairs {
	struct yaml_node *node;
	size_t cap;
	struct yaml_node *sources;	/* a sequence of what "<<" named */
	size_t sources_cap;
};

static int load_pair(struct pairs *pairs, struct loader *ld, unsigned depth)
{
	cleanup_yaml_node struct yaml_node *key = NULL;
	struct yaml_node *value = NULL, *borrowed;
	size_t n_anchors = ld->n_anchors;
	int r;

	r = load_key(&key, ld, depth);
	if (r < 0)
		return r;
	borrowed = key;
	if (ld->n_anchors != n_anchors) {
		r = keep(ld, steal_pointer(&key));
		if (r < 0)
			return r;
	}
	r = loader_next(ld);
	if (r < 0)
		return r;
	r = loader_load(&value, ld, depth + 1);
	if (r < 0)
		return r;
	if (borrowed->plain && strcmp(borrowed->text, "<<") == 0)
		return loader_append(ld, pairs->sources, NULL, value->at, value,
			      &pairs->sources_cap);
	return loader_append(ld, pairs->node, borrowed->text, borrowed->at, value,
		      &pairs->cap);
}

int loader_pairs(struct yaml_node *node, struct loader *ld, unsigned depth)
{
	struct pairs pairs = { .node = node };
	size_t n_own;
	int r;

	r = loader_node(&pairs.sources, ld, NODE_SEQUENCE, node->at);
	if (r < 0)
		return r;
	do {
		r = loader_next(ld);
		if (r == 0 && ld->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (r == 0)
			r = load_pair(&pairs, ld, depth);
	} while (r == 0);
	n_own = node->n_items;
	if (r == 0)
		r = merge(node, ld, pairs.sources, depth, &pairs.cap);
	if (r == 0)
		r = dedup(node, ld, n_own);
	if (r == 0 && pairs.sources->n_items > 0)
		return keep(ld, pairs.sources);
	yaml_node_free(pairs.sources);
	return r;
}
