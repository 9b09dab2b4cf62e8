/* SPDX-License-Identifier: Apache-2.0 */
/* settings_load.c and settings_next.c. */
#include <config.h>
#include "tests/unit/config_file.h"

TestSuite(settings_load, .init = put_all, .fini = remove_all);

static bool has_source(const struct settings *st, const char *name,
		       bool is_dir)
{
	for (size_t i = 0; i < st->n_sources; i++)
		if (strcmp(st->sources[i].path, in_dir(name)) == 0)
			return st->sources[i].is_dir == is_dir;
	return false;
}

Test(settings_load, what_it_took_is_listed_with_absolute_paths)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	struct settings *st = NULL;

	cr_assert_eq(chdir(in_dir("etc")), 0);
	cr_assert_eq(settings_load(&st, "config.yaml", &report, &err), 0);
	cr_assert_eq(report.n_problems, 0);
	cr_assert_str_eq(st->path, "config.yaml");
	cr_assert_str_eq(st->sources[0].path, in_dir("etc/config.yaml"));
	cr_assert(has_source(st, "etc/secrets/key", true));
	cr_assert(has_source(st, "etc/secrets/key/access_key", false));
	cr_assert(has_source(st, "etc/secrets/key/access_key_id", false));
	cr_assert_eq(st->n_sources, 4);
	cr_assert_str_eq(st->secrets_dir, in_dir("etc/secrets"));
	settings_free(st);
}

Test(settings_load, a_secret_that_is_missing_is_a_source_too)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	struct settings *st = NULL;

	put("etc/config.yaml", "buckets: {p: {dataset_path: \"s3://b/p\", "
	    "default_credential: {secretName: none}}}\n"
	    "datasetfs: {secrets_dir: secrets}\n");
	cr_assert_eq(settings_load(&st, in_dir("etc/config.yaml"), &report,
				   &err), 0);
	settings_report_release(&report);
	cr_assert(has_source(st, "etc/secrets/none", true));
	cr_assert_not(st->sources[1].stamp.exists);
	settings_free(st);
}

Test(settings_load, the_digest_tells_every_change_and_nothing_else)
{
	struct settings *st = load("etc/config.yaml"), *next;

	next = load("etc/config.yaml");
	cr_assert_arr_eq(st->digest, next->digest, SHA256_SIZE);
	settings_free(next);

	put("etc/secrets/key/access_key", "other\n");
	next = load("etc/config.yaml");
	cr_assert_arr_neq(st->digest, next->digest, SHA256_SIZE);
	cr_assert_arr_eq(st->file_digest, next->file_digest, SHA256_SIZE);
	settings_free(next);

	put("etc/secrets/key/access_key", "secret\n");
	put("etc/config.yaml", CONFIG "\n");
	next = load("etc/config.yaml");
	cr_assert_arr_neq(st->digest, next->digest, SHA256_SIZE);
	cr_assert_arr_neq(st->file_digest, next->file_digest, SHA256_SIZE);
	settings_free(next);
	settings_free(st);
}

Test(settings_load, the_digest_of_the_file_is_what_sha256sum_prints)
{
	static const uint8_t want[SHA256_SIZE] = {
		0xed, 0x5a, 0x2c, 0x4f, 0x8e, 0x26, 0xcf, 0xae,
		0xf0, 0x86, 0xe8, 0x85, 0xe7, 0x0a, 0x3c, 0xd3,
		0x17, 0x48, 0x1c, 0x84, 0x7c, 0x49, 0x77, 0x61,
		0xf8, 0xcc, 0x64, 0xe9, 0xe6, 0x3c, 0x2e, 0x49,
	};
	struct settings *st;

	put("etc/config.yaml", "buckets: {}\n");
	st = load("etc/config.yaml");
	cr_assert_arr_eq(st->file_digest, want, SHA256_SIZE);
	settings_free(st);
}

Test(settings_load, what_needs_another_mount_is_named)
{
	struct settings *st, *next;
	cleanup_buf struct buf names = BUF_INIT;

	put("etc/config.yaml", "buckets: {}\ndatasetfs: {cache: {dir: a, "
	    "size: 1GiB}}\n");
	st = load("etc/config.yaml");
	settings_next_mount(st, st, &names);
	cr_assert_eq(names.len, 0);
	put("etc/config.yaml", "buckets: {}\ndatasetfs: {cache: {dir: b, "
	    "size: 2GiB, free: 1%}, memory: 512MiB}\n");
	next = load("etc/config.yaml");
	settings_next_mount(st, next, &names);
	cr_assert_str_eq(names.data,
			 "cache.dir, cache.size, cache.free, memory");
	settings_free(next);
	settings_free(st);
}
