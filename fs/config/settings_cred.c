/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A static credential of OSMO's form.  No message here brings a value: a
 * mistyped credential must not end up in a log.
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/azure/azure_connection.h"
#include "fs/config/settings_context.h"

static void wiped_free(char *text)
{
	if (!text)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

struct settings_cred *settings_cred_get_ref(const struct settings_cred *cred)
{
	struct settings_cred *held = (struct settings_cred *)(uintptr_t)cred;

	__atomic_fetch_add(&held->more, 1, __ATOMIC_RELAXED);
	return held;
}

void settings_cred_free(struct settings_cred *cred)
{
	if (!cred || __atomic_fetch_sub(&cred->more, 1, __ATOMIC_ACQ_REL) > 0)
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

/*
 * These become headers and host names.  A line break in the middle is a file
 * with more than one thing in it; a mark in front, an editor's.
 */
static bool check_bytes(struct settings_context *context,
			const struct yaml_node *value,
			const struct field_path *path)
{
	const char *text = value->text;
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
			settings_context_problem(
				context, SETTINGS_PROBLEM, value->at, path,
				"holds a line break or another control "
				"character (its content is not shown): expected "
				"one line with the value alone");
			return false;
		}
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0) {
		settings_context_problem(
			context, SETTINGS_PROBLEM, value->at, path,
			"begins with a byte order mark: write it with an "
			"editor or a command that adds none");
		return false;
	}
	if (text[0] == ' ' || text[len - 1] == ' ')
		settings_context_problem(
			context, SETTINGS_WARNING, value->at, path,
			"begins or ends with a space, which counts: remove it "
			"if the store refuses the credential");
	return true;
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
	if (!text || !check_bytes(context, value, path))
		return NULL;
	return settings_context_strdup(context, text);
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

static void strip_slashes(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '/')
		text[--len] = '\0';
}

/* Whether text names that profile, or lies below it. */
static bool is_profile(const char *text, const char *profile)
{
	struct uri uri = { .text = NULL };
	struct err err = ERR_INIT;
	bool is_same;

	if (strcmp(text, profile) == 0)
		return true;
	if (uri_parse_location(&uri, text, &err) < 0)
		return false;
	is_same = strcmp(uri.profile, profile) == 0;
	uri_release(&uri);
	return is_same;
}

/* The profile that a credential was written for must be the bucket's. */
static bool check_endpoint(struct settings_context *context,
			   const char *endpoint, const struct yaml_node *node,
			   const struct field_path *path,
			   const struct settings_bucket *bucket)
{
	if (strncmp(endpoint, "http://", 7) == 0 ||
	    strncmp(endpoint, "https://", 8) == 0) {
		settings_context_problem(
			context, SETTINGS_PROBLEM, node->at, path,
			"this is an address on the web: expected the profile "
			"that the key is for, such as s3://BUCKET; write the "
			"address of a store to override_url");
		return false;
	}
	/* Of a bucket whose own place is not known, nothing can be said. */
	if (!bucket->has_location)
		return false;
	if (is_profile(endpoint, bucket->location.profile))
		return true;
	settings_context_problem(
		context, SETTINGS_PROBLEM, node->at, path,
		"the credential is for another profile than the bucket, and a "
		"credential serves exactly the one it is for: expected %s",
		bucket->location.profile);
	return false;
}

static bool check_override_url(struct settings_context *context,
			       const char *url, const struct yaml_node *node,
			       const struct field_path *path)
{
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
	return is_good;
}

const char *const settings_addressing_names[SETTINGS_ADDRESSINGS] = {
	[ADDRESSING_AUTO] = "auto",
	[ADDRESSING_VIRTUAL] = "virtual",
	[ADDRESSING_PATH] = "path",
};

static bool parse_addressing(const char *text, enum addressing *out)
{
	for (size_t i = 0; i < SETTINGS_ADDRESSINGS; i++)
		if (strcmp(text, settings_addressing_names[i]) == 0) {
			*out = (enum addressing)i;
			return true;
		}
	return false;
}

static void read_addressing(struct settings_context *context,
			    struct settings_cred *cred,
			    const struct yaml_node *node,
			    const struct field_path *up)
{
	const struct field_path path = { up, "addressing_style" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	cleanup_free char *text = NULL;

	text = optional(context, node, &path, "virtual, path or auto");
	if (!text)
		return;
	cred->has_addressing = parse_addressing(text, &cred->addressing);
	if (cred->has_addressing)
		settings_context_value(context, &path, text, value);
	else
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 &path, "expected virtual, path or "
					 "auto");
}

static void read_region(struct settings_context *context,
			struct settings_cred *cred,
			const struct yaml_node *node,
			const struct field_path *up)
{
	const struct field_path path = { up, "region" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	cleanup_free char *text = NULL;

	text = optional(context, node, &path, SETTINGS_REGION_EXPECTED);
	if (!text)
		return;
	if (!settings_region_is_valid(text)) {
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 &path, "expected "
					 SETTINGS_REGION_EXPECTED);
		return;
	}
	settings_context_value(context, &path, text, value);
	cred->region = steal_pointer(&text);
}

/* What is refused is dropped, so that it is shown nowhere. */
static void read_places(struct settings_context *context,
			struct settings_cred *cred,
			const struct yaml_node *node,
			const struct field_path *up,
			const struct settings_bucket *bucket)
{
	const struct field_path endpoint = { up, "endpoint" };
	const struct field_path url = { up, "override_url" };
	const struct yaml_node *value;
	char *text = NULL;

	value = yaml_node_get(node, endpoint.key);
	if (bucket)	/* the client's file says it by the key */
		text = optional(context, node, &endpoint,
				"a profile such as s3://BUCKET");
	if (text)
		strip_slashes(text);
	if (text && check_endpoint(context, text, value, &endpoint, bucket)) {
		settings_context_value(context, &endpoint, text, value);
		cred->endpoint = text;
	} else {
		free(text);
		if (bucket && bucket->has_location)
			cred->endpoint = settings_context_strdup(
				context, bucket->location.text);
	}
	read_region(context, cred, node, up);

	value = yaml_node_get(node, url.key);
	text = optional(context, node, &url, "the address of a store such as "
			"https://s3.example.com");
	if (text && check_override_url(context, text, value, &url)) {
		settings_context_value(context, &url, text, value);
		cred->override_url = text;
	} else {
		free(text);
	}
	read_addressing(context, cred, node, up);
}

/* The account that the credential is for; NULL: not Azure's. */
static const char *azure_account(const struct settings_bucket *bucket,
				 const struct field_path *path)
{
	static const char scheme[] = "azure://";

	if (bucket)
		return bucket->has_location &&
				       bucket->location.scheme == URI_AZURE ?
			       bucket->location.host :
			       NULL;
	/* The client's file says it by the key. */
	return strncmp(path->key, scheme, strlen(scheme)) == 0 ?
		       path->key + strlen(scheme) :
		       NULL;
}

/* A connection string, which says where the store is as well. */
static void read_connection(struct settings_context *context,
			    struct settings_cred *cred,
			    const struct yaml_node *node,
			    const struct field_path *up, const char *account)
{
	const struct field_path path = { up, "access_key" };
	const struct yaml_node *value = yaml_node_get(node, path.key);
	cleanup_azure_connection struct azure_connection conn;
	struct err err = ERR_INIT;
	int r = azure_connection_parse(&conn, cred->access_key, account, &err);

	if (r == -ENOMEM)
		context->no_memory = true;
	else if (r < 0)
		settings_context_problem(context, SETTINGS_PROBLEM, value->at,
					 &path, "%s", err.text);
	else if (!cred->override_url)
		cred->override_url = steal_pointer(&conn.endpoint);
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
	const char *account;

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
	/* OSMO's client takes what it knows and does not look at the rest. */
	context->in_credential = true;
	if (bucket)
		settings_context_check_keys(context, node, path, known,
					    ARRAY_SIZE(known));
	else
		settings_context_check_twice(context, node, path);
	context->in_credential = false;
	cred->access_key_id = required(context, node, &id);
	cred->access_key = required(context, node, &key);
	read_places(context, cred, node, path, bucket);
	account = azure_account(bucket, path);
	if (cred->access_key && account)
		read_connection(context, cred, node, path, account);

	/* The origin of what decides, which a Secret overrides. */
	node = yaml_node_get(node, "access_key");
	cred->origin = settings_context_strdup(
		context, node && node->origin ? node->origin :
		context->settings->path);
	return cred;
}
