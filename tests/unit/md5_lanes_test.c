/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/md5_lanes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/encode.h"

static const char *hex_of(const uint8_t md5[MD5_SIZE])
{
	static char hex[2 * MD5_SIZE + 1];

	encode_hex(hex, md5, MD5_SIZE);
	return hex;
}

Test(md5_lanes, side_by_side_as_in_rfc_1321)
{
	static const char *const text[] = {
		"", "a", "abc", "message digest", "abcdefghijklmnopqrstuvwxyz",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
		("1234567890123456789012345678901234567890"
		 "1234567890123456789012345678901234567890"),
	};
	static const char *const want[] = {
		"d41d8cd98f00b204e9800998ecf8427e",
		"0cc175b9c0f1b6a831c399e269772661",
		"900150983cd24fb0d6963f7d28e17f72",
		"f96b697d7cb7938d525a2f31aaf161d0",
		"c3fcd3d76192e4007dfb496cca67e13b",
		"d174ab98d277d9f5a5611c2c9f419d9f",
		"57edf4a22be3c955ac49da2e2107b67a",
	};
	struct md5_lane lanes[7];
	struct iovec iov[7];

	for (size_t i = 0; i < 7; i++) {
		iov[i].iov_base = (void *)(uintptr_t)text[i];
		iov[i].iov_len = strlen(text[i]);
		lanes[i] = (struct md5_lane){ .iov = &iov[i], .n = 1 };
	}
	md5_lanes(lanes, 7);
	for (size_t i = 0; i < 7; i++)
		cr_expect_str_eq(hex_of(lanes[i].md5), want[i], "%zu", i);
}

Test(md5_lanes, nothing_at_all)
{
	struct md5_lane lane = { .n = 0 };

	md5_lanes(&lane, 1);
	cr_expect_str_eq(hex_of(lane.md5), "d41d8cd98f00b204e9800998ecf8427e");
	md5_lanes(NULL, 0);
}

/* Every length about the ends of blocks, in lanes that end at other times. */
static void check_lengths(enum md5_lanes_kind kind)
{
	enum { SIZE = 3000 };
	uint8_t *data = malloc(SIZE), want[MD5_SIZE];
	struct md5_lane lanes[MD5_LANES];
	struct iovec iov[MD5_LANES];

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 2654435761u >> 11);
	for (size_t len = 0; len < 300; len++) {
		for (size_t i = 0; i < MD5_LANES; i++) {
			size_t of = (len + i * 331) % SIZE;

			iov[i].iov_base = data + (SIZE - of) / (i + 1);
			iov[i].iov_len = of;
			lanes[i] = (struct md5_lane){ .iov = &iov[i], .n = 1 };
		}
		if (!md5_lanes_by(kind, lanes, 1 + (int)(len % MD5_LANES)))
			cr_skip_test("this processor has no such vectors");
		for (size_t i = 0; i < 1 + len % MD5_LANES; i++) {
			digest_md5(want, iov[i].iov_base, iov[i].iov_len);
			cr_assert_arr_eq(lanes[i].md5, want, MD5_SIZE,
					 "%zu bytes", iov[i].iov_len);
		}
	}
	free(data);
}

Test(md5_lanes, any_lengths_are_as_one_by_one)
{
	check_lengths(MD5_LANES_ANY);
}

Test(md5_lanes, any_lengths_with_avx2)
{
	check_lengths(MD5_LANES_AVX2);
}

Test(md5_lanes, any_lengths_with_avx512)
{
	check_lengths(MD5_LANES_AVX512);
}

Test(md5_lanes, pieces_are_one_content)
{
	uint8_t data[64 * 10 + 7], want[MD5_SIZE];
	struct iovec iov[] = {
		{ data, 64 }, { data + 64, 0 }, { data + 64, 64 * 8 },
		{ data + 64 * 9, 64 + 7 },
	};
	struct iovec even[] = { { data, 128 }, { data + 128, 128 } };
	struct md5_lane lanes[] = {
		{ .iov = iov, .n = 4 }, { .iov = even, .n = 2 },
	};

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i);
	md5_lanes(lanes, 2);
	digest_md5(want, data, sizeof(data));
	cr_expect_arr_eq(lanes[0].md5, want, MD5_SIZE);
	digest_md5(want, data, 256);
	cr_expect_arr_eq(lanes[1].md5, want, MD5_SIZE);
}
