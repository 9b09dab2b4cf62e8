/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only user of libyaml: its events become a struct yaml_node.  Positions
 * are libyaml's, from 0; ours are from 1.
 */
#include <config.h>
#include "fs/config/yaml_load.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static unsigned clamp(size_t n)
{
	return n < UINT_MAX ? (unsigned)n + 1 : UINT_MAX;
}

static struct yaml_position position(yaml_mark_t mark)
{
	return (struct yaml_position){ clamp(mark.line), clamp(mark.column) };
}

int loader_fault(struct loader *ld, struct yaml_position at, const char *fmt,
		 ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	*ld->at = at;
	return err_set(ld->err, ERR_USAGE, EINVAL, "%s", text);
}

static int fault_here(struct loader *ld, const char *text)
{
	return loader_fault(ld, position(ld->event.start_mark), "%s", text);
}

/* libyaml's reader gives a byte offset only. */
static struct yaml_position position_of_byte(const struct loader *ld,
					     size_t offset)
{
	struct yaml_position at = { 1, 1 };

	for (size_t i = 0; i < offset && i < ld->len; i++) {
		if (ld->text[i] == '\n') {
			at.line++;
			at.column = 1;
		} else if (((unsigned char)ld->text[i] & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}

static char byte_at(const struct loader *ld, yaml_mark_t mark)
{
	return mark.index < ld->len ? ld->text[mark.index] : '\0';
}

/* Whether that line of the text, from 0, holds the word. */
static bool line_has(const struct loader *ld, size_t line, const char *word)
{
	const char *p = ld->text, *end = ld->text + ld->len, *stop;

	for (; p && line > 0; line--) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return false;
	stop = memchr(p, '\n', (size_t)(end - p));
	return memmem(p, (size_t)((stop ? stop : end) - p), word,
		      strlen(word)) != NULL;
}

/* Beginners' mistakes, named: libyaml's own sentence does not help there. */
static int syntax_fault(struct loader *ld)
{
	yaml_mark_t mark = ld->yaml.problem_mark;
	const char *hint = "";

	if (ld->yaml.error == YAML_MEMORY_ERROR)
		return err_nomem(ld->err);
	if (ld->yaml.error == YAML_READER_ERROR)
		return loader_fault(ld, position_of_byte(ld, ld->yaml.problem_offset),
			     "not valid UTF-8 text: %s", ld->yaml.problem);
	if (line_has(ld, mark.line, "***"))
		hint = "; the asterisks are the mask that OSMO prints in place "
		       "of a secret, not the secret itself: write the real "
		       "value, or name a Kubernetes Secret with secretName";
	/* mark.index counts characters; close enough for a hint. */
	else if (byte_at(ld, mark) == '\t')
		hint = "; a tab stands there, and YAML is indented with "
		       "spaces only";
	else if (memmem(ld->text, ld->len, "{{", 2) ||
		 memmem(ld->text, ld->len, "{%", 2))
		hint = "; the text holds template lines ({{ }} or {% %}): "
		       "render it first";
	return loader_fault(ld, position(mark), "not valid YAML: %s%s%s%s",
		     ld->yaml.problem ? ld->yaml.problem : "syntax error",
		     ld->yaml.context ? " " : "",
		     ld->yaml.context ? ld->yaml.context : "", hint);
}

static void wipe_event(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT && event->data.scalar.value)
		explicit_bzero(event->data.scalar.value,
			       event->data.scalar.length);
	yaml_event_delete(event);
	memset(event, 0, sizeof(*event));
}

int loader_next(struct loader *ld)
{
	wipe_event(&ld->event);
	if (!yaml_parser_parse(&ld->yaml, &ld->event))
		return syntax_fault(ld);
	return 0;
}

static int count(struct loader *ld, struct yaml_position at, size_t text)
{
	ld->n_text += text;
	if (++ld->n_nodes > YAML_NODES_MAX || ld->n_text > YAML_TEXT_MAX)
		return loader_fault(ld, at,
			     "too large: more than %zu values or %zu MiB of "
			     "text, aliases counted as often as they are used",
			     YAML_NODES_MAX, YAML_TEXT_MAX >> 20);
	return 0;
}

int loader_node(struct yaml_node **out, struct loader *ld,
		    enum yaml_kind kind, struct yaml_position at)
{
	int r = count(ld, at, 0);

	if (r < 0)
		return r;
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_nomem(ld->err);
	(*out)->kind = kind;
	(*out)->at = at;
	return 0;
}

/* Takes value over, also when it fails; key is copied. */
int loader_append(struct loader *ld, struct yaml_node *node, const char *key,
		  struct yaml_position at, struct yaml_node *value,
		  size_t *cap)
{
	struct yaml_item *item;

	if (node->n_items == *cap) {
		size_t n = *cap ? *cap * 2 : 4;

		item = reallocarray(node->items, n, sizeof(*item));
		if (!item)
			goto nomem;
		node->items = item;
		*cap = n;
	}
	item = &node->items[node->n_items];
	*item = (struct yaml_item){ .at = at, .value = value };
	if (key) {
		item->key = strdup(key);
		if (!item->key)
			goto nomem;
	}
	node->n_items++;
	return 0;
nomem:
	yaml_node_free(value);
	return err_nomem(ld->err);
}

int loader_copy(struct yaml_node **out, struct loader *ld,
		     const struct yaml_node *node, struct yaml_position at,
		     unsigned depth)
{
	cleanup_yaml_node struct yaml_node *copy = NULL;
	size_t cap = 0;
	int r;

	if (depth > YAML_DEPTH_MAX)
		return loader_fault(ld, at, "nested deeper than %u levels",
			     YAML_DEPTH_MAX);
	r = loader_node(&copy, ld, node->kind, node->at);
	if (r < 0)
		return r;
	copy->plain = node->plain;
	if (node->kind == NODE_SCALAR) {
		r = count(ld, at, node->len);
		if (r < 0)
			return r;
		copy->text = malloc(node->len + 1);
		if (!copy->text)
			return err_nomem(ld->err);
		memcpy(copy->text, node->text, node->len + 1);
		copy->len = node->len;
	}
	for (size_t i = 0; i < node->n_items; i++) {
		const struct yaml_item *item = &node->items[i];
		struct yaml_node *value = NULL;

		r = loader_copy(&value, ld, item->value, at, depth + 1);
		if (r < 0)
			return r;
		r = loader_append(ld, copy, item->key, item->at, value, &cap);
		if (r < 0)
			return r;
		copy->items[i].duplicate = item->duplicate;
	}
	*out = steal_pointer(&copy);
	return 0;
}

static int load_alias(struct yaml_node **out, struct loader *ld, unsigned depth)
{
	const char *name = (const char *)ld->event.data.alias.anchor;
	struct yaml_position at = position(ld->event.start_mark);

	if (++ld->n_aliases > YAML_ALIASES_MAX)
		return loader_fault(ld, at, "more than %u aliases", YAML_ALIASES_MAX);
	/* The last of a name counts, as YAML has it. */
	for (size_t i = ld->n_anchors; i-- > 0;)
		if (strcmp(ld->anchors[i].name, name) == 0)
			return loader_copy(out, ld, ld->anchors[i].node, at,
					 depth);
	/* Its name is not shown: it may be a secret that was not quoted. */
	return loader_fault(ld, at, "an alias that names no anchor before it; a text "
			     "that begins with '*' must be quoted");
}

static int remember(struct loader *ld, const yaml_char_t *name,
		    const struct yaml_node *node, struct yaml_position at)
{
	struct anchor *anchor = &ld->anchors[ld->n_anchors];

	if (!name)
		return 0;
	if (ld->n_anchors == YAML_ALIASES_MAX)
		return loader_fault(ld, at, "more than %u anchors", YAML_ALIASES_MAX);
	anchor->name = strdup((const char *)name);
	if (!anchor->name)
		return err_nomem(ld->err);
	anchor->node = node;
	ld->n_anchors++;
	return 0;
}

/* PyYAML's safe loader, which OSMO uses, refuses all but YAML's own tags. */
static int check_tag(struct loader *ld, const yaml_char_t *tag, bool *is_text)
{
	static const char *const known[] = {
		YAML_NULL_TAG, YAML_BOOL_TAG, YAML_INT_TAG,
		YAML_FLOAT_TAG, YAML_SEQ_TAG, YAML_MAP_TAG,
	};
	const char *t = (const char *)tag;

	*is_text = false;
	if (!t)
		return 0;
	if (strcmp(t, YAML_STR_TAG) == 0 || strcmp(t, "!") == 0) {
		*is_text = true;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(t, known[i]) == 0)
			return 0;
	return fault_here(ld, "a tag (!...) that is not YAML's own is not "
			      "allowed here: write the value without it");
}

static int load_scalar(struct yaml_node **out, struct loader *ld)
{
	cleanup_yaml_node struct yaml_node *node = NULL;
	struct yaml_position at = position(ld->event.start_mark);
	size_t len = ld->event.data.scalar.length;
	bool is_text;
	int r;

	r = check_tag(ld, ld->event.data.scalar.tag, &is_text);
	if (r < 0)
		return r;
	r = count(ld, at, len);
	if (r < 0)
		return r;
	node = yaml_node_scalar((const char *)ld->event.data.scalar.value, len,
				at);
	if (!node)
		return err_nomem(ld->err);
	node->plain = !is_text &&
		      ld->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	r = remember(ld, ld->event.data.scalar.anchor, node, at);
	if (r < 0)
		return r;
	*out = steal_pointer(&node);
	return 0;
}

static int load_items(struct yaml_node *node, struct loader *ld, unsigned depth)
{
	size_t cap = 0;
	int r;

	for (;;) {
		struct yaml_node *value = NULL;

		r = loader_next(ld);
		if (r < 0)
			return r;
		if (ld->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		r = loader_load(&value, ld, depth + 1);
		if (r < 0)
			return r;
		r = loader_append(ld, node, NULL, value->at, value, &cap);
		if (r < 0)
			return r;
	}
}

static int load_collection(struct yaml_node **out, struct loader *ld,
			   unsigned depth)
{
	bool is_mapping = ld->event.type == YAML_MAPPING_START_EVENT;
	struct yaml_position at = position(ld->event.start_mark);
	cleanup_yaml_node struct yaml_node *node = NULL;
	cleanup_free yaml_char_t *anchor = NULL;
	bool is_text;
	int r;

	r = check_tag(ld, is_mapping ? ld->event.data.mapping_start.tag :
				       ld->event.data.sequence_start.tag,
		      &is_text);
	if (r < 0)
		return r;
	/* The event goes before the anchor is complete. */
	if (is_mapping)
		anchor = steal_pointer(&ld->event.data.mapping_start.anchor);
	else
		anchor = steal_pointer(&ld->event.data.sequence_start.anchor);
	r = loader_node(&node, ld, is_mapping ? NODE_MAPPING : NODE_SEQUENCE, at);
	if (r < 0)
		return r;
	r = is_mapping ? loader_pairs(node, ld, depth) :
			 load_items(node, ld, depth);
	if (r < 0)
		return r;
	r = remember(ld, anchor, node, at);
	if (r < 0)
		return r;
	*out = steal_pointer(&node);
	return 0;
}

/* The node that the current event begins. */
int loader_load(struct yaml_node **out, struct loader *ld, unsigned depth)
{
	if (depth > YAML_DEPTH_MAX)
		return loader_fault(ld, position(ld->event.start_mark),
			     "nested deeper than %u levels", YAML_DEPTH_MAX);
	switch (ld->event.type) {
	case YAML_ALIAS_EVENT:
		return load_alias(out, ld, depth);
	case YAML_SCALAR_EVENT:
		return load_scalar(out, ld);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return load_collection(out, ld, depth);
	default:
		return fault_here(ld, "not valid YAML");
	}
}

static int load_document(struct yaml_node **out, struct loader *ld)
{
	cleanup_yaml_node struct yaml_node *root = NULL;
	int r;

	r = loader_next(ld);	/* stream start */
	if (r == 0)
		r = loader_next(ld);
	if (r < 0)
		return r;
	if (ld->event.type == YAML_STREAM_END_EVENT) {
		*out = NULL;
		return 0;
	}
	r = loader_next(ld);
	if (r == 0)
		r = loader_load(&root, ld, 1);
	if (r == 0)
		r = loader_next(ld);	/* document end */
	if (r == 0)
		r = loader_next(ld);
	if (r < 0)
		return r;
	if (ld->event.type != YAML_STREAM_END_EVENT)
		return fault_here(ld, "a second document begins here: a file "
				      "holds one; remove the line \"---\" or "
				      "the other documents");
	if (yaml_node_is_null(root))
		return 0;
	*out = steal_pointer(&root);
	return 0;
}

static void loader_release(struct loader *ld)
{
	wipe_event(&ld->event);
	/* What libyaml still holds of the text may be a secret. */
	if (ld->yaml.buffer.start)
		explicit_bzero(ld->yaml.buffer.start,
			       (size_t)(ld->yaml.buffer.end -
					ld->yaml.buffer.start));
	if (ld->yaml.raw_buffer.start)
		explicit_bzero(ld->yaml.raw_buffer.start,
			       (size_t)(ld->yaml.raw_buffer.end -
					ld->yaml.raw_buffer.start));
	yaml_parser_delete(&ld->yaml);
	for (size_t i = 0; i < ld->n_anchors; i++)
		free(ld->anchors[i].name);
	for (size_t i = 0; i < ld->n_kept; i++)
		yaml_node_free(ld->kept[i]);
	free(ld->kept);
	free(ld);
}

static int load_copy(struct yaml_node **out, char *text, size_t len,
		     struct yaml_position *at, struct err *err)
{
	struct loader *ld = calloc(1, sizeof(*ld));
	int r;

	if (!ld)
		return err_nomem(err);
	if (!yaml_parser_initialize(&ld->yaml)) {
		free(ld);
		return err_nomem(err);
	}
	ld->at = at;
	ld->err = err;
	ld->text = text;
	ld->len = yaml_adapt_json(text, len);
	yaml_parser_set_encoding(&ld->yaml, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&ld->yaml, (const unsigned char *)text,
				     ld->len);
	r = load_document(out, ld);
	loader_release(ld);
	return r;
}

int yaml_node_parse(struct yaml_node **out, const void *text, size_t len,
		    struct yaml_position *at, struct err *err)
{
	const unsigned char *p = text;
	char *copy;
	int r;

	*out = NULL;
	*at = (struct yaml_position){ 1, 1 };
	if (len > YAML_BYTES_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "larger than %zu MiB: this is no configuration",
			       YAML_BYTES_MAX >> 20);
	if (len >= 2 && ((p[0] == 0xff && p[1] == 0xfe) ||
			 (p[0] == 0xfe && p[1] == 0xff)))
		return err_set(err, ERR_USAGE, EINVAL,
			       "the text is UTF-16: save it as UTF-8");
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		p += 3;
		len -= 3;
	}
	copy = malloc(len + 1);
	if (!copy)
		return err_nomem(err);
	if (len)
		memcpy(copy, p, len);
	copy[len] = '\0';
	r = load_copy(out, copy, len, at, err);
	explicit_bzero(copy, len);
	free(copy);
	return r;
}
