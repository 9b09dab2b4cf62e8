/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bucket: what OSMO's document says of it, and what our own section adds.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/config/settings_context.h"

#define URI_EXPECTED                                                           \
	"a storage URI such as s3://BUCKET/PREFIX, gs://BUCKET, "              \
	"swift://HOST/NAMESPACE/CONTAINER, tos://HOST/BUCKET or file:///DIR"

#define REGION_DEFAULT "us-east-1"
#define REGION_MAX 63	/* bytes, as of any part of a host name */

/* A storage URI; false with the reason reported. */
static bool read_location(struct settings_context *context,
			  const struct yaml_node *node,
			  const struct field_path *path, struct uri *out)
{
	const char *text = settings_context_text(context, node, path,
						 URI_EXPECTED);
	struct err err = ERR_INIT;

	if (!text)
		return false;
	if (uri_parse_location(out, text, &err) == 0)
		return true;
	settings_context_problem(context, SETTINGS_PROBLEM, node->at, path,
				 "%s", err.text);
	return false;
}

static void read_path(struct settings_context *context,
		      struct settings_bucket *bucket,
		      const struct yaml_node *node,
		      const struct field_path *up, struct yaml_position at)
{
	const struct field_path path = { up, "dataset_path" };
	const struct yaml_node *value = yaml_node_get(node, path.key);

	if (!value) {
		settings_context_problem(context, SETTINGS_PROBLEM, at, &path,
					 "it is missing: expected %s",
					 URI_EXPECTED);
		return;
	}
	bucket->has_location = read_location(context, value, &path,
					     &bucket->location);
	if (value->kind != NODE_SCALAR || !value->text)
		return;
	/*
	 * What stands before an '@' may be a password, and behind a '?' a
	 * signature: shown nowhere.
	 */
	if (!bucket->has_location && strpbrk(value->text, "@?"))
		return;
	bucket->dataset_path = settings_context_strdup(context, value->text);
	settings_context_value(context, &path, value->text, value);
}

/* The others' hosts say it, or they have none. */
static bool uses_region(const struct settings_bucket *bucket)
{
	return bucket->has_location &&
	       (bucket->location.scheme == URI_S3 ||
		bucket->location.scheme == URI_GS ||
		bucket->location.scheme == URI_SWIFT);
}

/* A text with a default; an empty one counts as given where it may. */
static char *read_text(struct settings_context *context,
		       const struct yaml_node *node,
		       const struct field_path *path, const char *fallback,
		       const char *expected, bool *given)
{
	const struct yaml_node *value = yaml_node_get(node, path->key);
	const char *text = NULL;

	if (value)
		text = settings_context_text(context, value, path, expected);
	if (given)
		*given = text != NULL;
	if (text)
		settings_context_value(context, path, text, value);
	else
		settings_context_value_from(context, path, fallback, "default");
	return settings_context_strdup(context, text ? text : fallback);
}

bool settings_region_is_valid(const char *region)
{
	size_t n = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return n > 0 && n <= REGION_MAX && region[n] == '\0';
}

static void read_region(struct settings_context *context,
			struct settings_bucket *bucket,
			const struct yaml_node *node,
			const struct field_path *up)
{
	const struct field_path path = { up, "region" };
	const struct yaml_node *value = yaml_node_get(node, path.key);

	/* An empty one means unset, as in a credential. */
	if (value && value->kind == NODE_SCALAR && !value->plain && !value->len)
		node = NULL;
	bucket->region = read_text(context, node, &path, REGION_DEFAULT,
				   SETTINGS_REGION_EXPECTED,
				   &bucket->region_given);
	if (!bucket->region || !bucket->region_given || !uses_region(bucket) ||
	    settings_region_is_valid(bucket->region))
		return;
	settings_context_problem(context, SETTINGS_PROBLEM, value->at, &path,
				 "expected " SETTINGS_REGION_EXPECTED);
}

static void read_mode(struct settings_context *context,
		      struct settings_bucket *bucket,
		      const struct yaml_node *node, const struct field_path *up)
{
	const struct field_path path = { up, "mode" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	cleanup_buf struct buf quoted = BUF_INIT;

	bucket->mode_text = read_text(context, node, &path, "read-write",
				      "read-only or read-write", NULL);
	if (!bucket->mode_text)
		return;
	bucket->mode = BUCKET_MODE_BAD;
	if (strcmp(bucket->mode_text, "read-only") == 0)
		bucket->mode = BUCKET_READ_ONLY;
	if (strcmp(bucket->mode_text, "read-write") == 0)
		bucket->mode = BUCKET_READ_WRITE;
	if (bucket->mode != BUCKET_MODE_BAD || !value ||
	    value->kind != NODE_SCALAR)
		return;
	settings_context_quote(value, &quoted);
	settings_context_problem(context, SETTINGS_PROBLEM, value->at, &path,
				 "%s is no mode, and OSMO denies reading and "
				 "writing with it: write read-only or "
				 "read-write", quoted.data);
}

static void read_description(struct settings_context *context,
			     struct settings_bucket *bucket,
			     const struct yaml_node *node,
			     const struct field_path *up)
{
	const struct field_path path = { up, "description" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	const char *text = "";

	if (value && value->kind == NODE_SCALAR && !yaml_node_is_null(value) &&
	    !memchr(value->text, '\0', value->len)) {
		text = value->text;
		settings_context_value(context, &path, text, value);
	} else if (value && !yaml_node_is_null(value)) {
		/* It decides nothing, so it closes nothing. */
		settings_context_problem(context, SETTINGS_WARNING, value->at,
					 &path, "%s stands here: expected a text",
					 yaml_node_kind_name(value));
	}
	bucket->description = settings_context_strdup(context, text);
}

void settings_bucket_read(struct settings_context *context,
			  struct settings_bucket *bucket,
			  struct yaml_node *node,
			  const struct field_path *path)
{
	static const char *const known[] = {
		"dataset_path", "region", "description", "mode",
		"default_credential", "check_key",
	};
	const struct field_path cred = { path, "default_credential" };
	const struct yaml_node *value;

	bucket->uid = (uid_t)-1;
	bucket->gid = (gid_t)-1;
	bucket->access = -1;
	bucket->mode = BUCKET_MODE_BAD;
	if (node->kind != NODE_MAPPING) {
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 path, "%s stands here: expected a "
					 "mapping with dataset_path and mode",
					 yaml_node_kind_name(node));
		bucket->mode_text = settings_context_strdup(context, "");
		bucket->region = settings_context_strdup(context, REGION_DEFAULT);
		bucket->description = settings_context_strdup(context, "");
		return;
	}
	settings_context_check_keys(context, node, path, known,
				    ARRAY_SIZE(known));
	read_path(context, bucket, node, path, node->at);
	read_region(context, bucket, node, path);
	read_description(context, bucket, node, path);
	read_mode(context, bucket, node, path);

	value = yaml_node_get(node, "default_credential");
	if (value && !yaml_node_is_null(value))
		bucket->cred = settings_cred_read(context, value, &cred,
						  bucket);
	else if (value)
		settings_context_value(context, &cred, "null", value);
	else
		settings_context_value_from(context, &cred, "null", "default");
}

/* ---- our own section ---- */

/* An id of a user or group, 0 to 2^32 - 2. */
static bool read_id(struct settings_context *context,
		    const struct yaml_node *node, const struct field_path *up,
		    const char *key, uint32_t *out)
{
	const struct field_path path = { up, key };
	const struct yaml_node *value = yaml_node_get(node, key);
	const char *text;
	char *end;
	unsigned long long id;

	if (!value)
		return false;
	text = settings_context_text(context, value, &path,
				     "a number such as 1000");
	if (!text)
		return false;
	errno = 0;
	id = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)*text) || *end || errno ||
	    id >= UINT32_MAX) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 &path, "expected a number from 0 to "
					 "4294967294, such as 1000");
		return false;
	}
	*out = (uint32_t)id;
	settings_context_value(context, &path, text, value);
	return true;
}

static void read_access(struct settings_context *context,
			struct settings_bucket *bucket,
			const struct yaml_node *node,
			const struct field_path *up)
{
	const struct field_path path = { up, "access" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	const char *text, *digits;
	char *end;
	unsigned long bits;

	if (!value)
		return;
	text = settings_context_text(context, value, &path,
				     "permission bits in octal such as \"0750\"");
	if (!text)
		return;
	/* YAML 1.2 writes octal as 0o750; everybody else as 0750. */
	digits = strncmp(text, "0o", 2) == 0 ? text + 2 : text;
	bits = strtoul(digits, &end, 8);
	if (!isdigit((unsigned char)*digits) || *end || bits > 0777 ||
	    strlen(digits) < 3) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 &path, "expected permission bits in "
					 "octal, three or four digits, such as "
					 "\"0750\"");
		return;
	}
	bucket->access = (int)bits;
	settings_context_value(context, &path, text, value);
}

static void read_foreign(struct settings_context *context,
			 struct settings_bucket *bucket,
			 const struct yaml_node *node,
			 const struct field_path *up)
{
	const struct field_path path = { up, "foreign" };
	const struct yaml_node *list = yaml_node_get(node, path.key);

	if (yaml_node_is_null(list))
		return;
	if (list->kind != NODE_SEQUENCE) {
		settings_context_problem(context, SETTINGS_PROBLEM, list->at,
					 &path, "%s stands here: expected a "
					 "list such as [\"s3://raw-data/2024\"]",
					 yaml_node_kind_name(list));
		return;
	}
	bucket->foreign = calloc(list->n_items + 1, sizeof(struct uri));
	if (!bucket->foreign) {
		context->no_memory = true;
		return;
	}
	for (size_t i = 0; i < list->n_items; i++) {
		const struct yaml_node *value = list->items[i].value;
		char index[32];
		struct field_path here = { &path, index };

		snprintf(index, sizeof(index), "[%zu]", i);
		if (!read_location(context, value, &here,
				   &bucket->foreign[bucket->n_foreign]))
			continue;
		bucket->n_foreign++;
		settings_context_value(context, &here, value->text, value);
	}
}

void settings_bucket_read_own(struct settings_context *context,
			      struct settings_bucket *bucket,
			      const struct yaml_node *node,
			      const struct field_path *path)
{
	static const char *const known[] = { "catalog", "uid", "gid", "access",
					     "foreign", "request_payer",
					     "expected_bucket_owner",
					     "sse_kms_key", "dualstack" };
	const struct field_path catalog = { path, "catalog" };
	const struct yaml_node *value;
	uint32_t id;

	if (node->kind != NODE_MAPPING) {
		settings_context_problem(context, SETTINGS_PROBLEM, node->at,
					 path, "%s stands here: expected a "
					 "mapping such as {uid: 1000}",
					 yaml_node_kind_name(node));
		return;
	}
	settings_context_check_keys(context, node, path, known,
				    ARRAY_SIZE(known));
	value = yaml_node_get(node, "catalog");
	if (!yaml_node_is_null(value) &&
	    read_location(context, value, &catalog,
			  &bucket->catalog_location)) {
		bucket->has_catalog = true;
		bucket->catalog = settings_context_strdup(context, value->text);
		settings_context_value(context, &catalog, value->text, value);
	}
	if (read_id(context, node, path, "uid", &id))
		bucket->uid = id;
	if (read_id(context, node, path, "gid", &id))
		bucket->gid = id;
	read_access(context, bucket, node, path);
	read_foreign(context, bucket, node, path);
	settings_s3_read(context, bucket, node, path);
}

void settings_bucket_release(struct settings_bucket *bucket)
{
	free(bucket->name);
	free(bucket->dataset_path);
	if (bucket->has_location)
		uri_release(&bucket->location);
	free(bucket->mode_text);
	free(bucket->region);
	free(bucket->description);
	settings_cred_free(bucket->cred);
	free(bucket->problem);
	free(bucket->catalog);
	if (bucket->has_catalog)
		uri_release(&bucket->catalog_location);
	for (size_t i = 0; i < bucket->n_foreign; i++)
		uri_release(&bucket->foreign[i]);
	free(bucket->foreign);
	free(bucket->expected_owner);
	free(bucket->sse_kms_key);
}
