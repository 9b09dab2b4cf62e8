/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/encode.h"

#include <errno.h>
#include <criterion/criterion.h>

Test(encode, hex_both_ways)
{
	uint8_t bytes[5] = { 0x00, 0x1f, 0xa0, 0xff, 0x7e }, back[5];
	char text[11];

	encode_hex(text, bytes, 5);
	cr_expect_str_eq(text, "001fa0ff7e");
	cr_expect_eq(decode_hex(back, 5, "001FA0fF7e", 10), 0);
	cr_expect_arr_eq(back, bytes, 5);
	encode_hex(text, NULL, 0);
	cr_expect_str_eq(text, "");
}

Test(encode, hex_of_another_length_or_alphabet_is_refused)
{
	uint8_t back[4];

	cr_expect_eq(decode_hex(back, 2, "001", 3), -EINVAL);
	cr_expect_eq(decode_hex(back, 2, "00112", 5), -EINVAL);
	cr_expect_eq(decode_hex(back, 2, "001g", 4), -EINVAL);
	cr_expect_eq(decode_hex(back, 2, "0x11", 4), -EINVAL);
	cr_expect_eq(decode_hex(back, 2, "-111", 4), -EINVAL);
	cr_expect_eq(decode_hex(back, 2, "00 1", 4), -EINVAL);
	cr_expect_eq(decode_hex(back, SIZE_MAX / 2 + 2, "0011", 2), -EINVAL);
}

static const struct {
	const char *plain, *encoded;
} rfc4648[] = {		/* section 10 */
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

Test(encode, base64url_has_another_alphabet_and_no_padding)
{
	static const uint8_t bytes[] = { 0xfb, 0xef, 0xff, 0xfe };
	struct buf out = BUF_INIT;

	buf_str(&out, "a=");
	encode_base64url(&out, bytes, 4);
	cr_expect_str_eq(out.data, "a=--___g");
	encode_base64url(&out, "", 0);
	cr_expect_str_eq(out.data, "a=--___g");
	buf_release(&out);
}

Test(encode, base64_of_rfc_4648)
{
	for (size_t i = 0; i < ARRAY_SIZE(rfc4648); i++) {
		cleanup_buf struct buf out = BUF_INIT, back = BUF_INIT;
		struct err err = ERR_INIT;
		const char *encoded = rfc4648[i].encoded;
		size_t bare = strcspn(encoded, "=");

		buf_str(&out, "");
		encode_base64(&out, rfc4648[i].plain, strlen(rfc4648[i].plain));
		cr_expect_str_eq(out.data, encoded);
		buf_str(&back, "");
		cr_expect_eq(decode_base64(&back, encoded, strlen(encoded),
					   &err), 0);
		cr_expect_str_eq(back.data, rfc4648[i].plain);
		buf_clear(&back);
		cr_expect_eq(decode_base64(&back, encoded, bare, &err), 0);
		cr_expect_str_eq(back.data, rfc4648[i].plain);
	}
}

Test(encode, base64_in_either_alphabet)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(decode_base64(&out, "-_-_+/+/", 8, &err), 0);
	cr_expect_eq(out.len, 6);
	cr_expect_eq(memcmp(out.data, "\xfb\xff\xbf\xfb\xff\xbf", 6), 0);
	buf_clear(&out);
	encode_base64(&out, "\xfb\xff\xbf", 3);
	cr_expect_str_eq(out.data, "+/+/");
}

Test(encode, base64_that_is_none_is_refused_and_changes_nothing)
{
	static const char *const bad[] = {
		"Z", "Zg=", "Zg===", "=", "====", "Z===", "Zm9vZ", "Zg==Zg==",
		"Zm 9v", "Zm9v\n", "Zm=v", "Zm9v=", "Zm$v",
	};
	cleanup_buf struct buf out = BUF_INIT;

	buf_str(&out, "kept");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		cr_expect_eq(decode_base64(&out, bad[i], strlen(bad[i]), &err),
			     -EINVAL, "%s", bad[i]);
		cr_expect_eq(err.class, ERR_CORRUPT);
		cr_expect_str_eq(out.data, "kept");
	}
}

Test(encode, percent_keeps_what_rfc_3986_calls_unreserved)
{
	cleanup_buf struct buf out = BUF_INIT;

	encode_percent(&out, "AZaz09-._~", 10, "");
	cr_expect_str_eq(out.data, "AZaz09-._~");
	buf_clear(&out);
	encode_percent(&out, "a b/c+%\xc3\xa9\n", 10, "/");
	cr_expect_str_eq(out.data, "a%20b/c%2B%25%C3%A9%0A");
	buf_clear(&out);
	encode_percent(&out, "a/\0b", 4, "");
	cr_expect_str_eq(out.data, "a%2F%00b");
}

Test(encode, percent_back_with_and_without_plus)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(decode_percent(&out, "a+b%2Bc%c3%A9", 13, true, &err), 0);
	cr_expect_str_eq(out.data, "a b+c\xc3\xa9");
	buf_clear(&out);
	cr_expect_eq(decode_percent(&out, "a+b%00", 6, false, &err), 0);
	cr_expect_eq(out.len, 4);
	cr_expect_eq(memcmp(out.data, "a+b\0", 4), 0);
}

Test(encode, percent_without_two_digits_is_refused_and_changes_nothing)
{
	static const char *const bad[] = { "%", "%1", "a%g0", "a%0g", "%%41" };
	cleanup_buf struct buf out = BUF_INIT;

	buf_str(&out, "kept");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		cr_expect_eq(decode_percent(&out, bad[i], strlen(bad[i]),
					    false, &err), -EINVAL, "%s", bad[i]);
		cr_expect_eq(err.class, ERR_CORRUPT);
		cr_expect_str_eq(out.data, "kept");
	}
}

/* Lengths of Unicode 15, table 3-7, and its neighbours that are not. */
Test(encode, utf8_as_unicode_defines_it)
{
	static const struct {
		const char *bytes;
		size_t len;
	} cases[] = {
		{ "a", 1 }, { "\x7f", 1 }, { "\x80", 0 }, { "\xc1\xbf", 0 },
		{ "\xc2\x80", 2 }, { "\xdf\xbf", 2 }, { "\xe0\x9f\xbf", 0 },
		{ "\xe0\xa0\x80", 3 }, { "\xed\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 0 }, { "\xee\x80\x80", 3 },
		{ "\xef\xbf\xbf", 3 }, { "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf0\x90\x80\x80", 4 }, { "\xf4\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 0 }, { "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 }, { "\xc3", 0 }, { "\xe2\x82", 0 },
		{ "\xf0\x9f\x98", 0 }, { "\xc3(", 0 }, { "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(encode_utf8_len(cases[i].bytes,
					     strlen(cases[i].bytes)),
			     cases[i].len, "case %zu", i);
	cr_expect_eq(encode_utf8_len("\xf0\x9f\x98\x80", 3), 0);
	cr_expect_eq(encode_shown_len("\x1b[0m", 4), 0);
	cr_expect_eq(encode_shown_len("\x7f", 1), 0);
	cr_expect_eq(encode_shown_len("\xc2\x9b" "0m", 4), 0);
	cr_expect_eq(encode_shown_len("\xc2\xa0", 2), 2);
}

static void shows(const char *s, size_t len, size_t max, const char *want)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_str(&out, ">");
	encode_printable(&out, s, len, max);
	cr_expect_str_eq(out.data + 1, want);
	cr_expect_leq(out.len - 1, max);
}

Test(encode, printable_is_safe_in_a_quoted_log_line)
{
	shows("plain \xc3\xa9", 8, 99, "plain \xc3\xa9");
	shows("a\nb\t\"'\\", 7, 99, "a\\x0ab\\x09\\x22\\x27\\x5c");
	shows("\xff\xfe\0z", 4, 99, "\\xff\\xfe\\x00z");
	shows("\x1b]0;x\x07", 6, 99, "\\x1b]0;x\\x07");
	shows("", 0, 99, "");
}

Test(encode, prose_keeps_quotes_and_what_was_made_printable_before)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;
	const char *text = "Couldn't say \"a\\b\" \x1b[0m";

	encode_prose(&once, text, strlen(text), 99);
	cr_expect_str_eq(once.data, "Couldn't say \"a\\b\" \\x1b[0m");
	encode_prose(&twice, once.data, once.len, 99);
	cr_expect_str_eq(twice.data, once.data);
}

Test(encode, printable_is_cut_between_characters_and_never_too_long)
{
	shows("0123456789", 10, 10, "0123456789");
	shows("0123456789x", 11, 10, "0123456...");
	shows("012345\xc3\xa9\xc3\xa9\xc3\xa9", 12, 10, "012345...");
	shows("01234\n\n\n", 8, 10, "01234...");
	shows("abcdef", 6, 3, "...");
	shows("abcdef", 6, 2, "..");
	shows("abcdef", 6, 0, "");
}
