/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static credential of OSMO's form.  No message here brings a value: a
 * mistyped credential must not end up in a log.
 */
#include <config.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fs/config/settings_context.h"

static void wiped_free(char *text)
{
	if (!text)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

void settings_cred_free(struct settings_cred *cred)
{
	if (!cred)
		return;
	free(cred->origin);
	free(cred->endpoint);
	free(cred->region);
	free(cred->override_url);
	wiped_free(cred->access_key_id);
	wiped_free(cred->access_key);
	free(cred);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool settings_cred_equal(const struct settings_cred *a,
			 const struct settings_cred *b)
{
	if (!a || !b)
		return a == b;
	return same(a->access_key_id, b->access_key_id) &&
	       same(a->access_key, b->access_key) &&
	       same(a->override_url, b->override_url) &&
	       a->has_addressing == b->has_addressing &&
	       (!a->has_addressing || a->addressing == b->addressing);
}

/* A field that may be missing, null or empty: all of them mean unset. */
static char *optional(struct settings_context *context,
		      const struct yaml_node *node,
		      const struct field_path *path, const char *expected)
{
	const struct yaml_node *value = yaml_node_get(node, path->key);
	const char *text;

	if (yaml_node_is_null(value) ||
	    (value->kind == NODE_SCALAR && value->len == 0))
		return NULL;
	text = settings_context_text(context, value, path, expected);
	return text ? settings_context_strdup(context, text) : NULL;
}

static char *required(struct settings_context *context,
		      const struct yaml_node *node,
		      const struct field_path *path)
{
	const struct yaml_node *value = yaml_node_get(node, path->key);
	char *text;

	text = optional(context, node, path, "the key's text");
	if (!text && (yaml_node_is_null(value) ||
		      (value->kind == NODE_SCALAR && value->len == 0)))
		settings_context_problem(
			context, SETTINGS_PROBLEM, value ? value->at : node->at,
			path, "%s%s%s: a credential needs access_key_id and "
			"access_key; for the ambient credential of the machine "
			"write default_credential: null",
			value ? "it is empty" : "it is missing",
			node->origin ? " in " : "",
			node->origin ? node->origin : "");
	if (text)
		settings_context_value(context, path, SETTINGS_MASK, value);
	return text;
}

/* The profile that a credential was written for must be the bucket's. */
static void check_endpoint(struct settings_context *context,
			   const struct settings_cred *cred,
			   const struct yaml_node *node,
			   const struct field_path *path,
			   const struct settings_bucket *bucket)
{
	struct uri uri = { .text = NULL };
	struct err err = ERR_INIT;

	if (strncmp(cred->endpoint, "http://", 7) == 0 ||
	    strncmp(cred->endpoint, "https://", 8) == 0) {
		settings_context_problem(
			context, SETTINGS_PROBLEM, node->at, path,
			"this is an address on the web: expected the profile "
			"that the key is for, such as s3://BUCKET; write the "
			"address of a store to override_url");
		return;
	}
	if (!bucket || !bucket->has_location ||
	    strcmp(cred->endpoint, bucket->location.profile) == 0)
		return;
	if (uri_parse_location(&uri, cred->endpoint, &err) == 0) {
		bool is_same = strcmp(uri.profile, bucket->location.profile) == 0;

		uri_release(&uri);
		if (is_same)
			return;
	}
	settings_context_problem(
		context, SETTINGS_PROBLEM, node->at, path,
		"the credential is for another profile than the bucket, and a "
		"credential serves exactly the one it is for: expected %s",
		bucket->location.profile);
}

static void check_override_url(struct settings_context *context,
			       const struct settings_cred *cred,
			       const struct yaml_node *node,
			       const struct field_path *path)
{
	const char *url = cred->override_url;
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end ? scheme_end + 3 : url;
	bool is_good = *host && *host != '/';

	if (scheme_end && strncmp(url, "http://", 7) != 0 &&
	    strncmp(url, "https://", 8) != 0)
		is_good = false;
	for (const char *p = url; *p; p++)
		if (!isgraph((unsigned char)*p) || strchr("@?#\\\"<>", *p))
			is_good = false;
	if (!is_good)
		settings_context_problem(
			context, SETTINGS_PROBLEM, node->at, path,
			"expected the address of a store, without user, query "
			"or spaces, such as https://s3.example.com:9000");
}

static void read_addressing(struct settings_context *context,
			    struct settings_cred *cred,
			    const struct yaml_node *node,
			    const struct field_path *up)
{
	const struct field_path path = { up, "addressing_style" };
	cleanup_free char *text = NULL;

	text = optional(context, node, &path, "virtual, path or auto");
	if (!text)
		return;
	cred->has_addressing = true;
	if (strcmp(text, "virtual") == 0)
		cred->addressing = ADDRESSING_VIRTUAL;
	else if (strcmp(text, "path") == 0)
		cred->addressing = ADDRESSING_PATH;
	else if (strcmp(text, "auto") == 0)
		cred->addressing = ADDRESSING_AUTO;
	else
		settings_context_problem(
			context, SETTINGS_PROBLEM,
			yaml_node_get(node, path.key)->at, &path,
			"expected virtual, path or auto");
	settings_context_value(context, &path, text,
			       yaml_node_get(node, path.key));
}

static void read_places(struct settings_context *context,
			struct settings_cred *cred,
			const struct yaml_node *node,
			const struct field_path *up,
			const struct settings_bucket *bucket)
{
	const struct field_path endpoint = { up, "endpoint" };
	const struct field_path region = { up, "region" };
	const struct field_path url = { up, "override_url" };

	cred->endpoint = optional(context, node, &endpoint,
				  "a profile such as s3://BUCKET");
	if (cred->endpoint) {
		const struct yaml_node *value = yaml_node_get(node, "endpoint");

		settings_context_value(context, &endpoint, cred->endpoint,
				       value);
		check_endpoint(context, cred, value, &endpoint, bucket);
	} else if (bucket && bucket->has_location) {
		cred->endpoint = settings_context_strdup(
			context, bucket->location.profile);
	}
	cred->region = optional(context, node, &region,
				"a region such as us-east-1");
	if (cred->region)
		settings_context_value(context, &region, cred->region,
				       yaml_node_get(node, "region"));
	cred->override_url = optional(context, node, &url,
				      "the address of a store such as "
				      "https://s3.example.com");
	if (cred->override_url) {
		const struct yaml_node *value = yaml_node_get(node,
							      "override_url");

		settings_context_value(context, &url, cred->override_url,
				       value);
		check_override_url(context, cred, value, &url);
	}
	read_addressing(context, cred, node, up);
}

struct settings_cred *settings_cred_read(struct settings_context *context,
					 const struct yaml_node *node,
					 const struct field_path *path,
					 const struct settings_bucket *bucket)
{
	static const char *const known[] = {
		"endpoint", "region", "override_url", "addressing_style",
		"access_key_id", "access_key",
	};
	const struct field_path id = { path, "access_key_id" };
	const struct field_path key = { path, "access_key" };
	struct settings_cred *cred;

	if (node->kind != NODE_MAPPING) {
		settings_context_problem(
			context, SETTINGS_PROBLEM, node->at, path,
			"%s stands here: expected a mapping such as "
			"{secretName: NAME}, or null", yaml_node_kind_name(node));
		return NULL;
	}
	cred = calloc(1, sizeof(*cred));
	if (!cred) {
		context->no_memory = true;
		return NULL;
	}
	settings_context_check_keys(context, node, path, known,
				    ARRAY_SIZE(known));
	cred->access_key_id = required(context, node, &id);
	cred->access_key = required(context, node, &key);
	read_places(context, cred, node, path, bucket);

	/* The origin of what decides, which a Secret overrides. */
	node = yaml_node_get(node, "access_key");
	cred->origin = settings_context_strdup(
		context, node && node->origin ? node->origin :
		context->settings->path);
	return cred;
}
