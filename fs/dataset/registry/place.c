/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locations that were opened.  A configuration that is loaded again finds them
 * here, so a backend keeps its connections, and what was learnt of its store;
 * only its credential is replaced.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "backends/base/digest.h"
#include "fs/dataset/registry/buckets_impl.h"

/* What is waiting, if anything: forgotten. */
static void next_release(struct place *p)
{
	if (p->next.creds)
		cred_source_put_ref(p->next.creds);
	settings_cred_free(p->next.cred);
	memset(&p->next, 0, sizeof(p->next));
}

static void place_free(struct place *p)
{
	next_release(p);
	if (p->backend)
		backend_put_ref(p->backend);
	if (p->creds)
		cred_source_put_ref(p->creds);
	settings_cred_free(p->cred);
	if (p->uri.text)
		uri_release(&p->uri);
	free(p->key);
	free(p);
}

void places_free(struct buckets *bs)
{
	for (size_t i = 0; i < bs->n_places; i++)
		place_free(bs->places[i]);
	free(bs->places);
}

static struct place *place_find(const struct buckets *bs, const char *key)
{
	uint64_t hash = digest_xxh3(key, strlen(key));

	for (size_t i = 0; i < bs->n_places; i++)
		if (bs->places[i]->hash == hash &&
		    strcmp(bs->places[i]->key, key) == 0)
			return bs->places[i];
	return NULL;
}

/* All that it is opened with, but the credential and the mode. */
static void place_key(struct buf *out, const struct settings_bucket *sb,
		      enum place_use use, const struct backend_spec *spec)
{
	static const char *const uses[] = {
		[PLACE_DATASETS] = "datasets",
		[PLACE_CATALOG] = "catalog",
		[PLACE_FOREIGN] = "foreign",
	};

	buf_printf(out, "%s\n%s\n%s\n%s\n%d\n%s\n%d%d\n%s\n%s", uses[use],
		   spec->location->text, spec->region ? spec->region : "",
		   spec->override_url ? spec->override_url : "",
		   (int)spec->addressing, sb->name, spec->s3.requester_pays,
		   spec->s3.dualstack,
		   spec->s3.expected_owner ? spec->s3.expected_owner : "",
		   spec->s3.sse_kms_key ? spec->s3.sse_kms_key : "");
}

static int places_add(struct buckets *bs, struct place *p, struct err *err)
{
	if (bs->n_places == BUCKETS_PLACES_MAX)
		return err_set(err, ERR_SYSTEM, ENOSPC,
			       "more than %u places were opened since the mount: mount again",
			       BUCKETS_PLACES_MAX);
	if (bs->n_places == bs->cap_places) {
		size_t cap = bs->cap_places ? 2 * bs->cap_places : 16;
		struct place **grown = reallocarray(bs->places, cap,
						    sizeof(struct place *));

		if (!grown)
			return err_nomem(err);
		bs->places = grown;
		bs->cap_places = cap;
	}
	bs->places[bs->n_places++] = p;
	return 0;
}

/* spec->creds becomes a switch around what it was. */
static int put_switch(struct place *p, const struct settings_bucket *sb,
		      struct backend_spec *spec, struct err *err)
{
	cleanup_buf struct buf name = BUF_INIT;
	int r;

	buf_printf(&name, "bucket %s", sb->name);
	if (buf_failed(&name))
		return err_nomem(err);
	r = cred_source_switch(&p->creds, name.data, spec->creds, err);
	if (r < 0)
		return r;
	cred_source_put_ref(spec->creds);
	spec->creds = cred_source_get_ref(p->creds);
	return 0;
}

static int place_new(struct place **out, struct buckets *bs,
		     const struct settings_bucket *sb, const char *key,
		     struct backend_spec *spec, struct err *err)
{
	struct place *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return err_nomem(err);
	p->key = strdup(key);
	p->hash = digest_xxh3(key, strlen(key));
	if (!p->key)
		r = err_nomem(err);
	if (r == 0)
		r = uri_parse_location(&p->uri, spec->location->text, err);
	if (r == 0 && spec->creds)
		r = put_switch(p, sb, spec, err);
	if (r == 0)
		r = backend_open(&p->backend, spec, bs->engine, err);
	if (r == 0)
		r = places_add(bs, p, err);
	if (r < 0) {
		place_free(p);
		return r;
	}
	*out = p;
	return 0;
}

/* The ambient chain looks by itself for what changes: it is kept. */
static void place_prepare(struct place *p, struct settings_cred *cred,
			  const struct backend_spec *spec)
{
	next_release(p);
	p->next.is_set = true;
	p->next.read_only = spec->read_only;
	if (!p->creds || !spec->creds || settings_cred_equal(p->cred, cred))
		return;
	p->next.creds = cred_source_get_ref(spec->creds);
	p->next.cred = cred ? settings_cred_get_ref(cred) : NULL;
}

static void place_settle(struct place *p)
{
	backend_set_read_only(p->backend, p->next.read_only);
	if (p->next.creds) {
		cred_source_switch_to(p->creds, p->next.creds);
		settings_cred_free(p->cred);
		p->cred = p->next.cred;
		p->next.cred = NULL;
	}
	next_release(p);
}

void places_settle(struct buckets *bs, bool take)
{
	for (size_t i = 0; i < bs->n_places; i++) {
		struct place *p = bs->places[i];

		if (p->next.is_set && take)
			place_settle(p);
		else
			next_release(p);
	}
}

int place_open(struct buckets *bs, struct place **out,
	       const struct settings *settings,
	       const struct settings_bucket *sb, enum place_use use,
	       const struct uri *uri, struct err *err)
{
	struct backend_spec spec = { .location = uri };
	struct settings_cred *cred = NULL;
	cleanup_buf struct buf key = BUF_INIT;
	struct place *p = NULL;
	int r = buckets_location_spec(bs->engine, settings, sb, uri, &spec,
				      &cred, err);

	if (r == 0) {
		spec.read_only = use == PLACE_FOREIGN ||
				 (use == PLACE_DATASETS &&
				  sb->mode == BUCKET_READ_ONLY);
		place_key(&key, sb, use, &spec);
		if (buf_failed(&key))
			r = err_nomem(err);
	}
	if (r == 0)
		p = place_find(bs, key.data);
	if (p) {
		place_prepare(p, cred, &spec);
	} else if (r == 0) {
		r = place_new(&p, bs, sb, key.data, &spec, err);
		if (r == 0 && cred)
			p->cred = settings_cred_get_ref(cred);
	}
	if (spec.creds)
		cred_source_put_ref(spec.creds);
	settings_cred_free(cred);
	*out = p;
	return r;
}
