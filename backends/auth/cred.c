/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/env.h"

void cred_wipe_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void cred_release(struct cred *cred)
{
	cred_wipe_free(cred->access_key_id);
	cred_wipe_free(cred->secret_key);
	cred_wipe_free(cred->token);
	memset(cred, 0, sizeof(*cred));
}

uint64_t cred_next_generation(void)
{
	static atomic_ullong last;

	return atomic_fetch_add(&last, 1) + 1;
}

static int dup_string(char **out, const char *s, struct err *err)
{
	*out = s ? strdup(s) : NULL;
	return s && !*out ? err_nomem(err) : 0;
}

int cred_copy(struct cred *out, const struct cred *from, struct err *err)
{
	int r;

	*out = (struct cred){
		.kind = from->kind,
		.expires_s = from->expires_s,
		.generation = from->generation,
	};
	r = dup_string(&out->access_key_id, from->access_key_id, err);
	if (r == 0)
		r = dup_string(&out->secret_key, from->secret_key, err);
	if (r == 0)
		r = dup_string(&out->token, from->token, err);
	if (r < 0)
		cred_release(out);
	return r;
}

/* Printable ASCII: what a header can carry and a file cannot hide. */
static int check_value(const char *where, const char *what, const char *value,
		       struct err *err)
{
	if (!value || !*value)
		return err_set(err, ERR_AUTH, EACCES, "%s has no %s", where,
			       what);
	if (strlen(value) > CRED_VALUE_MAX)
		return err_set(err, ERR_AUTH, EACCES,
			       "%s: the %s is longer than %d bytes", where,
			       what, CRED_VALUE_MAX);
	for (const char *p = value; *p; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return err_set(err, ERR_AUTH, EACCES,
				       "%s: the %s has a byte that no key has, "
				       "at position %zu",
				       where, what, (size_t)(p - value) + 1);
	return 0;
}

int cred_fill(struct cred *out, const char *where, const char *access_key_id,
	      const char *secret_key, const char *session_token,
	      struct err *err)
{
	struct cred cred = {
		.kind = CRED_KEYS,
		.access_key_id = (char *)access_key_id,
		.secret_key = (char *)secret_key,
		.expires_s = INT64_MAX,
	};
	int r;

	if (session_token && *session_token)
		cred.token = (char *)session_token;
	r = check_value(where, "access key id", access_key_id, err);
	if (r == 0)
		r = check_value(where, "secret key", secret_key, err);
	if (r == 0 && cred.token)
		r = check_value(where, "session token", session_token, err);
	if (r < 0)
		return r;
	cred.generation = cred_next_generation();
	return cred_copy(out, &cred, err);
}

int cred_fill_bearer(struct cred *out, const char *where, const char *what,
		     const char *token, struct err *err)
{
	struct cred cred = {
		.kind = CRED_BEARER,
		.token = (char *)token,
		.expires_s = INT64_MAX,
	};
	int r = check_value(where, what, token, err);

	if (r < 0)
		return r;
	cred.generation = cred_next_generation();
	return cred_copy(out, &cred, err);
}

static bool is_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool cred_is_same(const struct cred *a, const struct cred *b)
{
	return a->kind == b->kind &&
	       is_equal(a->access_key_id, b->access_key_id) &&
	       is_equal(a->secret_key, b->secret_key) &&
	       is_equal(a->token, b->token);
}

int cred_source_init(struct cred_source *src, const struct cred_source_ops *ops,
		     const char *name, struct err *err)
{
	src->ops = ops;
	atomic_init(&src->refs, 1);
	return dup_string(&src->name, name, err);
}

int cred_source_get(struct cred_source *src, struct cred *out, struct err *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = src->ops->get(src, out, err);
	if (r == -ENOENT) {
		err->code = EACCES;
		return -EACCES;
	}
	return r;
}

void cred_source_refused(struct cred_source *src, uint64_t generation)
{
	if (src->ops->refused)
		src->ops->refused(src, generation);
}

void cred_source_denied(struct cred_source *src, uint64_t generation)
{
	if (src->ops->denied)
		src->ops->denied(src, generation);
	else
		cred_source_refused(src, generation);
}

void cred_source_accepted(struct cred_source *src, uint64_t generation)
{
	if (src->ops->accepted)
		src->ops->accepted(src, generation);
}

const char *cred_source_name(struct cred_source *src)
{
	return src->ops->name ? src->ops->name(src) : src->name;
}

void cred_source_state(struct cred_source *src, struct cred_state *out)
{
	memset(out, 0, sizeof(*out));
	(void)snprintf(out->name, sizeof(out->name), "%s",
		       cred_source_name(src));
	out->is_known = true;
	out->expires_s = INT64_MAX;
	if (src->ops->state)
		src->ops->state(src, out);
}

struct cred_source *cred_source_get_ref(struct cred_source *src)
{
	atomic_fetch_add(&src->refs, 1);
	return src;
}

void cred_source_put_ref(struct cred_source *src)
{
	if (atomic_fetch_sub(&src->refs, 1) != 1)
		return;
	if (src->ops->release)
		src->ops->release(src);
	free(src->name);
	free(src);
}

/*
 * Static and environment: filled once, or why not.
 */

struct cred_fixed {
	struct cred_source base;
	struct cred cred;
	struct err none;	/* class ERR_NONE: cred is good */
	int none_r;
};

static int fixed_get(struct cred_source *src, struct cred *out, struct err *err)
{
	struct cred_fixed *fixed = (struct cred_fixed *)src;

	if (fixed->none_r == 0)
		return cred_copy(out, &fixed->cred, err);
	err_copy(err, &fixed->none);
	return fixed->none_r;
}

static void fixed_release(struct cred_source *src)
{
	struct cred_fixed *fixed = (struct cred_fixed *)src;

	cred_release(&fixed->cred);
}

static int fixed_new(struct cred_fixed **out, const char *name, struct err *err)
{
	static const struct cred_source_ops ops = {
		.get = fixed_get,
		.release = fixed_release,
	};
	struct cred_fixed *fixed = calloc(1, sizeof(*fixed));
	int r;

	if (!fixed)
		return err_nomem(err);
	r = cred_source_init(&fixed->base, &ops, name, err);
	if (r < 0)
		free(fixed);
	else
		*out = fixed;
	return r;
}

int cred_source_static(struct cred_source **out, const char *name,
		       const char *access_key_id, const char *secret_key,
		       const char *session_token, struct err *err)
{
	struct cred_fixed *fixed;
	int r = fixed_new(&fixed, name, err);

	if (r < 0)
		return r;
	r = cred_fill(&fixed->cred, name, access_key_id, secret_key,
		      session_token, err);
	if (r < 0)
		cred_source_put_ref(&fixed->base);
	else
		*out = &fixed->base;
	return r;
}

int cred_source_fixed(struct cred_source **out, const char *name,
		      const struct cred *cred, struct err *err)
{
	struct cred_fixed *fixed;
	int r = fixed_new(&fixed, name, err);

	if (r < 0)
		return r;
	if (cred->access_key_id)
		r = check_value(name, "account", cred->access_key_id, err);
	if (r == 0 && cred->secret_key)
		r = check_value(name, "key", cred->secret_key, err);
	if (r == 0 && cred->token)
		r = check_value(name, "token", cred->token, err);
	if (r == 0)
		r = cred_copy(&fixed->cred, cred, err);
	if (r < 0) {
		cred_source_put_ref(&fixed->base);
		return r;
	}
	fixed->cred.generation = cred_next_generation();
	*out = &fixed->base;
	return 0;
}

int cred_source_anonymous(struct cred_source **out, struct err *err)
{
	struct cred_fixed *fixed;
	int r = fixed_new(&fixed, "anonymous", err);

	if (r < 0)
		return r;
	fixed->base.is_anonymous = true;
	fixed->cred.kind = CRED_ANONYMOUS;
	fixed->cred.expires_s = INT64_MAX;
	fixed->cred.generation = cred_next_generation();
	*out = &fixed->base;
	return 0;
}

int cred_source_env(struct cred_source **out, struct err *err)
{
	const char *id = env_get("AWS_ACCESS_KEY_ID");
	const char *secret = env_get("AWS_SECRET_ACCESS_KEY");
	struct cred_fixed *fixed;
	int r = fixed_new(&fixed, "environment", err);

	if (r < 0)
		return r;
	if (id || secret) {
		r = cred_fill(&fixed->cred, "the environment", id,
			      secret, env_get("AWS_SESSION_TOKEN"), &fixed->none);
	} else {
		r = -ENOENT;
		(void)err_set(&fixed->none, ERR_AUTH, ENOENT,
			      "AWS_ACCESS_KEY_ID is not set");
	}
	if (r == -ENOMEM) {
		cred_source_put_ref(&fixed->base);
		return err_nomem(err);
	}
	fixed->none_r = r;
	*out = &fixed->base;
	return 0;
}
