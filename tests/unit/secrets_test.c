/* SPDX-License-Identifier: Apache-2.0 */
/* secrets.c: references to Secrets, and what their files say. */
#include <config.h>
#include "fs/config/secrets.h"

#include <sys/stat.h>

#include "tests/unit/settings_fixture.h"

TestSuite(secrets, .init = setup, .fini = teardown);

Test(secrets, an_empty_override_url_is_none)
{
	put("s/access_key_id", "id");
	put("s/access_key", "key");
	put("s/override_url", "");
	load_cred("{secretName: s}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_null(bucket("p")->cred->override_url);
}

Test(secrets, a_cred_yaml_of_the_secret_wins_over_the_siblings)
{
	put("s/cred.yaml", "access_key_id: new\naccess_key: key\n"
	    "addressing_style: path\n");
	load_cred("{secretName: s, access_key_id: old}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key_id, "new");
	cr_assert_eq(bucket("p")->cred->addressing, ADDRESSING_PATH);
}

Test(secrets, single_keys_and_files_are_resolved)
{
	put("s/id", "the-id\n");
	put("s/key.json", "{\"value\": \"the-key\"}");
	load_cred("{access_key_id: {secretName: s, secretKey: id}, "
		  "access_key: {secretName: s, secretKey: key.json}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key_id, "the-id");
	cr_assert_str_eq(bucket("p")->cred->access_key, "the-key");

	put("file.yaml", "{access_key_id: a, access_key: b}");
	load_cred("{secret_file: file.yaml}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key, "b");
}

Test(secrets, a_secret_cannot_lead_out_of_its_directory)
{
	load_cred("{secretName: \"../etc\"}");
	cr_assert_not_null(bucket("p")->problem);
	load_cred("{secretName: s, secretKey: \"../../passwd\"}");
	cr_assert_not_null(bucket("p")->problem);
}

Test(secrets, a_broken_secret_tells_its_place_and_never_its_content)
{
	put("s/cred.yaml", "access_key_id: TOPSECRET\naccess_key: [TOPSECRET");
	load_cred("{secretName: s}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert_not(told("TOPSECRET"), "%s", printed.data);
	cr_assert(told("cred.yaml"), "%s", printed.data);

	put("t/access_key_id", "a");
	put("t/acess_key", "TOPSECRET");
	load_cred("{secretName: t}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert_not(told("TOPSECRET"), "%s", printed.data);
}

Test(secrets, what_kubernetes_mounts_beside_the_keys_is_skipped)
{
	char from[128], to[64];

	/* As kubelet lays a Secret out: keys are links through ..data. */
	put("s/..2026_06_11/access_key_id", "id");
	put("s/..2026_06_11/access_key", "key\r\n\n");
	(void)snprintf(from, sizeof(from), "%s/s/..data", dir);
	cr_assert_eq(symlink("..2026_06_11", from), 0);
	(void)snprintf(from, sizeof(from), "%s/s/access_key_id", dir);
	(void)snprintf(to, sizeof(to), "..data/access_key_id");
	cr_assert_eq(symlink(to, from), 0);
	(void)snprintf(from, sizeof(from), "%s/s/access_key", dir);
	cr_assert_eq(symlink("..data/access_key", from), 0);
	put("s/folder/x", "a folder is no field");

	load_cred("{secretName: s}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key_id, "id");
	cr_assert_str_eq(bucket("p")->cred->access_key, "key");
	cr_assert_not_null(strstr(bucket("p")->cred->origin, "secret s"));
}

Test(secrets, only_trailing_line_breaks_are_stripped)
{
	put("s/access_key_id", "id");
	put("s/access_key", " k y \n\n");
	load_cred("{secretName: s}");
	cr_assert_str_eq(bucket("p")->cred->access_key, " k y ");
	cr_assert_null(bucket("p")->problem);
	cr_assert(told("warning: begins or ends with a space"), "%s",
		  printed.data);
}

Test(secrets, the_fields_of_the_secret_win_over_the_siblings)
{
	put("s/access_key", "new");
	put("s/region", "eu-west-1");
	load_cred("{secretName: s, access_key_id: id, access_key: old, "
		  "region: us-east-2}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key_id, "id");
	cr_assert_str_eq(bucket("p")->cred->access_key, "new");
	cr_assert_str_eq(bucket("p")->cred->region, "eu-west-1");
}

Test(secrets, a_secret_file_is_looked_for_first)
{
	put("f.yaml", "{access_key_id: a, access_key: from-file}");
	put("s/cred.yaml", "{access_key_id: a, access_key: from-name}");
	load_cred("{secret_file: f.yaml, secretName: s}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key, "from-file");
}

Test(secrets, a_mapping_whose_only_key_is_value_stands_for_it)
{
	put("s/whole.yaml", "value: {access_key_id: a, access_key: b}");
	load_cred("{secretName: s, secretKey: whole.yaml}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key, "b");

	put("s/text", "{\"value\": \"TOPSECRET1\"}");
	load_cred("{secretName: s, secretKey: text}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert_not(shown_anywhere("TOPSECRET1"));
}

Test(secrets, what_is_not_there_is_told_with_where_it_was_looked_for)
{
	load_cred("{secretName: nobody}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("/nobody cannot be opened (No such file"), "%s",
		  printed.data);
	load_cred("{secretName: nobody, secretKey: k}");
	cr_assert(told("nobody/k"), "%s", printed.data);
	load_cred("{secret_file: nothing.yaml}");
	cr_assert(told("nothing.yaml"), "%s", printed.data);
	cr_assert_not_null(bucket("p")->problem);
	/* One sentence about it, not three more on fields it would have had. */
	cr_assert_eq(report.n_problems, 1, "%s", printed.data);
	cr_assert_null(bucket("p")->cred);
}

Test(secrets, a_helm_file_that_does_not_list_the_secret_is_told_so)
{
	load_text("services: {configs: {secretRefs: [{secretName: other}], "
		  "dataset: {buckets: {p: {dataset_path: \"s3://b\", "
		  "default_credential: {secretName: mine}}}}}}\n"
		  "datasetfs: {secrets_dir: /nonexistent}\n");
	cr_assert(told("secretRefs does not list it (add \"- secretName: mine"),
		  "%s", printed.data);
	load_text("services: {configs: {secretRefs: [{secretName: mine}], "
		  "dataset: {buckets: {p: {dataset_path: \"s3://b\", "
		  "default_credential: {secretName: mine}}}}}}\n"
		  "datasetfs: {secrets_dir: /nonexistent}\n");
	cr_assert_not(told("does not list"), "%s", printed.data);
}

Test(secrets, an_empty_directory_and_a_registry_credential_are_none)
{
	put("e/..data/x", "");
	load_cred("{secretName: e}");
	cr_assert(told("holds no file"), "%s", printed.data);
	put("d/.dockerconfigjson", "{\"auths\": {\"r\": {\"auth\": \"TOPSECRET1\"}}}");
	load_cred("{secretName: d, secretKey: .dockerconfigjson}");
	cr_assert(told("docker registry"), "%s", printed.data);
	cr_assert_not(shown_anywhere("TOPSECRET1"));
}

Test(secrets, a_secret_of_many_files_or_of_many_bytes_is_refused)
{
	char name[32];
	char *big = calloc(1, SECRET_BYTES_MAX + 2);

	for (int i = 0; i <= SECRET_FIELDS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "many/f%d", i);
		put(name, "x");
	}
	load_cred("{secretName: many}");
	cr_assert(told("more than 64 files"), "%s", printed.data);

	cr_assert_not_null(big);
	memset(big, 'A', SECRET_BYTES_MAX + 1);
	put("big/access_key", big);
	put("big/access_key_id", "id");
	free(big);
	load_cred("{secretName: big}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert_null(bucket("p")->cred);
}

Test(secrets, a_fifo_or_a_device_in_a_secret_does_not_hang)
{
	char path[128];

	put("s/access_key_id", "id");
	(void)snprintf(path, sizeof(path), "%s/s/access_key", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	load_cred("{secretName: s}");
	cr_assert(told("access_key: it is missing"), "%s", printed.data);
	(void)snprintf(path, sizeof(path), "%s/fifo", dir);
	cr_assert_eq(mkfifo(path, 0600), 0);
	load_cred("{secret_file: fifo}");
	cr_assert_not_null(bucket("p")->problem);
}

/* Everything here holds TOPSECRET1 in some wrong way; access_key_id apart,
   which is no secret (OSMO prints it, and so do we). */
Test(secrets, case_40_no_broken_secret_is_ever_shown)
{
	static const char *const files[] = {
		"TOPSECRET1", "[TOPSECRET1]", "\"TOPSECRET1", "TOPSECRET1: x",
		"access_key_id: TOPSECRET1\naccess_key: *TOPSECRET1",
		"access_key_id: &TOPSECRET1 x\naccess_key: !TOPSECRET1 y",
		"{TOPSECRET1}", "{access_key:TOPSECRET1}",
		"access_key_id: id\naccess_key: {a: TOPSECRET1}",
		"access_key_id: id\naccess_key: [TOPSECRET1]",
		"access_key_id: TOPSECRET1\nTOPSECRET1",
		"access_key: TOPSECRET1\naccess_key: TOPSECRET1",
		"access_key_id: a\naccess_key: TOPSECRET1\naccess_key: b",
		"{access_key_id: id, access_key: TOPSECRET1, "
		"endpoint: \"https://TOPSECRET1\"}",
		"{access_key_id: id, access_key: TOPSECRET1, "
		"endpoint: TOPSECRET1, region: TOPSECRET1, "
		"addressing_style: TOPSECRET1}",
		"{access_key_id: a, access_key: b, "
		"override_url: \"https://u:TOPSECRET1@host\"}",
		"{access_key_id: \"TOPSECRET1\\nx\", access_key: \"\\x01TOPSECRET1\"}",
		"auths: {r: TOPSECRET1}", "value: [TOPSECRET1]",
		"--- TOPSECRET1\n--- TOPSECRET1", "@TOPSECRET1",
		"%TOPSECRET1 x\n---\na: b", "? [TOPSECRET1]\n: x",
		"<<: TOPSECRET1", "<<: [TOPSECRET1]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		put("s/cred.yaml", files[i]);
		load_cred("{secretName: s}");
		cr_assert_eq(result, 0);
		cr_assert_not_null(bucket("p")->problem, "%s", files[i]);
		cr_assert_not(shown_anywhere("TOPSECRET1"), "%s:\n%s",
			      files[i], printed.data);
	}
}

Test(secrets, a_file_that_is_no_text_is_refused_and_not_shown)
{
	put("s/access_key_id", "id");
	put("s/access_key", "TOPSECRET1\xff\xfe");
	load_cred("{secretName: s}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("no UTF-8"), "%s", printed.data);
	cr_assert_not(shown_anywhere("TOPSECRET1"));

	put_bytes("s/access_key", "TOP\0SECRET1", 11);
	load_cred("{secretName: s}");
	cr_assert(told("NUL byte"), "%s", printed.data);
	cr_assert_not(shown_anywhere("SECRET1"));

	put("s/access_key", "TOPSECRET1\nsecond line\n");
	load_cred("{secretName: s}");
	cr_assert(told("line break"), "%s", printed.data);
	cr_assert_not(shown_anywhere("TOPSECRET1"));
}

Test(secrets, problems_stand_where_the_secret_was_asked_for)
{
	put("s/cred.yaml", "access_key_id: a\nacess_key: b\n");
	load_text("buckets:\n"
		  "  p:\n"
		  "    dataset_path: s3://b\n"
		  "    default_credential:\n"
		  "      secretName: nobody\n");
	cr_assert(told("config.yaml:5:7: buckets.p.default_credential: "), "%s",
		  printed.data);
	load_cred("{secretName: s}");
	cr_assert(told("did you mean access_key?"), "%s", printed.data);
	cr_assert(told("in secret s ("), "%s", printed.data);
}

Test(secrets, any_value_of_a_bucket_may_refer_to_one)
{
	put("s/path", "s3://from-secret/p\n");
	put("s/mode", "TOPSECRET1\n");
	load_text("buckets: {p: {dataset_path: {secretName: s, secretKey: "
		  "path}}}\ndatasetfs: {secrets_dir: .}\n");
	cr_assert_null(bucket("p")->problem, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->location.text, "s3://from-secret/p");
	load_text("buckets: {p: {dataset_path: \"s3://b\", mode: {secretName: "
		  "s, secretKey: mode}}}\ndatasetfs: {secrets_dir: .}\n");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert_not(told("TOPSECRET1"), "%s", printed.data);
	cr_assert(told("the value is no mode"), "%s", printed.data);
}

Test(secrets, an_editors_mark_in_front_of_a_key_is_named)
{
	put("s/access_key_id", "\xef\xbb\xbfid");
	put("s/access_key", "key");
	load_cred("{secretName: s}");
	cr_assert(told("byte order mark"), "%s", printed.data);
	cr_assert_not_null(bucket("p")->problem);
}

Test(secrets, a_file_that_is_no_mapping_is_told_so)
{
	put("f", "[TOPSECRET1]");
	load_cred("{access_key_id: a, access_key: {secret_file: f}}");
	cr_assert(told("holds a list"), "%s", printed.data);
	put("f", "{a: TOPSECRET1}");
	load_cred("{access_key_id: a, access_key: {secret_file: f}}");
	cr_assert(told("holds a mapping"), "%s", printed.data);
	cr_assert_not(shown_anywhere("TOPSECRET1"));
}
