/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing keys of one day: HMAC over date, region, service, derived from
 * a secret once and then remembered under (credential generation, scheme,
 * date, region, service).  Any thread may call.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_SIGV4_KEY_H
#define DATASETFS_AUTH_SIGV4_KEY_H

#include <stdint.h>
#include "backends/auth/sigv4.h"
#include "backends/base/digest.h"

#define SIGV4_DATE_SIZE 9	/* "20130524" */
#define SIGV4_SCOPE_MAX 64	/* a region or a service with its NUL */
#define SIGV4_SECRET_MAX 1024

/*
 * generation 0 is derived anew each time: it is what credentials have that
 * come from no source.  region and service are shorter than SIGV4_SCOPE_MAX,
 * secret is at most SIGV4_SECRET_MAX bytes.
 * The caller wipes out.
 */
void sigv4_key_get(uint8_t out[SHA256_SIZE], const struct sigv4_scheme *scheme,
		   uint64_t generation, const char *secret, const char *date,
		   const char *region, const char *service);

/* How many keys were derived since the start; for tests. */
uint64_t sigv4_key_derived(void);

#endif
