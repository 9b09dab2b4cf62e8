/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <criterion/criterion.h>

static void parses(const char *text, int64_t want_s, uint32_t want_ns)
{
	int64_t s = -1;
	uint32_t ns = 1;

	cr_assert_eq(clock_parse_iso(text, &s, &ns), 0, "%s", text);
	cr_expect_eq(s, want_s, "%s: %lld", text, (long long)s);
	cr_expect_eq(ns, want_ns, "%s: %u ns", text, ns);
	cr_expect_eq(clock_parse_iso(text, &s, NULL), 0);
}

/* Values from GNU date -u -d. */
Test(clock, every_spelling_of_osmo_postgresql_and_the_stores)
{
	parses("1970-01-01T00:00:00Z", 0, 0);
	parses("2026-05-02T12:00:00", 1777723200, 0);
	parses("2026-05-02 12:00:00.5", 1777723200, 500000000);
	parses("2026-05-02T12:00:00.123456789Z", 1777723200, 123456789);
	parses("2026-05-02 12:00:00+00", 1777723200, 0);
	parses("2026-05-02 12:00:00.000001+02:00", 1777716000, 1000);
	parses("2026-05-02T12:00:00-0530", 1777743000, 0);
	parses("1969-12-31T23:59:59Z", -1, 0);
	parses("2000-02-29T00:00:00Z", 951782400, 0);
	parses("2024-02-29T23:59:59Z", 1709251199, 0);
	parses("9999-12-31T23:59:59Z", 253402300799, 0);
}

Test(clock, what_is_no_date_is_refused)
{
	static const char *const bad[] = {
		"", "2026", "2026-05-02", "2026-5-02T12:00:00",
		"2026-13-02T12:00:00", "2026-00-02T12:00:00",
		"2026-02-29T12:00:00", "2100-02-29T00:00:00",
		"2026-05-32T12:00:00", "2026-05-02T24:00:00",
		"2026-05-02T12:60:00", "2026-05-02T12:00:60",
		"2026-05-02T12:00:00.", "2026-05-02T12:00:00.1234567890",
		"2026-05-02T12:00:00X", "2026-05-02T12:00:00Zx",
		"2026-05-02T12:00:00+2", "2026-05-02T12:00:00+24",
		"2026-05-02T12:00:00+02:60", "2026-05-02T12:00:00 ",
		"-026-05-02T12:00:00", "2026-05-02t12:00:00",
	};
	int64_t s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(clock_parse_iso(bad[i], &s, NULL), -EINVAL, "%s",
			     bad[i]);
	cr_expect_eq(clock_parse_iso(NULL, &s, NULL), -EINVAL);
}

/* Against the C library, which has another way to get there. */
Test(clock, formats_as_gmtime_and_back)
{
	for (int64_t s = -62167219200; s < 253402300799; s += 86400 * 13 + 7919) {
		char got[CLOCK_ISO_MAX], want[CLOCK_ISO_MAX];
		time_t t = (time_t)s;
		struct tm tm;
		int64_t back;

		cr_assert_not_null(gmtime_r(&t, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ",
			 (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
			 tm.tm_mday % 100, tm.tm_hour % 100, tm.tm_min % 100,
			 tm.tm_sec % 100);
		clock_format_iso(s, got);
		cr_assert_str_eq(got, want);
		cr_assert_eq(clock_parse_iso(got, &back, NULL), 0, "%s", got);
		cr_assert_eq(back, s);
	}
}

Test(clock, any_second_formats_within_its_bounds)
{
	static const int64_t far[] = { INT64_MIN, INT64_MIN / 2, -1, INT64_MAX };
	char text[CLOCK_ISO_MAX];

	for (size_t i = 0; i < 4; i++) {
		clock_format_iso(far[i], text);
		cr_expect_lt(strlen(text), CLOCK_ISO_MAX);
	}
}

static int64_t fake_ms(void)
{
	return 12345;
}

static int64_t fake_wall(void)
{
	return 67890;
}

Test(clock, tests_can_replace_time_and_give_it_back)
{
	int64_t before = clock_ms();

	clock_fake(fake_ms, fake_wall);
	cr_expect_eq(clock_ms(), 12345);
	cr_expect_eq(clock_wall_s(), 67890);
	clock_fake(NULL, NULL);
	cr_expect_geq(clock_ms(), before);
	cr_expect_leq(clock_ms() - before, 60000);
	cr_expect_leq(llabs(clock_wall_s() - (int64_t)time(NULL)), 2);
}
