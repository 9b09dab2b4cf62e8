/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own section, "datasetfs:", which OSMO ignores.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/http/http.h"
#include "fs/config/settings_context.h"

#define SECRETS_DIR_DEFAULT "/etc/osmo/secrets"
#define CACHE_DIR_ROOT "/var/cache/datasetfs"
#define CACHE_FREE_PERCENT_DEFAULT 5u
#define CACHE_SIZE_PERCENT 90	/* of the file system, unless size says */
#define MEMORY_MIN ((uint64_t)128 << 20)	/* stacks and tables take half */

static const struct field_path top = { NULL, "datasetfs" };

void settings_own_secrets_dir(struct settings_context *context,
			      const struct yaml_node *node)
{
	const struct field_path path = { &top, "secrets_dir" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	const char *text = NULL;
	struct settings *st = context->settings;

	if (!yaml_node_is_null(value))
		text = settings_context_text(context, value, &path,
					     "a folder such as "
					     SECRETS_DIR_DEFAULT);
	if (text && *text) {
		st->secrets_dir = settings_context_absolute(context, text);
		if (st->secrets_dir)
			settings_context_value(context, &path, st->secrets_dir,
					       value);
	} else {
		st->secrets_dir = settings_context_strdup(context,
							  SECRETS_DIR_DEFAULT);
		settings_context_value_from(context, &path, SECRETS_DIR_DEFAULT,
					    "default");
	}
	context->secrets_dir = st->secrets_dir;
}

static void default_cache_dir(struct settings_context *context,
			      const struct field_path *path,
			      struct yaml_position at)
{
	const char *base = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");
	const char *origin = "default";
	struct buf buf = BUF_INIT;

	if (geteuid() == 0) {
		buf_str(&buf, CACHE_DIR_ROOT);
	} else if (base && *base == '/') {
		origin = "environment XDG_CACHE_HOME";
		buf_printf(&buf, "%s/datasetfs", base);
	} else if (home && *home == '/') {
		origin = "environment HOME";
		buf_printf(&buf, "%s/.cache/datasetfs", home);
	} else {
		/* Not below /tmp, where anybody could have made it first. */
		settings_context_problem(
			context, SETTINGS_FATAL, at, path,
			"it is missing, and neither XDG_CACHE_HOME nor HOME is "
			"set: write a folder of your own, such as "
			CACHE_DIR_ROOT);
		return;
	}
	if (buf_failed(&buf)) {
		context->no_memory = true;
		buf_release(&buf);
		return;
	}
	settings_context_value_from(context, path, buf.data, origin);
	context->settings->cache_dir = buf_steal(&buf);
}

/* A size in bytes, min at least; false, reported, where it is none. */
static bool read_size(struct settings_context *context,
		      const struct yaml_node *value,
		      const struct field_path *path, uint64_t min,
		      const char *min_text, uint64_t *out)
{
	const char *text = settings_context_text(context, value, path,
						 "a size such as 500GiB");
	uint64_t bytes;

	if (!text)
		return false;
	if (settings_parse_size(text, &bytes) < 0) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 path, "expected a size such as 500GiB "
					 "or 10 GB");
		return false;
	}
	if (bytes < min) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 path, "expected %s at least, or leave "
					 "the key out", min_text);
		return false;
	}
	*out = bytes;
	settings_context_value(context, path, text, value);
	return true;
}

/* "5%"; false, reported. */
static bool read_percent(struct settings_context *context,
			 const struct yaml_node *value,
			 const struct field_path *path, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (!isdigit((unsigned char)*text) || strcmp(end, "%") != 0 || n > 99) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 path, "expected 0%% to 99%%, or a size "
					 "such as 10GiB");
		return false;
	}
	context->settings->cache_free_percent = (unsigned)n;
	settings_context_value(context, path, text, value);
	return true;
}

/* A percentage, or a size; false, reported. */
static bool read_free(struct settings_context *context,
		      const struct yaml_node *value,
		      const struct field_path *path)
{
	struct settings *st = context->settings;
	const char *text;

	text = settings_context_text(context, value, path,
				     "5% or a size such as 10GiB");
	if (!text)
		return false;
	if (strchr(text, '%'))
		return read_percent(context, value, path, text);
	if (!read_size(context, value, path, 0, "", &st->cache_free))
		return false;
	st->cache_free_percent = 0;
	return true;
}

static void read_cache(struct settings_context *context,
		       const struct yaml_node *node)
{
	static const char *const known[] = { "dir", "size", "free" };
	const struct field_path path = { &top, "cache" };
	const struct field_path dir = { &path, "dir" };
	const struct field_path size = { &path, "size" };
	const struct field_path free_ = { &path, "free" };
	struct settings *st = context->settings;
	const struct yaml_node *value;
	const char *text = NULL;

	if (!yaml_node_is_null(node) && node->kind != NODE_MAPPING)
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 &path, "%s stands here: expected a "
					 "mapping such as {dir: " CACHE_DIR_ROOT
					 ", size: 500GiB}",
					 yaml_node_kind_name(node));
	else if (!yaml_node_is_null(node))
		settings_context_check_keys(context, node, &path, known,
					    ARRAY_SIZE(known));

	value = yaml_node_get(node, "dir");
	if (!yaml_node_is_null(value))
		text = settings_context_text(context, value, &dir, "a folder");
	if (text && *text) {
		st->cache_dir = settings_context_absolute(context, text);
		if (st->cache_dir)
			settings_context_value(context, &dir, st->cache_dir,
					       value);
	} else {
		default_cache_dir(context, &dir, node ? node->at :
				  (struct yaml_position){ 1, 1 });
	}

	value = yaml_node_get(node, "size");
	if (yaml_node_is_null(value) ||
	    !read_size(context, value, &size, SETTINGS_CACHE_SIZE_MIN,
		       SETTINGS_CACHE_SIZE_MIN_TEXT, &st->cache_size))
		settings_context_value_from(context, &size, "the smaller of "
					    "90% of the file system and what "
					    "leaves 5% free", "default");
	st->cache_free_percent = CACHE_FREE_PERCENT_DEFAULT;
	value = yaml_node_get(node, "free");
	if (yaml_node_is_null(value) || !read_free(context, value, &free_))
		settings_context_value_from(context, &free_, "5%", "default");
}

void settings_cache_limits(const struct settings *settings, uint64_t total,
			   uint64_t *size, uint64_t *kept_free)
{
	*size = settings->cache_size ? settings->cache_size :
				       total / 100 * CACHE_SIZE_PERCENT;
	*kept_free = settings->cache_free_percent ?
			     total / 100 * settings->cache_free_percent :
			     settings->cache_free;
}

static void read_memory(struct settings_context *context,
			const struct yaml_node *value)
{
	const struct field_path path = { &top, "memory" };

	if (yaml_node_is_null(value) ||
	    !read_size(context, value, &path, MEMORY_MIN, "128MiB",
		       &context->settings->memory))
		settings_context_value_from(context, &path, "256MiB",
					    "default");
}

/*
 * One that cannot be used refuses the file as a whole: without it the
 * system's authorities would be trusted, which is not what was written.
 */
static void read_ca_file(struct settings_context *context,
			 const struct yaml_node *value)
{
	const struct field_path path = { &top, "ca_file" };
	struct settings *st = context->settings;
	struct err err = ERR_INIT;
	const char *text;

	if (yaml_node_is_null(value))
		return;
	text = settings_context_text(context, value, &path,
				     "a file of certificates in PEM form");
	if (!text || !*text)
		return;
	st->ca_file = settings_context_absolute(context, text);
	if (!st->ca_file)
		return;
	settings_context_value(context, &path, st->ca_file, value);
	if (http_ca_file_check(st->ca_file, &err) < 0)
		settings_context_problem(context, SETTINGS_FATAL, value->at,
					 &path, "%s cannot be used: %s",
					 st->ca_file, err.text);
}

static int compare_name(const void *name, const void *bucket)
{
	return strcmp(name, ((const struct settings_bucket *)bucket)->name);
}

/* They are sorted by now. */
static struct settings_bucket *bucket_of(struct settings *st, const char *name)
{
	if (!st->n_buckets)
		return NULL;
	return bsearch(name, st->buckets, st->n_buckets, sizeof(*st->buckets),
		       compare_name);
}

static void unknown_bucket(struct settings_context *context,
			   const struct yaml_item *item,
			   const struct field_path *path)
{
	cleanup_buf struct buf hint = BUF_INIT;

	if (settings_context_is_full(context)) {
		context->report->n_hidden++;
		return;
	}
	settings_context_hint_bucket(context, item->key, &hint);
	settings_context_problem(context, SETTINGS_PROBLEM, item->at, path,
				 "no bucket of that name is registered%s",
				 hint.data ? hint.data : "");
}

static void read_buckets(struct settings_context *context,
			 const struct yaml_node *node)
{
	const struct field_path path = { &top, "buckets" };

	if (yaml_node_is_null(node))
		return;
	if (node->kind != NODE_MAPPING) {
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 &path, "%s stands here: expected a "
					 "mapping from bucket to settings",
					 yaml_node_kind_name(node));
		return;
	}
	for (size_t i = 0; i < node->n_items; i++) {
		const struct yaml_item *item = &node->items[i];
		const struct field_path here = { &path, item->key };
		struct settings_bucket *bucket = bucket_of(context->settings,
							   item->key);

		if (!bucket) {
			unknown_bucket(context, item, &here);
			continue;
		}
		context->bucket = bucket;
		if (item->duplicate)
			settings_context_problem(context, SETTINGS_PROBLEM,
						 item->at, &here,
						 "stands twice: keep one");
		else if (!yaml_node_is_null(item->value))
			settings_bucket_read_own(context, bucket, item->value,
						 &here);
		context->bucket = NULL;
	}
}

void settings_own_read(struct settings_context *context,
		       const struct yaml_node *node)
{
	static const char *const known[] = { "cache", "memory", "secrets_dir",
					     "ca_file", "buckets" };

	if (!yaml_node_is_null(node) && node->kind != NODE_MAPPING)
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 &top, "%s stands here: expected a "
					 "mapping", yaml_node_kind_name(node));
	else if (!yaml_node_is_null(node))
		settings_context_check_keys(context, node, &top, known,
					    ARRAY_SIZE(known));
	read_cache(context, yaml_node_get(node, "cache"));
	read_memory(context, yaml_node_get(node, "memory"));
	read_ca_file(context, yaml_node_get(node, "ca_file"));
	read_buckets(context, yaml_node_get(node, "buckets"));
}
