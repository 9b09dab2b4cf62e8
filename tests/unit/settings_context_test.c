/* SPDX-License-Identifier: Apache-2.0 */
/* settings_context.c, settings_report.c: how a problem is told. */
#include <config.h>
#include "fs/config/settings_context.h"

#include "tests/unit/settings_fixture.h"

TestSuite(settings_context, .init = setup, .fini = teardown);

Test(settings_context, paths_quote_what_is_no_plain_word)
{
	const struct field_path a = { NULL, "dataset" };
	const struct field_path b = { &a, "s3://x.y\n" };
	const struct field_path c = { &b, "[3]" };
	const struct field_path d = { &c, "mode" };
	cleanup_buf struct buf text = BUF_INIT;

	field_path_print(&d, &text);
	cr_assert_str_eq(text.data, "dataset.\"s3://x.y\\x0a\"[3].mode");
}

Test(settings_context, masks_are_made_of_asterisks_only)
{
	cr_assert(settings_is_mask("**********"));
	cr_assert(settings_is_mask("***"));
	cr_assert_not(settings_is_mask("**"));
	cr_assert_not(settings_is_mask(""));
	cr_assert_not(settings_is_mask("***x"));
}

Test(settings_context, a_mask_is_refused_wherever_it_stands)
{
	load_text("buckets: {a: {dataset_path: \"**********\"}}");
	cr_assert(told("the mask (asterisks)"), "%s", printed.data);
	cr_assert_not_null(bucket("a")->problem);
}

Test(settings_context, problems_are_told_in_the_order_of_the_file)
{
	load_fixture("many-errors.yaml");
	for (size_t i = 1; i < report.n_problems; i++) {
		const struct settings_problem *p = &report.problems[i];

		cr_assert(p[-1].line < p->line ||
			  (p[-1].line == p->line &&
			   p[-1].column <= p->column));
	}
	/* Exactly one line each. */
	size_t lines = 0;

	for (const char *s = printed.data; (s = strchr(s, '\n')); s++)
		lines++;
	cr_assert_eq(lines, report.n_problems);
}

/* A file of 100,000 errors must neither take minutes nor gigabytes. */
Test(settings_context, a_flood_of_problems_is_counted_and_closes_its_buckets,
     .timeout = 20)
{
	cleanup_buf struct buf doc = BUF_INIT;

	buf_str(&doc, "buckets:\n");
	for (int i = 0; i < 3000; i++)
		buf_printf(&doc, "  b%d: {dataset_path: \"s3://b\", x: 1}\n", i);
	buf_str(&doc, "  last: {dataset_path: \"s3://b\"}\n"
		"datasetfs:\n  buckets:\n    last: {access: \"0700\"}\n");
	for (int i = 0; i < 50000; i++)
		buf_printf(&doc, "    c%d: 1\n", i);
	load_bytes(doc.data, doc.len);
	cr_assert_eq(result, 0);
	cr_assert_eq(report.n_problems, SETTINGS_PROBLEMS_MAX);
	cr_assert_eq(report.n_hidden, 52000);
	cr_assert(told("and 52000 more problems"));
	cr_assert_not_null(bucket("b2999")->problem);
	cr_assert_null(bucket("last")->problem);
	cr_assert_eq(bucket("last")->access, 0700);
}
