/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorts any number of records by key in bounded memory: runs that are full go,
 * sorted, to unlinked temporary files and are merged at the end.  One thread.
 *
 * Order: key (memcmp, the shorter first), then rank, then order of adding.
 * Keys are compared by eight-byte words filled up with NUL, so a key must not
 * hold eight NULs in a row, nor be another one continued by a NUL; assert()ed
 * is neither: callers make their keys from checked paths.
 */
#ifndef DATASETFS_DATASET_RECORD_SORT_H
#define DATASETFS_DATASET_RECORD_SORT_H

#include <stdint.h>
#include "backends/base/err.h"

struct record_sort;

#define RECORD_SORT_KEY_MAX 8192u
#define RECORD_SORT_PAYLOAD_MAX 49152u
#define RECORD_SORT_MEMORY_MIN ((size_t)256 << 10)
#define RECORD_SORT_MEMORY_MAX ((size_t)1 << 30)
#define RECORD_SORT_FAN_IN 64u		/* runs; then they become one */
#define RECORD_SORT_CHUNK ((size_t)256 << 10)	/* read at once from a run */

struct record {
	const uint8_t *key;
	const uint8_t *payload;
	uint16_t key_len;
	uint16_t payload_len;
	uint8_t rank;
};

/* dirfd: where runs are spilled; borrowed.  memory: of a run. */
int record_sort_new(struct record_sort **out, int dirfd, size_t memory,
		    struct err *err) MUST_CHECK;
void record_sort_free(struct record_sort *s);

/* ERR_SYSTEM where the disk is full. */
int record_sort_add(struct record_sort *s, const struct record *rec,
		    struct err *err) MUST_CHECK;

/* Ends the adding. */
int record_sort_finish(struct record_sort *s, struct err *err) MUST_CHECK;

/*
 * 1: *out is the next record, valid until the next call; 0: there is none.
 * ERR_SYSTEM -EIO where a temporary file gives back other bytes.
 */
int record_sort_next(struct record_sort *s, struct record *out,
		     struct err *err) MUST_CHECK;

#endif
