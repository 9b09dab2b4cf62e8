/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Google's spelling of the signer.  The signatures are printed by
 * tests/tools/goog4_vectors.py, which shares nothing with sigv4.c.
 */
#include <config.h>
#include "backends/auth/sigv4.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "backends/auth/sigv4_key.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct vector {
	const char *name;
	const char *method;
	const char *host;
	const char *path;
	struct sigv4_pair query[4];
	struct sigv4_pair headers[3];
	const char *payload;
	bool is_foreign;	/* of another implementation: its own keys */
	const char *signature;
};

static const struct vector vectors[] = {
	{ "lua-unsigned", "GET", "example.com", "/foo/bar", { { 0 } },
	  { { 0 } }, "UNSIGNED-PAYLOAD", true,
	  "528346f587a0b46433f92d583f3148b88a5117bf26131f328553789feb433028" },
	{ "lua-signed", "GET", "example.com", "/foo/bar", { { 0 } }, { { 0 } },
	  "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
	  true,
	  "c5de427ece20baa9c60a3dca384aec3468a136e97a8adb2b75c7686dc9e4d589" },
	{ "range-of-a-generation", "GET", "bkt.storage.googleapis.com",
	  "/a b/\u00fc+(1).bin", { { "generation", "1732156539000123" } },
	  { { "range", "bytes=0-9" }, { "accept-encoding", "gzip" } }, EMPTY,
	  false,
	  "b45e9b83673192a315766fead237ccaba2559e161e616f699d626b99f38a30ab" },
	{ "create-only", "PUT", "storage.googleapis.com", "/bkt/p/k",
	  { { 0 } },
	  { { "content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==" },
	    { "content-type", "application/json" },
	    { "x-goog-if-generation-match", "0" } }, EMPTY, false,
	  "4d2d6e193fc6b7843d18682720fb410224dc79ca79086c8252a487620e422492" },
	{ "list", "GET", "storage.googleapis.com", "/bkt",
	  { { "prefix", "p/\u00e9 &" }, { "list-type", "2" },
	    { "encoding-type", "url" }, { "uploads", NULL } }, { { 0 } },
	  EMPTY, false,
	  "2e47959a262d0a8e42621d0f39439f153b8163d2f1b48f14bf1b3a3913bc1174" },
};

static size_t count_pairs(const struct sigv4_pair *pairs, size_t max)
{
	size_t n = 0;

	while (n < max && pairs[n].name)
		n++;
	return n;
}

static struct sigv4_request request_of(const struct vector *v)
{
	return (struct sigv4_request){
		.scheme = &sigv4_goog,
		.method = v->method,
		.host = v->host,
		.path = v->path,
		.query = v->query,
		.n_query = count_pairs(v->query, ARRAY_SIZE(v->query)),
		.headers = v->headers,
		.n_headers = count_pairs(v->headers, ARRAY_SIZE(v->headers)),
		.payload_sha256 = v->payload,
		.region = "auto",
		.service = "storage",
		.time_s = v->is_foreign ? 1732156539 : 1767323045,
	};
}

static struct cred keys_of(const struct vector *v)
{
	return (struct cred){
		.kind = CRED_KEYS,
		.access_key_id = (char *)(v->is_foreign ? "XXXXX" : "GOOG1EX"),
		.secret_key = (char *)(v->is_foreign ?
					       "YYYYY" :
					       "bGoa+V7g/yqDXvKRqq+JTFn4uQZbPi"
					       "QJo4pf9RzJ"),
	};
}

Test(goog4, signs_the_vectors)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct vector *v = &vectors[i];
		cleanup_sigv4 struct sigv4_signed out = SIGV4_SIGNED_INIT;
		struct sigv4_request rq = request_of(v);
		struct cred cred = keys_of(v);
		struct err err = ERR_INIT;
		const char *signature;

		cr_assert_eq(sigv4_sign(&out, &rq, &cred, &err), 0, "%s: %s",
			     v->name, err.text);
		signature = strstr(out.headers.data, "Signature=");
		cr_assert(signature, "%s: unsigned", v->name);
		cr_expect_eq(strncmp(signature + 10, v->signature, 64), 0,
			     "%s: signature %.64s, expected %s, of\n%s",
			     v->name, signature + 10, v->signature,
			     out.canonical.data);
	}
}

Test(goog4, says_nothing_in_the_words_of_aws)
{
	cleanup_sigv4 struct sigv4_signed out = SIGV4_SIGNED_INIT;
	struct sigv4_request rq = request_of(&vectors[3]);
	struct cred cred = keys_of(&vectors[3]);
	struct err err = ERR_INIT;

	cr_assert_eq(sigv4_sign(&out, &rq, &cred, &err), 0, "%s", err.text);
	cr_expect(strstr(out.headers.data, "x-goog-date: 20260102T030405Z\n"));
	cr_expect(strstr(out.headers.data,
			 "x-goog-content-sha256: " EMPTY "\n"));
	cr_expect(strstr(out.headers.data,
			 "authorization: GOOG4-HMAC-SHA256 Credential="
			 "GOOG1EX/20260102/auto/storage/goog4_request, "
			 "SignedHeaders=content-md5;content-type;host;"
			 "x-goog-content-sha256;x-goog-date;"
			 "x-goog-if-generation-match, Signature="),
		  "%s", out.headers.data);
	cr_expect_null(strcasestr(out.headers.data, "amz"));
	cr_expect_null(strcasestr(out.headers.data, "aws"));
}

/* The same generation, day, region and service, but another scheme. */
Test(goog4, a_kept_key_of_one_scheme_does_not_sign_for_the_other)
{
	struct sigv4_request rq = request_of(&vectors[4]);
	struct cred cred = keys_of(&vectors[4]);
	struct err err = ERR_INIT;

	cred.generation = 9001;
	for (int i = 0; i < 2; i++) {
		cleanup_sigv4 struct sigv4_signed aws = SIGV4_SIGNED_INIT;
		cleanup_sigv4 struct sigv4_signed goog = SIGV4_SIGNED_INIT;

		rq.scheme = &sigv4_aws;
		cr_assert_eq(sigv4_sign(&aws, &rq, &cred, &err), 0);
		rq.scheme = &sigv4_goog;
		cr_assert_eq(sigv4_sign(&goog, &rq, &cred, &err), 0);
		cr_expect(strstr(goog.headers.data, vectors[4].signature),
			  "%s", goog.headers.data);
	}
	cr_expect_eq(sigv4_key_derived(), 2);
}

static int bear(struct sigv4_signed *out, const struct sigv4_scheme *scheme,
		const char *token)
{
	struct sigv4_request rq = request_of(&vectors[4]);
	struct cred cred = { .kind = CRED_BEARER, .token = (char *)token };
	struct err err = ERR_INIT;

	rq.scheme = scheme;
	return sigv4_sign(out, &rq, &cred, &err);
}

Test(goog4, a_bearer_token_is_the_one_header_and_never_aws_s)
{
	cleanup_sigv4 struct sigv4_signed out = SIGV4_SIGNED_INIT;
	cleanup_sigv4 struct sigv4_signed none = SIGV4_SIGNED_INIT;

	cr_assert_eq(bear(&out, &sigv4_goog, "ya29.a-b_c~d+e/f=="), 0);
	cr_expect_str_eq(out.headers.data,
			 "authorization: Bearer ya29.a-b_c~d+e/f==\n");
	cr_expect_str_eq(out.target.data,
			 "/bkt?encoding-type=url&list-type=2"
			 "&prefix=p%2F%C3%A9%20%26&uploads=");
	cr_expect_eq(bear(&none, &sigv4_aws, "ya29"), -EACCES);
	cr_expect_eq(bear(&none, &sigv4_goog, "ya\nx: y"), -EACCES);
	cr_expect_eq(bear(&none, &sigv4_goog, "ya 29"), -EACCES);
	cr_expect_eq(bear(&none, &sigv4_goog, ""), -EACCES);
	cr_expect_eq(bear(&none, &sigv4_goog, NULL), -EACCES);
}
