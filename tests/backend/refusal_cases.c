/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/conformance.h"

#define SECRET "a-secret-that-nobody-may-see"

/* A get of something that is there, by somebody else. */
static int read_as(struct subject *s, struct cred_source *creds,
		   struct err *err)
{
	struct opening how = s->how;
	struct object_info info;
	struct backend *b;
	char got[1];
	int r;

	how.creds = creds;
	b = must_open(&how, s->engine);
	r = get_range(b, "secret", got, 0, 1, NULL, 1, &info, err);
	backend_put_ref(b);
	return r;
}

static void check_refused(struct subject *s, struct cred_source *creds,
			  const char *who)
{
	int64_t begun_ms = clock_ms();
	struct err err = ERR_INIT;
	int r = read_as(s, creds, &err);

	check_r(r, -EACCES, &err, "%s is refused", who);
	check(err.class == ERR_AUTH && !strstr(err.text, SECRET) &&
		      clock_ms() - begun_ms < 5000,
	      "... soon, with a word about it and no secret: %s", err.text);
	cred_source_put_ref(creds);
}

static struct cred_source *make_cred(const char *id, const char *secret,
				     const char *token)
{
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;

	must(cred_source_static(&creds, "test", id, secret, token, &err), &err,
	     "credential");
	return creds;
}

static struct cred_source *nobody(void)
{
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;

	must(cred_source_anonymous(&creds, &err), &err, "credential");
	return creds;
}

/* The same place with another bucket. */
static void other_bucket(const struct uri *uri, char *out, size_t size)
{
	(void)snprintf(out, size, "%s://%s%s%s%s%s-none/x",
		       uri_scheme_name(uri->scheme), uri->host ? uri->host : "",
		       uri->host ? "/" : "", uri->space ? uri->space : "",
		       uri->space ? "/" : "", uri->container);
}

static void missing_bucket(struct subject *s)
{
	cleanup_uri struct uri here = { .text = NULL };
	struct opening how = s->how;
	struct object_info info;
	struct err err = ERR_INIT;
	struct buf keys = BUF_INIT;
	struct backend *b;
	char uri[256], got[1];
	int r;

	must(uri_parse_location(&here, s->how.uri, &err), &err, "uri");
	other_bucket(&here, uri, sizeof(uri));
	how.uri = uri;
	b = must_open(&how, s->engine);
	r = get_range(b, "x", got, 0, 1, NULL, 1, &info, &err);
	check_r(r, -ENOENT, &err, "a bucket that does not exist");
	check(strstr(err.text, "no such bucket") != NULL,
	      "... is told from a key that does not: %s", err.text);
	err_clear(&err);
	r = list_keys(b, "", NULL, &keys, &err);
	check_r(r, -ENOENT, &err, "... and is no empty list");
	r = put_bytes(b, "x", "x", 1, &info, &err);
	check_r(r, -ENOENT, &err, "... and nothing can be put there");
	buf_release(&keys);
	backend_put_ref(b);
}

/* Ceph finds a token that it cannot read an invalid argument. */
static void made_up_token(struct subject *s, struct cred_source *creds)
{
	struct err err = ERR_INIT;
	int r = read_as(s, creds, &err);

	check(r < 0 && !strstr(err.text, SECRET),
	      "a made-up token is refused: %s", err.text);
	cred_source_put_ref(creds);
}

#define SECRET_BASE64 "YS1zZWNyZXQtdGhhdC1ub2JvZHktbWF5LXNlZQ=="

static void azure_strangers(struct subject *s)
{
	cleanup_uri struct uri uri = { .text = NULL };
	struct err err = ERR_INIT;
	char text[512];

	must(uri_parse_location(&uri, s->how.uri, &err), &err, "uri");
	(void)snprintf(text, sizeof(text), "AccountName=%s;AccountKey=%s",
		       uri.host, SECRET_BASE64);
	check_refused(s, azure_creds(s->how.uri, text), "a wrong key");
	(void)snprintf(text, sizeof(text),
		       "AccountName=%s;SharedAccessSignature=sv=2020-12-06&"
		       "sr=c&sp=r&se=2099-01-01T00%%3A00%%3A00Z&sig=%s",
		       uri.host, SECRET);
	check_refused(s, azure_creds(s->how.uri, text), "a made-up SAS");
	check_refused(s, make_cred("NOBODY", SECRET, NULL),
		      "a key of another kind of store");
}

static void strangers(struct subject *s)
{
	const char *id = getenv("AWS_ACCESS_KEY_ID");
	const char *secret = getenv("AWS_SECRET_ACCESS_KEY");

	check_refused(s, make_cred(id, SECRET, NULL), "a wrong secret");
	if (s->has_tokens)
		made_up_token(s, make_cred(id, secret, SECRET));
	else
		skip("a made-up token", "the store knows no temporary keys");
	if (!is_scheme(s->how.uri, "swift")) {
		check_refused(s, make_cred("NOBODY", SECRET, NULL),
			      "a stranger");
	} else {
		in_case(39);
		check_refused(s, make_cred("user:AUTH_other", secret, NULL),
			      "a credential of another namespace");
		in_case(40);
	}
}

void test_refusals(struct subject *s)
{
	struct object_info info;
	struct err err = ERR_INIT;

	must(put_text(s->b, "secret", "x", false, NULL, &info), &err, "put");
	in_case(40);
	if (is_scheme(s->how.uri, "azure"))
		azure_strangers(s);
	else
		strangers(s);
	check_refused(s, nobody(), "an unsigned request");
	in_case(0);
	missing_bucket(s);
}
