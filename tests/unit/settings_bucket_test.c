/* SPDX-License-Identifier: Apache-2.0 */
/* settings_bucket.c: one bucket's fields. */
#include <config.h>
#include "tests/unit/settings_fixture.h"

TestSuite(settings_bucket, .init = setup, .fini = teardown);

Test(settings_bucket, modes_other_than_the_two_close_the_bucket)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\", mode: read_only}}");
	cr_assert_eq(bucket("a")->mode, BUCKET_MODE_BAD);
	cr_assert_not_null(bucket("a")->problem);
	cr_assert_str_eq(bucket("a")->mode_text, "read_only");
}

Test(settings_bucket, old_and_unknown_keys)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\", check_key: true}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	load_text("buckets: {a: {datasetPath: \"s3://b\"}}");
	cr_assert(told("did you mean dataset_path"), "%s", printed.data);
}

Test(settings_bucket, defaults_are_those_of_osmo)
{
	load_text("buckets: {a: {dataset_path: \"gs://b\"}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("a")->region, "us-east-1");
	cr_assert_not(bucket("a")->region_given);
	cr_assert_str_eq(bucket("a")->mode_text, "read-write");
	cr_assert_eq(bucket("a")->mode, BUCKET_READ_WRITE);
	cr_assert_str_eq(bucket("a")->description, "");
	cr_assert_null(bucket("a")->cred);
	cr_assert_eq(bucket("a")->uid, (uid_t)-1);
	cr_assert_eq(bucket("a")->gid, (gid_t)-1);
	cr_assert_eq(bucket("a")->access, -1);
	cr_assert_eq(bucket("a")->n_foreign, 0);
	cr_assert_not(bucket("a")->has_catalog);
}

Test(settings_bucket, every_scheme_of_osmo_and_file_is_a_place)
{
	static const char *const good[][2] = {
		{ "s3://b/p/q", "s3://b" }, { "gs://b", "gs://b" },
		{ "azure://acct/cont/p", "azure://acct" },
		{ "tos://tos-s3-cn-beijing.volces.com/b",
		  "tos://tos-s3-cn-beijing.volces.com/b" },
		{ "swift://host/AUTH_ns/c/p", "swift://host/AUTH_ns" },
		{ "file:///srv/data", "file://" },
		{ "s3://b/p///", "s3://b" },
	};
	static const char *const bad[] = {
		"S3://b", "b", "http://b", "s3://", "s3:b", "azure://acct",
		"tos://host", "swift://host/ns", "s3://b//p", "s3://b/a,b",
		"s3://b/*", "s3://b/a;b", "file://x", "file:///", "ftp://b", "",
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		(void)snprintf(text, sizeof(text),
			       "buckets: {a: {dataset_path: \"%s\"}}",
			       good[i][0]);
		load_text(text);
		cr_assert_null(bucket("a")->problem, "%s", printed.data);
		cr_assert_str_eq(bucket("a")->location.profile, good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(text, sizeof(text),
			       "buckets: {a: {dataset_path: \"%s\"}}", bad[i]);
		load_text(text);
		cr_assert_eq(result, 0);
		cr_assert_not_null(bucket("a")->problem, "%s", bad[i]);
		cr_assert(told("config.yaml:1:29: buckets.a.dataset_path: "),
			  "%s", printed.data);
	}
}

Test(settings_bucket, one_bad_bucket_leaves_the_others_open)
{
	load_text("buckets:\n"
		  "  good: {dataset_path: \"s3://b\"}\n"
		  "  nopath: {mode: read-only}\n"
		  "  badmode: {dataset_path: \"s3://b\", mode: write-only}\n"
		  "  nosecret: {dataset_path: \"s3://b\", default_credential: "
		  "{secretName: nobody}}\n"
		  "  extra: {dataset_path: \"s3://b\", colour: red}\n"
		  "  twice: {dataset_path: \"s3://b\", dataset_path: \"s3://c\"}\n"
		  "  empty:\n"
		  "datasetfs: {secrets_dir: /nonexistent}\n");
	cr_assert_eq(result, 0);
	cr_assert_eq(st->n_buckets, 7);
	cr_assert_null(bucket("good")->problem);
	for (size_t i = 0; i < st->n_buckets; i++)
		if (strcmp(st->buckets[i].name, "good") != 0)
			cr_assert_not_null(st->buckets[i].problem, "%s",
					   st->buckets[i].name);
	for (size_t i = 0; i < report.n_problems; i++)
		cr_assert(report.problems[i].bucket &&
			  strcmp(report.problems[i].bucket, "good") != 0);
}

Test(settings_bucket, all_that_is_wrong_with_a_bucket_is_its_problem)
{
	load_text("buckets: {a: {dataset_path: \"x\", mode: y, colour: z}}");
	cr_assert_eq(report.n_errors, 3, "%s", printed.data);
	cr_assert_not_null(strstr(bucket("a")->problem, "dataset_path"));
	cr_assert_not_null(strstr(bucket("a")->problem, "mode"));
	cr_assert_not_null(strstr(bucket("a")->problem, "colour"));
}

Test(settings_bucket, regions)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\", region: ''}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_not(bucket("a")->region_given);
	load_text("buckets: {a: {dataset_path: \"s3://b\", region: null}}");
	cr_assert_not_null(bucket("a")->problem);
	load_text("buckets: {a: {dataset_path: \"s3://b\", region: \"e.com/\"}}");
	cr_assert_not_null(bucket("a")->problem);
	/* Where it means nothing it closes nothing. */
	load_text("buckets: {a: {dataset_path: \"file:///d\", region: EAST}}");
	cr_assert_null(bucket("a")->problem, "%s", printed.data);
}

Test(settings_bucket, a_description_that_is_no_text_is_only_a_warning)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\", description: [x]}}");
	cr_assert_eq(report.n_problems, 1);
	cr_assert_eq(report.n_errors, 0);
	cr_assert_null(bucket("a")->problem);
	load_text("buckets: {a: {dataset_path: \"s3://b\", description: 5}}");
	cr_assert_str_eq(bucket("a")->description, "5");
}

Test(settings_bucket, names_that_no_reference_can_hold)
{
	load_text("buckets: {a.b: {dataset_path: \"s3://b\"}, \"..\": {}, "
		  "\"a/b\": {}, \"\": {}}");
	cr_assert_eq(result, 0);
	cr_assert_eq(st->n_buckets, 1);
	cr_assert_null(bucket("a.b")->problem);
	cr_assert(told("warning: no reference can name this"), "%s",
		  printed.data);
	cr_assert_eq(report.n_errors, 3, "%s", printed.data);
}

static void load_own(const char *text)
{
	char doc[512];

	(void)snprintf(doc, sizeof(doc), "buckets: {a: {dataset_path: "
		       "\"s3://b\"}}\ndatasetfs: {buckets: {a: {%s}}}\n", text);
	load_text(doc);
}

Test(settings_bucket, ids_are_numbers)
{
	static const char *const bad[] = {
		"uid: -1", "uid: root", "uid: 4294967295", "uid: 1e3",
		"uid: ' 1'", "gid: [1]", "gid: ~", "uid: 99999999999999999999",
	};

	load_own("uid: 0, gid: 4294967294");
	cr_assert_null(bucket("a")->problem, "%s", printed.data);
	cr_assert_eq(bucket("a")->uid, 0);
	cr_assert_eq(bucket("a")->gid, 4294967294u);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		load_own(bad[i]);
		cr_assert_not_null(bucket("a")->problem, "%s", bad[i]);
	}
}

Test(settings_bucket, access_is_octal_however_it_is_written)
{
	static const struct {
		const char *text;
		int access;
	} cases[] = {
		{ "access: \"0750\"", 0750 }, { "access: 0750", 0750 },
		{ "access: 0o750", 0750 }, { "access: 750", 0750 },
		{ "access: \"000\"", 0 }, { "access: 0777", 0777 },
	};
	static const char *const bad[] = {
		"access: 1777", "access: 5", "access: 08", "access: u+rwx",
		"access: -755", "access: \"\"", "access: 0x1ff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		load_own(cases[i].text);
		cr_assert_null(bucket("a")->problem, "%s", printed.data);
		cr_assert_eq(bucket("a")->access, cases[i].access, "%s",
			     cases[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		load_own(bad[i]);
		cr_assert_not_null(bucket("a")->problem, "%s", bad[i]);
		cr_assert_eq(bucket("a")->access, -1);
	}
}

Test(settings_bucket, foreign_is_a_list_of_places)
{
	load_own("foreign: [\"s3://x/y\", \"gs://z\"], catalog: \"s3://c/d\"");
	cr_assert_null(bucket("a")->problem, "%s", printed.data);
	cr_assert_eq(bucket("a")->n_foreign, 2);
	cr_assert_str_eq(bucket("a")->foreign[1].text, "gs://z");
	cr_assert_str_eq(bucket("a")->catalog_location.text, "s3://c/d");
	load_own("foreign: [\"s3://x\", \"nothing\"]");
	cr_assert(told("datasetfs.buckets.a.foreign[1]: "), "%s",
		  printed.data);
	cr_assert_not_null(bucket("a")->problem);
	load_own("catalog: \"azure://x\"");
	cr_assert_not_null(bucket("a")->problem);
}
