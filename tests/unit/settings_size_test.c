/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/settings.h"

#include <errno.h>
#include <criterion/criterion.h>

Test(settings_size, units_are_those_of_kubernetes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 }, { "1024", 1024 }, { "1k", 1000 }, { "1K", 1000 },
		{ "1KB", 1000 }, { "1Ki", 1024 }, { "1kib", 1024 },
		{ "10 GB", 10000000000 }, { "500GiB", 500ull << 30 },
		{ "1.5Ti", 3ull << 39 }, { "2P", 2000000000000000 },
		{ "1Ei", 1ull << 60 }, { "7B", 7 }, { "0.5K", 500 },
		{ "15EiB", 15ull << 60 }, { "18446744073709551615", UINT64_MAX },
		{ "0.000000001G", 1 },
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(settings_parse_size(cases[i].text, &bytes), 0,
			     "%s", cases[i].text);
		cr_assert_eq(bytes, cases[i].bytes, "%s: %llu", cases[i].text,
			     (unsigned long long)bytes);
	}
}

Test(settings_size, what_is_no_size_or_does_not_fit_is_refused)
{
	static const char *const bad[] = {
		"", " ", "-1", "+1", "x", "1x", "1 X", "K", ".5", "1.", "1.K",
		"1..5", "1KK", "1iB", "16Ei", "18446744073709551616", "1e3",
		"99999999999999999999999", "1.0000000001G", "0x10", "1GiB ",
		" 1", "1\t", "5%", "1,5G",
	};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_assert_eq(settings_parse_size(bad[i], &bytes), -EINVAL,
			     "'%s'", bad[i]);
}
