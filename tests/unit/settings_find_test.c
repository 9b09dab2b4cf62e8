/* SPDX-License-Identifier: Apache-2.0 */
/* settings_find.c: where the file lies, and OSMO's client file. */
#include <config.h>
#include "tests/unit/settings_fixture.h"

TestSuite(settings_find, .init = setup, .fini = teardown);

Test(settings_find, the_clients_file_serves_exactly_its_profile)
{
	struct settings_cred *cred = NULL;
	struct err err = ERR_INIT;

	put("config.yaml", "auth: {data: {\"s3://b\": {access_key_id: i, "
	    "access_key: k, region: r}}}");
	setenv("OSMO_CONFIG_FILE_DIR", dir, 1);
	cr_assert_eq(settings_client_cred(&cred, "s3://b", &err), 0, "%s",
		     err.text);
	cr_assert_not_null(cred);
	cr_assert_str_eq(cred->access_key, "k");
	cr_assert_str_eq(cred->region, "r");
	settings_cred_free(cred);
	cr_assert_eq(settings_client_cred(&cred, "s3://b2", &err), 0);
	cr_assert_null(cred);
	put("config.yaml", "auth: {data: [");
	cr_assert_eq(settings_client_cred(&cred, "s3://b", &err), -EINVAL);
}

static int client(const char *text)
{
	struct settings_cred *cred = NULL;
	struct err err = ERR_INIT;
	int r;

	put("client/config.yaml", text);
	r = settings_client_cred(&cred, "s3://b", &err);
	buf_clear(&printed);
	buf_str(&printed, err.text);
	if (r == 0 && cred)
		r = 1;
	settings_cred_free(cred);
	return r;
}

static void use_client_folder(void)
{
	char folder[128];

	(void)snprintf(folder, sizeof(folder), "%s/client", dir);
	cr_assert_eq(setenv("OSMO_CONFIG_FILE_DIR", folder, 1), 0);
}

Test(settings_find, a_client_file_without_the_profile_is_no_error)
{
	use_client_folder();
	cr_assert_eq(client(""), 0);
	cr_assert_eq(client("auth: ~"), 0);
	cr_assert_eq(client("auth: {data: {}}"), 0);
	cr_assert_eq(client("auth: {data: {\"s3://b/\": {access_key_id: a, "
			    "access_key: b}}}"), 0, "an exact match only");
	cr_assert_eq(client("[1]"), 0);
}

Test(settings_find, the_client_takes_what_it_knows_and_ignores_the_rest)
{
	use_client_folder();
	cr_assert_eq(client("auth: {data: {\"s3://b\": {access_key_id: a, "
			    "access_key: b, note: x, endpoint: whatever}}}"),
		     1, "%s", printed.data);
}

Test(settings_find, a_bad_client_file_tells_its_place_and_no_secret)
{
	static const char *const bad[] = {
		"auth: {data: {\"s3://b\": TOPSECRET1}}",
		"auth: {data: {\"s3://b\": {access_key_id: TOPSECRET1}}}",
		"auth: {data: {\"s3://b\": {access_key: TOPSECRET1}}}",
		"auth: {data: {\"s3://b\": {access_key_id: a, "
		"access_key: [TOPSECRET1]}}}",
		"auth: {data: {\"s3://b\": {access_key_id: a, access_key: b, "
		"region: TOPSECRET1}}}",
		"auth: {data: {\"s3://b\": {access_key_id: a, access_key: b}, "
		"\"s3://b\": {access_key_id: TOPSECRET1, access_key: c}}}",
		"auth: {data: [TOPSECRET1",
		"auth: {data: {\"s3://b\": {access_key_id: a, access_key: b, "
		"access_key: TOPSECRET1}}}",
	};

	use_client_folder();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(client(bad[i]), -EINVAL, "%s", bad[i]);
		cr_assert(told("/client/config.yaml:"), "%s", printed.data);
		cr_assert_not(told("TOPSECRET1"), "%s", printed.data);
	}
}

Test(settings_find, the_clients_folders_are_tried_in_osmos_order)
{
	char home[128];
	struct settings_cred *cred = NULL;
	struct err err = ERR_INIT;

	put(".config/osmo/config.yaml", "auth: {data: {\"s3://b\": "
	    "{access_key_id: home, access_key: k}}}");
	cr_assert_eq(settings_client_cred(&cred, "s3://b", &err), 0);
	cr_assert_str_eq(cred->access_key_id, "home");
	settings_cred_free(cred);

	put("xdg/osmo/config.yaml", "auth: {data: {\"s3://b\": "
	    "{access_key_id: xdg, access_key: k}}}");
	(void)snprintf(home, sizeof(home), "%s/xdg", dir);
	cr_assert_eq(setenv("XDG_CONFIG_HOME", home, 1), 0);
	cr_assert_eq(settings_client_cred(&cred, "s3://b", &err), 0);
	cr_assert_str_eq(cred->access_key_id, "xdg");
	settings_cred_free(cred);

	(void)snprintf(home, sizeof(home), "%s/nothing", dir);
	cr_assert_eq(setenv("OSMO_CONFIG_FILE_DIR", home, 1), 0);
	cr_assert_eq(settings_client_cred(&cred, "s3://b", &err), 0);
	cr_assert_null(cred, "a folder that is named is the only one");
}

Test(settings_find, a_file_that_is_named_is_taken_there_or_not)
{
	struct err err = ERR_INIT;
	char *path = settings_find("/nonexistent/x", &err);

	cr_assert_str_eq(path, "/nonexistent/x");
	free(path);
	cr_assert_eq(setenv("DATASETFS_CONFIG", "/nonexistent/env", 1), 0);
	path = settings_find(NULL, &err);
	cr_assert_str_eq(path, "/nonexistent/env");
	free(path);
	path = settings_find("given", &err);
	cr_assert_str_eq(path, "given", "the option wins");
	free(path);
}

Test(settings_find, where_none_is_the_places_are_listed)
{
	struct err err = ERR_INIT;
	char *path;

	if (access("/etc/datasetfs/config.yaml", F_OK) == 0 ||
	    access("/etc/osmo/configs/config.yaml", F_OK) == 0)
		cr_skip_test("this machine has a configuration in /etc");
	path = settings_find(NULL, &err);
	cr_assert_null(path);
	cr_assert_eq(err.class, ERR_MISSING);
	cr_assert_not_null(strstr(err.text, "/etc/osmo/configs/config.yaml"));
	cr_assert_not_null(strstr(err.text, "DATASETFS_CONFIG"));
}

Test(settings_find, without_a_home_there_is_no_client_file)
{
	struct settings_cred *cred = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(unsetenv("HOME"), 0);
	cr_assert_eq(settings_client_cred(&cred, "s3://b", &err), 0);
	cr_assert_null(cred);
}

Test(settings_find, a_warning_is_not_taken_for_the_error)
{
	use_client_folder();
	cr_assert_eq(client("auth: {data: {\"s3://b\": {access_key_id: \" a\", "
			    "access_key: [x]}}}"), -EINVAL);
	cr_assert(told("a list stands here"), "%s", printed.data);
	cr_assert_eq(client("auth: {data: {\"s3://b\": {access_key_id: \" a\", "
			    "access_key: x}}}"), 1);
}
