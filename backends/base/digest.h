/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MD5, SHA-256 and HMAC-SHA-256 over OpenSSL, XXH3 over libxxhash.  They fail
 * only where OpenSSL cannot allocate or has no such digest: abort() then.
 */
#ifndef DATASETFS_BASE_DIGEST_H
#define DATASETFS_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define MD5_SIZE 16
#define SHA256_SIZE 32

void digest_md5(uint8_t out[MD5_SIZE], const void *data, size_t len);
void digest_sha256(uint8_t out[SHA256_SIZE], const void *data, size_t len);
void digest_hmac_sha256(uint8_t out[SHA256_SIZE], const void *key,
			size_t key_len, const void *data, size_t len);
uint64_t digest_xxh3(const void *data, size_t len);

/* Incremental; one thread at a time. */
struct digest;
enum digest_kind { DIGEST_MD5, DIGEST_SHA256 };
struct digest *digest_new(enum digest_kind kind);
void digest_free(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t len);
/* Writes MD5_SIZE or SHA256_SIZE bytes and starts afresh. */
void digest_finish(struct digest *digest, uint8_t *out);

#endif
