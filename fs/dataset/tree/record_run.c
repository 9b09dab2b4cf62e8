/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree/record_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/buf.h"
#include "backends/base/digest.h"
#include "backends/base/io.h"

#define CHUNK_HEAD 12u		/* le32 length, le64 XXH3 of the records */

void record_put(uint8_t *p, const struct record *rec)
{
	put_le16(p, rec->key_len);
	put_le16(p + 2, rec->payload_len);
	p[4] = rec->rank;
	memcpy(p + RECORD_HEAD, rec->key, rec->key_len);
	if (rec->payload_len)
		memcpy(p + RECORD_HEAD + rec->key_len, rec->payload,
		       rec->payload_len);
}

void record_get(const uint8_t *p, struct record *rec)
{
	rec->key_len = get_le16(p);
	rec->payload_len = get_le16(p + 2);
	rec->rank = p[4];
	rec->key = p + RECORD_HEAD;
	rec->payload = rec->key + rec->key_len;
}

static int chunk_alloc(struct record_run *run, struct err *err)
{
	if (!run->chunk)
		run->chunk = malloc(CHUNK_HEAD + RECORD_SORT_CHUNK);
	return run->chunk ? 0 : err_nomem(err);
}

int record_run_init(struct record_run *run, int dirfd, struct err *err)
{
	*run = (struct record_run){ .file = TEMP_FILE_INIT };
	return temp_file_init(&run->file, dirfd, err);
}

void record_run_release(struct record_run *run)
{
	temp_file_release(&run->file);
	free(run->chunk);
	run->chunk = NULL;
}

static int chunk_write(struct record_run *run, struct err *err)
{
	size_t len = CHUNK_HEAD + run->fill;
	int r;

	put_le32(run->chunk, (uint32_t)run->fill);
	put_le64(run->chunk + 4, digest_xxh3(run->chunk + CHUNK_HEAD,
					     run->fill));
	r = temp_file_write(&run->file, run->chunk, len, run->offset, err);
	if (r < 0)
		return r;
	run->offset += len;
	run->fill = 0;
	return 0;
}

int record_run_add(struct record_run *run, const struct record *rec,
		   struct err *err)
{
	size_t len = record_bytes(rec);
	int r = chunk_alloc(run, err);

	if (r == 0 && run->fill + len > RECORD_SORT_CHUNK)
		r = chunk_write(run, err);
	if (r < 0)
		return r;
	record_put(run->chunk + CHUNK_HEAD + run->fill, rec);
	run->fill += len;
	return 0;
}

int record_run_finish(struct record_run *run, struct err *err)
{
	int r = run->fill ? chunk_write(run, err) : 0;

	run->size = run->offset;
	run->offset = 0;
	free(run->chunk);
	run->chunk = NULL;
	return r;
}

static int damaged(struct err *err)
{
	return err_set(err, ERR_SYSTEM, EIO,
		       "temporary file for sorting: it gave back other bytes than were written");
}

static int chunk_read(struct record_run *run, struct err *err)
{
	uint64_t left = run->size - run->offset;
	size_t len = CHUNK_HEAD + RECORD_SORT_CHUNK;
	ssize_t n;
	int r = chunk_alloc(run, err);

	if (r < 0)
		return r;
	if (left < len)
		len = (size_t)left;
	n = io_pread_full(run->file.fd, run->chunk, len, run->offset);
	if (n < 0)
		return err_errno(err, (int)-n, "temporary file for sorting");
	if ((size_t)n != len || len < CHUNK_HEAD)
		return damaged(err);
	run->fill = get_le32(run->chunk);
	if (run->fill > len - CHUNK_HEAD ||
	    get_le64(run->chunk + 4) !=
		    digest_xxh3(run->chunk + CHUNK_HEAD, run->fill))
		return damaged(err);
	run->offset += CHUNK_HEAD + run->fill;
	run->at = 0;
	return 0;
}

int record_run_next(struct record_run *run, struct record *rec,
		    struct err *err)
{
	int r;

	if (!run->chunk || run->at == run->fill) {
		if (run->offset == run->size)
			return 0;
		r = chunk_read(run, err);
		if (r < 0)
			return r;
	}
	if (run->fill - run->at < RECORD_HEAD)
		return damaged(err);
	record_get(run->chunk + CHUNK_HEAD + run->at, rec);
	if (record_bytes(rec) > run->fill - run->at)
		return damaged(err);
	run->at += record_bytes(rec);
	return 1;
}
