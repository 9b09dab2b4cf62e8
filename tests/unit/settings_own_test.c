/* SPDX-License-Identifier: Apache-2.0 */
/* settings_own.c: the datasetfs: section. */
#include <config.h>
#include "tests/unit/settings_fixture.h"

TestSuite(settings_own, .init = setup, .fini = teardown);

Test(settings_own, our_own_section_is_read)
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

Test(settings_own, a_bucket_whose_closing_is_mistyped_is_closed)
{
	load_text("buckets: {a: {dataset_path: \"s3://b\"}}\n"
		  "datasetfs: {buckets: {a: {acess: \"0700\"}}}\n");
	cr_assert_not_null(bucket("a")->problem);
	cr_assert(told("access"), "%s", printed.data);
}

static void load_own(const char *text)
{
	char doc[512];

	(void)snprintf(doc, sizeof(doc), "buckets: {a: {dataset_path: "
		       "\"s3://b\"}}\ndatasetfs: %s\n", text);
	load_text(doc);
}

Test(settings_own, defaults)
{
	load_own("");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_eq(st->cache_size, 0);
	cr_assert_eq(st->cache_free, 0);
	cr_assert_eq(st->cache_free_percent, 5);
	cr_assert_eq(st->memory, 0);
	cr_assert_str_eq(st->secrets_dir, "/etc/osmo/secrets");
	cr_assert_str_eq(value_of("datasetfs.memory")->origin, "default");
}

Test(settings_own, a_ca_file_that_cannot_be_used_refuses_the_whole_file)
{
	char want[256];

	load_own("{ca_file: ca/none.pem}");
	cr_assert_eq(result, -EINVAL);
	(void)snprintf(want, sizeof(want),
		       "datasetfs.ca_file: %s/ca/none.pem cannot be used", dir);
	cr_assert(told(want), "%s", printed.data);
	put("ca/empty.pem", "no certificate\n");
	load_own("{ca_file: ca/empty.pem}");
	cr_assert_eq(result, -EINVAL);
	cr_assert(told("holds no certificate"), "%s", printed.data);
	load_own("{ca_file: null}");
	cr_assert_eq(result, 0);
	cr_assert_null(st->ca_file);
}

Test(settings_own, relative_folders_are_beside_the_file)
{
	char want[128];

	load_own("{cache: {dir: c/d}, secrets_dir: s}");
	(void)snprintf(want, sizeof(want), "%s/c/d", dir);
	cr_assert_str_eq(st->cache_dir, want);
	(void)snprintf(want, sizeof(want), "%s/s", dir);
	cr_assert_str_eq(st->secrets_dir, want);
}

Test(settings_own, free_is_a_percentage_or_a_size)
{
	load_own("{cache: {free: 0%}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert_eq(st->cache_free_percent, 0);
	load_own("{cache: {free: 10GiB}}");
	cr_assert_eq(st->cache_free, (uint64_t)10 << 30);
	cr_assert_eq(st->cache_free_percent, 0);
	load_own("{cache: {free: 99%}}");
	cr_assert_eq(st->cache_free_percent, 99);
}

Test(settings_own, limits_of_the_cache_are_of_the_file_system_or_as_given)
{
	uint64_t size, kept;

	load_own("");
	settings_cache_limits(st, 1000, &size, &kept);
	cr_assert_eq(size, 900);
	cr_assert_eq(kept, 50);
	load_own("{cache: {size: 2MiB, free: 1MiB}}");
	settings_cache_limits(st, 1000, &size, &kept);
	cr_assert_eq(size, (uint64_t)2 << 20);
	cr_assert_eq(kept, (uint64_t)1 << 20);
	load_own("{cache: {free: 0%}}");
	settings_cache_limits(st, 1000, &size, &kept);
	cr_assert_eq(kept, 0);
}

/* Which value holds then is what "config show" says. */
Test(settings_own, a_value_that_is_refused_is_the_default)
{
	static const char *const bad[] = {
		"{cache: {free: 100%}}", "{cache: {free: -1%}}",
		"{cache: {free: 5 %}}", "{cache: {free: much}}",
		"{cache: {size: 0}}", "{cache: {size: 500}}",
		"{cache: {size: 10 potatoes}}", "{cache: {size: 16EiB}}",
		"{cache: {size: [1]}}", "{cache: {dir: [x]}}", "{cache: x}",
		"{memory: 127MiB}", "{memory: -1}", "{memory: {}}",
		"{cahce: {}}", "{cache: {sise: 1GiB}}", "{secrets_dir: [x]}",
		"{buckets: [a]}", "{buckets: {b: {}}}", "[x]", "5",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		load_own(bad[i]);
		cr_assert_eq(result, 0, "%s", bad[i]);
		cr_assert_eq(report.n_errors, 1, "%s: %s", bad[i],
			     printed.data);
		cr_assert_null(bucket("a")->problem, "%s", bad[i]);
		cr_assert_eq(st->cache_free_percent, 5);
		cr_assert_eq(st->cache_size, 0);
		cr_assert_eq(st->memory, 0);
		cr_assert_str_eq(value_of("datasetfs.cache.free")->value, "5%");
		cr_assert_str_eq(value_of("datasetfs.memory")->value, "256MiB");
		cr_assert_str_eq(value_of("datasetfs.memory")->origin,
				 "default");
		cr_assert_str_eq(st->secrets_dir, "/etc/osmo/secrets");
	}
}

Test(settings_own, the_cache_folder_of_a_user_is_the_users)
{
	/* As root there is one folder for the machine. */
	if (geteuid() == 0) {
		load_own("");
		cr_assert_str_eq(st->cache_dir, "/var/cache/datasetfs");
		cr_assert_eq(seteuid(65534), 0);
	}
	cr_assert_eq(setenv("XDG_CACHE_HOME", "/xdg", 1), 0);
	load_own("");
	cr_assert_str_eq(st->cache_dir, "/xdg/datasetfs");
	cr_assert_str_eq(value_of("datasetfs.cache.dir")->origin,
			 "environment XDG_CACHE_HOME");
	cr_assert_eq(unsetenv("XDG_CACHE_HOME"), 0);
	cr_assert_eq(setenv("HOME", "/home/u", 1), 0);
	load_own("");
	cr_assert_str_eq(st->cache_dir, "/home/u/.cache/datasetfs");

	cr_assert_eq(unsetenv("HOME"), 0);
	load_own("");
	cr_assert_eq(result, -EINVAL);
	cr_assert(told("datasetfs.cache.dir: it is missing"), "%s",
		  printed.data);
	load_own("{cache: {dir: /c}}");
	cr_assert_eq(result, 0, "%s", printed.data);
	if (getuid() == 0)
		cr_assert_eq(seteuid(0), 0);
}

Test(settings_own, a_bucket_that_stands_twice_here_is_closed)
{
	load_own("{buckets: {a: {access: \"0700\"}, a: {access: \"0755\"}}}");
	cr_assert_not_null(bucket("a")->problem);
	load_own("{buckets: {a: ~}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	load_own("{buckets: {a: 5}}");
	cr_assert_not_null(bucket("a")->problem);
}

Test(settings_own, what_is_s3s_own)
{
	static const struct {
		const char *text;
		const char *want;
	} bad[] = {
		{ "request_payer: owner",
		  "datasetfs.buckets.a.request_payer: expected requester" },
		{ "expected_bucket_owner: 12345678901",
		  "datasetfs.buckets.a.expected_bucket_owner: expected the 12 "
		  "digits of an AWS account, in quotes" },
		{ "sse_kms_key: \"a b\"",
		  "datasetfs.buckets.a.sse_kms_key: expected the id, ARN or alias "
		  "of a KMS key" },
		{ "dualstack: yes", "datasetfs.buckets.a.dualstack: expected true "
				    "or false" },
	};
	char text[256];

	load_own("{buckets: {a: {request_payer: requester, "
		 "expected_bucket_owner: \"012345678901\", sse_kms_key: "
		 "\"arn:aws:kms:eu-west-1:012345678901:key/k-1\", dualstack: "
		 "true}}}");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	cr_assert(bucket("a")->requester_pays && bucket("a")->dualstack);
	cr_assert_str_eq(bucket("a")->expected_owner, "012345678901");
	cr_assert_str_eq(bucket("a")->sse_kms_key,
			 "arn:aws:kms:eu-west-1:012345678901:key/k-1");
	load_own("{buckets: {a: {dualstack: false}}}");
	cr_assert(!bucket("a")->requester_pays && !bucket("a")->dualstack);
	cr_assert(!bucket("a")->expected_owner && !bucket("a")->sse_kms_key);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		(void)snprintf(text, sizeof(text), "{buckets: {a: {%s}}}",
			       bad[i].text);
		load_own(text);
		cr_assert_not_null(bucket("a")->problem, "%s", text);
		cr_assert(told(bad[i].want), "%s", printed.data);
	}
	load_text("buckets: {a: {dataset_path: \"gs://b\"}}\ndatasetfs: "
		  "{buckets: {a: {dualstack: true}}}\n");
	cr_assert_not_null(bucket("a")->problem);
	cr_assert(told("datasetfs.buckets.a.dualstack: only s3:// has it: leave "
		       "the key out"),
		  "%s", printed.data);
}
