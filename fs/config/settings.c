/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file as a whole: which of the three shapes it has, its buckets, its
 * default bucket, our own section.
 */
#include <config.h>

#include "fs/config/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fs/config/secrets.h"
#include "fs/config/settings_context.h"

#define BUCKETS_MAX 10000u

/* Where OSMO's dataset configuration stands in the file. */
struct shape {
	struct yaml_node *dataset;
	const struct yaml_node *secret_refs;	/* Helm only */
	struct field_path path[3];	/* of dataset, the last one in use ... */
	const struct field_path *top;	/* ... NULL for the bare mapping */
	bool is_bare;
};

void settings_values_release(struct settings *st)
{
	for (size_t i = 0; i < st->n_values; i++) {
		free(st->values[i].name);
		free(st->values[i].value);
		free(st->values[i].origin);
	}
	free(st->values);
}

void settings_free(struct settings *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < st->n_buckets; i++)
		settings_bucket_release(&st->buckets[i]);
	free(st->buckets);
	settings_values_release(st);
	for (size_t i = 0; i < st->n_sources; i++)
		free(st->sources[i].path);
	free(st->sources);
	free(st->path);
	free(st->default_bucket);
	free(st->default_bucket_text);
	free(st->cache_dir);
	free(st->secrets_dir);
	free(st->ca_file);
	free(st);
}

const struct settings_bucket *settings_bucket(const struct settings *st,
					      const char *name)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		if (strcmp(st->buckets[i].name, name) == 0)
			return &st->buckets[i];
	return NULL;
}

/* ---- the shape ---- */

static void shape_helm(struct shape *shape, struct yaml_node *configs)
{
	shape->dataset = yaml_node_get(configs, "dataset");
	shape->secret_refs = yaml_node_get(configs, "secretRefs");
	shape->path[0] = (struct field_path){ NULL, "services" };
	shape->path[1] = (struct field_path){ &shape->path[0], "configs" };
	shape->path[2] = (struct field_path){ &shape->path[1], "dataset" };
	shape->top = &shape->path[2];
}

/* False with the reason reported. */
static bool find_shape(struct settings_context *context,
		       struct yaml_node *root, struct shape *shape)
{
	struct yaml_node *configs =
		yaml_node_get(yaml_node_get(root, "services"), "configs");
	struct yaml_node *dataset = yaml_node_get(root, "dataset");
	bool is_helm = yaml_node_get(configs, "dataset") != NULL;
	bool is_bare = yaml_node_item(root, "buckets") != NULL;

	if (is_helm + (dataset != NULL) + is_bare > 1) {
		settings_context_problem(
			context, SETTINGS_FATAL, root->at, NULL,
			"the file has more than one dataset configuration: "
			"keep one of services.configs.dataset (a Helm values "
			"file), dataset (OSMO's rendered config.yaml) and "
			"buckets (the bare mapping)");
		return false;
	}
	if (is_helm) {
		shape_helm(shape, configs);
	} else if (dataset) {
		shape->dataset = dataset;
		shape->path[0] = (struct field_path){ NULL, "dataset" };
		shape->top = &shape->path[0];
	} else if (is_bare) {
		shape->dataset = root;
		shape->is_bare = true;
	} else {
		settings_context_problem(
			context, SETTINGS_FATAL, root->at, NULL,
			"no dataset configuration is in this file: expected "
			"services.configs.dataset (a Helm values file), dataset "
			"(OSMO's rendered config.yaml) or buckets (the bare "
			"mapping) at the top; write for example\n"
			"  buckets:\n    production:\n      dataset_path: "
			"s3://my-bucket");
		return false;
	}
	if (shape->dataset->kind == NODE_MAPPING)
		return true;
	settings_context_problem(context, SETTINGS_FATAL, shape->dataset->at,
				 shape->top, "%s stands here: expected a "
				 "mapping with buckets and default_bucket",
				 yaml_node_kind_name(shape->dataset));
	return false;
}

static void check_top_keys(struct settings_context *context,
			   const struct yaml_node *root,
			   const struct shape *shape)
{
	static const char *const bare[] = { "buckets", "default_bucket",
					    "datasetfs" };
	static const char *const nested[] = { "buckets", "default_bucket" };

	const struct yaml_node *services = yaml_node_get(root, "services");

	if (shape->is_bare) {
		settings_context_check_keys(context, root, NULL, bare,
					    ARRAY_SIZE(bare));
		return;
	}
	settings_context_check_keys(context, shape->dataset, shape->top, nested,
				    ARRAY_SIZE(nested));
	settings_context_check_twice(context, root, NULL);
	if (shape->top == &shape->path[2]) {
		settings_context_check_twice(context, services, &shape->path[0]);
		settings_context_check_twice(context,
					     yaml_node_get(services, "configs"),
					     &shape->path[1]);
	}
}

/* ---- buckets ---- */

static bool is_directory_name(const char *name)
{
	return *name && strlen(name) <= NAME_MAX && !strchr(name, '/') &&
	       strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool is_reference_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
				 "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")] ==
	       '\0';
}

static void read_bucket(struct settings_context *context,
			struct yaml_item *item, const struct field_path *up)
{
	struct settings *st = context->settings;
	struct settings_bucket *bucket = &st->buckets[st->n_buckets];
	const struct field_path path = { up, item->key };

	if (!is_directory_name(item->key)) {
		settings_context_problem(context, SETTINGS_PROBLEM, item->at,
					 &path, "a bucket of that name cannot "
					 "be a directory and was left out: "
					 "expected [A-Za-z0-9_-]+");
		return;
	}
	bucket->name = settings_context_strdup(context, item->key);
	if (!bucket->name)
		return;
	bucket->line = item->at.line;
	bucket->column = item->at.column;
	st->n_buckets++;

	context->bucket = bucket;
	if (!is_reference_name(item->key))
		settings_context_problem(context, SETTINGS_WARNING, item->at,
					 &path, "no reference can name this "
					 "bucket: names are [A-Za-z0-9_-]+");
	/* Reported, and the bucket is closed: no more about its fields. */
	if (!secrets_resolve(context, &item->value, &path))
		yaml_node_remove(item->value, "default_credential");
	settings_bucket_read(context, bucket, item->value, &path);
	context->bucket = NULL;
}

/* OSMO takes the last of two, others the first: so neither is used. */
static void close_twin(struct settings_context *context,
		       const struct yaml_node *map,
		       const struct yaml_item *item,
		       const struct field_path *path)
{
	struct settings *st = context->settings;

	for (size_t i = 0; i < st->n_buckets; i++)
		if (strcmp(st->buckets[i].name, item->key) == 0)
			context->bucket = &st->buckets[i];
	if (!settings_context_is_full(context))
		settings_context_problem(
			context, SETTINGS_PROBLEM, item->at, path,
			"stands twice, first at line %u, and is closed, as "
			"either may be meant: keep one",
			yaml_node_item(map, item->key)->at.line);
	context->bucket = NULL;
}

static void read_buckets(struct settings_context *context,
			 const struct shape *shape)
{
	const struct field_path path = { shape->top, "buckets" };
	struct yaml_node *map = yaml_node_get(shape->dataset, "buckets");

	if (yaml_node_is_null(map))
		return;
	if (map->kind != NODE_MAPPING) {
		settings_context_problem(context, SETTINGS_FATAL, map->at,
					 &path, "%s stands here: expected a "
					 "mapping from name to bucket",
					 yaml_node_kind_name(map));
		return;
	}
	if (map->n_items > BUCKETS_MAX) {
		settings_context_problem(context, SETTINGS_FATAL, map->at,
					 &path, "%zu buckets, limit %u",
					 map->n_items, BUCKETS_MAX);
		return;
	}
	context->settings->buckets =
		calloc(map->n_items + 1, sizeof(struct settings_bucket));
	if (!context->settings->buckets) {
		context->no_memory = true;
		return;
	}
	for (size_t i = 0; i < map->n_items; i++) {
		const struct field_path here = { &path, map->items[i].key };

		if (map->items[i].duplicate)
			close_twin(context, map, &map->items[i], &here);
		else
			read_bucket(context, &map->items[i], &path);
	}
}

static void read_default(struct settings_context *context,
			 const struct shape *shape)
{
	const struct field_path path = { shape->top, "default_bucket" };
	const struct yaml_node *node = yaml_node_get(shape->dataset, path.key);
	struct settings *st = context->settings;
	cleanup_buf struct buf hint = BUF_INIT;
	const char *text;

	if (yaml_node_is_null(node))
		return;
	text = settings_context_text(context, node, &path,
				     "the name of a bucket");
	if (!text || !*text)
		return;
	st->default_bucket_text = settings_context_strdup(context, text);
	settings_context_value(context, &path, text, node);
	if (settings_bucket(st, text)) {
		st->default_bucket = settings_context_strdup(context, text);
		return;
	}
	settings_context_hint_bucket(context, text, &hint);
	settings_context_problem(context, SETTINGS_PROBLEM, node->at, &path,
				 "no bucket of that name is registered%s, so "
				 "names without a bucket mean nothing",
				 hint.data ? hint.data : "");
}

/* Of one place in the order of the file, where they still stand. */
static int by_place(const void *a, const void *b)
{
	const struct settings_bucket *const *x = a, *const *y = b;
	int c = strcmp((*x)->location.text, (*y)->location.text);

	return c ? c : (*x > *y) - (*x < *y);
}

/* Two credentials for one place: which one serves would be chance. */
static void check_credentials(struct settings_context *context,
			      const struct shape *shape)
{
	const struct field_path buckets = { shape->top, "buckets" };
	struct settings *st = context->settings;
	cleanup_free struct settings_bucket **sorted =
		calloc(st->n_buckets + 1, sizeof(*sorted));
	const struct settings_bucket *first = NULL;
	size_t n = 0;

	if (!sorted) {
		context->no_memory = true;
		return;
	}
	for (size_t i = 0; i < st->n_buckets; i++) {
		struct settings_bucket *b = &st->buckets[i];

		if (b->has_location && b->cred && !b->problem)
			sorted[n++] = b;
	}
	qsort(sorted, n, sizeof(*sorted), by_place);
	for (size_t i = 0; i < n; i++) {
		struct settings_bucket *b = sorted[i];
		const struct field_path path = { &buckets, b->name };
		const struct field_path cred = { &path, "default_credential" };

		if (!first ||
		    strcmp(first->location.text, b->location.text) != 0)
			first = b;
		if (settings_cred_equal(first->cred, b->cred))
			continue;
		context->bucket = b;
		settings_context_problem(
			context, SETTINGS_PROBLEM,
			(struct yaml_position){ b->line, b->column }, &cred,
			"bucket %s has another credential for the same "
			"dataset_path: use one", first->name);
		context->bucket = NULL;
	}
}

/* ---- the whole ---- */

static int by_name(const void *a, const void *b)
{
	const struct settings_bucket *x = a, *y = b;

	return strcmp(x->name, y->name);
}

void settings_read_root(struct settings_context *context,
			struct yaml_node *root)
{
	struct settings *st = context->settings;
	struct shape shape = { .dataset = NULL };
	const struct yaml_node *own;

	if (!root || root->kind != NODE_MAPPING) {
		settings_context_problem(
			context, SETTINGS_FATAL,
			root ? root->at : (struct yaml_position){ 1, 1 }, NULL,
			"%s: expected a mapping", root ?
			"the file is no mapping" : "the file is empty");
		return;
	}
	if (!find_shape(context, root, &shape))
		return;
	context->secret_refs = shape.secret_refs;
	own = yaml_node_get(root, "datasetfs");
	settings_own_secrets_dir(context, own);
	check_top_keys(context, root, &shape);
	read_buckets(context, &shape);
	check_credentials(context, &shape);
	read_default(context, &shape);
	if (st->n_buckets)
		qsort(st->buckets, st->n_buckets, sizeof(*st->buckets),
		      by_name);
	settings_own_read(context, own);
}
