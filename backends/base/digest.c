/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

struct digest {
	EVP_MD_CTX *ctx;
	const EVP_MD *md;
};

/*
 * Fetched once and kept for the life of the process: an implicit fetch takes
 * a lock and a look-up at every call, which small blobs would feel.
 */
static EVP_MD *md5;
static EVP_MD *sha256;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "openssl: %s failed\n", what);
	abort();
}

static void fetch(void)
{
	md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	must(md5 != NULL, "EVP_MD_fetch(MD5)");
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256 != NULL, "EVP_MD_fetch(SHA256)");
}

static const EVP_MD *md_of(enum digest_kind kind)
{
	(void)pthread_once(&fetched, fetch);
	return kind == DIGEST_MD5 ? md5 : sha256;
}

void digest_md5(uint8_t out[MD5_SIZE], const void *data, size_t len)
{
	must(EVP_Digest(data, len, out, NULL, md_of(DIGEST_MD5), NULL),
	     "EVP_Digest(MD5)");
}

void digest_sha256(uint8_t out[SHA256_SIZE], const void *data, size_t len)
{
	must(EVP_Digest(data, len, out, NULL, md_of(DIGEST_SHA256), NULL),
	     "EVP_Digest(SHA256)");
}

void digest_hmac_sha256(uint8_t out[SHA256_SIZE], const void *key,
			size_t key_len, const void *data, size_t len)
{
	must(key_len <= INT32_MAX, "HMAC key length");
	must(HMAC(md_of(DIGEST_SHA256), key_len ? key : "", (int)key_len, data,
		  len, out, NULL) != NULL,
	     "HMAC");
}

uint64_t digest_xxh3(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

static void start(struct digest *digest)
{
	must(EVP_DigestInit_ex2(digest->ctx, digest->md, NULL),
	     "EVP_DigestInit");
}

struct digest *digest_new(enum digest_kind kind)
{
	struct digest *digest = calloc(1, sizeof(*digest));

	must(digest != NULL, "calloc");
	digest->md = md_of(kind);
	digest->ctx = EVP_MD_CTX_new();
	must(digest->ctx != NULL, "EVP_MD_CTX_new");
	start(digest);
	return digest;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;
	EVP_MD_CTX_free(digest->ctx);
	free(digest);
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
	must(EVP_DigestUpdate(digest->ctx, data, len), "EVP_DigestUpdate");
}

void digest_finish(struct digest *digest, uint8_t *out)
{
	must(EVP_DigestFinal_ex(digest->ctx, out, NULL), "EVP_DigestFinal");
	start(digest);
}
