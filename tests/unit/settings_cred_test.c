/* SPDX-License-Identifier: Apache-2.0 */
/* settings_cred.c: static credentials. */
#include <config.h>
#include "tests/unit/settings_fixture.h"

TestSuite(settings_cred, .init = setup, .fini = teardown);

Test(settings_cred, the_mask_is_refused_with_its_reason)
{
	load_cred("{access_key_id: a, access_key: \"**********\"}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("asterisks"), "%s", printed.data);
}

Test(settings_cred, case_39_a_credential_serves_the_profile_that_it_is_for)
{
	load_cred("{access_key_id: a, access_key: b, endpoint: \"s3://b\"}");
	cr_assert_null(bucket("p")->problem, "%s", printed.data);
	load_cred("{access_key_id: a, access_key: b, endpoint: \"s3://c\"}");
	cr_assert_not_null(bucket("p")->problem);
	load_cred("{access_key_id: a, access_key: b, endpoint: "
		  "\"https://s3.example.com\"}");
	cr_assert(told("override_url"), "%s", printed.data);
}

Test(settings_cred, every_field_is_taken)
{
	load_cred("{endpoint: \"s3://b/\", region: eu-west-1, override_url: "
		  "\"https://s3.example.com:9000/base\", addressing_style: "
		  "virtual, access_key_id: id, access_key: key}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->endpoint, "s3://b");
	cr_assert_str_eq(bucket("p")->cred->region, "eu-west-1");
	cr_assert_str_eq(bucket("p")->cred->override_url,
			 "https://s3.example.com:9000/base");
	cr_assert(bucket("p")->cred->has_addressing);
	cr_assert_eq(bucket("p")->cred->addressing, ADDRESSING_VIRTUAL);
	cr_assert_str_eq(bucket("p")->cred->access_key_id, "id");
	cr_assert_str_eq(bucket("p")->cred->access_key, "key");
}

Test(settings_cred, null_means_the_ambient_credential)
{
	load_cred("null");
	cr_assert_eq(report.n_problems, 0);
	cr_assert_null(bucket("p")->cred);
	cr_assert_not_null(strstr(value_of("buckets.p.default_credential")
				  ->origin, "config.yaml:2"));
	load_cred("~");
	cr_assert_null(bucket("p")->cred);
	load_cred("{}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("default_credential: null"), "%s", printed.data);
	load_cred("[a]");
	cr_assert(told("a list stands here"), "%s", printed.data);
	load_cred("text");
	cr_assert_not_null(bucket("p")->problem);
}

Test(settings_cred, empty_and_null_optional_fields_are_unset)
{
	load_cred("{access_key_id: a, access_key: b, endpoint: '', region: ~, "
		  "override_url: \"\", addressing_style: null}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_null(bucket("p")->cred->override_url);
	cr_assert_null(bucket("p")->cred->region);
	cr_assert_not(bucket("p")->cred->has_addressing);
	cr_assert_str_eq(bucket("p")->cred->endpoint, "s3://b/p",
			 "filled from dataset_path, as OSMO does");
}

Test(settings_cred, both_keys_are_needed_and_both_are_told)
{
	load_cred("{region: us-east-1}");
	cr_assert_eq(report.n_problems, 2, "%s", printed.data);
	cr_assert(told("access_key_id: it is missing"));
	cr_assert(told("access_key: it is missing"));
	load_cred("{access_key_id: a, access_key: ''}");
	cr_assert(told("access_key: it is empty"), "%s", printed.data);
}

Test(settings_cred, an_override_url_is_an_address_and_nothing_else)
{
	static const char *const good[] = {
		"http://minio:9000", "https://s3.example.com/base/path",
		"s3.example.com", "https://[::1]:9000", "host:9000",
	};
	static const char *const bad[] = {
		"ftp://host", "https://", "https:///x", "http://u:p@host",
		"http://host/?q=1", "http://host#x", "http://ho st",
		"s3://bucket", "/path",
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		(void)snprintf(text, sizeof(text), "{access_key_id: a, "
			       "access_key: b, override_url: \"%s\"}", good[i]);
		load_cred(text);
		cr_assert_null(bucket("p")->problem, "%s", printed.data);
		cr_assert_str_eq(bucket("p")->cred->override_url, good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(text, sizeof(text), "{access_key_id: a, "
			       "access_key: b, override_url: \"%s\"}", bad[i]);
		load_cred(text);
		cr_assert_not_null(bucket("p")->problem, "%s", bad[i]);
		cr_assert(told("override_url: expected the address"), "%s",
			  printed.data);
	}
}

Test(settings_cred, styles_and_regions_that_are_none_close_the_bucket)
{
	load_cred("{access_key_id: a, access_key: b, addressing_style: Path}");
	cr_assert(told("expected virtual, path or auto"), "%s", printed.data);
	cr_assert_not_null(bucket("p")->problem);
	load_cred("{access_key_id: a, access_key: b, region: \"x.evil.com/\"}");
	cr_assert(told("region: expected a region"), "%s", printed.data);
	cr_assert_not_null(bucket("p")->problem);
}

Test(settings_cred, a_mask_without_quotes_is_explained_too)
{
	load_text("buckets:\n"
		  "  p:\n"
		  "    dataset_path: s3://b\n"
		  "    default_credential:\n"
		  "      access_key_id: AKIA\n"
		  "      access_key: **********\n");
	cr_assert_eq(result, -EINVAL);
	cr_assert(told("config.yaml:6:"), "%s", printed.data);
	cr_assert(told("the mask that OSMO prints"), "%s", printed.data);
}

Test(settings_cred, case_40_keys_in_the_file_itself_are_shown_nowhere)
{
	static const char *const creds[] = {
		"{access_key_id: a, access_key: TOPSECRET1}",
		"{access_key:TOPSECRET1}",
		"{access_key_id: a, access_key: [TOPSECRET1]}",
		"{access_key_id: a, access_key: {x: TOPSECRET1}}",
		"{access_key_id: a, access_key: \"TOPSECRET1\\n\"}",
		"{access_key_id: a, access_key: b, region: TOPSECRET1}",
		"{access_key_id: a, access_key: b, endpoint: TOPSECRET1}",
		"{access_key_id: a, access_key: b, addressing_style: TOPSECRET1}",
		("{access_key_id: a, access_key: b, override_url: "
		 "\"http://u:TOPSECRET1@host\"}"),
		"TOPSECRET1",
		"{access_key: *TOPSECRET1}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(creds); i++) {
		load_cred(creds[i]);
		cr_assert_not(shown_anywhere("TOPSECRET1"), "%s:\n%s",
			      creds[i], printed.data);
	}
	load_text("buckets: {p: {dataset_path: \"s3://id:TOPSECRET1@bucket\"}}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert_not(shown_anywhere("TOPSECRET1"), "%s", printed.data);
}

/* Of the account "acct". */
static void load_azure(const char *cred)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_printf(&text,
		   "buckets:\n"
		   "  p:\n"
		   "    dataset_path: azure://acct/cont/p\n"
		   "    default_credential: {access_key_id: x, %s}\n", cred);
	load_text(text.data);
}

Test(settings_cred, azures_key_is_a_connection_string_for_the_uris_account)
{
	load_azure("access_key: \"AccountName=acct;AccountKey=c2VjcmV0\"");
	cr_assert_null(bucket("p")->problem, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->override_url,
			 "https://acct.blob.core.windows.net");
	load_azure("access_key: UseDevelopmentStorage=true");
	cr_assert_str_eq(bucket("p")->cred->override_url,
			 "http://127.0.0.1:10000/devstoreaccount1");
	load_azure("access_key: UseDevelopmentStorage=true, "
		   "override_url: http://azurite:1/devstoreaccount1");
	cr_assert_str_eq(bucket("p")->cred->override_url,
			 "http://azurite:1/devstoreaccount1");
	load_azure("access_key: \"AccountName=other;AccountKey=c2VjcmV0\"");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("another account than acct"), "%s", printed.data);
	cr_assert_not(told("c2VjcmV0"), "%s", printed.data);
	load_azure("access_key: \"c2VjcmV0\"");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("DefaultEndpointsProtocol=https;AccountName="), "%s",
		  printed.data);
	cr_assert_not(told("c2VjcmV0"), "%s", printed.data);
}
