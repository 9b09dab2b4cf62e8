/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One YAML or JSON document as a tree that knows where everything stood.
 * Every scalar keeps its text as written: what YAML 1.1 and 1.2 read
 * differently (0750, yes, 12:30) stays the reader's decision.
 *
 * The input is hostile: size, nodes, depth and aliases are bounded.  An alias
 * is a copy that counts, so the tree is a tree, and "<<" is merged while
 * loading.  A key that is given twice stays, marked, for whoever knows what
 * it would spoil.  All text is wiped when freed: trees hold secrets too.
 *
 * A tree belongs to one thread.  It must not know: settings, files.
 */
#ifndef DATASETFS_CONFIG_YAML_NODE_H
#define DATASETFS_CONFIG_YAML_NODE_H

#include <stddef.h>
#include "backends/base/err.h"

#define YAML_BYTES_MAX ((size_t)4 << 20)
#define YAML_NODES_MAX ((size_t)200000)	/* aliases expanded */
#define YAML_TEXT_MAX ((size_t)8 << 20)	/* of all scalars, aliases expanded */
#define YAML_DEPTH_MAX 64u
#define YAML_ALIASES_MAX 1000u		/* and as many anchors */

/* Both from 1; columns count characters.  0: unknown. */
struct yaml_position {
	unsigned line;
	unsigned column;
};

enum yaml_kind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING };

struct yaml_node {
	enum yaml_kind kind;
	struct yaml_position at;
	char *origin;		/* NULL: the document; else for people */
	bool plain;		/* a scalar without quotes or tag */
	char *text;		/* a scalar's; NUL-terminated, but see len */
	size_t len;
	struct yaml_item *items;
	size_t n_items;
};
struct yaml_item {
	char *key;		/* NULL in a sequence; never holds a NUL byte */
	struct yaml_position at;	/* of the key */
	bool duplicate;		/* an earlier item has the same key */
	struct yaml_node *value;
};

/*
 * -EINVAL (ERR_USAGE): not one valid document, or beyond a limit; err says
 * what without the position, which is in *at.  *out is NULL, with 0, for a
 * document without content.
 */
int yaml_node_parse(struct yaml_node **out, const void *text, size_t len,
		    struct yaml_position *at, struct err *err) MUST_CHECK;

void yaml_node_free(struct yaml_node *node);
static inline void yaml_node_cleanup_(struct yaml_node **node)
{
	if (*node)
		yaml_node_free(*node);
}
#define cleanup_yaml_node __attribute__((cleanup(yaml_node_cleanup_)))

/* NULL where node is NULL, no mapping, or has no such key; the first one. */
const struct yaml_item *yaml_node_item(const struct yaml_node *node,
				       const char *key);
struct yaml_node *yaml_node_get(const struct yaml_node *node, const char *key);

/* "", "~", "null" without quotes; also a NULL pointer. */
bool yaml_node_is_null(const struct yaml_node *node);

/* A scalar of len bytes; NULL without memory. */
struct yaml_node *yaml_node_scalar(const char *text, size_t len,
				   struct yaml_position at);
/*
 * Sets key of a mapping, in place of an earlier value.  Takes value over,
 * also when it fails (-ENOMEM).
 */
int yaml_node_put(struct yaml_node *map, const char *key,
		  struct yaml_node *value) MUST_CHECK;
void yaml_node_remove(struct yaml_node *map, const char *key);

/* "a mapping", "a list", "a text", "null": for messages. */
const char *yaml_node_kind_name(const struct yaml_node *node);

#endif
