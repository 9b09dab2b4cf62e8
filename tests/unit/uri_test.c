/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/uri.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

static void expect(const char *text, enum uri_scheme scheme,
		   const char *profile, const char *host, const char *space,
		   const char *container, const char *key)
{
	cleanup_uri struct uri uri;
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&uri, text, &err), 0, "%s: %s", text,
		     err.text);
	cr_expect_eq(uri.scheme, scheme);
	cr_expect_str_eq(uri.profile, profile);
	cr_expect_str_eq(uri.host ? uri.host : "-", host ? host : "-");
	cr_expect_str_eq(uri.space ? uri.space : "-", space ? space : "-");
	cr_expect_str_eq(uri.container ? uri.container : "-",
			 container ? container : "-");
	cr_expect_str_eq(uri.key, key);
}

static void expect_refused(const char *text, const char *says)
{
	struct uri uri;
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&uri, text, &err), -EINVAL, "%s", text);
	cr_expect_eq(err.class, ERR_USAGE);
	cr_expect(strstr(err.text, says), "%s: %s", text, err.text);
	cr_expect_null(uri.text);
}

Test(uri, each_scheme_has_its_own_parts_and_profile)
{
	expect("s3://b", URI_S3, "s3://b", NULL, NULL, "b", "");
	expect("s3://my-bucket/p/q", URI_S3, "s3://my-bucket", NULL, NULL,
	       "my-bucket", "p/q");
	expect("gs://b/p", URI_GS, "gs://b", NULL, NULL, "b", "p");
	expect("azure://acc/con/p", URI_AZURE, "azure://acc", "acc", NULL,
	       "con", "p");
	expect("tos://tos-s3-cn-beijing.volces.com/b/p", URI_TOS,
	       "tos://tos-s3-cn-beijing.volces.com/b",
	       "tos-s3-cn-beijing.volces.com", NULL, "b", "p");
	expect("swift://h:8080/AUTH_ns/con/p/q", URI_SWIFT,
	       "swift://h:8080/AUTH_ns", "h:8080", "AUTH_ns", "con", "p/q");
	expect("file:///srv/data", URI_FILE, "file://", NULL, NULL, NULL,
	       "/srv/data");
}

Test(uri, trailing_slashes_of_a_location_are_dropped)
{
	expect("s3://b///", URI_S3, "s3://b", NULL, NULL, "b", "");
	expect("s3://b/p/", URI_S3, "s3://b", NULL, NULL, "b", "p");
	expect("file:///srv/data//", URI_FILE, "file://", NULL, NULL, NULL,
	       "/srv/data");
}

Test(uri, nothing_is_decoded_in_a_key)
{
	expect("s3://b/a%20b?c#d e", URI_S3, "s3://b", NULL, NULL, "b",
	       "a%20b?c#d e");
	expect("s3://b/\xc3\xa9", URI_S3, "s3://b", NULL, NULL, "b",
	       "\xc3\xa9");
}

Test(uri, an_account_without_a_container_says_what_to_write)
{
	expect_refused("azure://archive-storage",
		       "azure://archive-storage has no container: write "
		       "azure://archive-storage/CONTAINER");
	expect_refused("azure://archive-storage/",
		       "write azure://archive-storage/CONTAINER");
	expect_refused("swift://h",
		       "has no namespace: write swift://h/NAMESPACE/CONTAINER");
	expect_refused("swift://h/ns", "write swift://h/ns/CONTAINER");
	expect_refused("tos://h", "has no bucket: write tos://h/BUCKET");
	expect_refused("s3://", "has no bucket: write s3://BUCKET/PREFIX");
}

Test(uri, unusable_texts_are_refused_with_advice)
{
	expect_refused("", "is empty");
	expect_refused("bucket", "is not a URI");
	expect_refused("/srv/data", "write file://");
	expect_refused("https://host/b", "override_url");
	expect_refused("S3://b", "capitals: write s3://");
	expect_refused("ftp://b", "unknown scheme");
	expect_refused("s3:/b", "is not a URI");
}

Test(uri, what_osmo_refuses_is_refused)
{
	expect_refused("s3://b//p", "//");
	expect_refused("s3://b/p//q", "//");
	expect_refused("azure://acc//c", "//");
	expect_refused("s3://b/a,b", "','");
	expect_refused("s3://b/a;b", "','");
	expect_refused("s3://b/*", "'*'");
	expect_refused("s3://b,c", "0x2c");
}

Test(uri, bytes_that_would_change_a_url_are_refused_in_names)
{
	expect_refused("s3://b?x", "0x3f");
	expect_refused("s3://b#x", "0x23");
	expect_refused("s3://b%2f", "0x25");
	expect_refused("s3://b c", "0x20");
	expect_refused("s3://..", "'..'");
	expect_refused("s3://b\xc3\xa9", "0xc3");
	expect_refused("s3://b/a\nb", "control");
}

Test(uri, a_credential_in_a_uri_is_refused_and_not_shown)
{
	struct uri uri;
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&uri, "s3://AKIA:geheim@b/p", &err),
		     -EINVAL);
	cr_expect(!strstr(err.text, "geheim"), "%s", err.text);

	err_clear(&err);
	cr_assert_eq(uri_parse_location(&uri, "azure://a/c/p?sv=1&sig=S3CR3T",
					&err), -EINVAL);
	cr_assert(strstr(err.text, "SAS") && !strstr(err.text, "S3CR3T"), "%s",
		  err.text);
	cr_assert_eq(uri_parse_location(&uri, "azure://a/c?sv=1&sig=S3CR3T",
					&err), -EINVAL);
	cr_assert(!strstr(err.text, "S3CR3T"), "%s", err.text);
}

Test(uri, a_directory_is_absolute_and_has_no_dot_dot)
{
	expect_refused("file://", "write file:///DIR");
	expect_refused("file:///", "write file:///DIR");
	expect_refused("file://srv/data", "write file:///srv/data");
	expect_refused("file:///srv/../etc", "'..'");
	expect_refused("file:///..", "'..'");
	expect("file:///srv/..data", URI_FILE, "file://", NULL, NULL, NULL,
	       "/srv/..data");
}

Test(uri, a_text_beyond_the_limit_is_refused)
{
	char text[5000];

	memset(text, 'a', sizeof(text));
	memcpy(text, "s3://b/", 7);
	text[sizeof(text) - 1] = '\0';
	expect_refused(text, "the limit is 4096");
}

Test(uri, the_key_of_an_object_is_verbatim)
{
	cleanup_uri struct uri uri;
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_object(&uri, "s3://b//a,b;*?#/../x/", &err), 0,
		     "%s", err.text);
	cr_expect_str_eq(uri.key, "/a,b;*?#/../x/");
	cr_expect_str_eq(uri.text, "s3://b//a,b;*?#/../x/");
}

Test(uri, an_object_has_a_key)
{
	struct uri uri;
	struct err err = ERR_INIT;

	cr_expect_eq(uri_parse_object(&uri, "s3://b", &err), -EINVAL);
	cr_expect_eq(uri_parse_object(&uri, "s3://b/", &err), -EINVAL);
	cr_expect_eq(uri_parse_object(&uri, "azure://a/c", &err), -EINVAL);
	cr_expect_eq(uri_parse_object(&uri, "file:///a/../b", &err), -EINVAL);
}

Test(uri, below_compares_whole_components)
{
	cleanup_uri struct uri at;
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&at, "s3://a/b/", &err), 0);
	cr_expect_str_eq(uri_below(&at, "s3://a/b/c/d"), "c/d");
	cr_expect_str_eq(uri_below(&at, "s3://a/b//c"), "/c");
	cr_expect_str_eq(uri_below(&at, "s3://a/b/"), "");
	cr_expect_null(uri_below(&at, "s3://a/b"));
	cr_expect_null(uri_below(&at, "s3://a/bc"));
	cr_expect_null(uri_below(&at, "s3://a-evil/b/c"));
	cr_expect_null(uri_below(&at, "gs://a/b/c"));
}
