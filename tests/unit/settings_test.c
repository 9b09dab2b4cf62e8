/* SPDX-License-Identifier: Apache-2.0 */
/* settings*.c, secrets.c: what OSMO's files mean, and how bad ones are told. */
#include <config.h>
#include "fs/config/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include "backends/base/io.h"

static char dir[] = "/tmp/datasetfs-settings-test-XXXXXX";
static struct settings *st;
static struct settings_report report;
static struct buf printed;
static int result;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	unsetenv("OSMO_CONFIG_FILE_DIR");
	unsetenv("XDG_CONFIG_HOME");
}

static void unload(void)
{
	settings_free(st);
	st = NULL;
	settings_report_release(&report);
	buf_release(&printed);
	printed = (struct buf)BUF_INIT;
}

static void teardown(void)
{
	char line[64];

	unload();
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(settings, .init = setup, .fini = teardown);

static void load_text(const char *text)
{
	struct err err = ERR_INIT;
	char path[128];

	unload();
	(void)snprintf(path, sizeof(path), "%s/config.yaml", dir);
	result = settings_parse(&st, path, text, strlen(text), &report, &err);
	settings_report_print(&report, "config.yaml", &printed);
	buf_str(&printed, "");
}

static void load_fixture(const char *name)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	const char *top = getenv("top_srcdir");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/tests/fixtures/config/%s",
		       top ? top : ".", name);
	cr_assert_eq(io_read_file(path, 1 << 20, &text, &err), 0, "%s",
		     err.text);
	load_text(text.data);
	buf_release(&text);
}

static const struct settings_bucket *bucket(const char *name)
{
	const struct settings_bucket *b = settings_bucket(st, name);

	cr_assert_not_null(b, "no bucket %s", name);
	return b;
}

static void put(const char *name, const char *text)
{
	char path[256], folder[256];
	struct err err = ERR_INIT;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	cr_assert_eq(io_mkdir_p(folder, 0700), 0, "%s", err.text);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_geq(fputs(text, f), 0);
	cr_assert_eq(fclose(f), 0);
}

/* A bucket "p" whose credential is text, with secrets below dir. */
static void load_cred(const char *text)
{
	char *doc;

	cr_assert_gt(asprintf(&doc, "datasetfs: {secrets_dir: \"%s\"}\n"
			      "buckets: {p: {dataset_path: \"s3://b/p\", "
			      "default_credential: %s}}\n", dir, text), 0);
	load_text(doc);
	free(doc);
}

static bool told(const char *words)
{
	return strstr(printed.data, words) != NULL;
}

/* ---- the seed ---- */

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

/* ---- shapes ---- */

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

/* ---- secrets ---- */

Test(settings, an_empty_override_url_is_none)
{
	put("s/access_key_id", "id");
	put("s/access_key", "key");
	put("s/override_url", "");
	load_cred("{secretName: s}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_null(bucket("p")->cred->override_url);
}

Test(settings, a_cred_yaml_of_the_secret_wins_over_the_siblings)
{
	put("s/cred.yaml", "access_key_id: new\naccess_key: key\n"
	    "addressing_style: path\n");
	load_cred("{secretName: s, access_key_id: old}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(bucket("p")->cred->access_key_id, "new");
	cr_assert_eq(bucket("p")->cred->addressing, ADDRESSING_PATH);
}

Test(settings, single_keys_and_files_are_resolved)
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

Test(settings, a_secret_cannot_lead_out_of_its_directory)
{
	load_cred("{secretName: \"../etc\"}");
	cr_assert_not_null(bucket("p")->problem);
	load_cred("{secretName: s, secretKey: \"../../passwd\"}");
	cr_assert_not_null(bucket("p")->problem);
}

Test(settings, the_mask_is_refused_with_its_reason)
{
	load_cred("{access_key_id: a, access_key: \"**********\"}");
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("asterisks"), "%s", printed.data);
}

Test(settings, a_broken_secret_tells_its_place_and_never_its_content)
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

Test(settings, a_credential_serves_the_profile_that_it_is_for)
{
	load_cred("{access_key_id: a, access_key: b, endpoint: \"s3://b\"}");
	cr_assert_null(bucket("p")->problem, "%s", printed.data);
	load_cred("{access_key_id: a, access_key: b, endpoint: \"s3://c\"}");
	cr_assert_not_null(bucket("p")->problem);
	load_cred("{access_key_id: a, access_key: b, endpoint: "
		  "\"https://s3.example.com\"}");
	cr_assert(told("override_url"), "%s", printed.data);
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

Test(settings, the_clients_file_serves_exactly_its_profile)
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

/* ---- our own section ---- */

Test(settings, our_own_section_is_read)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\"}}\n"
		  "datasetfs:\n"
		  "  cache: {dir: /c, size: 1.5GiB, free: 7%}\n"
		  "  memory: 512MiB\n"
		  "  buckets:\n"
		  "    a: {catalog: \"file:///cat\", uid: 1000, gid: 100, "
		  "access: \"0750\", foreign: [\"s3://raw/2024\"]}\n");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_str_eq(st->cache_dir, "/c");
	cr_assert_eq(st->cache_size, (uint64_t)3 << 29);
	cr_assert_eq(st->cache_free_percent, 7);
	cr_assert_eq(st->memory, (uint64_t)512 << 20);
	cr_assert_eq(bucket("a")->uid, 1000);
	cr_assert_eq(bucket("a")->gid, 100);
	cr_assert_eq(bucket("a")->access, 0750);
	cr_assert_eq(bucket("a")->n_foreign, 1);
	cr_assert(bucket("a")->has_catalog);
}

Test(settings, a_bucket_whose_closing_is_mistyped_is_closed)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\"}}\n"
		  "datasetfs: {buckets: {a: {acess: \"0700\"}}}\n");
	cr_assert_not_null(bucket("a")->problem);
	cr_assert(told("access"), "%s", printed.data);
}

Test(settings, modes_other_than_the_two_close_the_bucket)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\", mode: read_only}}");
	cr_assert_eq(bucket("a")->mode, BUCKET_MODE_BAD);
	cr_assert_not_null(bucket("a")->problem);
	cr_assert_str_eq(bucket("a")->mode_text, "read_only");
}

Test(settings, old_and_unknown_keys)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\", check_key: true}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	load_text("buckets: {a: {datasetPath: \"s3://b\"}}");
	cr_assert(told("did you mean dataset_path"), "%s", printed.data);
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
