/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/file_stamp.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <criterion/criterion.h>

static char dir[] = "/tmp/datasetfs-stamp-test-XXXXXX";

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
}

static void teardown(void)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(file_stamp, .init = setup, .fini = teardown);

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	cr_assert_not_null(f);
	cr_assert_geq(fputs(text, f), 0);
	cr_assert_eq(fclose(f), 0);
}

static bool is_changed(const char *name, struct file_stamp *known)
{
	struct file_stamp now;
	bool same;

	file_stamp_take(name, &now);
	same = file_stamp_equal(&now, known);
	*known = now;
	return !same;
}

Test(file_stamp, what_comes_is_written_replaced_or_goes_has_another)
{
	struct file_stamp known;

	file_stamp_take("f", &known);
	cr_assert_not(known.exists);
	cr_assert_not(is_changed("f", &known));
	put("f", "one");
	cr_assert(is_changed("f", &known));
	cr_assert_not(is_changed("f", &known));
	put("f", "longer");
	cr_assert(is_changed("f", &known));
	/* The same length, another file. */
	put("g", "LONGER");
	cr_assert_eq(rename("g", "f"), 0);
	cr_assert(is_changed("f", &known));
	cr_assert_eq(unlink("f"), 0);
	cr_assert(is_changed("f", &known));
}

Test(file_stamp, a_link_that_leads_elsewhere_has_another)
{
	struct file_stamp known;

	put("one", "x");
	put("two", "x");
	cr_assert_eq(symlink("one", "link"), 0);
	file_stamp_take("link", &known);
	cr_assert(known.exists);
	cr_assert_eq(symlink("two", "tmp"), 0);
	cr_assert_eq(rename("tmp", "link"), 0);
	cr_assert(is_changed("link", &known));
}
