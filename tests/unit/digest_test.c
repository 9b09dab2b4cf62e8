/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/digest.h"
#include "backends/base/encode.h"

#include <criterion/criterion.h>

static const char *md5(const char *text)
{
	static char hex[2 * MD5_SIZE + 1];
	uint8_t out[MD5_SIZE];

	digest_md5(out, text, strlen(text));
	encode_hex(hex, out, sizeof(out));
	return hex;
}

static const char *sha256(const char *text)
{
	static char hex[2 * SHA256_SIZE + 1];
	uint8_t out[SHA256_SIZE];

	digest_sha256(out, text, strlen(text));
	encode_hex(hex, out, sizeof(out));
	return hex;
}

Test(digest, md5_of_rfc_1321)
{
	cr_expect_str_eq(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
	cr_expect_str_eq(md5("a"), "0cc175b9c0f1b6a831c399e269772661");
	cr_expect_str_eq(md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
	cr_expect_str_eq(md5("message digest"),
			 "f96b697d7cb7938d525a2f31aaf161d0");
	cr_expect_str_eq(md5("1234567890123456789012345678901234567890"
			     "1234567890123456789012345678901234567890"),
			 "57edf4a22be3c955ac49da2e2107b67a");
}

Test(digest, sha256_of_fips_180)
{
	cr_expect_str_eq(sha256(""), "e3b0c44298fc1c149afbf4c8996fb924"
				     "27ae41e4649b934ca495991b7852b855");
	cr_expect_str_eq(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223"
					"b00361a396177a9cb410ff61f20015ad");
	cr_expect_str_eq(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmn"
				"lmnomnopnopq"),
			 "248d6a61d20638b8e5c026930c3e6039"
			 "a33ce45964ff2167f6ecedd419db06c1");
}

static const char *hmac(const void *key, size_t key_len, const void *data,
			size_t len)
{
	static char hex[2 * SHA256_SIZE + 1];
	uint8_t out[SHA256_SIZE];

	digest_hmac_sha256(out, key, key_len, data, len);
	encode_hex(hex, out, sizeof(out));
	return hex;
}

Test(digest, hmac_sha256_of_rfc_4231)
{
	uint8_t key[131], data[50];

	memset(key, 0x0b, 20);
	cr_expect_str_eq(hmac(key, 20, "Hi There", 8),
			 "b0344c61d8db38535ca8afceaf0bf12b"
			 "881dc200c9833da726e9376c2e32cff7");
	cr_expect_str_eq(hmac("Jefe", 4, "what do ya want for nothing?", 28),
			 "5bdcc146bf60754e6a042426089575c7"
			 "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	cr_expect_str_eq(hmac(key, 20, data, 50),
			 "773ea91e36800e46854db8ebd09181a7"
			 "2959098b3ef8c122d9635514ced565fe");
	cr_expect_str_eq(hmac(key, 131, "Test Using Larger Than Block-Size Key"
					" - Hash Key First", 54),
			 "60e431591ee0b67f0d8a26aacbf5b77f"
			 "8e0bc6213728c5140546040f0ee37f54");
}

/* Of an empty input, seed 0, as xxhash's own documentation states it. */
Test(digest, xxh3_is_the_64_bit_variant)
{
	cr_expect_eq(digest_xxh3("", 0), 0x2d06800538d394c2ULL);
	cr_expect_neq(digest_xxh3("a", 1), digest_xxh3("b", 1));
}

Test(digest, pieces_give_the_same_as_the_whole)
{
	static const enum digest_kind kinds[] = { DIGEST_MD5, DIGEST_SHA256 };
	uint8_t data[1000], whole[SHA256_SIZE], pieces[SHA256_SIZE];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t k = 0; k < 2; k++) {
		size_t size = kinds[k] == DIGEST_MD5 ? MD5_SIZE : SHA256_SIZE;
		struct digest *digest = digest_new(kinds[k]);

		if (kinds[k] == DIGEST_MD5)
			digest_md5(whole, data, sizeof(data));
		else
			digest_sha256(whole, data, sizeof(data));
		/* Twice: finish begins afresh. */
		for (size_t step = 1; step < 400; step += 133) {
			for (size_t at = 0; at < sizeof(data); at += step)
				digest_add(digest, data + at,
					   at + step > sizeof(data) ?
						   sizeof(data) - at : step);
			digest_finish(digest, pieces);
			cr_expect_arr_eq(pieces, whole, size);
		}
		digest_free(digest);
	}
	digest_free(NULL);
}
