/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MD5 of several contents at once, each in a lane of the vector registers.
 * MD5 of one content is a chain of dependent steps, some 700 MB/s however wide
 * the processor is; eight chains side by side are six times that.  It is what
 * etags are made of, and was 40 % of what a cold read cost; no library that
 * Debian 12 has does this.  Any thread may call.
 */
#ifndef DATASETFS_BASE_MD5_LANES_H
#define DATASETFS_BASE_MD5_LANES_H

#include <stdbool.h>
#include <sys/uio.h>
#include "backends/base/digest.h"

#define MD5_LANES 8
#define MD5_BLOCK ((size_t)64)

struct md5_lane {
	/* Pieces of a multiple of MD5_BLOCK bytes; the last as it is. */
	const struct iovec *iov;
	int n;
	uint8_t md5[MD5_SIZE];	/* the result */
};

/* n <= MD5_LANES.  Two cost as much as all; one alone goes to OpenSSL. */
void md5_lanes(struct md5_lane *lanes, int n);

/* What it is done by, the best first; false: this processor cannot. */
enum md5_lanes_kind { MD5_LANES_AVX512, MD5_LANES_AVX2, MD5_LANES_ANY };
bool md5_lanes_by(enum md5_lanes_kind kind, struct md5_lane *lanes, int n);

#endif
