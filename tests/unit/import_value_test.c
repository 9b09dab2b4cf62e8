/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/import/import_value.h"

#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "fs/dataset/catalog_store/catalog_record.h"

static void object_is(const char *text, const char *want)
{
	const char *why = NULL;
	char *out = NULL;

	cr_expect_eq(import_value_object(&out, text, &why), want ? 0 : 1, "%s",
		     text);
	if (want)
		cr_expect_str_eq(out, want);
	else
		cr_expect_not_null(why);
	free(out);
}

Test(import_value, objects_are_compact_and_can_be_held)
{
	object_is(NULL, "{}");
	object_is("", "{}");
	object_is("null", "{}");
	object_is(" { \"a\" : 1.50 } ", "{\"a\":1.50}");
	object_is("[1]", NULL);
	object_is("\"x\"", NULL);
	object_is("{\"a\": 99999999999999999999}", NULL);
	object_is("{\"a\": 1e999}", NULL);
	object_is("{", NULL);
}

Test(import_value, an_object_beyond_the_limit_is_not_taken)
{
	size_t len = CATALOG_OBJECT_MAX + 16;
	char *text = malloc(len + 1);

	memset(text, 'x', len);
	memcpy(text, "{\"a\":\"", 6);
	memcpy(text + len - 2, "\"}", 3);
	object_is(text, NULL);
	free(text);
}

static void size_is(const char *text, int r, uint64_t want)
{
	const char *why = NULL;
	uint64_t out = 7;

	cr_expect_eq(import_value_size(&out, text, &why), r, "%s", text);
	if (r == 0)
		cr_expect_eq(out, want);
}

Test(import_value, sizes_are_whole_and_not_negative)
{
	size_is(NULL, 0, 0);
	size_is("", 0, 0);
	size_is("0", 0, 0);
	size_is("9223372036854775807", 0, INT64_MAX);
	size_is("9223372036854775808", 1, 0);
	size_is("99999999999999999999999", 1, 0);
	size_is("-1", 1, 0);
	size_is("+1", 1, 0);
	size_is(" 1", 1, 0);
	size_is("1.5", 1, 0);
	size_is("1e3", 1, 0);
}

static void time_is(const char *text, int r, int64_t want)
{
	const char *why = NULL;
	int64_t out = 7;

	cr_expect_eq(import_value_time(&out, text, &why), r, "%s", text);
	if (r == 0)
		cr_expect_eq(out, want);
}

Test(import_value, times_as_the_database_and_the_client_write_them)
{
	time_is(NULL, 0, 0);
	time_is("2026-05-01 12:00:00", 0, 1777636800);
	time_is("2026-05-01 12:00:00.123456", 0, 1777636800);
	time_is("2026-05-01T12:00:00", 0, 1777636800);
	time_is("2026-05-01 14:00:00+02", 0, 1777636800);
	time_is("infinity", 1, 0);
	time_is("01/05/2026", 1, 0);
}

Test(import_value, text_has_a_limit_and_is_utf8)
{
	const char *why = NULL;
	char *out = NULL;

	cr_expect_eq(import_value_text(&out, NULL, 5, &why), 0);
	cr_expect_str_eq(out, "");
	cr_expect_eq(import_value_text(&out, "12345", 5, &why), 0);
	cr_expect_eq(import_value_text(&out, "123456", 5, &why), 1);
	cr_expect_eq(import_value_text(&out, "\xc3", 5, &why), 1);
	cr_expect_str_eq(out, "12345");
	free(out);
}

Test(import_value, words)
{
	enum version_status status;

	cr_expect(import_value_bool("t") && import_value_bool("true") &&
		  import_value_bool("1") && import_value_bool("TRUE"));
	cr_expect_not(import_value_bool("f") || import_value_bool(NULL) ||
		      import_value_bool("") || import_value_bool("0"));
	cr_expect_eq(import_value_status(&status, "PENDING_DELETE"), 0);
	cr_expect_eq(status, VERSION_PENDING_DELETE);
	cr_expect_eq(import_value_status(&status, "ready"), 1);
	cr_expect_eq(import_value_status(&status, NULL), 1);
}
