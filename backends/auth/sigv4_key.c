/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/sigv4_key.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>

#include "backends/base/lock.h"

/* Buckets times regions in use on one node; more only costs four HMACs. */
#define KEYS_KEPT 32
#define SIGV4_KEY_PREFIX_MAX 8

const struct sigv4_scheme sigv4_aws = {
	.algorithm = "AWS4-HMAC-SHA256",
	.key_prefix = "AWS4",
	.scope_end = "aws4_request",
	.header_prefix = "x-amz-",
	.payload_service = "s3",
};

const struct sigv4_scheme sigv4_goog = {
	.algorithm = "GOOG4-HMAC-SHA256",
	.key_prefix = "GOOG4",
	.scope_end = "goog4_request",
	.header_prefix = "x-goog-",
	.payload_service = "storage",
	.takes_bearer = true,
};

struct key {
	uint64_t generation;	/* 0: unused */
	const struct sigv4_scheme *scheme;
	char date[SIGV4_DATE_SIZE];
	char region[SIGV4_SCOPE_MAX];
	char service[SIGV4_SCOPE_MAX];
	uint8_t bytes[SHA256_SIZE];
};

/* The lock guards keys and next. */
static struct lock keys_lock = LOCK_INIT;
static struct key keys[KEYS_KEPT];
static unsigned next;
static atomic_uint_fast64_t derived;

static bool key_is_for(const struct key *key,
		       const struct sigv4_scheme *scheme, uint64_t generation,
		       const char *date, const char *region,
		       const char *service)
{
	return key->generation == generation && key->scheme == scheme &&
	       !strcmp(key->date, date) && !strcmp(key->region, region) &&
	       !strcmp(key->service, service);
}

static bool key_find(uint8_t out[SHA256_SIZE],
		     const struct sigv4_scheme *scheme, uint64_t generation,
		     const char *date, const char *region, const char *service)
{
	bool found = false;

	lock_take(&keys_lock);
	for (unsigned i = 0; i < KEYS_KEPT && !found; i++) {
		if (!key_is_for(&keys[i], scheme, generation, date, region,
				service))
			continue;
		memcpy(out, keys[i].bytes, SHA256_SIZE);
		found = true;
	}
	lock_drop(&keys_lock);
	return found;
}

/* Takes the oldest place.  Two threads may add the same key: harmless. */
static void key_keep(const uint8_t bytes[SHA256_SIZE],
		     const struct sigv4_scheme *scheme, uint64_t generation,
		     const char *date, const char *region, const char *service)
{
	struct key *key;

	lock_take(&keys_lock);
	key = &keys[next];
	next = (next + 1) % KEYS_KEPT;
	OPENSSL_cleanse(key, sizeof(*key));
	key->generation = generation;
	key->scheme = scheme;
	(void)snprintf(key->date, sizeof(key->date), "%s", date);
	(void)snprintf(key->region, sizeof(key->region), "%s", region);
	(void)snprintf(key->service, sizeof(key->service), "%s", service);
	memcpy(key->bytes, bytes, SHA256_SIZE);
	lock_drop(&keys_lock);
}

static void key_derive(uint8_t out[SHA256_SIZE],
		       const struct sigv4_scheme *scheme, const char *secret,
		       const char *date, const char *region,
		       const char *service)
{
	char start[SIGV4_KEY_PREFIX_MAX + SIGV4_SECRET_MAX];
	size_t prefix_len = strnlen(scheme->key_prefix, SIGV4_KEY_PREFIX_MAX);
	size_t len = strnlen(secret, SIGV4_SECRET_MAX);

	memcpy(start, scheme->key_prefix, prefix_len);
	memcpy(start + prefix_len, secret, len);
	digest_hmac_sha256(out, start, prefix_len + len, date, strlen(date));
	OPENSSL_cleanse(start, sizeof(start));

	digest_hmac_sha256(out, out, SHA256_SIZE, region, strlen(region));
	digest_hmac_sha256(out, out, SHA256_SIZE, service, strlen(service));
	digest_hmac_sha256(out, out, SHA256_SIZE, scheme->scope_end,
			   strlen(scheme->scope_end));
	atomic_fetch_add(&derived, 1);
}

void sigv4_key_get(uint8_t out[SHA256_SIZE], const struct sigv4_scheme *scheme,
		   uint64_t generation, const char *secret, const char *date,
		   const char *region, const char *service)
{
	if (generation &&
	    key_find(out, scheme, generation, date, region, service))
		return;
	key_derive(out, scheme, secret, date, region, service);
	if (generation)
		key_keep(out, scheme, generation, date, region, service);
}

uint64_t sigv4_key_derived(void)
{
	return atomic_load(&derived);
}
