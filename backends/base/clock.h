/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, in one place so that tests can replace it.
 */
#ifndef DATASETFS_BASE_CLOCK_H
#define DATASETFS_BASE_CLOCK_H

#include <stdint.h>
#include <stddef.h>

/* Milliseconds on CLOCK_MONOTONIC: for deadlines and ages. */
int64_t clock_ms(void);

/* Seconds since 1970 on CLOCK_REALTIME: for signatures and dates. */
int64_t clock_wall_s(void);

/*
 * For tests only: both clocks read the given functions (NULL: the system's
 * again).  Not thread-safe; call before threads start.
 */
void clock_fake(int64_t (*ms)(void), int64_t (*wall_s)(void));

/*
 * Parses an ISO 8601 date and time as OSMO, PostgreSQL and the stores write
 * them: "2026-05-02T12:00:00", a space for "T", a fraction of up to nine
 * digits, "Z", "+00" or "+00:00" (none: UTC).  Seconds since 1970 into *s,
 * nanoseconds into *ns (may be NULL).  0 or -EINVAL.
 */
int clock_parse_iso(const char *text, int64_t *s, uint32_t *ns);

/* "2026-05-02T12:00:00Z" into out, which holds at least CLOCK_ISO_MAX. */
#define CLOCK_ISO_MAX 32
void clock_format_iso(int64_t s, char out[CLOCK_ISO_MAX]);

#endif
