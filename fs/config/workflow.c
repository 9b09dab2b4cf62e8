/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/config/workflow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/config/yaml_node.h"

#define INPUTS_MAX 10000u

struct walk {
	struct workflow *out;
	const char *path;
	struct err *err;
};

static int bad(const struct walk *walk, struct yaml_position at,
	       const char *what)
{
	return err_set(walk->err, ERR_USAGE, EINVAL, "%s:%u:%u: %s",
		       walk->path, at.line, at.column, what);
}

static int add_input(struct walk *walk, const char *task, size_t index,
		     const struct yaml_node *reference,
		     const struct yaml_node *regex)
{
	struct workflow *wf = walk->out;
	struct workflow_input *in;
	bool has_regex;

	if (yaml_node_is_null(reference) ||
	    reference->kind != NODE_SCALAR || !reference->len ||
	    memchr(reference->text, '\0', reference->len))
		return bad(walk, reference ? reference->at :
			   (struct yaml_position){ 0, 0 },
			   "expected the name of a dataset, such as "
			   "robotics/sim-data-2024");
	if (strstr(reference->text, "{{"))
		return bad(walk, reference->at,
			   "the name holds {{...}}, which OSMO fills in at "
			   "submission: render the workflow first");
	if (regex && (regex->kind != NODE_SCALAR ||
		      memchr(regex->text, '\0', regex->len)))
		return bad(walk, regex->at, "regex: expected a text");
	if (wf->n_inputs >= INPUTS_MAX)
		return bad(walk, reference->at, "too many inputs");
	in = reallocarray(wf->inputs, wf->n_inputs + 1, sizeof(*in));
	if (!in)
		return err_nomem(walk->err);
	wf->inputs = in;
	in = &wf->inputs[wf->n_inputs];
	memset(in, 0, sizeof(*in));
	in->index = (unsigned)index;
	in->line = reference->at.line;
	in->reference = strdup(reference->text);
	in->task = task ? strdup(task) : NULL;
	has_regex = regex && !yaml_node_is_null(regex);
	if (has_regex)
		in->regex = strdup(regex->text);
	wf->n_inputs++;
	if (!in->reference || (task && !in->task) || (has_regex && !in->regex))
		return err_nomem(walk->err);
	return 0;
}

static int add_dataset(struct walk *walk, const char *task, size_t index,
		       const struct yaml_node *ds)
{
	const struct yaml_node *name = yaml_node_get(ds, "name");
	const struct yaml_node *local = yaml_node_get(ds, "localpath");

	if (ds->kind != NODE_MAPPING)
		return bad(walk, ds->at,
			   "dataset: expected a mapping with name");
	if (!name)
		return bad(walk, ds->at, "dataset: name is missing");
	/* What stands there now would be an older version than is meant. */
	if (!yaml_node_is_null(local))
		return bad(walk, local->at,
			   "localpath is uploaded at submission, so the "
			   "version that is meant does not exist yet: publish "
			   "it first and remove localpath");
	return add_input(walk, task, index, name, yaml_node_get(ds, "regex"));
}

/* Other kinds of inputs (url:, task:) are none of ours. */
static int add_inputs(struct walk *walk, const char *task,
		      const struct yaml_node *list)
{
	int r = 0;

	if (yaml_node_is_null(list))
		return 0;
	if (list->kind != NODE_SEQUENCE)
		return bad(walk, list->at, "inputs: expected a list");
	for (size_t i = 0; r == 0 && i < list->n_items; i++) {
		const struct yaml_node *item = list->items[i].value;
		const struct yaml_node *ds = yaml_node_get(item, "dataset");

		if (item->kind == NODE_SCALAR)
			r = add_input(walk, task, i, item, NULL);
		else if (ds)
			r = add_dataset(walk, task, i, ds);
	}
	return r;
}

/*
 * "inputs" may stand at the top, in workflow, in tasks and in groups of tasks:
 * everything is walked; the task is the mapping that holds them.
 */
static int walk_node(struct walk *walk, const struct yaml_node *node)
{
	const struct yaml_node *name = yaml_node_get(node, "name");
	int r = 0;

	if (!node || node->kind == NODE_SCALAR)
		return 0;
	for (size_t i = 0; r == 0 && i < node->n_items; i++) {
		const struct yaml_item *item = &node->items[i];

		if (item->key && strcmp(item->key, "inputs") == 0)
			r = add_inputs(walk, name && name->kind == NODE_SCALAR ?
				       name->text : NULL, item->value);
		else if (!item->key || strcmp(item->key, "workflow") == 0 ||
			 strcmp(item->key, "tasks") == 0 ||
			 strcmp(item->key, "groups") == 0)
			r = walk_node(walk, item->value);
	}
	return r;
}

int workflow_parse(struct workflow *out, const char *path, const void *text,
		   size_t len, struct err *err)
{
	struct walk walk = { .out = out, .path = path, .err = err };
	cleanup_yaml_node struct yaml_node *root = NULL;
	struct yaml_position at = { 0, 0 };
	struct err why = ERR_INIT;
	int r;

	memset(out, 0, sizeof(*out));
	r = yaml_node_parse(&root, text, len, &at, &why);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0)
		return err_set(err, ERR_USAGE, EINVAL, "%s:%u:%u: %s", path,
			       at.line, at.column, why.text);
	r = walk_node(&walk, root);
	if (r < 0)
		workflow_release(out);
	return r;
}

void workflow_release(struct workflow *wf)
{
	for (size_t i = 0; i < wf->n_inputs; i++) {
		free(wf->inputs[i].task);
		free(wf->inputs[i].reference);
		free(wf->inputs[i].regex);
	}
	free(wf->inputs);
	memset(wf, 0, sizeof(*wf));
}
