/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_endpoint.h"

#include <errno.h>
#include <criterion/criterion.h>

#define KEY "k/x y"

/* One configuration and where its objects are. */
struct place {
	const char *uri;
	const char *override_url;
	enum addressing style;
	const char *region;	/* configured */
	const char *host;
	const char *path;	/* of KEY */
	const char *signing_region;
	bool is_http;
};

static void clear_env(void)
{
	(void)unsetenv("AWS_ENDPOINT_URL_S3");
	(void)unsetenv("AWS_ENDPOINT_URL");
	(void)unsetenv("AWS_REGION");
	(void)unsetenv("AWS_DEFAULT_REGION");
	(void)unsetenv("OSMO_S3_ADDRESSING_STYLE");
	(void)unsetenv("AWS_S3_FORCE_PATH_STYLE");
	(void)unsetenv("AWS_USE_DUALSTACK_ENDPOINT");
}

TestSuite(s3_endpoint, .init = clear_env);

static int open_endpoint(struct s3_endpoint *out, const struct place *p,
			 struct err *err)
{
	cleanup_uri struct uri uri;
	struct backend_spec spec = {
		.location = &uri,
		.override_url = p->override_url,
		.addressing = p->style,
		.region = p->region,
	};

	cr_assert_eq(uri_parse_location(&uri, p->uri, err), 0, "%s: %s",
		     p->uri, err->text);
	return s3_endpoint_init(out, &spec, err);
}

static void check_place(const struct place *p)
{
	cleanup_s3_endpoint struct s3_endpoint e = { .bucket = NULL };
	cleanup_buf struct buf host = BUF_INIT;
	cleanup_buf struct buf path = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(open_endpoint(&e, p, &err), 0, "%s: %s", p->uri,
		     err.text);
	s3_endpoint_locate(&e, e.region, KEY, &host, &path);
	cr_expect_str_eq(host.data, p->host, "%s: %s", p->uri, host.data);
	cr_expect_str_eq(path.data, p->path, "%s: %s", p->uri, path.data);
	cr_expect_str_eq(e.region, p->signing_region, "%s: %s", p->uri,
			 e.region);
	cr_expect_eq(e.at.is_https, !p->is_http, "%s", p->uri);
}

Test(s3_endpoint, case_08_each_dialect_has_its_own_host_region_and_style)
{
	static const struct place places[] = {
		/* AWS: virtual, the region is part of the host */
		{ "s3://bkt", NULL, 0, NULL, "bkt.s3.us-east-1.amazonaws.com",
		  "/" KEY, "us-east-1", false },
		{ "s3://bkt/p", NULL, 0, "eu-west-3",
		  "bkt.s3.eu-west-3.amazonaws.com", "/" KEY, "eu-west-3",
		  false },
		{ "s3://bkt", NULL, 0, "cn-north-1",
		  "bkt.s3.cn-north-1.amazonaws.com.cn", "/" KEY, "cn-north-1",
		  false },
		{ "s3://bkt", NULL, ADDRESSING_PATH, NULL,
		  "s3.us-east-1.amazonaws.com", "/bkt/" KEY, "us-east-1",
		  false },
		/* No wildcard certificate covers a dot. */
		{ "s3://b.k.t", NULL, 0, NULL, "s3.us-east-1.amazonaws.com",
		  "/b.k.t/" KEY, "us-east-1", false },
		/* What is no DNS label */
		{ "s3://Bkt_1", NULL, 0, NULL, "s3.us-east-1.amazonaws.com",
		  "/Bkt_1/" KEY, "us-east-1", false },
		/* override_url: virtual by default, as OSMO has it */
		{ "s3://bkt", "https://store.example", 0, NULL,
		  "bkt.store.example", "/" KEY, "us-east-1", false },
		{ "s3://bkt", "store.example", 0, NULL, "bkt.store.example",
		  "/" KEY, "us-east-1", false },
		{ "s3://bkt", "https://store.example/base/", ADDRESSING_PATH,
		  "r1", "store.example", "/base/bkt/" KEY, "r1", false },
		{ "s3://bkt", "https://store.example/base", 0, NULL,
		  "bkt.store.example", "/base/" KEY, "us-east-1", false },
		/* A default port is not sent, another one is. */
		{ "s3://bkt", "http://store.example:80", ADDRESSING_PATH, NULL,
		  "store.example", "/bkt/" KEY, "us-east-1", true },
		{ "s3://bkt", "https://store.example:443", 0, NULL,
		  "bkt.store.example", "/" KEY, "us-east-1", false },
		{ "s3://bkt", "http://store.example:443", 0, NULL,
		  "bkt.store.example:443", "/" KEY, "us-east-1", true },
		{ "s3://bkt", "HTTP://localhost:9000", 0, NULL,
		  "bkt.localhost:9000", "/" KEY, "us-east-1", true },
		/* Addresses have no subdomains. */
		{ "s3://bkt", "http://127.0.0.1:9000", ADDRESSING_VIRTUAL,
		  NULL, "127.0.0.1:9000", "/bkt/" KEY, "us-east-1", true },
		{ "s3://bkt", "https://[::1]:9000", 0, NULL, "[::1]:9000",
		  "/bkt/" KEY, "us-east-1", false },
		/* Empty is unset. */
		{ "s3://bkt", "", 0, "", "bkt.s3.us-east-1.amazonaws.com",
		  "/" KEY, "us-east-1", false },
		/* gs */
		{ "gs://bkt/p", NULL, 0, NULL, "bkt.storage.googleapis.com",
		  "/" KEY, "us-east1", false },
		{ "gs://bkt", "http://127.0.0.1:4443", 0, "eu", "127.0.0.1:4443",
		  "/bkt/" KEY, "eu", true },
		/* swift: path style, the namespace is the credential's */
		{ "swift://os.example/AUTH_team/bkt/p", NULL, 0, NULL,
		  "os.example", "/bkt/" KEY, "us-east-1", false },
		{ "swift://os.example:8080/AUTH_team/bkt", NULL,
		  ADDRESSING_VIRTUAL, "r1", "bkt.os.example:8080", "/" KEY,
		  "r1", false },
		/* tos: the region is the host's, whatever is configured */
		{ "tos://tos-s3-cn-beijing.volces.com/bkt/p", NULL, 0,
		  "us-east-1", "bkt.tos-s3-cn-beijing.volces.com", "/" KEY,
		  "cn-beijing", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		check_place(&places[i]);
}

Test(s3_endpoint, the_bucket_itself_has_a_path_without_a_key)
{
	static const struct place path_style = {
		"s3://bkt", "http://h:1", ADDRESSING_PATH, 0, 0, 0, 0, true
	};
	static const struct place virtual_style = {
		"s3://bkt", "http://h:1", 0, 0, 0, 0, 0, true
	};
	static const struct place *const places[] = { &path_style,
						      &virtual_style };
	static const char *const paths[] = { "/bkt", "/" };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup_s3_endpoint struct s3_endpoint e = { .bucket = NULL };
		cleanup_buf struct buf host = BUF_INIT;
		cleanup_buf struct buf path = BUF_INIT;
		struct err err = ERR_INIT;

		cr_assert_eq(open_endpoint(&e, places[i], &err), 0);
		s3_endpoint_locate(&e, e.region, NULL, &host, &path);
		cr_expect_str_eq(path.data, paths[i]);
	}
}

Test(s3_endpoint, the_environment_counts_where_nothing_is_configured)
{
	struct place p = { "s3://bkt", NULL, 0, NULL, "bkt.env.example",
			   "/" KEY, "us-east-1", true };

	(void)setenv("AWS_ENDPOINT_URL", "http://env.example", 1);
	check_place(&p);
	(void)setenv("AWS_ENDPOINT_URL_S3", "http://s3env.example", 1);
	p.host = "bkt.s3env.example";
	check_place(&p);
	(void)setenv("AWS_S3_FORCE_PATH_STYLE", "true", 1);
	p.host = "s3env.example";
	p.path = "/bkt/" KEY;
	check_place(&p);
	(void)setenv("OSMO_S3_ADDRESSING_STYLE", "virtual", 1);
	p.host = "bkt.s3env.example";
	p.path = "/" KEY;
	check_place(&p);
	p.override_url = "http://own.example";
	p.style = ADDRESSING_PATH;
	p.host = "own.example";
	p.path = "/bkt/" KEY;
	check_place(&p);

	(void)setenv("AWS_DEFAULT_REGION", "eu-west-1", 1);
	p.signing_region = "eu-west-1";
	check_place(&p);
	(void)setenv("AWS_REGION", "eu-west-3", 1);
	p.signing_region = "eu-west-3";
	check_place(&p);
	p.region = p.signing_region = "r1";
	check_place(&p);

	/* An endpoint of AWS's is not Google's, nor a tos host's. */
	check_place(&(struct place){ "gs://bkt", NULL, 0, NULL,
				     "bkt.storage.googleapis.com", "/" KEY,
				     "us-east1", false });
}

static void check_google(const char *override_url, bool is_google)
{
	cleanup_uri struct uri uri;
	cleanup_s3_endpoint struct s3_endpoint e;
	struct backend_spec spec = { .location = &uri,
				     .override_url = override_url };
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&uri, "gs://bkt", &err), 0);
	cr_assert_eq(s3_endpoint_init(&e, &spec, &err), 0, "%s", err.text);
	cr_expect_eq(e.is_google, is_google, "%s", override_url);
}

static void check_dualstack(const char *override_url, bool is_wanted,
			    const char *want)
{
	cleanup_uri struct uri uri;
	cleanup_s3_endpoint struct s3_endpoint e = { .bucket = NULL };
	cleanup_buf struct buf host = BUF_INIT;
	cleanup_buf struct buf path = BUF_INIT;
	struct backend_spec spec = { .location = &uri,
				     .override_url = override_url,
				     .s3 = { .dualstack = is_wanted } };
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&uri, "s3://bkt", &err), 0);
	cr_assert_eq(s3_endpoint_init(&e, &spec, &err), 0, "%s", err.text);
	s3_endpoint_locate(&e, e.region, "k", &host, &path);
	cr_expect_str_eq(host.data, want);
}

Test(s3_endpoint, dualstack_is_another_host_of_aws_alone)
{
	check_dualstack(NULL, true, "bkt.s3.dualstack.us-east-1.amazonaws.com");
	check_dualstack("https://example.com", true, "bkt.example.com");
	check_dualstack(NULL, false, "bkt.s3.us-east-1.amazonaws.com");
	(void)setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
	check_dualstack(NULL, false,
			"bkt.s3.dualstack.us-east-1.amazonaws.com");
	(void)unsetenv("AWS_USE_DUALSTACK_ENDPOINT");
}

Test(s3_endpoint, googles_own_hosts_are_told_by_their_domain)
{
	check_google(NULL, true);
	check_google("https://storage.googleapis.com:443", true);
	check_google("https://Storage.Europe-West3.rep.GoogleAPIs.com", true);
	check_google("https://storage-psc.p.googleapis.com:8443/x", true);
	check_google("https://storage.googleapis.com.example", false);
	check_google("https://evilgoogleapis.com", false);
	check_google("https://.googleapis.com", false);
	check_google("http://127.0.0.1:9000", false);
	(void)setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9", 1);
	check_google("http://127.0.0.1:9000", false);
	check_google(NULL, true);
}

static void check_refused(const char *uri, const char *override_url,
			  enum addressing style, const char *region,
			  const char *says)
{
	struct place p = { uri, override_url, style, region, 0, 0, 0, 0 };
	struct s3_endpoint e;
	struct err err = ERR_INIT;

	cr_expect_eq(open_endpoint(&e, &p, &err), -EINVAL, "%s %s", uri,
		     override_url);
	cr_expect_eq(err.class, ERR_USAGE);
	cr_expect(strstr(err.text, says), "%s", err.text);
}

Test(s3_endpoint, what_cannot_be_an_address_is_refused_with_what_to_write)
{
	check_refused("s3://bkt", "ftp://h", 0, 0, "neither http");
	check_refused("s3://bkt", "https://", 0, 0, "no usable host");
	check_refused("s3://bkt", "https://h:0", 0, 0, "no usable host");
	check_refused("s3://bkt", "https://h:65536", 0, 0, "no usable host");
	check_refused("s3://bkt", "https://h:9x", 0, 0, "no usable host");
	check_refused("s3://bkt", "https://h h/", 0, 0, "no usable host");
	check_refused("s3://bkt", "https://[::1", 0, 0, "no usable host");
	check_refused("s3://bkt", "https://h/a?b=c", 0, 0, "in its path");
	check_refused("s3://bkt", "https://h/a\r\nX: y", 0, 0, "in its path");
	check_refused("s3://bkt", NULL, 0, "EU West", "region");
	check_refused("s3://bkt", NULL, 0, "x.evil.example/", "region");
	check_refused("tos://tos-cn-beijing.volces.com/bkt", NULL, 0, 0,
		      "tos-s3-REGION");
	check_refused("tos://tos-s3-.volces.com/bkt", NULL, 0, 0, "no region");
	check_refused("tos://tos-s3-r.volces.com/bkt", NULL, ADDRESSING_PATH,
		      0, "virtual");
	check_refused("tos://tos-s3-r.volces.com/B_kt", NULL, 0, 0, "virtual");
}

Test(s3_endpoint, a_password_in_an_address_is_not_repeated)
{
	struct place p = { "s3://bkt", "https://user:secret@h", 0, 0, 0, 0, 0,
			   0 };
	struct s3_endpoint e;
	struct err err = ERR_INIT;

	cr_expect_eq(open_endpoint(&e, &p, &err), -EINVAL);
	cr_expect_not(strstr(err.text, "secret"), "%s", err.text);
	cr_expect(strstr(err.text, "credential"), "%s", err.text);
}

Test(s3_endpoint, only_a_plain_region_may_become_part_of_a_host)
{
	char longest[S3_REGION_SIZE + 1];

	memset(longest, 'a', S3_REGION_SIZE);
	longest[S3_REGION_SIZE] = '\0';
	cr_expect_not(s3_region_is_valid(longest));
	longest[S3_REGION_SIZE - 1] = '\0';
	cr_expect(s3_region_is_valid(longest));
	cr_expect(s3_region_is_valid("eu-west-3"));
	cr_expect_not(s3_region_is_valid(""));
	cr_expect_not(s3_region_is_valid("eu.west"));
	cr_expect_not(s3_region_is_valid("EU"));
	cr_expect_not(s3_region_is_valid("a/b"));
	cr_expect_not(s3_region_is_valid("a\n"));
}
