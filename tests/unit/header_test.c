/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/header.h"

#include <criterion/criterion.h>

Test(header, dates_are_read_exactly_or_not_at_all)
{
	static const char *const bad[] = {
		"",
		"Sun, 06 Nov 1994 08:49:37",
		"Sun, 06 Nov 1994 08:49:37 CET",
		"Sun, 06 ovD 1994 08:49:37 GMT",
		"Sun, 06 xxx 1994 08:49:37 GMT",
		"Sun, 00 Nov 1994 08:49:37 GMT",
		"Sun, 06 Nov 1994 24:49:37 GMT",
		"Sun, 6  Nov 1994 08:49:37 GMT",
		"Sunday, 06-Nov-94 08:49:37 GMT",
		"Sun, 06 Nov 1494 08:49:37 GMT",
		"Sun, 06 Nov 1994 08:49:37 GMT ",
	};
	int64_t s = 0;

	cr_expect(header_date(&s, "Sun, 06 Nov 1994 08:49:37 GMT"));
	cr_expect_eq(s, 784111777);
	cr_expect(header_date(&s, "Thu, 01 Jan 1970 00:00:00 GMT"));
	cr_expect_eq(s, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(header_date(&s, bad[i]), "%s", bad[i]);
}

Test(header, content_ranges_are_exact_or_not_at_all)
{
	static const char *const bad[] = {
		"",		    "bytes",
		"bytes 0-9",	    "bytes 0-9/*",
		"bytes */10",	    "bytes 9-0/10",
		"bytes 0-10/10",    "bytes -1-9/10",
		"bytes 0-9/10 ",    "bytes 0 -9/10",
		"items 0-9/10",	    "bytes 0-9/99999999999999999999",
		"bytes 0-+9/10",    "bytes 0-9223372036854775808/1",
	};
	uint64_t first, last, total;

	cr_expect(header_content_range(&first, &last, &total,
					 "bytes 5-9/9223372036854775807"));
	cr_expect_eq(first, 5);
	cr_expect_eq(last, 9);
	cr_expect_eq(total, INT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(header_content_range(&first, &last, &total,
						     bad[i]),
			      "%s", bad[i]);
}

Test(header, etags_that_cannot_be_sent_back_are_none)
{
	char etag[BACKEND_ETAG_MAX], text[BACKEND_ETAG_MAX + 8];

	header_etag(etag, "\"abc\"");
	cr_expect_str_eq(etag, "abc");
	header_etag(etag, "abc");
	cr_expect_str_eq(etag, "abc");
	header_etag(etag, "W/\"abc\"");
	cr_expect_str_eq(etag, "");
	header_etag(etag, "\"a b\"");
	cr_expect_str_eq(etag, "");
	header_etag(etag, "a\r\nX: y");
	cr_expect_str_eq(etag, "");
	memset(text, 'a', sizeof(text));
	text[BACKEND_ETAG_MAX] = '\0';
	header_etag(etag, text);
	cr_expect_str_eq(etag, "");
	text[BACKEND_ETAG_MAX - 1] = '\0';
	header_etag(etag, text);
	cr_expect_eq(strlen(etag), BACKEND_ETAG_MAX - 1);
}

Test(header, generations_are_positive_numbers_of_64_bits_or_none)
{
	static const char *const bad[] = {
		"", "-1", "+1", " 1", "1 ", "1x", "0x1", "12345678901234567890",
	};
	char generation[BACKEND_GENERATION_MAX];

	header_generation(generation, "1732156539000123");
	cr_expect_str_eq(generation, "1732156539000123");
	header_generation(generation, "9223372036854775807");
	cr_expect_str_eq(generation, "9223372036854775807");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		header_generation(generation, bad[i]);
		cr_expect_str_eq(generation, "", "%s", bad[i]);
	}
}
