/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/google/google_jwt.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/encode.h"

#define SIGNATURE_MAX 2048	/* of a key of 16,384 bits */

/* Nobody is asked for a password. */
static int no_password(char *buf, int size, int is_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	EVP_PKEY *key = NULL;

	if (bio)
		key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	return key;
}

/* NULL with *err; OpenSSL's own text may quote the key. */
static EVP_PKEY *load_key(const char *pem, const char *where, struct err *err)
{
	EVP_PKEY *key = read_key(pem);

	ERR_clear_error();
	if (key && EVP_PKEY_is_a(key, "RSA") &&
	    EVP_PKEY_get_bits(key) >= GOOGLE_RSA_BITS_MIN)
		return key;
	(void)err_set(err, ERR_AUTH, EACCES,
		      "%s: private_key is no RSA key of %d bits or more in "
		      "PEM form, without a password", where,
		      GOOGLE_RSA_BITS_MIN);
	EVP_PKEY_free(key);
	return NULL;
}

/* Takes over json. */
static int add_part(struct buf *out, json_t *json, struct err *err)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (!text)
		return err_nomem(err);
	encode_base64url(out, text, strlen(text));
	free(text);
	return 0;
}

static int add_claims(struct buf *out, const struct google_config *config,
		      const char *scope, int64_t now_s, struct err *err)
{
	int r = add_part(out,
			 json_pack("{s:s,s:s,s:s}", "alg", "RS256", "typ",
				   "JWT", "kid", config->private_key_id),
			 err);

	buf_char(out, '.');
	if (r < 0)
		return r;
	return add_part(out,
			json_pack("{s:s,s:s,s:s,s:I,s:I}", "iss",
				  config->client_email, "sub",
				  config->client_email, "scope", scope, "iat",
				  (json_int_t)now_s, "exp",
				  (json_int_t)(now_s + GOOGLE_JWT_LIFE_S)),
			err);
}

static int add_signature(struct buf *out, size_t from, EVP_PKEY *key,
			 const char *where, struct err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[SIGNATURE_MAX];
	size_t len = sizeof(signature);
	bool is_good = ctx &&
		       EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL,
					  key) == 1 &&
		       EVP_DigestSign(ctx, signature, &len,
				      (const unsigned char *)out->data + from,
				      out->len - from) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (!is_good)
		return err_set(err, ERR_AUTH, EACCES,
			       "%s: private_key does not sign", where);
	buf_char(out, '.');
	encode_base64url(out, signature, len);
	return 0;
}

int google_jwt_sign(struct buf *out, const struct google_config *config,
		    const char *where, const char *scope, int64_t now_s,
		    struct err *err)
{
	EVP_PKEY *key = load_key(config->private_key, where, err);
	size_t from = out->len;
	int r;

	if (!key)
		return -EACCES;
	r = add_claims(out, config, scope, now_s, err);
	if (r == 0 && buf_failed(out))
		r = err_nomem(err);
	if (r == 0)
		r = add_signature(out, from, key, where, err);
	if (r == 0 && buf_failed(out))
		r = err_nomem(err);
	EVP_PKEY_free(key);
	return r;
}
