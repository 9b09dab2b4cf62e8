/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sorted run of records in a temporary file, for record_sort.c alone.
 * Chunks of whole records, each behind its length and XXH3-64: a disk that
 * gives back other bytes is noticed.
 */
#ifndef DATASETFS_DATASET_RECORD_RUN_H
#define DATASETFS_DATASET_RECORD_RUN_H

#include "fs/dataset/tree/record_sort.h"
#include "fs/dataset/tree/temp_file.h"

#define RECORD_HEAD 5u		/* key_len, payload_len, rank */
#define RECORD_MAX (RECORD_HEAD + RECORD_SORT_KEY_MAX + RECORD_SORT_PAYLOAD_MAX)
_Static_assert(RECORD_MAX <= RECORD_SORT_CHUNK, "a chunk holds any record");

struct record_run {
	struct temp_file file;
	uint64_t offset;	/* next chunk to write, then to read */
	uint64_t size;
	uint8_t *chunk;		/* with its head in front */
	size_t fill;		/* bytes of records in it */
	size_t at;		/* reading: next record */
};

/* Bytes of a record's encoding at p. */
static inline size_t record_bytes(const struct record *rec)
{
	return (size_t)RECORD_HEAD + rec->key_len + rec->payload_len;
}
void record_put(uint8_t *p, const struct record *rec);
void record_get(const uint8_t *p, struct record *rec);

int record_run_init(struct record_run *run, int dirfd, struct err *err)
	MUST_CHECK;
void record_run_release(struct record_run *run);
int record_run_add(struct record_run *run, const struct record *rec,
		   struct err *err) MUST_CHECK;
/* Ends writing; gives back the chunk's memory until the first read. */
int record_run_finish(struct record_run *run, struct err *err) MUST_CHECK;
/* 1, 0 at the end; the record is valid until the next call. */
int record_run_next(struct record_run *run, struct record *rec,
		    struct err *err) MUST_CHECK;

#endif
