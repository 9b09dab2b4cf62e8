/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is it what it should be?  A whole blob by its MD5; a large one part by part
 * as they become complete in the cache, and when all were hashed by the etag
 * that they make.
 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/log.h"

#define LOG "fetch"

static void hex(char out[2 * MD5_SIZE + 1], const uint8_t md5[MD5_SIZE])
{
	encode_hex(out, md5, MD5_SIZE);
}

int fetch_check_whole(struct fetch *fetch)
{
	const struct blob_state *st = fetch->state;
	char want[2 * MD5_SIZE + 1], got[2 * MD5_SIZE + 1];
	uint8_t md5[MD5_SIZE];

	if (st->rule != RULE_MD5 && st->rule != RULE_MD5_HINT)
		return 0;
	digest_md5(md5, fetch->data, fetch->len);
	if (st->parts == 1)	/* the digest of its one part's digest */
		digest_md5(md5, md5, sizeof(md5));
	if (memcmp(md5, st->md5, sizeof(md5)) == 0)
		return 0;
	hex(want, st->md5);
	hex(got, md5);
	if (st->rule == RULE_MD5_HINT) {
		log_warn(LOG, "a foreign object's MD5 is not its etag: store=%s key=%s md5=%s etag=%s",
			 backend_name(st->source->backend), st->key, got, want);
		return 0;
	}
	return err_set(&fetch->err, ERR_CORRUPT, EBADMSG,
		       "%s/%s: content damaged: its MD5 is %s, expected %s",
		       backend_name(st->source->backend), st->key, got, want);
}

static size_t part_len(const struct blob_state *st, uint32_t part)
{
	uint64_t rest = st->size - part * BLOB_PART;

	return (size_t)(rest < BLOB_PART ? rest : BLOB_PART);
}

static bool part_begin(struct fetcher *f, struct blob_state *st, uint32_t part,
		       struct part_job *job) REQUIRES(&f->lock)
{
	uint64_t offset = part * BLOB_PART, missing;
	size_t len = part_len(st, part);

	if (st->part_known && st->part_known[part] != PART_UNKNOWN)
		return false;
	job->part = part;
	job->n = cache_pin_quietly(f->cache, &st->id, offset, len, job->pins,
				   FETCH_PINS_MAX, &missing);
	if (!job->n)
		return false;
	if (!state_keep_parts(f, st)) {
		cache_unpin(f->cache, job->pins, job->n);
		return false;
	}
	f->hashing_bytes += len;
	st->part_known[part] = PART_HASHING;
	st->n_hashing++;
	return true;
}

void parts_begin(struct fetcher *f, struct fetch *fetch)
{
	struct blob_state *st = fetch->state;
	uint64_t first = fetch->offset / BLOB_PART;
	uint64_t last = (fetch->offset + fetch->len - 1) / BLOB_PART;

	if (st->rule != RULE_PARTS || st->is_verified)
		return;
	if (!fetch->jobs)
		fetch->jobs = malloc(FETCH_PART_JOBS * sizeof(*fetch->jobs));
	if (!fetch->jobs)
		return;	/* unverified, until it is read again */
	for (uint64_t part = first; part <= last; part++)
		if (part_begin(f, st, (uint32_t)part,
			       &fetch->jobs[fetch->n_jobs]))
			fetch->n_jobs++;
}

bool parts_are_all_here(const struct blob_state *st)
{
	return st->n_hashing && st->n_known + st->n_hashing >= st->parts;
}

uint32_t parts_next_unknown(const struct blob_state *st, uint32_t part)
{
	while (part < st->parts && st->part_known &&
	       st->part_known[part] != PART_UNKNOWN)
		part++;
	return part;
}

static void bad_blob(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	free(st->bad_validator);
	st->bad_validator = st->validator && *st->validator ?
				    strdup(st->validator) : NULL;
	/* Told in any case: a reply may be on its way. */
	(void)state_condemn(f, st);
	st->bad_until_ms = clock_ms() + FETCH_BAD_MS;
	atomic_fetch_add(&f->bad_blobs, 1);
}

/* All parts are known: is the etag made of them the blob's name? */
static bool parts_agree(const struct blob_state *st)
{
	uint8_t md5[MD5_SIZE];

	digest_md5(md5, st->part_md5, (size_t)st->parts * MD5_SIZE);
	return memcmp(md5, st->md5, sizeof(md5)) == 0;
}

/* Notes the digest of a part; true: with it the blob turned out to be bad. */
static bool part_note(struct fetcher *f, struct fetch *fetch, uint32_t part,
		      const uint8_t md5[MD5_SIZE]) REQUIRES(&f->lock)
{
	struct blob_state *st = fetch->state;

	if (st->generation != fetch->generation)
		return false;
	st->n_hashing--;
	st->part_known[part] = PART_KNOWN;
	memcpy(st->part_md5[part], md5, MD5_SIZE);
	if (++st->n_known < st->parts)
		return false;
	if (!parts_agree(st)) {
		bad_blob(f, st);
		return true;
	}
	state_set_verified(f, st);
	state_forget_parts(f, st);
	return false;
}

void parts_judge(struct fetcher *f, struct fetch *fetch,
		 const struct md5_lane *digests)
{
	struct blob_state *st = fetch->state;
	bool is_bad = false;

	for (int i = 0; i < fetch->n_jobs; i++) {
		const struct part_job *job = &fetch->jobs[i];

		cache_unpin(f->cache, job->pins, job->n);
		lock_take(&f->lock);
		f->hashing_bytes -= part_len(st, job->part);
		is_bad = part_note(f, fetch, job->part, digests[i].md5) ||
			 is_bad;
		lock_drop(&f->lock);
	}
	if (!is_bad)
		return;
	log_error(LOG, "content damaged, dropped: store=%s key=%s error=\"the etag of all its parts is another\"",
		  backend_name(st->source->backend), st->key);
	if (f->opt.on_bad)
		f->opt.on_bad(f->opt.on_bad_arg, &st->id);
}
