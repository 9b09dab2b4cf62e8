/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c: the three shapes, and what holds for a file as a whole. */
#include <config.h>
#include "tests/unit/settings_fixture.h"

TestSuite(settings, .init = setup, .fini = teardown);

Test(settings, the_single_bucket_of_the_document)
{
	load_fixture("seed-single.yaml");
	cr_assert_eq(result, 0);
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("production")->location.profile,
			 "s3://my-production-bucket");
	cr_assert_eq(bucket("production")->mode, BUCKET_READ_WRITE);
	cr_assert_null(st->default_bucket);
}

Test(settings, the_four_buckets_of_the_document_stand_one_of_them_closed)
{
	load_fixture("seed-multiple.yaml");
	cr_assert_eq(result, 0);
	cr_assert_eq(st->n_buckets, 4);
	cr_assert_str_eq(st->default_bucket, "production");
	cr_assert_null(bucket("production")->problem);
	cr_assert_null(bucket("research")->problem);
	cr_assert_not_null(bucket("archive")->problem);
	cr_assert(told("azure://archive-storage/CONTAINER"), "%s",
		  printed.data);
	cr_assert_eq(bucket("archive")->mode, BUCKET_READ_ONLY);
}

Test(settings, the_other_examples_of_the_document)
{
	load_fixture("seed-teams.yaml");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(st->default_bucket, "robotics");
	load_fixture("seed-environments.yaml");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_eq(st->n_buckets, 3);
	load_fixture("seed-clouds.yaml");
	cr_assert_eq(result, 0);
	cr_assert_eq(report.n_errors, 1, "%s", printed.data);
	cr_assert_null(bucket("gcp-backup")->problem);
}

Test(settings, the_credential_of_the_document_is_a_directory_of_files)
{
	char *doc;
	struct buf text = BUF_INIT;

	put("prod-bucket-cred/access_key_id", "AKIA\n");
	put("prod-bucket-cred/access_key", "s3cret\n\n");
	load_fixture("seed-credential.yaml");
	cr_assert(told("secret prod-bucket-cred"), "%s", printed.data);
	cr_assert_not_null(bucket("production")->problem);

	cr_assert_gt(asprintf(&doc, "services: {configs: {secretRefs: "
			      "[{secretName: prod-bucket-cred}], dataset: "
			      "{buckets: {production: {dataset_path: "
			      "\"s3://prod-datasets\", default_credential: "
			      "{secretName: prod-bucket-cred}}}}}}\n"
			      "datasetfs: {secrets_dir: \"%s\"}\n", dir), 0);
	load_text(doc);
	free(doc);
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("production")->cred->access_key_id, "AKIA");
	cr_assert_str_eq(bucket("production")->cred->access_key, "s3cret");

	settings_dump_osmo(st, &text);
	cr_assert_null(strstr(text.data, "s3cret"));
	cr_assert_not_null(strstr(text.data, "\"access_key\": \"**********\""));
	buf_clear(&text);
	settings_dump_effective(st, true, &text);
	cr_assert_null(strstr(text.data, "s3cret"));
	buf_release(&text);
}

Test(settings, all_three_shapes_and_json_mean_the_same)
{
	static const char *const docs[] = {
		("services: {configs: {dataset: {buckets: {a: {dataset_path: "
		 "\"s3://b/p/\"}}}}}"),
		"dataset: {buckets: {a: {dataset_path: \"s3://b/p/\"}}}",
		"buckets: {a: {dataset_path: \"s3://b/p/\"}}",
		"{\"buckets\": {\"a\": {\"dataset_path\": \"s3://b/p/\"}}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		load_text(docs[i]);
		cr_assert_eq(result, 0, "%zu: %s", i, printed.data);
		cr_assert_eq(report.n_problems, 0, "%s", printed.data);
		cr_assert_str_eq(bucket("a")->location.text, "s3://b/p");
		cr_assert_str_eq(bucket("a")->region, "us-east-1");
		cr_assert_not(bucket("a")->region_given);
		cr_assert_eq(bucket("a")->mode, BUCKET_READ_WRITE);
	}
}

Test(settings, a_file_that_is_no_configuration_is_refused_as_a_whole)
{
	static const char *const docs[] = {
		"", "[]", "a: b", "buckets: {", "services: {configs: {}}",
		"buckets: {}\ndataset: {}", "buckets: [a]", "dataset: 5",
	};

	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		load_text(docs[i]);
		cr_assert_eq(result, -EINVAL, "%s", docs[i]);
		cr_assert(report.fatal);
		cr_assert_null(st);
	}
}

Test(settings, an_empty_mapping_of_buckets_is_a_configuration)
{
	load_text("buckets:\n");
	cr_assert_eq(result, 0, "%s", printed.data);
	cr_assert_eq(st->n_buckets, 0);
}

Test(settings, everything_wrong_is_told_at_once_in_the_order_of_the_file)
{
	struct buf want = BUF_INIT;
	struct err err = ERR_INIT;
	const char *top = getenv("top_srcdir");
	char path[512];

	load_fixture("many-errors.yaml");
	(void)snprintf(path, sizeof(path),
		       "%s/tests/fixtures/config/many-errors.txt",
		       top ? top : ".");
	cr_assert_eq(io_read_file(path, 1 << 20, &want, &err), 0);
	cr_assert_str_eq(printed.data, want.data);
	buf_release(&want);
	cr_assert_eq(result, 0);
	cr_assert_null(bucket("nothing")->cred);
}

Test(settings, two_credentials_for_one_place_are_an_error)
{
	load_text("buckets:\n"
		  "  a: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: y}}\n"
		  "  b: {dataset_path: \"s3://b/p/\", default_credential: "
		  "{access_key_id: x, access_key: z}}\n");
	cr_assert_null(bucket("a")->problem);
	cr_assert_not_null(bucket("b")->problem);
}

Test(settings, of_several_credentials_for_one_place_the_files_first_stands)
{
	load_text("buckets:\n"
		  "  z: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: y}}\n"
		  "  other: {dataset_path: \"s3://b/o\", default_credential: "
		  "{access_key_id: x, access_key: z}}\n"
		  "  c: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: z}}\n"
		  "  b: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: y}}\n"
		  "  a: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: z}}\n");
	cr_assert_null(bucket("z")->problem);
	cr_assert_null(bucket("b")->problem);
	cr_assert_null(bucket("other")->problem);
	cr_assert_not_null(strstr(bucket("c")->problem, "bucket z has another"));
	cr_assert_not_null(strstr(bucket("a")->problem, "bucket z has another"));
	cr_assert_eq(report.n_problems, 2, "%s", printed.data);
}

Test(settings, hostile_yaml_is_bounded)
{
	char *deep = malloc(4000);
	size_t n = 0;

	load_text("a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
		  "c: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c]\n"
		  "e: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n"
		  "buckets: {}\n");
	cr_assert_eq(result, -EINVAL);
	for (size_t i = 0; i < 1000; i++)
		deep[n++] = '[';
	deep[n] = '\0';
	load_text(deep);
	cr_assert_eq(result, -EINVAL);
	free(deep);
}

Test(settings, a_bucket_that_stands_twice_is_closed)
{
	load_text("buckets:\n  a: {dataset_path: \"s3://b\"}\n"
		  "  c: {dataset_path: \"s3://b\"}\n"
		  "  a: {dataset_path: \"s3://other\"}\n");
	cr_assert_eq(result, 0);
	cr_assert_eq(st->n_buckets, 2);
	cr_assert_not_null(bucket("a")->problem);
	cr_assert_null(bucket("c")->problem);
	cr_assert(told("config.yaml:4:3: buckets.a: stands twice, first at "
		       "line 2"), "%s", printed.data);
}

Test(settings, no_section_stands_twice_in_silence)
{
	static const char *const docs[] = {
		"dataset: {buckets: {}}\ndataset: {buckets: {}}",
		"dataset: {buckets: {}, buckets: {}}",
		"buckets: {}\nbuckets: {}",
		"dataset: {buckets: {}}\ndatasetfs: {}\ndatasetfs: {}",
		"services: {configs: {dataset: {}}}\nservices: {}",
		"services: {configs: {dataset: {}}, configs: {}}",
		"services: {configs: {dataset: {}, dataset: {}}}",
		"services: {configs: {dataset: {}, secretRefs: ~, secretRefs: ~}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
		load_text(docs[i]);
		cr_assert_eq(report.n_errors, 1, "%s: %s", docs[i],
			     printed.data);
		cr_assert(told("stands twice"), "%s", printed.data);
	}
}

Test(settings, the_default_bucket_must_be_one)
{
	load_text("buckets: {production: {dataset_path: \"s3://b\"}}\n"
		  "default_bucket: prodution\n");
	cr_assert_eq(result, 0);
	cr_assert_null(st->default_bucket);
	cr_assert_str_eq(st->default_bucket_text, "prodution");
	cr_assert(told("did you mean production?"), "%s", printed.data);
	cr_assert_null(bucket("production")->problem);
	load_text("buckets: {a: {dataset_path: \"s3://b\"}}\n"
		  "default_bucket: \"\"\n");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_null(st->default_bucket);
}

Test(settings, other_sections_of_osmos_files_are_not_our_business)
{
	load_text("service: {x: [1]}\nworkflow: ~\ndataset: {buckets: {}}\n");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	load_text("global: {x: y}\nservices:\n  configs:\n    enabled: true\n"
		  "    backends: {}\n    dataset: {buckets: {}}\n"
		  "  postgres: {}\n");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
}

Test(settings, a_file_is_loaded_as_its_text_is)
{
	struct err err = ERR_INIT;
	char path[128];
	char *big;

	put("c.yaml", "buckets: {a: {dataset_path: \"s3://b\"}}");
	(void)snprintf(path, sizeof(path), "%s/c.yaml", dir);
	cr_assert_eq(settings_load(&st, path, &report, &err), 0, "%s",
		     err.text);
	cr_assert_str_eq(st->path, path);
	unload();
	(void)snprintf(path, sizeof(path), "%s/nothing.yaml", dir);
	cr_assert_eq(settings_load(&st, path, &report, &err), -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
	cr_assert_not_null(strstr(err.text, path));
	cr_assert_lt(settings_load(&st, dir, &report, &err), 0);

	big = malloc((4 << 20) + 2);
	cr_assert_not_null(big);
	memset(big, '#', (4 << 20) + 1);
	big[(4 << 20) + 1] = '\0';
	put("c.yaml", big);
	free(big);
	(void)snprintf(path, sizeof(path), "%s/c.yaml", dir);
	cr_assert_lt(settings_load(&st, path, &report, &err), 0);
	cr_assert_not_null(strstr(err.text, "c.yaml"));
}

Test(settings, what_the_three_shapes_call_a_value_is_its_path)
{
	load_text("services: {configs: {dataset: {buckets: {a: {mode: x}}}}}");
	cr_assert(told("services.configs.dataset.buckets.a.mode: "), "%s",
		  printed.data);
	load_text("dataset: {buckets: {a: {mode: x}}}");
	cr_assert(told(" dataset.buckets.a.mode: "), "%s", printed.data);
	load_text("buckets: {a: {mode: x}}");
	cr_assert(told(" buckets.a.mode: "), "%s", printed.data);
}

Test(settings, beginners_mistakes_have_a_hint)
{
	load_text("buckets:\n\ta: 1\n");
	cr_assert(told("config.yaml:2:1: not valid YAML"), "%s", printed.data);
	cr_assert(told("a tab stands there"), "%s", printed.data);
	load_text("buckets:\n  {{- range .x }}\n  a: 1\n");
	cr_assert(told("render it first") || told("not rendered"), "%s",
		  printed.data);
	load_text("a: b\n--- \nc: d\n");
	cr_assert(told("a second document"), "%s", printed.data);
	load_bytes("\xff\xfe" "a\0", 4);
	cr_assert(told("UTF-16"), "%s", printed.data);
	load_bytes("buckets: \xff\n", 11);
	cr_assert(told("config.yaml:1:10: not valid UTF-8"), "%s",
		  printed.data);
	load_text("");
	cr_assert(told("config.yaml:1:1: the file is empty"), "%s",
		  printed.data);
}

/* Each "known here are A, B, C" of the report, against the manual. */
Test(settings, the_manual_names_every_key)
{
	cleanup_buf struct buf manual = BUF_INIT;
	struct err err = ERR_INIT;
	const char *top = getenv("top_srcdir");
	char path[512], want[128], *save = NULL;
	size_t n_keys = 0;

	(void)snprintf(path, sizeof(path), "%s/man/datasetfs.conf.5",
		       top ? top : ".");
	cr_assert_eq(io_read_file(path, 1 << 20, &manual, &err), 0);
	load_text("buckets: {a: {x: 1, dataset_path: \"s3://b\", "
		  "default_credential: {x: 1, access_key_id: a, "
		  "access_key: b}}}\nx: 1\ndatasetfs: {x: 1, cache: {x: 1}, "
		  "buckets: {a: {x: 1}}}\n");
	cr_assert_eq(report.n_problems, 6, "%s", printed.data);
	for (size_t i = 0; i < report.n_problems; i++) {
		char *known = strstr(report.problems[i].text, "here are ");

		cr_assert_not_null(known);
		for (char *key = strtok_r(known + 9, ", ", &save); key;
		     key = strtok_r(NULL, ", ", &save)) {
			bool is_there;

			(void)snprintf(want, sizeof(want), "Cm %s", key);
			is_there = strstr(manual.data, want);
			(void)snprintf(want, sizeof(want), ".%s", key);
			is_there = is_there || strstr(manual.data, want);
			(void)snprintf(want, sizeof(want), ", %s\n", key);
			is_there = is_there || strstr(manual.data, want);
			cr_assert(is_there, "datasetfs.conf(5) lacks %s", key);
			n_keys++;
		}
	}
	cr_assert_geq(n_keys, 27);
}

Test(settings, the_same_credential_twice_for_one_place_is_one)
{
	load_text("buckets:\n"
		  "  a: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: y, addressing_style: path}}\n"
		  "  b: {dataset_path: \"s3://b/p/\", default_credential: "
		  "{access_key_id: x, access_key: y, addressing_style: path}}\n"
		  "  c: {dataset_path: \"s3://b/q\", default_credential: "
		  "{access_key_id: x, access_key: z}}\n"
		  "  d: {dataset_path: \"s3://b/p\"}\n");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	load_text("buckets:\n"
		  "  a: {dataset_path: \"s3://b/p\", default_credential: "
		  "{access_key_id: x, access_key: y, addressing_style: path}}\n"
		  "  b: {dataset_path: \"s3://b/p/\", default_credential: "
		  "{access_key_id: x, access_key: y}}\n");
	cr_assert_not_null(bucket("b")->problem);
}

Test(settings, more_buckets_than_can_be_meant_are_refused, .timeout = 20)
{
	cleanup_buf struct buf doc = BUF_INIT;

	buf_str(&doc, "buckets: {");
	for (int i = 0; i < 10001; i++)
		buf_printf(&doc, "b%d: x, ", i);
	buf_str(&doc, "}\n");
	load_bytes(doc.data, doc.len);
	cr_assert_eq(result, -EINVAL);
	cr_assert(told("10001 buckets, limit 10000"), "%s", printed.data);
}
