/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which location serves an entry, and with which identity.
 *
 * A credential serves exactly the profile it is configured for.  For a bucket
 * that is its own Secret; for a place of a foreign: list the Secret of
 * whichever bucket is configured for the same profile.  Without one: OSMO's
 * client file for exactly that profile, then (s3 only, as in OSMO) the ambient
 * chain of environment and shared files, then unsigned requests.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "fs/dataset/registry/buckets_impl.h"

static const struct settings_cred *
settings_cred_for(const struct buckets *bs, const struct bucket *b,
		  const char *profile)
{
	const struct settings *st = bs->settings;

	if (b->settings->cred && b->settings->has_location &&
	    strcmp(b->settings->location.profile, profile) == 0)
		return b->settings->cred;
	for (size_t i = 0; i < st->n_buckets; i++) {
		const struct settings_bucket *sb = &st->buckets[i];

		if (sb->cred && sb->has_location && !sb->problem &&
		    strcmp(sb->location.profile, profile) == 0)
			return sb->cred;
	}
	return NULL;
}

static int ambient_source(struct cred_source **out, enum uri_scheme scheme,
			  struct err *err)
{
	struct cred_source *chain[3];
	size_t n = 0;
	int r = 0;

	if (scheme == URI_S3) {
		r = cred_source_env(&chain[n], err);
		if (r == 0) {
			n++;
			r = cred_source_shared_files(&chain[n], err);
		}
		if (r == 0)
			n++;
	}
	if (r == 0) {
		r = cred_source_anonymous(&chain[n], err);
		if (r == 0)
			n++;
	}
	if (r == 0)
		return cred_source_chain(out, chain, n, err);
	while (n > 0)
		cred_source_put_ref(chain[--n]);
	return r;
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
static const char *settings_region_for(const struct buckets *bs,
				       const struct bucket *b,
				       const char *profile)
{
	const struct settings *st = bs->settings;

	if (b->settings->has_location && b->settings->region_given &&
	    strcmp(b->settings->location.profile, profile) == 0)
		return b->settings->region;
	for (size_t i = 0; i < st->n_buckets; i++) {
		const struct settings_bucket *sb = &st->buckets[i];

		if (sb->has_location && sb->region_given &&
		    strcmp(sb->location.profile, profile) == 0)
			return sb->region;
	}
	return NULL;
}

int buckets_location_spec(struct buckets *bs, const struct bucket *b,
			  const struct uri *location, struct backend_spec *spec,
			  struct err *err)
{
	const struct settings_cred *cred;
	struct settings_cred *client = NULL;
	int r;

	spec->location = location;
	if (location->scheme == URI_FILE)
		return 0;

	/* The bucket's region replaces the credential's, as OSMO has it. */
	spec->region = settings_region_for(bs, b, location->profile);
	cred = settings_cred_for(bs, b, location->profile);
	if (!cred) {
		r = settings_client_cred(&client, location->profile, err);
		if (r < 0)
			return r;
		cred = client;
	}
	if (!cred)
		return ambient_source(&spec->creds, location->scheme, err);

	spec_use_cred(spec, cred);
	r = cred_source_static(&spec->creds, cred->origin, cred->access_key_id,
			       cred->access_key, NULL, err);
	if (client) {
		/* What spec borrows must live until the backend is open. */
		struct settings_cred **slot = &bs->client_creds[bs->n_client_creds];

		*slot = client;
		bs->n_client_creds++;
	}
	return r;
}

static int location_compare(const void *a, const void *b)
{
	const struct location *x = a, *y = b;
	size_t lx = strlen(x->uri->text), ly = strlen(y->uri->text);

	if (lx != ly)
		return lx > ly ? -1 : 1;
	return strcmp(x->uri->text, y->uri->text);
}

static int location_open(struct buckets *bs, struct location *loc,
			 struct err *err)
{
	struct backend_spec spec = { .location = loc->uri };
	int r;

	r = buckets_location_spec(bs, loc->owner, loc->uri, &spec, err);
	if (r == 0) {
		spec.read_only = true;
		r = backend_open(&loc->backend, &spec, bs->engine, err);
	}
	if (spec.creds)
		cred_source_put_ref(spec.creds);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		loc->problem = strdup(err->text);
		if (!loc->problem)
			return err_nomem(err);
		err_clear(err);
	}
	return 0;
}

int buckets_open_locations(struct buckets *bs, struct err *err)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < bs->n_buckets; i++)
		n += 1 + bs->buckets[i].settings->n_foreign;
	bs->locations = calloc(n + 1, sizeof(*bs->locations));
	if (!bs->locations)
		return err_nomem(err);

	for (size_t i = 0; i < bs->n_buckets; i++) {
		struct bucket *b = &bs->buckets[i];
		const struct settings_bucket *sb = b->settings;

		if (b->backend)
			bs->locations[bs->n_locations++] = (struct location){
				.uri = &sb->location,
				.backend = backend_get_ref(b->backend),
				.owner = b,
			};
		for (size_t j = 0; j < sb->n_foreign; j++) {
			struct location *loc = &bs->locations[bs->n_locations++];

			loc->uri = &sb->foreign[j];
			loc->owner = b;
			loc->is_foreign = true;
			r = location_open(bs, loc, err);
			if (r < 0)
				return r;
		}
	}
	qsort(bs->locations, bs->n_locations, sizeof(*bs->locations),
	      location_compare);
	return 0;
}

void buckets_close_locations(struct buckets *bs)
{
	for (size_t i = 0; i < bs->n_locations; i++) {
		if (bs->locations[i].backend)
			backend_put_ref(bs->locations[i].backend);
		free(bs->locations[i].problem);
	}
	free(bs->locations);
	bs->locations = NULL;
	bs->n_locations = 0;
}

/*
 * May an entry of bucket b be read at loc?  Its own place and its own foreign:
 * list: yes.  Another bucket's place: where that bucket is not closed to
 * anybody who may read b, or a manifest would open what uid, gid and access
 * close.
 */
static bool location_admits(const struct location *loc, const struct bucket *b)
{
	const struct settings_bucket *there = loc->owner->settings;
	const struct settings_bucket *here = b->settings;

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

static int locate(struct bucket *b, const char *uri, bool is_prefix,
		  struct backend **backend, const char **key, struct err *err)
{
	const struct buckets *bs = b->owner;
	char place[256];

	for (size_t i = 0; i < bs->n_locations; i++) {
		const struct location *loc = &bs->locations[i];
		const char *below;

		if (!location_admits(loc, b))
			continue;
		below = below_place(loc->uri, uri, is_prefix);
		if (!below)
			continue;
		if (!loc->backend)
			return err_set(err, ERR_AUTH, EACCES, "%s: %s",
				       loc->uri->text, loc->problem);
		*backend = loc->backend;
		*key = below;
		return 0;
	}
	uri_place(uri, place, sizeof(place));
	return err_set(err, ERR_AUTH, EACCES,
		       "the entry lies in %s, which bucket %s may not read: "
		       "if it should, add to the configuration "
		       "datasetfs.buckets.%s.foreign: [\"%s/PREFIX\"]",
		       place, b->settings->name, b->settings->name, place);
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
