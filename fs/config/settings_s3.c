/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What datasetfs.buckets.NAME says about requests to S3 itself.
 */
#include <config.h>

#include <string.h>

#include "fs/config/settings_context.h"

#define OWNER_DIGITS 12
#define KMS_KEY_MAX 2048

/* The text of a key of an s3:// bucket; NULL, reported where it is there. */
static const char *read_text(struct settings_context *context,
			     const struct settings_bucket *bucket,
			     const struct yaml_node *value,
			     const struct field_path *path,
			     const char *expected)
{
	if (yaml_node_is_null(value))
		return NULL;
	if (bucket->has_location && bucket->location.scheme != URI_S3) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 path, "only s3:// has it: leave the "
					 "key out");
		return NULL;
	}
	return settings_context_text(context, value, path, expected);
}

static bool is_owner(const char *text)
{
	return strspn(text, "0123456789") == OWNER_DIGITS &&
	       !text[OWNER_DIGITS];
}

/* An id, an ARN or an alias. */
static bool is_kms_key(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= KMS_KEY_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
			    "WXYZ0123456789-_/:.") == len;
}

static bool is_requester(const char *text)
{
	return !strcmp(text, "requester");
}

static bool is_bool(const char *text)
{
	return !strcmp(text, "true") || !strcmp(text, "false");
}

struct option {
	const char *key;
	bool (*is_good)(const char *text);
	const char *expected;
};
static const struct option payer = { "request_payer", is_requester,
				     "requester" };
static const struct option owner = { "expected_bucket_owner", is_owner,
				     "the 12 digits of an AWS account, in "
				     "quotes" };
static const struct option kms_key = { "sse_kms_key", is_kms_key,
				       "the id, ARN or alias of a KMS key" };
static const struct option dualstack = { "dualstack", is_bool,
					 "true or false" };

/* NULL where it is not given, or reported. */
static const char *read_option(struct settings_context *context,
			       const struct settings_bucket *bucket,
			       const struct yaml_node *node,
			       const struct field_path *up,
			       const struct option *option)
{
	const struct field_path path = { up, option->key };
	const struct yaml_node *value = yaml_node_get(node, option->key);
	const char *text = read_text(context, bucket, value, &path,
				     option->expected);

	if (!text)
		return NULL;
	if (!option->is_good(text)) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 &path, "expected %s",
					 option->expected);
		return NULL;
	}
	settings_context_value(context, &path, text, value);
	return text;
}

void settings_s3_read(struct settings_context *context,
		      struct settings_bucket *bucket,
		      const struct yaml_node *node,
		      const struct field_path *path)
{
	const char *text;

	bucket->requester_pays =
		read_option(context, bucket, node, path, &payer) != NULL;
	text = read_option(context, bucket, node, path, &owner);
	if (text)
		bucket->expected_owner = settings_context_strdup(context, text);
	text = read_option(context, bucket, node, path, &kms_key);
	if (text)
		bucket->sse_kms_key = settings_context_strdup(context, text);
	text = read_option(context, bucket, node, path, &dualstack);
	bucket->dualstack = text && !strcmp(text, "true");
}
