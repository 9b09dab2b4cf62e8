/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One document while it is loaded: what yaml_load.c and yaml_mapping.c share.
 * Nobody else includes it.
 */
#ifndef DATASETFS_CONFIG_YAML_LOAD_H
#define DATASETFS_CONFIG_YAML_LOAD_H

#include <yaml.h>

#include "backends/base/buf.h"
#include "fs/config/yaml_node.h"

struct anchor {
	char *name;
	const struct yaml_node *node;
};

struct loader {
	yaml_parser_t yaml;
	yaml_event_t event;
	struct yaml_position *at;	/* of the fault */
	struct err *err;
	const char *text;
	size_t len;
	struct anchor anchors[YAML_ALIASES_MAX];
	size_t n_anchors;
	size_t n_aliases;
	size_t n_nodes;
	size_t n_text;
	struct yaml_node **kept;	/* no part of the tree, but anchors may
					   point into them until the end */
	size_t n_kept;
};

/* Sets *ld->at and *ld->err; -EINVAL.  fmt brings nothing of the text. */
int loader_fault(struct loader *ld, struct yaml_position at, const char *fmt,
		 ...) PRINTF_LIKE(3, 4);

int loader_next(struct loader *ld) MUST_CHECK;

/* The node that the current event begins. */
int loader_load(struct yaml_node **out, struct loader *ld, unsigned depth)
	MUST_CHECK;
/* The rest of a mapping, to its end. */
int loader_pairs(struct yaml_node *node, struct loader *ld, unsigned depth)
	MUST_CHECK;

/* An empty node, counted. */
int loader_node(struct yaml_node **out, struct loader *ld, enum yaml_kind kind,
		struct yaml_position at) MUST_CHECK;
/* A copy, counted; at is where it was asked for. */
int loader_copy(struct yaml_node **out, struct loader *ld,
		const struct yaml_node *node, struct yaml_position at,
		unsigned depth) MUST_CHECK;
/* Takes value over, also when it fails; key is copied. */
int loader_append(struct loader *ld, struct yaml_node *node, const char *key,
		  struct yaml_position at, struct yaml_node *value,
		  size_t *cap) MUST_CHECK;

/* JSON made what libyaml reads, in place; the new length.  yaml_json.c */
size_t yaml_adapt_json(char *text, size_t len);

#endif
