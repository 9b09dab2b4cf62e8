/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/google/google_config.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include "backends/base/buf.h"

#define STS "https://sts.googleapis.com/v1/token"
#define SECRET "planted-secret"
#define SERVICE_ACCOUNT(more)                                                  \
	"{\"type\":\"service_account\",\"client_email\":\"a@p.iam\","           \
	"\"private_key_id\":\"k1\",\"private_key\":\"-----" SECRET "\\n\"" more \
	"}"
#define USER(more)                                                             \
	"{\"type\":\"authorized_user\",\"client_id\":\"c\","                    \
	"\"client_secret\":\"" SECRET "\",\"refresh_token\":\"r\"" more "}"
#define EXTERNAL(url, source, more)                                            \
	"{\"type\":\"external_account\",\"audience\":\"//iam/x\","              \
	"\"subject_token_type\":\"urn:jwt\",\"token_url\":\"" url "\","         \
	"\"credential_source\":" source more "}"

static int parse(struct google_config *out, const char *text, struct err *err)
{
	memset(out, 0, sizeof(*out));
	return google_config_parse(out, "f.json", text, strlen(text), err);
}

Test(google_config, a_key_of_a_service_account)
{
	cleanup_google_config struct google_config config;
	struct err err = ERR_INIT;

	cr_assert_eq(parse(&config,
			   SERVICE_ACCOUNT(",\"project_id\":\"p\","
					   "\"universe_domain\":"
					   "\"googleapis.com\""), &err),
		     0, "%s", err.text);
	cr_expect_eq(config.kind, GOOGLE_SERVICE_ACCOUNT);
	cr_expect_str_eq(config.client_email, "a@p.iam");
	cr_expect_str_eq(config.private_key_id, "k1");
	cr_expect_str_eq(config.private_key, "-----" SECRET "\n");
}

Test(google_config, a_user_s_refresh_token)
{
	cleanup_google_config struct google_config plain, local;
	struct err err = ERR_INIT;

	cr_assert_eq(parse(&plain, USER(",\"quota_project_id\":\"q\""), &err),
		     0, "%s", err.text);
	cr_expect_eq(plain.kind, GOOGLE_AUTHORIZED_USER);
	cr_expect_str_eq(plain.refresh_token, "r");
	cr_expect_str_eq(plain.client_id, "c");
	cr_expect_str_eq(plain.client_secret, SECRET);
	cr_expect_str_eq(plain.token_url,
			 "https://oauth2.googleapis.com/token");
	cr_assert_eq(parse(&local, USER(",\"token_uri\":"
					"\"http://127.0.0.1:9/t\""), &err), 0);
	cr_expect_str_eq(local.token_url, "http://127.0.0.1:9/t");
}

Test(google_config, an_external_account)
{
	cleanup_google_config struct google_config file, url;
	struct err err = ERR_INIT;

	cr_assert_eq(parse(&file, EXTERNAL(STS, "{\"file\":\"/var/t\"}", ""),
			   &err),
		     0, "%s", err.text);
	cr_expect_eq(file.kind, GOOGLE_EXTERNAL_ACCOUNT);
	cr_expect_str_eq(file.subject_file, "/var/t");
	cr_expect_str_eq(file.audience, "//iam/x");
	cr_expect_str_eq(file.subject_token_type, "urn:jwt");
	cr_expect_str_eq(file.token_url, STS);
	cr_expect_null(file.subject_url);
	cr_expect_null(file.subject_field);
	cr_expect_null(file.impersonation_url);

	cr_assert_eq(parse(&url,
			   EXTERNAL(STS,
				    "{\"url\":\"http://169.254.169.254/m?a=b\","
				    "\"headers\":{\"Metadata\":\"True\","
				    "\"X-B\":\"c d\"},\"format\":{\"type\":"
				    "\"json\",\"subject_token_field_name\":"
				    "\"access_token\"}}",
				    ",\"service_account_impersonation_url\":"
				    "\"https://iamcredentials.googleapis.com/"
				    "v1/p:generateAccessToken\""), &err),
		     0, "%s", err.text);
	cr_expect_str_eq(url.subject_url, "http://169.254.169.254/m?a=b");
	cr_expect_str_eq(url.subject_headers, "Metadata: True\nX-B: c d\n");
	cr_expect_str_eq(url.subject_field, "access_token");
	cr_expect_str_eq(url.impersonation_url,
			 "https://iamcredentials.googleapis.com/v1/"
			 "p:generateAccessToken");
}

Test(google_config, what_is_no_such_file_is_refused_without_being_quoted)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "no JSON" },
		{ "[]", "no JSON object" },
		{ "{\"a\":\"" SECRET "\"", "no JSON" },
		{ "{\"type\":\"service_account\"}", "client_email is missing" },
		{ "{}", "type is missing" },
		{ "{\"type\":\"impersonated_service_account\"}",
		  "type is none of" },
		{ "{\"type\":\"" SECRET "\"}", "type is none of" },
		{ SERVICE_ACCOUNT(",\"universe_domain\":\"s3ns.fr\""),
		  "universe_domain is another" },
		{ "{\"type\":\"authorized_user\",\"client_id\":\"c d\","
		  "\"client_secret\":\"s\",\"refresh_token\":\"r\"}",
		  "client_id is not" },
		{ "{\"type\":\"authorized_user\",\"client_id\":\"c\","
		  "\"client_secret\":7,\"refresh_token\":\"r\"}",
		  "client_secret is not" },
		{ USER(",\"token_uri\":\"https://evil.example/t\""),
		  "token_uri is no https:// address below googleapis.com" },
		{ EXTERNAL("https://sts.example", "{\"file\":\"/t\"}", ""),
		  "token_url is no https://" },
		{ EXTERNAL(STS, "{\"file\":\"/t\"}",
			   ",\"service_account_impersonation_url\":"
			   "\"https://iam.googleapis.com.example/\""),
		  "service_account_impersonation_url is no https://" },
		{ EXTERNAL(STS, "{\"executable\":{\"command\":\"/bin/x\"}}",
			   ""), "executable is not supported" },
		{ EXTERNAL(STS, "{\"environment_id\":\"aws1\"}", ""),
		  "environment_id is not supported" },
		{ EXTERNAL(STS, "{}", ""), "one of file and url" },
		{ EXTERNAL(STS, "7", ""), "credential_source is missing" },
		{ EXTERNAL(STS, "{\"file\":\"/t\",\"url\":\"http://h/\"}", ""),
		  "one of file and url" },
		{ EXTERNAL(STS, "{\"url\":\"ftp://h/\"}", ""), "url is not" },
		{ EXTERNAL(STS, "{\"url\":\"http://h/ x\"}", ""),
		  "url is not" },
		{ EXTERNAL(STS, "{\"url\":\"http://h/\",\"headers\":"
				"{\"a\":\"b\\r\\nc: d\"}}", ""),
		  "headers holds one" },
		{ EXTERNAL(STS, "{\"url\":\"http://h/\",\"headers\":"
				"{\"a b\":\"c\"}}", ""), "headers holds one" },
		{ EXTERNAL(STS, "{\"file\":\"/t\",\"format\":"
				"{\"type\":\"json\"}}", ""),
		  "subject_token_field_name is missing" },
		{ EXTERNAL(STS, "{\"file\":\"/t\",\"format\":"
				"{\"type\":\"xml\"}}", ""),
		  "format is neither" },
		{ EXTERNAL(STS, "{\"file\":\"/t\"}", ",\"client_id\":\"c\""),
		  "client_id is not supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct google_config config;
		struct err err = ERR_INIT;

		cr_expect_eq(parse(&config, cases[i].text, &err), -EACCES,
			     "%s", cases[i].text);
		cr_expect_eq(err.class, ERR_AUTH);
		cr_expect(strstr(err.text, cases[i].says), "%s: %s",
			  cases[i].text, err.text);
		cr_expect_eq(strncmp(err.text, "f.json: ", 8), 0);
		cr_expect_null(strstr(err.text, SECRET), "%s", err.text);
		cr_expect_null(config.client_secret);
		cr_expect_null(config.private_key);
	}
}

Test(google_config, tokens_are_asked_for_at_google_and_on_this_machine)
{
	static const char *const good[] = {
		"https://oauth2.googleapis.com/token",
		"https://STS.GoogleAPIs.com/v1",
		"https://sts.europe-west3.rep.googleapis.com:443/v1",
		"https://a.googleapis.com",
		"http://127.0.0.1:8080/token",
		"http://localhost/t",
		"https://[::1]:9/t",
	};
	static const char *const bad[] = {
		"",
		"googleapis.com",
		"http://sts.googleapis.com/v1",
		"https://googleapis.com/",
		"https://.googleapis.com/",
		"https://evilgoogleapis.com/",
		"https://sts.googleapis.com.evil.example/",
		"https://evil.example/.googleapis.com",
		"https://evil.example?.googleapis.com",
		"https://evil.example#.googleapis.com",
		"https://evil.example\\.googleapis.com",
		"https://u@sts.googleapis.com/",
		"https://evil.example:80.googleapis.com/",
		"https://evil.example%2f.googleapis.com/",
		"https://sts.googleapis.com /",
		"https://sts.googleapis.com/\n",
		"http://127.0.0.1.evil.example/",
		"http://localhost.evil.example/",
		"http://[::1/",
		"http://[::1]x/",
		"http://169.254.169.254/",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		cr_expect(google_url_is_allowed(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(google_url_is_allowed(bad[i]), "%s", bad[i]);
}
