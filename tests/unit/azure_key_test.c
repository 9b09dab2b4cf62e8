/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/azure_key.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define ACCOUNT "dashstorage1"
#define KEY                                                                    \
	"8jqRVtXUWiEthgIhR+dFwrB8gh3lFuquvJQ1v4eabObIj7okI1cZIuzY8zZHmEdpcC0" \
	"f+XlUkbFwAhjTfyrLIg=="
#define MD5 "LHmMkMS8mTXh0bRP4e4Ptw=="

struct vector {
	const char *method;
	const char *path;
	uint64_t body_len;
	struct azure_pair query[4];
	struct azure_pair headers[10];
	const char *signature;
};

/*
 * What Microsoft's .NET client sent, as the tests of Microsoft's "Dash" server
 * keep it (SignatureValidationTests, RequestAuthTests).
 */
static const struct vector vectors[] = {
	{ "PUT", "/test/test.txt", 423, { { 0 } },
	  { { "content-md5", MD5 },
	    { "x-ms-blob-type", "BlockBlob" },
	    { "x-ms-client-request-id",
	      "82370d95-e820-4817-bd3f-6c266544ee8b" },
	    { "x-ms-date", "Thu, 30 Oct 2014 17:31:22 GMT" },
	    { "x-ms-version", "2014-02-14" } },
	  "mDTyDIDy8yt7D81qAmYEYiXH1X/bmBHJF2+ZPn/r74k=" },
	{ "PUT", "/test/test.txt", 423, { { 0 } },
	  { { "content-md5", MD5 },
	    { "x-ms-blob-type", "BlockBlob" },
	    { "x-ms-client-request-id", "TestRequest1" },
	    { "x-ms-date", "Thu, 30 Oct 2014 19:48:43 GMT" },
	    { "x-ms-version", "2014-02-14" },
	    { "x-ms-test", "testvalue" },
	    { "x-test", "differentvalue" } },
	  "ktMmzuta7Wsqtzyd3TBbd3zW4miedtJPkWWlW9DCRb0=" },
	{ "PUT", "/test/test.txt", 423, { { 0 } },
	  { { "content-md5", MD5 },
	    { "x-ms-version", "2014-02-14" },
	    { "x-ms-blob-type", "BlockBlob" },
	    { "x-ms-client-request-id",
	      "d0863cd4-ae43-4dd4-aa27-eff01d30b5cf" },
	    { "x-ms-date", "Thu, 30 Oct 2014 20:15:46 GMT" },
	    { "if-modified-since", "Thu, 30 Oct 2014 20:15:41 GMT" } },
	  "21rAYhnoRQQu6MmxXj6W5Rx3YWI8OCjO50CNNniohAA=" },
	{ "PUT", "/test/test.txt", 423, { { 0 } },
	  { { "x-ms-version", "2014-02-14" },
	    { "content-type", "application/octet-stream" },
	    { "content-md5", MD5 },
	    { "content-language", "EN-US" },
	    { "content-encoding", "gzip" },
	    { "x-ms-blob-type", "BlockBlob" },
	    { "if-match", "DummyETag" },
	    { "x-ms-client-request-id",
	      "93399f8e-6ce2-4020-81a4-4f1f53f427fd" },
	    { "x-ms-date", "Thu, 30 Oct 2014 20:46:48 GMT" } },
	  "ZBQYgC9dgzldVfH6t06qIYZujSz/3blWrinuYePTMv8=" },
	{ "GET", "/test", 0,
	  { { "restype", "container" }, { "comp", "list" }, { "prefix", "te" },
	    { "include", "snapshots,uncommittedblobs,metadata,copy" } },
	  { { "x-ms-version", "2014-02-14" },
	    { "x-ms-client-request-id",
	      "adfb540e-1050-4c9b-a53a-be6cb71688d3" },
	    { "x-ms-date", "Fri, 31 Oct 2014 22:50:34 GMT" } },
	  "rB2yPGBXn3CtquDlk03An34hgRHIibK/Xv+hjG3r0Us=" },
};

static size_t count(const struct azure_pair *pairs, size_t max)
{
	size_t n = 0;

	while (n < max && pairs[n].name)
		n++;
	return n;
}

static struct azure_key_request request_of(const struct vector *v)
{
	return (struct azure_key_request){
		.method = v->method,
		.path = v->path,
		.query = v->query,
		.n_query = count(v->query, ARRAY_SIZE(v->query)),
		.headers = v->headers,
		.n_headers = count(v->headers, ARRAY_SIZE(v->headers)),
		.body_len = v->body_len,
	};
}

Test(azure_key, signatures_are_those_of_microsofts_client)
{
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct azure_key_request rq = request_of(&vectors[i]);
		cleanup_buf struct buf got = BUF_INIT;
		struct err err = ERR_INIT;

		cr_assert_eq(azure_key_sign(&got, &rq, ACCOUNT, KEY, &err), 0,
			     "%s", err.text);
		cr_expect(!strncmp(got.data, "SharedKey " ACCOUNT ":", 23));
		cr_expect_str_eq(got.data + 23, vectors[i].signature, "%zu",
				 i);
	}
}

static void check_string(const struct azure_key_request *rq,
			 const char *account, const char *want)
{
	cleanup_buf struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(azure_key_string(&got, rq, account, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(got.data, want);
}

/* The examples in "Authorize with Shared Key" (REST API reference). */
Test(azure_key, strings_are_those_of_the_reference)
{
	const struct azure_pair metadata[] = { { "restype", "container" },
					       { "comp", "metadata" },
					       { "timeout", "20" } };
	const struct azure_pair list[] = { { "restype", "container" },
					   { "comp", "list" },
					   { "include", "snapshots" },
					   { "include", "metadata" },
					   { "include", "uncommittedblobs" } };
	const struct azure_pair headers[] = {
		{ "x-ms-version", "2015-02-21" },
		{ "x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT" },
	};
	struct azure_key_request rq = {
		.method = "GET",
		.path = "/mycontainer",
		.query = metadata,
		.n_query = 3,
		.headers = headers,
		.n_headers = 2,
	};

	check_string(&rq, "myaccount",
		     "GET\n\n\n\n\n\n\n\n\n\n\n\n"
		     "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
		     "x-ms-version:2015-02-21\n"
		     "/myaccount/mycontainer\ncomp:metadata\n"
		     "restype:container\ntimeout:20");
	rq.query = list;
	rq.n_query = 5;
	rq.n_headers = 0;
	rq.path = "/container";
	check_string(&rq, "myaccount",
		     "GET\n\n\n\n\n\n\n\n\n\n\n\n/myaccount/container\n"
		     "comp:list\ninclude:metadata,snapshots,uncommittedblobs\n"
		     "restype:container");
}

Test(azure_key, the_emulators_account_comes_twice_and_the_path_as_sent)
{
	const struct azure_key_request rq = {
		.method = "HEAD",
		.path = "/devstoreaccount1/c/a%20b/%C3%BC",
	};

	check_string(&rq, "devstoreaccount1",
		     "HEAD\n\n\n\n\n\n\n\n\n\n\n\n"
		     "/devstoreaccount1/devstoreaccount1/c/a%20b/%C3%BC");
}

Test(azure_key, what_cannot_be_signed_is_refused)
{
	const struct azure_pair bad[] = { { "x-ms-meta-a", "b\nx-ms-c:d" } };
	static const struct azure_pair many[AZURE_KEY_PAIRS_MAX + 1];
	static const char *const keys[] = { "", "not base64!", "====", "a" };
	struct azure_key_request rq = {
		.method = "GET", .path = "/c", .headers = bad, .n_headers = 1,
	};
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(azure_key_sign(&out, &rq, "a", KEY, &err), -EINVAL);
	rq.headers = many;
	rq.n_headers = ARRAY_SIZE(many);
	cr_expect_eq(azure_key_sign(&out, &rq, "a", KEY, &err), -EINVAL);
	rq.n_headers = 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_expect_eq(azure_key_sign(&out, &rq, "a", keys[i], &err),
			     -EACCES, "%s", keys[i]);
		cr_expect_eq(err.class, ERR_AUTH);
		cr_expect(!*keys[i] || keys[i][1] == '\0' ||
			  !strstr(err.text, keys[i]));
	}
	cr_expect_eq(out.len, 0);
}

Test(azure_key, dates_are_as_http_writes_them)
{
	char text[AZURE_KEY_DATE_SIZE];

	azure_key_date(text, 784111777);
	cr_expect_str_eq(text, "Sun, 06 Nov 1994 08:49:37 GMT");
	azure_key_date(text, 0);
	cr_expect_str_eq(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	azure_key_date(text, 1709164799);
	cr_expect_str_eq(text, "Wed, 28 Feb 2024 23:59:59 GMT");
}
