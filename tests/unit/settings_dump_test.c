/* SPDX-License-Identifier: Apache-2.0 */
/* settings_dump.c: "config get DATASET" and "config show". */
#include <config.h>
#include "tests/unit/settings_fixture.h"

TestSuite(settings_dump, .init = setup, .fini = teardown);

Test(settings_dump, the_document_is_osmos_byte_for_byte)
{
	cleanup_buf struct buf text = BUF_INIT, want = BUF_INIT;

	load_fixture("dump.yaml");
	cr_assert_eq(report.n_problems, 0, "%s", printed.data);
	settings_dump_osmo(st, &text);
	read_fixture("dump.json", &want);
	cr_assert_str_eq(text.data, want.data);
}

/* The masks apart, which are refused. */
Test(settings_dump, what_is_dumped_loads_again)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;

	load_fixture("seed-multiple.yaml");
	settings_dump_osmo(st, &once);
	load_text(once.data);
	cr_assert_eq(result, 0, "%s", printed.data);
	cr_assert_eq(st->n_buckets, 4);
	settings_dump_osmo(st, &twice);
	cr_assert_str_eq(once.data, twice.data);
}

Test(settings_dump, a_dumped_mask_is_refused_when_it_comes_back)
{
	cleanup_buf struct buf text = BUF_INIT;

	load_cred("{access_key_id: a, access_key: b}");
	settings_dump_osmo(st, &text);
	load_text(text.data);
	cr_assert_not_null(bucket("p")->problem);
	cr_assert(told("the mask (asterisks)"), "%s", printed.data);
}

Test(settings_dump, an_empty_configuration_is_one)
{
	cleanup_buf struct buf text = BUF_INIT;

	load_text("buckets: {}");
	settings_dump_osmo(st, &text);
	cr_assert_str_eq(text.data, "{\n  \"buckets\": {},\n"
			 "  \"default_bucket\": \"\"\n}\n");
}

Test(settings_dump, every_effective_value_has_its_origin)
{
	cleanup_buf struct buf text = BUF_INIT, plain = BUF_INIT;

	put("s/access_key_id", "id");
	put("s/access_key", "TOPSECRET1");
	load_cred("{secretName: s}");
	settings_dump_effective(st, true, &text);
	cr_assert_not_null(strstr(text.data, "# default\n"));
	cr_assert_not_null(strstr(text.data, "config.yaml:2\n"));
	cr_assert_not_null(strstr(text.data, "**********  # secret s ("));
	cr_assert_null(strstr(text.data, "TOPSECRET1"));
	settings_dump_effective(st, false, &plain);
	cr_assert_null(strchr(plain.data, '#'));
}

Test(settings_dump, values_cannot_forge_lines)
{
	cleanup_buf struct buf text = BUF_INIT;

	load_text("buckets: {a: {dataset_path: \"s3://b\", description: "
		  "\"x\\nbuckets.a.mode  \\e[31mread-only\"}}");
	settings_dump_effective(st, false, &text);
	cr_assert_null(strstr(text.data, "\nbuckets.a.mode  \\x"));
	cr_assert_null(strchr(text.data, '\x1b'));
}
