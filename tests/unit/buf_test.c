/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/buf.h"

#include <errno.h>
#include <criterion/criterion.h>

Test(buf, content_is_always_a_string)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(buf_add(&buf, "abc", 3, &err), 0);
	cr_expect_str_eq(buf.data, "abc");
	buf_char(&buf, 'd');
	buf_str(&buf, "ef");
	buf_bytes(&buf, "gh", 2);
	buf_printf(&buf, "%d", 42);
	cr_expect_str_eq(buf.data, "abcdefgh42");
	cr_expect_eq(buf.len, 10);
	buf_clear(&buf);
	cr_expect_eq(buf.len, 0);
	cr_expect_str_eq(buf.data, "");
}

Test(buf, nothing_added_is_a_string_too)
{
	cleanup_buf struct buf buf = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(buf_add(&buf, NULL, 0, &err), 0);
	cr_assert_not_null(buf.data);
	cr_expect_str_eq(buf.data, "");
}

Test(buf, grows_through_every_size_with_its_content)
{
	cleanup_buf struct buf buf = BUF_INIT;

	for (int i = 0; i < 100000; i++)
		buf_char(&buf, (char)('a' + i % 26));
	cr_assert(!buf_failed(&buf));
	cr_assert_eq(buf.len, 100000);
	for (int i = 0; i < 100000; i++)
		cr_assert_eq(buf.data[i], 'a' + i % 26);
	cr_expect_eq(buf.data[100000], '\0');
}

Test(buf, limit_holds_to_the_byte_and_leaves_the_content)
{
	cleanup_buf struct buf buf = BUF_INIT_LIMIT(5);
	struct err err = ERR_INIT;

	cr_assert_eq(buf_add(&buf, "12345", 5, &err), 0);
	cr_assert_eq(buf_add(&buf, "6", 1, &err), -EFBIG);
	cr_expect_eq(err.class, ERR_USAGE);
	cr_expect_not_null(strstr(err.text, "5 bytes"));
	cr_expect_str_eq(buf.data, "12345");
	cr_expect(!buf_failed(&buf));
}

Test(buf, sizes_that_overflow_are_refused)
{
	cleanup_buf struct buf buf = BUF_INIT;
	cleanup_buf struct buf unlimited = BUF_INIT_LIMIT(SIZE_MAX);
	struct err err = ERR_INIT;

	cr_assert_eq(buf_add(&buf, "x", 1, &err), 0);
	cr_expect_eq(buf_reserve(&buf, SIZE_MAX, &err), -EFBIG);
	cr_expect_eq(buf_reserve(&buf, SIZE_MAX - 1, &err), -EFBIG);
	cr_assert_eq(buf_add(&unlimited, "x", 1, &err), 0);
	cr_expect_lt(buf_reserve(&unlimited, SIZE_MAX - 1, &err), 0);
	cr_expect_str_eq(buf.data, "x");
}

Test(buf, a_failed_chain_is_noticed_at_its_end)
{
	cleanup_buf struct buf buf = BUF_INIT_LIMIT(4);
	char *text;

	buf_str(&buf, "abc");
	cr_expect(!buf_failed(&buf));
	buf_str(&buf, "def");
	buf_str(&buf, "");
	cr_expect(buf_failed(&buf));
	text = buf_steal(&buf);
	cr_expect_null(text);
	cr_expect_null(buf.data);
}

Test(buf, printf_that_does_not_fit_fails)
{
	cleanup_buf struct buf buf = BUF_INIT_LIMIT(4);

	buf_printf(&buf, "%s", "12345");
	cr_expect(buf_failed(&buf));
	buf_clear(&buf);
	buf_printf(&buf, "%s", "1234");
	cr_expect(!buf_failed(&buf));
	cr_expect_str_eq(buf.data, "1234");
}

Test(buf, steal_hands_over_the_string)
{
	struct buf buf = BUF_INIT;
	char *text;

	buf_str(&buf, "kept");
	text = buf_steal(&buf);
	cr_expect_str_eq(text, "kept");
	cr_expect_null(buf.data);
	cr_expect_eq(buf.len, 0);
	free(text);
	text = buf_steal(&buf);
	cr_expect(!text || text[0] == '\0');
	free(text);
}

Test(buf, sizes_are_added_and_multiplied_with_care)
{
	size_t n;

	cr_expect(size_add(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
	cr_expect(!size_add(SIZE_MAX, 1, &n));
	cr_expect(size_mul(SIZE_MAX / 2, 2, &n) && n == SIZE_MAX - 1);
	cr_expect(!size_mul(SIZE_MAX / 2 + 1, 2, &n));
}

Test(buf, little_endian_at_odd_addresses)
{
	uint8_t bytes[16] = { 0 };

	put_le16(bytes + 1, 0x1122);
	put_le32(bytes + 3, 0x33445566);
	put_le64(bytes + 7, 0x778899aabbccddeeULL);
	cr_expect_eq(memcmp(bytes, "\0\x22\x11\x66\x55\x44\x33\xee\xdd\xcc\xbb"
				   "\xaa\x99\x88\x77\0", 16), 0);
	cr_expect_eq(get_le16(bytes + 1), 0x1122);
	cr_expect_eq(get_le32(bytes + 3), 0x33445566);
	cr_expect_eq(get_le64(bytes + 7), 0x778899aabbccddeeULL);
}

Test(reader, reads_in_order_and_ends_exactly)
{
	static const uint8_t bytes[] = {
		1, 2, 0, 3, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 'a', 'b',
	};
	struct reader rd = reader_over(bytes, sizeof(bytes));
	struct err err = ERR_INIT;

	cr_expect_eq(reader_u8(&rd), 1);
	cr_expect_eq(reader_le16(&rd), 2);
	cr_expect_eq(reader_le32(&rd), 3);
	cr_expect_eq(reader_le64(&rd), 4);
	cr_expect_eq(reader_bytes(&rd, 2), bytes + 15);
	cr_expect_eq(reader_finish(&rd, &err), 0);
}

Test(reader, an_error_is_sticky_and_everything_after_it_is_zero)
{
	static const uint8_t bytes[] = { 0xff, 0xff, 0xff };
	struct reader rd = reader_over(bytes, sizeof(bytes));
	struct err err = ERR_INIT;

	cr_expect_eq(reader_le32(&rd), 0);
	cr_expect_eq(reader_u8(&rd), 0);
	cr_expect_null(reader_bytes(&rd, 1));
	cr_expect_eq(reader_finish(&rd, &err), -EBADMSG);
	cr_expect_eq(err.class, ERR_CORRUPT);
}

Test(reader, bytes_left_over_are_an_error)
{
	struct reader rd = reader_over("ab", 2);
	struct err err = ERR_INIT;

	(void)reader_u8(&rd);
	cr_expect_eq(reader_finish(&rd, &err), -EBADMSG);
}

Test(reader, a_length_beyond_the_address_space_does_not_wrap)
{
	struct reader rd = reader_over("abcd", 4);

	cr_expect_null(reader_bytes(&rd, SIZE_MAX));
	cr_expect(rd.failed);
}
