/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/google/google_token.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>
#include "backends/auth/google/google_jwt.h"
#include "backends/base/encode.h"

#define NOW_S 1767323045

typedef int (*parse_fn)(struct cred *out, const char *who, const char *text,
			size_t len, int64_t now_s, struct err *err);

static void check_good(parse_fn parse, const char *text, const char *token,
		       int64_t life_s)
{
	cleanup_cred struct cred cred = { .kind = CRED_ANONYMOUS };
	struct err err = ERR_INIT;

	cr_assert_eq(parse(&cred, "X", text, strlen(text), NOW_S, &err), 0,
		     "%s: %s", text, err.text);
	cr_expect_eq(cred.kind, CRED_BEARER);
	cr_expect_str_eq(cred.token, token);
	cr_expect_eq(cred.expires_s, NOW_S + life_s);
	cr_expect_neq(cred.generation, 0);
}

static void check_bad(parse_fn parse, const char *text)
{
	cleanup_cred struct cred cred = { .kind = CRED_ANONYMOUS };
	struct err err = ERR_INIT;
	int r = parse(&cred, "X", text, strlen(text), NOW_S, &err);

	cr_expect(r == -EBADMSG || r == -EACCES, "%s: %d", text, r);
	cr_expect_null(cred.token);
	cr_expect_null(strstr(err.text, "secret"), "%s", err.text);
}

Test(google_token, case_38_an_oauth_answer)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"access_token\":\"secret\"}",
		"{\"access_token\":\"secret\",\"expires_in\":0}",
		"{\"access_token\":\"secret\",\"expires_in\":-1}",
		"{\"access_token\":\"secret\",\"expires_in\":\"1x\"}",
		"{\"access_token\":\"secret\",\"expires_in\":\"9999999999\"}",
		"{\"access_token\":\"secret\",\"expires_in\":1.5}",
		"{\"access_token\":\"secret\\nx: y\",\"expires_in\":9}",
		"{\"access_token\":\"\",\"expires_in\":9}",
		"{\"access_token\":7,\"expires_in\":9}",
		("{\"access_token\":\"secret\",\"expires_in\":9,"
		 "\"token_type\":\"MAC\"}"),
		"{\"access_token\":\"secret\",\"expires_in\":9",
	};

	check_good(google_token_parse,
		   "{\"access_token\":\"ya29.a\",\"expires_in\":3599,"
		   "\"scope\":\"s\",\"token_type\":\"Bearer\"}",
		   "ya29.a", 3599);
	check_good(google_token_parse,
		   "{\"access_token\":\"t\",\"expires_in\":\"240\","
		   "\"token_type\":\"bearer\"}", "t", 240);
	check_good(google_token_parse,
		   "{\"access_token\":\"t\",\"expires_in\":9000000000}", "t",
		   86400);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_bad(google_token_parse, bad[i]);
}

Test(google_token, case_38_an_impersonated_answer)
{
	check_good(google_token_parse_impersonated,
		   "{\"accessToken\":\"t\","
		   "\"expireTime\":\"2026-01-02T04:04:05Z\"}", "t", 3600);
	check_good(google_token_parse_impersonated,
		   "{\"accessToken\":\"t\","
		   "\"expireTime\":\"2046-01-02T04:04:05Z\"}", "t", 86400);
	check_bad(google_token_parse_impersonated,
		  "{\"accessToken\":\"secret\","
		  "\"expireTime\":\"2026-01-02T03:04:05Z\"}");
	check_bad(google_token_parse_impersonated,
		  "{\"accessToken\":\"secret\",\"expireTime\":\"soon\"}");
	check_bad(google_token_parse_impersonated,
		  "{\"accessToken\":\"secret\"}");
	check_bad(google_token_parse_impersonated, "{}");
}

/*
 * The self-signed token.
 */

static char *pem_of(EVP_PKEY *key, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *pem;
	long len;

	cr_assert_eq(PEM_write_bio_PrivateKey(bio, key,
					      password ? EVP_aes_128_cbc() :
							 NULL,
					      NULL, 0, NULL, (void *)password),
		     1);
	len = BIO_get_mem_data(bio, &data);
	pem = strndup(data, (size_t)len);
	BIO_free(bio);
	return pem;
}

static int sign(struct buf *out, char *pem, struct err *err)
{
	const struct google_config config = {
		.client_email = (char *)"a@p.iam.gserviceaccount.com",
		.private_key_id = (char *)"k\"1",
		.private_key = pem,
	};

	return google_jwt_sign(out, &config, "f.json", GOOGLE_SCOPE, NOW_S,
			       err);
}

static void check_signature(EVP_PKEY *key, const char *jwt)
{
	cleanup_buf struct buf signature = BUF_INIT;
	const char *dot = strrchr(jwt, '.');
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct err err = ERR_INIT;

	cr_assert_eq(decode_base64(&signature, dot + 1, strlen(dot + 1), &err),
		     0);
	cr_assert_eq(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key),
		     1);
	cr_expect_eq(EVP_DigestVerify(ctx, (unsigned char *)signature.data,
				      signature.len, (unsigned char *)jwt,
				      (size_t)(dot - jwt)), 1);
	EVP_MD_CTX_free(ctx);
}

Test(google_token, case_38_a_service_account_signs_for_itself)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);
	cleanup_free char *pem = pem_of(key, NULL);
	cleanup_buf struct buf jwt = BUF_INIT, head = BUF_INIT,
			       claims = BUF_INIT;
	struct err err = ERR_INIT;
	size_t first, second;

	cr_assert_eq(sign(&jwt, pem, &err), 0, "%s", err.text);
	first = strcspn(jwt.data, ".");
	second = strcspn(jwt.data + first + 1, ".");
	cr_assert_eq(decode_base64(&head, jwt.data, first, &err), 0);
	cr_expect_str_eq(head.data, "{\"alg\":\"RS256\",\"typ\":\"JWT\","
				    "\"kid\":\"k\\\"1\"}");
	cr_assert_eq(decode_base64(&claims, jwt.data + first + 1, second, &err),
		     0);
	cr_expect_str_eq(claims.data,
			 "{\"iss\":\"a@p.iam.gserviceaccount.com\","
			 "\"sub\":\"a@p.iam.gserviceaccount.com\",\"scope\":"
			 "\"https://www.googleapis.com/auth/"
			 "devstorage.read_write\","
			 "\"iat\":1767323045,\"exp\":1767326645}");
	check_signature(key, jwt.data);
	cr_expect_null(strpbrk(jwt.data, "+/="));
	EVP_PKEY_free(key);
}

static void check_key(char *pem)
{
	cleanup_buf struct buf jwt = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(sign(&jwt, pem, &err), -EACCES);
	cr_expect(strstr(err.text, "f.json: private_key is no RSA key"), "%s",
		  err.text);
	cr_expect_eq(jwt.len, 0);
}

Test(google_token, a_key_that_is_short_of_another_kind_or_encrypted_is_refused)
{
	EVP_PKEY *small = EVP_RSA_gen(1024), *big = EVP_RSA_gen(2048);
	EVP_PKEY *curve = EVP_EC_gen("P-256");
	cleanup_free char *short_one = pem_of(small, NULL);
	cleanup_free char *other = pem_of(curve, NULL);
	cleanup_free char *locked = pem_of(big, "password");

	check_key(short_one);
	check_key(other);
	check_key(locked);
	check_key((char *)"-----BEGIN PRIVATE KEY-----\nAAAA\n");
	check_key((char *)"");
	EVP_PKEY_free(small);
	EVP_PKEY_free(big);
	EVP_PKEY_free(curve);
}
