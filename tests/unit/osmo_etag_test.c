/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/osmo/osmo_etag.h"

#include <string.h>
#include <criterion/criterion.h>
#include "fs/dataset/osmo/osmo_checksum.h"

#define MD5_EMPTY "d41d8cd98f00b204e9800998ecf8427e"
#define MD5_A "0cc175b9c0f1b6a831c399e269772661"

static bool parse(struct osmo_etag *out, const char *text)
{
	return osmo_etag_parse(out, text, strlen(text));
}

Test(osmo_etag, digits_with_and_without_parts)
{
	struct osmo_etag e;
	char text[OSMO_ETAG_TEXT_MAX];

	cr_assert(parse(&e, MD5_A));
	cr_expect_eq(e.parts, 0);
	cr_expect(e.is_canonical);
	osmo_etag_format(text, e.md5, e.parts);
	cr_expect_str_eq(text, MD5_A);
	cr_assert(parse(&e, MD5_A "-4294967295"));
	cr_expect_eq(e.parts, UINT32_MAX);
	osmo_etag_format(text, e.md5, e.parts);
	cr_expect_str_eq(text, MD5_A "-4294967295");
	cr_assert(parse(&e, "0CC175B9C0F1B6A831C399E269772661"));
	cr_expect_not(e.is_canonical);
}

Test(osmo_etag, anything_else_is_none)
{
	static const char *const bad[] = {
		"", "0cc1", MD5_A "0", MD5_A "-", MD5_A "-0", MD5_A "-01",
		MD5_A "-4294967296", MD5_A "-99999999999999999999", MD5_A "-1x",
		MD5_A " ", "0xc175b9c0f1b6a831c399e269772661zz", "\"" MD5_A "\"",
		MD5_A "--1", MD5_A "+1",
	};
	struct osmo_etag e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_not(parse(&e, bad[i]), "%s", bad[i]);
}

Test(osmo_etag, parts_fit_the_size_at_the_very_byte)
{
	cr_expect(osmo_etag_fits(0, 0));
	cr_expect(osmo_etag_fits(0, OSMO_PART));
	cr_expect_not(osmo_etag_fits(1, OSMO_PART));
	cr_expect_not(osmo_etag_fits(0, OSMO_PART + 1));
	cr_expect(osmo_etag_fits(2, OSMO_PART + 1));
	cr_expect(osmo_etag_fits(2, 2 * OSMO_PART));
	cr_expect(osmo_etag_fits(3, 2 * OSMO_PART + 1));
	cr_expect_not(osmo_etag_fits(2, UINT64_MAX));
}

/* The sum of len bytes, byte i being i * 7, fed in the given steps. */
static void sum(char text[OSMO_ETAG_TEXT_MAX], struct osmo_etag_sum *s,
		size_t len, size_t step)
{
	struct osmo_etag e;
	uint8_t bytes[64];

	for (size_t at = 0; at < len; at += step) {
		size_t n = len - at < step ? len - at : step;

		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)((at + i) * 7);
		osmo_etag_sum_add(s, bytes, n);
	}
	osmo_etag_sum_finish(s, &e);
	osmo_etag_format(text, e.md5, e.parts);
}

/* Made by: hashlib.md5(b"".join(md5 of each 16 bytes)) */
Test(osmo_etag, the_sum_does_not_depend_on_how_it_was_fed)
{
	static const struct {
		size_t len;
		const char *etag;
	} vectors[] = {
		{ 0, MD5_EMPTY },
		{ 1, "93b885adfe0da089cdf634904fd59f71" },
		{ 15, "f99776a038bf94b536b9a23a8f5d08a7" },
		{ 16, "daf625abc7088aad9d6eb1af171e918f" },
		{ 17, "b98b1073ed78e126f8812b36ff2623f6-2" },
		{ 32, "1bcc9f132868f9cb74de2e67800a9b89-2" },
		{ 33, "58ca9c9e64fe0070d50cae23f265f32a-3" },
		{ 100, "8f09bdf1a14a1d271199484aaf0dc9ec-7" },
	};
	struct osmo_etag_sum *s = osmo_etag_sum_new(16);
	char text[OSMO_ETAG_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		for (size_t step = 1; step <= 64; step++) {
			sum(text, s, vectors[i].len, step);
			cr_expect_str_eq(text, vectors[i].etag, "%zu by %zu",
					 vectors[i].len, step);
		}
	}
	osmo_etag_sum_free(s);
}

static void checksum_add(struct osmo_checksum *sum, const char *path,
			 const char *etag)
{
	const struct osmo_entry e = {
		.relative_path = path, .relative_path_len = strlen(path),
		.etag = etag, .etag_len = strlen(etag),
	};

	osmo_checksum_add(sum, &e);
}

Test(osmo_checksum, is_the_md5_of_paths_and_etags_in_order)
{
	struct osmo_checksum *sum = osmo_checksum_new();
	char text[OSMO_CHECKSUM_TEXT], other[OSMO_CHECKSUM_TEXT];
	uint8_t md5[MD5_SIZE], got[MD5_SIZE];

	osmo_checksum_finish(sum, text);
	cr_expect_str_eq(text, "");
	checksum_add(sum, "a/b", MD5_A);
	checksum_add(sum, "c", "x-2");
	osmo_checksum_finish(sum, text);
	digest_md5(md5, "a/b " MD5_A "c x-2", 3 + 1 + 32 + 5);
	for (int i = 0; i < MD5_SIZE; i++)
		cr_assert_eq(sscanf(text + 2 * i, "%2hhx", &got[i]), 1);
	cr_expect_arr_eq(got, md5, MD5_SIZE);
	checksum_add(sum, "c", "x-2");
	checksum_add(sum, "a/b", MD5_A);
	osmo_checksum_finish(sum, other);
	cr_expect_str_neq(text, other);
	osmo_checksum_finish(sum, text);
	cr_expect_str_eq(text, "");
	osmo_checksum_free(sum);
}

Test(osmo_etag, of_an_object_is_what_proves_its_content_or_pins_it_best)
{
	struct object_info info = { .etag = "0cc175b9c0f1b6a831c399e269772661",
				    .generation = "1732156539000123" };

	cr_expect_str_eq(osmo_etag_of(&info),
			 "0cc175b9c0f1b6a831c399e269772661");
	strcpy(info.etag, "0cc175b9c0f1b6a831c399e269772661-3");
	cr_expect_str_eq(osmo_etag_of(&info),
			 "0cc175b9c0f1b6a831c399e269772661-3");
	/* Google's, of an object composed of others. */
	strcpy(info.etag, "CPjF2/eA4u4CEAE=");
	cr_expect_str_eq(osmo_etag_of(&info), "1732156539000123");
	info.generation[0] = '\0';
	cr_expect_str_eq(osmo_etag_of(&info), "CPjF2/eA4u4CEAE=");
	info.etag[0] = '\0';
	cr_expect_str_eq(osmo_etag_of(&info), "");
}
