/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/auth/cred_impl.h"

static struct cred_source *fixed(const char *name, const char *id)
{
	struct cred_source *src;
	struct err err = ERR_INIT;

	cr_assert(cred_source_static(&src, name, id, "s3cr3t", NULL, &err) ==
		  0);
	return src;
}

static void clear_env(void)
{
	static const char *const names[] = {
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
}

Test(cred, a_static_source_answers_with_a_copy)
{
	struct cred_source *src;
	struct err err = ERR_INIT;
	struct cred a;
	struct cred b;

	cr_assert(cred_source_static(&src, "secret x", "AKID", "s3cr3t", "tok",
				     &err) == 0);
	cr_assert(!strcmp(cred_source_name(src), "secret x"));
	cr_assert(cred_source_get(src, &a, &err) == 0);
	cr_assert(cred_source_get(src, &b, &err) == 0);
	cr_assert(a.kind == CRED_KEYS && !strcmp(a.access_key_id, "AKID"));
	cr_assert(!strcmp(a.secret_key, "s3cr3t"));
	cr_assert(!strcmp(a.token, "tok"));
	cr_assert(a.generation && a.generation == b.generation);
	cr_assert(a.secret_key != b.secret_key);
	cr_assert(a.expires_s == INT64_MAX);

	/* There is nothing else it could say. */
	cred_source_refused(src, a.generation);
	cred_release(&a);
	cr_assert(!a.secret_key && !a.generation);
	cr_assert(cred_source_get(src, &a, &err) == 0);
	cr_assert(a.generation == b.generation);
	cred_release(&a);
	cred_release(&b);
	cred_source_put_ref(src);
}

Test(cred, no_two_sources_share_a_generation)
{
	struct cred_source *x = fixed("x", "A");
	struct cred_source *y = fixed("y", "A");
	struct err err = ERR_INIT;
	struct cred a;
	struct cred b;

	cr_assert(cred_source_get(x, &a, &err) == 0);
	cr_assert(cred_source_get(y, &b, &err) == 0);
	cr_assert(a.generation != b.generation);
	cred_release(&a);
	cred_release(&b);
	cred_source_put_ref(x);
	cred_source_put_ref(y);
}

Test(cred,
     case_40_values_that_no_request_could_carry_are_refused_and_not_quoted)
{
	static const struct {
		const char *id, *secret, *token;
	} cases[] = {
		{ "", "S3CR3T", NULL },	     { NULL, "S3CR3T", NULL },
		{ "AKID", "", NULL },	     { "AKID", NULL, NULL },
		{ "AK\nID", "S3CR3T", NULL }, { "AKID", "S3CR3T\n", NULL },
		{ "AKID", "S3C R3T", NULL }, { "AKID", "S3CR3T\xc3\xa9", NULL },
		{ "AKID", "S3CR3T", "t\r\nx" },
	};
	struct err err = ERR_INIT;
	struct cred_source *src;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int r = cred_source_static(&src, "secret x", cases[i].id,
					   cases[i].secret, cases[i].token,
					   &err);

		cr_expect(r == -EACCES && err.class == ERR_AUTH, "%zu", i);
		cr_expect(strstr(err.text, "secret x"), "%s", err.text);
		cr_expect(!strstr(err.text, "S3C"), "%s", err.text);
	}
}

Test(cred, a_value_has_a_longest_length)
{
	static char value[CRED_VALUE_MAX + 2];
	struct err err = ERR_INIT;
	struct cred_source *src;

	memset(value, 'x', CRED_VALUE_MAX + 1);
	cr_assert(cred_source_static(&src, "x", "a", value, NULL, &err) ==
		  -EACCES);
	value[CRED_VALUE_MAX] = '\0';
	cr_assert(cred_source_static(&src, "x", "a", value, NULL, &err) == 0);
	cred_source_put_ref(src);
}

Test(cred, the_environment_is_all_or_nothing)
{
	struct err err = ERR_INIT;
	struct cred_source *src;
	struct cred cred;

	clear_env();
	cr_assert(cred_source_env(&src, &err) == 0);
	cr_assert(cred_source_get(src, &cred, &err) == -EACCES);
	cr_assert(err.class == ERR_AUTH && err.code == EACCES);
	cr_assert(strstr(err.text, "AWS_ACCESS_KEY_ID"), "%s", err.text);
	cred_source_put_ref(src);

	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	cr_assert(cred_source_env(&src, &err) == 0);
	cr_assert(cred_source_get(src, &cred, &err) == -EACCES);
	cr_assert(strstr(err.text, "secret key"), "%s", err.text);
	cred_source_put_ref(src);

	setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
	setenv("AWS_SESSION_TOKEN", "", 1);
	cr_assert(cred_source_env(&src, &err) == 0);
	cr_assert(!strcmp(cred_source_name(src), "environment"));
	cr_assert(cred_source_get(src, &cred, &err) == 0);
	cr_assert(!strcmp(cred.access_key_id, "AKID") && !cred.token);
	cred_release(&cred);
	cred_source_put_ref(src);
}

static struct cred_source *chain_of(struct cred_source *a,
				    struct cred_source *b)
{
	struct cred_source *sources[] = { a, b };
	struct cred_source *chain;
	struct err err = ERR_INIT;

	cr_assert(cred_source_chain(&chain, sources, 2, &err) == 0);
	return chain;
}

static struct cred_source *from_env(void)
{
	struct cred_source *src;
	struct err err = ERR_INIT;

	cr_assert(cred_source_env(&src, &err) == 0);
	return src;
}

static struct cred_source *anonymous(void)
{
	struct cred_source *src;
	struct err err = ERR_INIT;

	cr_assert(cred_source_anonymous(&src, &err) == 0);
	return src;
}

Test(cred, a_chain_goes_on_only_where_there_is_none_at_all)
{
	struct cred_source *chain;
	struct err err = ERR_INIT;
	struct cred cred;

	clear_env();
	chain = chain_of(from_env(), anonymous());
	cr_assert(cred_source_get(chain, &cred, &err) == 0);
	cr_assert(cred.kind == CRED_ANONYMOUS && !cred.secret_key && cred.generation);
	cr_assert(!strcmp(cred_source_name(chain), "anonymous"));
	cred_release(&cred);
	cred_source_put_ref(chain);

	/* Half of a key is a mistake, and no reason to ask unsigned. */
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	chain = chain_of(from_env(), anonymous());
	cr_assert(cred_source_get(chain, &cred, &err) == -EACCES);
	cr_assert(!strcmp(cred_source_name(chain), "ambient"));
	cred_source_put_ref(chain);

	clear_env();
	chain = chain_of(from_env(), from_env());
	cr_assert(cred_source_get(chain, &cred, &err) == -EACCES);
	cr_assert(err.class == ERR_AUTH && err.code == EACCES);
	cr_assert(strstr(err.text, "AWS_ACCESS_KEY_ID"), "%s", err.text);
	cred_source_put_ref(chain);
}

/* A source that a test can empty. */
struct moody {
	struct cred_source base;
	struct cred_source *inner;
	int r;
	unsigned n_refused;
};

static int moody_get(struct cred_source *src, struct cred *out, struct err *err)
{
	struct moody *moody = (struct moody *)src;

	if (moody->r < 0)
		return err_set(err, ERR_AUTH, -moody->r, "none now");
	return moody->inner->ops->get(moody->inner, out, err);
}

static void moody_refused(struct cred_source *src, uint64_t generation)
{
	(void)generation;
	((struct moody *)src)->n_refused++;
}

static void moody_release(struct cred_source *src)
{
	cred_source_put_ref(((struct moody *)src)->inner);
}

static struct moody *moody_new(void)
{
	static const struct cred_source_ops ops = {
		.get = moody_get,
		.refused = moody_refused,
		.release = moody_release,
	};
	struct moody *moody = calloc(1, sizeof(*moody));
	struct err err = ERR_INIT;

	cr_assert(moody && cred_source_init(&moody->base, &ops, "moody",
					    &err) == 0);
	moody->inner = fixed("inner", "AKID");
	return moody;
}

Test(cred, a_chain_that_signed_once_never_asks_unsigned)
{
	struct moody *moody = moody_new();
	struct cred_source *chain = chain_of(&moody->base, anonymous());
	struct err err = ERR_INIT;
	struct cred cred;

	cr_assert(cred_source_get(chain, &cred, &err) == 0 && cred.kind != CRED_ANONYMOUS);
	cr_assert(!strcmp(cred_source_name(chain), "moody"));
	cred_source_refused(chain, cred.generation);
	cr_assert(moody->n_refused == 1);
	cred_release(&cred);

	moody->r = -ENOENT;
	cr_assert(cred_source_get(chain, &cred, &err) == -EACCES);
	cr_assert(!strcmp(cred_source_name(chain), "moody"));
	cred_source_put_ref(chain);
}

Test(cred, a_chain_that_was_refused_unsigned_looks_again)
{
	struct moody *moody = moody_new();
	struct cred_source *chain = chain_of(&moody->base, anonymous());
	struct err err = ERR_INIT;
	struct cred cred;

	moody->r = -ENOENT;
	cr_assert(cred_source_get(chain, &cred, &err) == 0 && cred.kind == CRED_ANONYMOUS);
	moody->r = 0;
	cred_source_refused(chain, cred.generation);
	cred_release(&cred);
	cr_assert(cred_source_get(chain, &cred, &err) == 0 && cred.kind != CRED_ANONYMOUS);
	cred_release(&cred);
	cred_source_put_ref(chain);
}

Test(cred, an_empty_chain_has_none)
{
	struct cred_source *chain;
	struct err err = ERR_INIT;
	struct cred cred;

	cr_assert(cred_source_chain(&chain, NULL, 0, &err) == 0);
	cr_assert(cred_source_get(chain, &cred, &err) == -EACCES);
	cred_source_put_ref(chain);
}
