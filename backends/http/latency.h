/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long something takes, of late: a histogram with four buckets for each
 * doubling, whose counts are halved when LATENCY_WINDOW are in it.  The caller
 * locks.
 */
#ifndef DATASETFS_HTTP_LATENCY_H
#define DATASETFS_HTTP_LATENCY_H

#include <stdint.h>

#define LATENCY_WINDOW 1024
#define LATENCY_SAMPLES_MIN 32	/* fewer say nothing */
#define LATENCY_BUCKETS 64	/* up to 131 s, and all above */

struct latency {
	unsigned n;
	uint16_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *l, int64_t ms);
/* What so many percent took at most, up to a bucket's end, and 1; 0: unknown. */
unsigned latency_percentile(const struct latency *l, unsigned percent);

#endif
