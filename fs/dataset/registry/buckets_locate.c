/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which location serves an entry, and with which identity.
 *
 * A credential serves exactly the profile it is configured for.  For a bucket
 * that is its own Secret or none; for a place of a foreign: list the Secret of
 * whichever bucket is configured for the same profile.  Without one: OSMO's
 * client file for exactly that profile, then the ambient chain of the scheme's
 * provider (auth/aws/aws.h, auth/azure/azure.h, auth/google/cred_google.h),
 * then unsigned requests.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/auth/aws/aws.h"
#include "backends/auth/azure/azure.h"
#include "backends/auth/google/cred_google.h"
#include "backends/azure/azure_connection.h"
#include "fs/dataset/registry/buckets_impl.h"

static const struct settings_cred *
settings_cred_for(const struct settings *st, const struct settings_bucket *own,
		  const char *profile)
{
	if (own->has_location && strcmp(own->location.profile, profile) == 0)
		return own->cred;
	for (size_t i = 0; i < st->n_buckets; i++) {
		const struct settings_bucket *sb = &st->buckets[i];

		if (sb->cred && sb->has_location && !sb->problem &&
		    strcmp(sb->location.profile, profile) == 0)
			return sb->cred;
	}
	return NULL;
}

static int ambient_source(struct cred_source **out, enum uri_scheme scheme,
			  struct http_engine *engine, struct err *err)
{
	if (scheme == URI_S3)
		return cred_source_aws(out, engine, err);
	if (scheme == URI_GS)
		return cred_source_google(out, engine, err);
	if (scheme == URI_AZURE)
		return cred_source_azure(out, engine, err);
	return cred_source_anonymous(out, err);
}

static void spec_use_cred(struct backend_spec *spec,
			  const struct settings_cred *cred)
{
	if (cred->override_url)
		spec->override_url = cred->override_url;
	if (cred->has_addressing)
		spec->addressing = cred->addressing;
	if (cred->region && !spec->region)
		spec->region = cred->region;
}

/* The region that the file gives for a bucket of that profile; else NULL. */
static const char *settings_region_for(const struct settings *st,
				       const struct settings_bucket *own,
				       const char *profile)
{
	if (own->has_location && own->region_given &&
	    strcmp(own->location.profile, profile) == 0)
		return own->region;
	for (size_t i = 0; i < st->n_buckets; i++) {
		const struct settings_bucket *sb = &st->buckets[i];

		if (sb->has_location && sb->region_given &&
		    strcmp(sb->location.profile, profile) == 0)
			return sb->region;
	}
	return NULL;
}

static bool is_of(const struct settings_bucket *sb, const char *profile)
{
	return sb->has_location && !sb->problem &&
	       strcmp(sb->location.profile, profile) == 0;
}

/* As the bucket of that profile has it, the own one first. */
static void spec_use_s3(struct backend_spec *spec, const struct settings *st,
			const struct settings_bucket *own, const char *profile)
{
	const struct settings_bucket *sb = is_of(own, profile) ? own : NULL;

	for (size_t i = 0; i < st->n_buckets && !sb; i++)
		if (is_of(&st->buckets[i], profile))
			sb = &st->buckets[i];
	if (!sb)
		return;
	spec->s3.requester_pays = sb->requester_pays;
	spec->s3.dualstack = sb->dualstack;
	spec->s3.expected_owner = sb->expected_owner;
	spec->s3.sse_kms_key = sb->sse_kms_key;
}

int buckets_location_spec(struct http_engine *engine,
			  const struct settings *settings,
			  const struct settings_bucket *sb,
			  const struct uri *location, struct backend_spec *spec,
			  struct settings_cred **cred, struct err *err)
{
	const struct settings_cred *own;
	int r = 0;

	spec->location = location;
	if (location->scheme == URI_FILE)
		return 0;

	/* The bucket's region replaces the credential's, as OSMO has it. */
	spec->region = settings_region_for(settings, sb, location->profile);
	spec_use_s3(spec, settings, sb, location->profile);
	own = settings_cred_for(settings, sb, location->profile);
	if (own)
		*cred = settings_cred_get_ref(own);
	else
		r = settings_client_cred(cred, location->profile, err);
	if (r < 0)
		return r;
	if (!*cred)
		return ambient_source(&spec->creds, location->scheme, engine, err);
	spec_use_cred(spec, *cred);
	if (location->scheme == URI_AZURE)
		return azure_connection_source(&spec->creds, (*cred)->origin,
					       (*cred)->access_key,
					       location->host, err);
	return cred_source_static(&spec->creds, (*cred)->origin,
				  (*cred)->access_key_id, (*cred)->access_key,
				  NULL, err);
}

/*
 * May an entry of bucket b be read at loc?  Its own place and its own foreign:
 * list: yes.  Another bucket's place: where that bucket is not closed to
 * anybody who may read b, or a manifest would open what uid, gid and access
 * close.
 */
static bool location_admits(const struct location *loc, const struct bucket *b,
			    const struct settings_bucket *here)
{
	const struct settings_bucket *there = loc->settings;

	if (loc->owner == b)
		return true;
	if (loc->is_foreign)
		return false;
	if (there->uid == (uid_t)-1 && there->gid == (gid_t)-1 &&
	    there->access == -1)
		return true;
	return there->uid == here->uid && there->gid == here->gid &&
	       there->access == here->access;
}

/* "s3://bucket" of "s3://bucket/a/b": what a foreign: line would name. */
static void uri_place(const char *uri, char *out, size_t size)
{
	struct uri parsed = { .text = NULL };
	struct err ignored = ERR_INIT;

	if (uri_parse_object(&parsed, uri, &ignored) < 0) {
		snprintf(out, size, "?");
		return;
	}
	if (parsed.scheme == URI_FILE)
		snprintf(out, size, "file://");
	else if (parsed.space || parsed.scheme == URI_AZURE)
		snprintf(out, size, "%s/%s", parsed.profile, parsed.container);
	else
		snprintf(out, size, "%s", parsed.profile);
	uri_release(&parsed);
}

/* The rest of uri below a place; "" where a prefix is the place itself. */
static const char *below_place(const struct uri *place, const char *uri,
			       bool is_prefix)
{
	const char *below = uri_below(place, uri);

	if (below && *below)
		return below;
	return is_prefix && strcmp(place->text, uri) == 0 ? "" : NULL;
}

/* NULL: no location of the set holds it that b may read. */
static const struct location *set_locate(const struct bucket_set *set,
					 const struct bucket *b,
					 const struct settings_bucket *sb,
					 const char *uri, bool is_prefix,
					 const char **key)
{
	for (size_t i = 0; i < set->n_locations; i++) {
		const struct location *loc = &set->locations[i];
		const char *below;

		if (!location_admits(loc, b, sb))
			continue;
		below = below_place(loc->uri, uri, is_prefix);
		if (!below)
			continue;
		*key = below;
		return loc;
	}
	return NULL;
}

int bucket_gone(const struct bucket *b, struct err *err)
{
	return err_set(err, ERR_MISSING, ESTALE,
		       "bucket %s is not configured any more", b->name);
}

static int locate(struct bucket *b, const char *uri, bool is_prefix,
		  struct backend **backend, const char **key, struct err *err)
{
	cleanup_bucket_set struct bucket_set *set = NULL;
	const struct settings_bucket *sb = bucket_settings_get(b, &set);
	const struct location *loc;
	char place[256];

	if (!set)
		return bucket_gone(b, err);
	loc = set_locate(set, b, sb, uri, is_prefix, key);
	if (loc && !loc->backend)
		return err_set(err, ERR_AUTH, EACCES, "%s: %s", loc->uri->text,
			       loc->problem);
	if (loc) {
		*backend = loc->backend;
		return 0;
	}
	uri_place(uri, place, sizeof(place));
	return err_set(err, ERR_AUTH, EACCES,
		       "the entry lies in %s, which bucket %s may not read: "
		       "if it should, add to the configuration "
		       "datasetfs.buckets.%s.foreign: [\"%s/PREFIX\"]",
		       place, b->name, b->name, place);
}

bool bucket_location_is_broken(struct bucket *b, const char *uri)
{
	cleanup_bucket_set struct bucket_set *set = NULL;
	bool is_broken = false;

	(void)bucket_settings_get(b, &set);
	for (size_t i = 0; set && i < set->n_locations && !is_broken; i++) {
		const struct location *loc = &set->locations[i];

		is_broken = !loc->backend &&
			    (loc->owner == b || !loc->is_foreign) &&
			    uri_below(loc->uri, uri);
	}
	return is_broken;
}

int bucket_locate(struct bucket *b, const char *uri, struct backend **backend,
		  const char **key, struct err *err)
{
	return locate(b, uri, false, backend, key, err);
}

int bucket_locate_prefix(struct bucket *b, const char *uri,
			 struct backend **backend, const char **key,
			 struct err *err)
{
	return locate(b, uri, true, backend, key, err);
}
