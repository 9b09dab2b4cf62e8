/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/settings_context.h"

#include <stdlib.h>
#include <string.h>

#include "backends/base/encode.h"
#include "fs/config/nearest.h"

#define QUOTE_MAX 80		/* bytes of a value in a message */
#define PROBLEM_MAX ((size_t)8192)	/* of all of a bucket's sentences */
#define HINT_NAMES_MAX 1000	/* comparing with more takes too long */

static bool is_plain_key(const char *key)
{
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
			       "UVWXYZ0123456789_-");

	return n > 0 && key[n] == '\0' && n <= QUOTE_MAX;
}

void field_path_print(const struct field_path *path, struct buf *out)
{
	if (!path)
		return;
	field_path_print(path->up, out);
	if (path->up && path->key[0] != '[')
		buf_char(out, '.');
	if (path->key[0] == '[' || is_plain_key(path->key)) {
		buf_str(out, path->key);
		return;
	}
	buf_char(out, '"');
	encode_printable(out, path->key, strlen(path->key), QUOTE_MAX);
	buf_char(out, '"');
}

char *settings_context_strdup(struct settings_context *context, const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		context->no_memory = true;
	return copy;
}

void settings_context_source(struct settings_context *context,
			     const char *path, bool is_dir)
{
	struct settings *st = context->settings;
	struct settings_source *source;

	if (!context->digest)
		return;
	if (st->n_sources == st->cap_sources) {
		size_t cap = st->cap_sources ? 2 * st->cap_sources : 16;

		source = reallocarray(st->sources, cap, sizeof(*source));
		if (!source) {
			context->no_memory = true;
			return;
		}
		st->sources = source;
		st->cap_sources = cap;
	}
	source = &st->sources[st->n_sources];
	source->path = settings_context_strdup(context, path);
	if (!source->path)
		return;
	source->is_dir = is_dir;
	file_stamp_take(path, &source->stamp);
	st->n_sources++;
	settings_context_was_read(context, path, strlen(path) + 1);
}

/* Lengths count, so that no two files are taken for two others. */
void settings_context_was_read(struct settings_context *context,
			       const void *bytes, size_t len)
{
	uint8_t head[8];

	if (!context->digest)
		return;
	put_le64(head, len);
	digest_add(context->digest, head, sizeof(head));
	digest_add(context->digest, bytes, len);
}

static char *steal_text(struct settings_context *context, struct buf *buf)
{
	if (!buf->data)
		buf_str(buf, "");
	if (buf_failed(buf)) {
		context->no_memory = true;
		buf_release(buf);
		return NULL;
	}
	return buf_steal(buf);
}

/* Appends to what is known to be wrong with the bucket. */
static void bucket_problem(struct settings_context *context,
			   const struct settings_problem *problem)
{
	struct settings_bucket *bucket = context->bucket;
	struct buf buf = BUF_INIT;

	if (bucket->problem && strlen(bucket->problem) > PROBLEM_MAX)
		return;
	if (bucket->problem)
		buf_printf(&buf, "%s; ", bucket->problem);
	buf_printf(&buf, "%s (line %u): %s", problem->path, problem->line,
		   problem->text);
	free(bucket->problem);
	bucket->problem = steal_text(context, &buf);
}

static void report_add(struct settings_context *context,
		       const struct settings_problem *problem)
{
	struct settings_report *report = context->report;
	struct settings_problem *problems;

	if (report->n_problems >= SETTINGS_PROBLEMS_MAX &&
	    problem->severity != SETTINGS_FATAL)
		goto hide;
	problems = reallocarray(report->problems, report->n_problems + 1,
				sizeof(*problems));
	if (!problems || !problem->path || !problem->text) {
		context->no_memory = true;
		if (problems)
			report->problems = problems;
		goto drop;
	}
	report->problems = problems;
	problems[report->n_problems++] = *problem;
	if (problem->severity > SETTINGS_WARNING)
		report->n_errors++;
	if (problem->severity == SETTINGS_FATAL)
		report->fatal = true;
	if (context->bucket && problem->severity == SETTINGS_PROBLEM)
		bucket_problem(context, problem);
	return;
hide:
	/* Not told, but it counts, and it closes its bucket. */
	report->n_hidden++;
	if (problem->severity > SETTINGS_WARNING)
		report->n_errors++;
	if (context->bucket && problem->severity == SETTINGS_PROBLEM &&
	    problem->path && problem->text)
		bucket_problem(context, problem);
drop:
	free(problem->path);
	free(problem->text);
	free(problem->bucket);
}

bool settings_context_is_full(const struct settings_context *context)
{
	return context->report->n_problems >= SETTINGS_PROBLEMS_MAX &&
	       (!context->bucket || context->bucket->problem);
}

void settings_context_problem(struct settings_context *context,
			      enum settings_severity severity,
			      struct yaml_position at,
			      const struct field_path *path, const char *fmt,
			      ...)
{
	struct settings_problem problem = {
		.severity = severity, .line = at.line, .column = at.column,
	};
	struct buf path_buf = BUF_INIT;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&problem.text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		context->no_memory = true;
		return;
	}
	field_path_print(path, &path_buf);
	problem.path = steal_text(context, &path_buf);
	if (context->bucket)
		problem.bucket = settings_context_strdup(context,
							 context->bucket->name);
	report_add(context, &problem);
}

void settings_context_value_from(struct settings_context *context,
				 const struct field_path *path,
				 const char *value, const char *origin)
{
	struct settings *settings = context->settings;
	struct buf name = BUF_INIT;
	struct settings_value *v;

	if (settings->n_values == settings->cap_values) {
		size_t cap = settings->cap_values ? 2 * settings->cap_values :
						    64;

		v = reallocarray(settings->values, cap, sizeof(*v));
		if (!v) {
			context->no_memory = true;
			return;
		}
		settings->values = v;
		settings->cap_values = cap;
	}
	v = &settings->values[settings->n_values++];
	field_path_print(path, &name);
	v->name = steal_text(context, &name);
	v->value = settings_context_strdup(context, value);
	v->origin = settings_context_strdup(context, origin);
}

void settings_context_value(struct settings_context *context,
			    const struct field_path *path, const char *value,
			    const struct yaml_node *node)
{
	struct buf origin = BUF_INIT;
	cleanup_free char *text = NULL;

	if (node->origin)
		buf_str(&origin, node->origin);
	else
		buf_printf(&origin, "%s:%u", context->settings->path,
			   node->at.line);
	text = steal_text(context, &origin);
	if (text)
		settings_context_value_from(context, path, value, text);
}

char *settings_context_absolute(struct settings_context *context,
				const char *path)
{
	struct buf buf = BUF_INIT;

	if (path[0] == '/' || strcmp(context->dir, ".") == 0)
		return settings_context_strdup(context, path);
	buf_printf(&buf, "%s/%s", context->dir, path);
	return steal_text(context, &buf);
}

bool settings_is_mask(const char *text)
{
	size_t n = strspn(text, "*");

	return n >= 3 && text[n] == '\0';
}

const char *settings_context_text(struct settings_context *context,
				  const struct yaml_node *node,
				  const struct field_path *path,
				  const char *expected)
{
	if (yaml_node_is_null(node) || node->kind != NODE_SCALAR) {
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 path, "%s stands here: expected %s",
					 yaml_node_kind_name(node), expected);
		return NULL;
	}
	if (memchr(node->text, '\0', node->len)) {
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 path, "holds a NUL byte: expected %s",
					 expected);
		return NULL;
	}
	if (settings_is_mask(node->text)) {
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 path, "%s", SETTINGS_MASK_TEXT);
		return NULL;
	}
	return node->text;
}

void settings_context_hint(const char *word, const char *const *known,
			   size_t n_known, struct buf *out)
{
	const char *near = nearest_name(word, known, n_known);

	if (near)
		buf_printf(out, " (did you mean %s?)", near);
}

void settings_context_hint_bucket(struct settings_context *context,
				  const char *word, struct buf *out)
{
	const struct settings *st = context->settings;
	const char **names;

	if (st->n_buckets > HINT_NAMES_MAX)
		return;
	names = calloc(st->n_buckets + 1, sizeof(*names));
	if (!names) {
		context->no_memory = true;
		return;
	}
	for (size_t i = 0; i < st->n_buckets; i++)
		names[i] = st->buckets[i].name;
	settings_context_hint(word, names, st->n_buckets, out);
	free(names);
}

static void print_known(const char *const *known, size_t n_known,
			struct buf *out)
{
	for (size_t i = 0; i < n_known; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : ", ", known[i]);
}

/*
 * A malformed secret may show its content as a key ("access_key:CONTENT"):
 * name only plain words.
 */
static bool can_name_key(const struct settings_context *context,
			 const struct yaml_item *item)
{
	size_t n;

	if (!item->value->origin && !context->in_credential)
		return true;
	n = strspn(item->key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
			      "UVWXYZ_-.");
	return n <= 24 && item->key[n] == '\0';
}

static void unknown_key(struct settings_context *context,
			const struct yaml_item *item,
			const struct field_path *path,
			const char *const *known, size_t n_known)
{
	bool can_name = can_name_key(context, item);
	struct field_path here = { path, can_name ? item->key : "[a key]" };
	cleanup_buf struct buf text = BUF_INIT;

	buf_str(&text, "unknown key");
	if (can_name)
		settings_context_hint(item->key, known, n_known, &text);
	if (item->value->origin)
		buf_printf(&text, " in %s", item->value->origin);
	buf_str(&text, ": known here are ");
	print_known(known, n_known, &text);
	if (buf_failed(&text))
		context->no_memory = true;
	else
		settings_context_problem(context, SETTINGS_PROBLEM, item->at,
					 &here, "%s", text.data);
}

void settings_context_check_keys(struct settings_context *context,
				 const struct yaml_node *map,
				 const struct field_path *path,
				 const char *const *known, size_t n_known)
{
	for (size_t i = 0; i < map->n_items; i++) {
		const struct yaml_item *item = &map->items[i];
		struct field_path here = { path, item->key };
		bool is_known = false;

		for (size_t k = 0; k < n_known && !is_known; k++)
			is_known = strcmp(item->key, known[k]) == 0;
		if (is_known && !item->duplicate)
			continue;
		if (settings_context_is_full(context))
			context->report->n_hidden++;
		else if (!is_known)
			unknown_key(context, item, path, known, n_known);
		else
			settings_context_problem(
				context, SETTINGS_PROBLEM, item->at, &here,
				"stands twice, first at line %u: keep one",
				yaml_node_item(map, item->key)->at.line);
	}
}

void settings_context_check_twice(struct settings_context *context,
				  const struct yaml_node *map,
				  const struct field_path *path)
{
	for (size_t i = 0; map && i < map->n_items; i++) {
		const struct yaml_item *item = &map->items[i];
		const struct field_path here = { path, item->key };

		if (item->duplicate)
			settings_context_problem(context, SETTINGS_PROBLEM,
						 item->at, &here,
						 "stands twice: keep one");
	}
}

void settings_context_quote(const struct yaml_node *node, struct buf *out)
{
	if (node->origin) {
		buf_str(out, "the value");
		return;
	}
	buf_char(out, '\'');
	encode_printable(out, node->text, node->len, QUOTE_MAX);
	buf_char(out, '\'');
}
