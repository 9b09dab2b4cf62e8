/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "backends/base/clock.h"

static enum blob_rule blob_rule_of(const struct blob *blob)
{
	bool is_whole = blob->size <= FETCHER_WHOLE_MAX;
	uint64_t parts = blob_parts_of(blob->size);

	switch (blob->check) {
	case BLOB_CHECK_OSMO:
		if (is_whole)
			return RULE_MD5;
		return blob->parts == parts && parts <= FETCH_PARTS_MAX ?
		       RULE_PARTS : RULE_NONE;
	case BLOB_CHECK_FOREIGN:
		return is_whole && blob->has_md5 && !blob->parts ?
		       RULE_MD5_HINT : RULE_NONE;
	case BLOB_CHECK_SIZE:
		break;
	}
	return RULE_NONE;
}

static struct blob_state **bucket_of(struct fetcher *f,
				     const struct blob_id *id)
{
	return &f->states[id->lo & (FETCH_BUCKETS - 1)];
}

struct blob_state *state_find(struct fetcher *f, const struct blob_id *id)
{
	struct blob_state *st = *bucket_of(f, id);

	while (st && !blob_id_equal(&st->id, id))
		st = st->hash_next;
	return st;
}

static void idle_remove(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	if (st->idle_prev)
		st->idle_prev->idle_next = st->idle_next;
	else
		f->idle_oldest = st->idle_next;
	if (st->idle_next)
		st->idle_next->idle_prev = st->idle_prev;
	else
		f->idle_newest = st->idle_prev;
	st->idle_prev = st->idle_next = NULL;
	f->n_idle--;
}

static void idle_add(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	st->idle_prev = f->idle_newest;
	if (f->idle_newest)
		f->idle_newest->idle_next = st;
	else
		f->idle_oldest = st;
	f->idle_newest = st;
	f->n_idle++;
}

static uint64_t parts_cost(const struct blob_state *st)
{
	return (uint64_t)st->parts * (1 + MD5_SIZE);
}

bool state_keep_parts(struct fetcher *f, struct blob_state *st)
{
	if (st->part_known)
		return true;
	if (!cache_make_room(f->cache, parts_cost(st)))
		return false;
	st->part_known = calloc(st->parts, 1);
	st->part_md5 = calloc(st->parts, MD5_SIZE);
	if (st->part_known && st->part_md5) {
		f->parts_bytes += parts_cost(st);
		return true;
	}
	free(st->part_known);
	free(st->part_md5);
	st->part_known = NULL;
	st->part_md5 = NULL;
	memory_budget_give(f->opt.budget, parts_cost(st));
	return false;
}

void state_forget_parts(struct fetcher *f, struct blob_state *st)
{
	if (!st->part_known)
		return;
	memory_budget_give(f->opt.budget, parts_cost(st));
	f->parts_bytes -= parts_cost(st);
	free(st->part_known);
	free(st->part_md5);
	st->part_known = NULL;
	st->part_md5 = NULL;
	st->n_known = st->n_hashing = 0;
}

static void state_free(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	struct blob_state **at = bucket_of(f, &st->id);

	while (*at != st)
		at = &(*at)->hash_next;
	*at = st->hash_next;
	state_forget_parts(f, st);
	seen_forget(f, st);
	free(st->key);
	free(st->validator);
	free(st->bad_validator);
	free(st);
}

/* ---- what the disk holds of it ---- */

/* What names the records of a blob under one validator. */
static void set_fingerprint(struct blob_state *st, uint64_t fingerprint,
			    uint32_t salt)
{
	uint8_t text[28], sum[SHA256_SIZE];

	put_le64(text, st->id.hi);
	put_le64(text + 8, st->id.lo);
	put_le64(text + 16, fingerprint);
	put_le32(text + 24, salt);
	digest_sha256(sum, text, sizeof(text));
	st->disk_key = (struct segment_key){ get_le64(sum), get_le64(sum + 8) };
	st->fingerprint = fingerprint;
	st->salt = salt;
	st->is_on_disk = true;
}

/* Damaged content comes under the same validator as the right one. */
static uint32_t new_salt(const struct blob_state *st)
{
	uint32_t salt;

	if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != sizeof(salt))
		salt = (uint32_t)(st->id.lo ^ (uint64_t)clock_ms());
	return salt & DISK_NOTE_SALT_MAX;
}

/*
 * Content that is checked as a whole, and what is asked for under the
 * manifest's own etag, is what its id says.  Anything else counts under the
 * validator that it came under; small content without any check is not kept.
 */
static void state_find_on_disk(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	struct segment_key key = { st->id.hi, st->id.lo };
	struct disk_note note;

	if (!f->opt.disk)
		return;
	if (st->rule == RULE_MD5 || st->is_fixed) {
		st->disk_key = key;
		st->is_on_disk = true;
	} else if (!st->is_whole &&
		   disk_cache_note(f->opt.disk, &key, &note) &&
		   note.fingerprint) {
		set_fingerprint(st, note.fingerprint, note.salt);
		st->is_verified = note.is_verified;
	}
}

static void state_write_note(struct fetcher *f, const struct blob_state *st)
	REQUIRES(&f->lock)
{
	struct segment_key key = { st->id.hi, st->id.lo };
	struct disk_note note = { st->fingerprint, st->salt, st->is_verified };

	if (f->opt.disk)
		disk_cache_set_note(f->opt.disk, &key, &note);
}

int state_set_validator(struct fetcher *f, struct blob_state *st,
			const char *validator)
{
	uint64_t fingerprint = digest_xxh3(validator, strlen(validator));

	if (!fingerprint)
		fingerprint = 1;
	if (st->fingerprint && st->fingerprint != fingerprint)
		return -ESTALE;
	st->validator = strdup(validator);
	if (!st->validator)
		return -ENOMEM;
	if (f->opt.disk && !st->fingerprint) {
		set_fingerprint(st, fingerprint, new_salt(st));
		state_write_note(f, st);
	}
	return 0;
}

void state_set_verified(struct fetcher *f, struct blob_state *st)
{
	st->is_verified = true;
	if (st->fingerprint)
		state_write_note(f, st);
}

static struct blob_state *state_new(struct fetcher *f,
				    const struct blob_id *id,
				    const struct blob *blob)
	REQUIRES(&f->lock)
{
	struct blob_state *st = calloc(1, sizeof(*st));
	struct blob_state **at = bucket_of(f, id);
	bool has_all;

	if (!st)
		return NULL;
	st->id = *id;
	st->size = blob->size;
	st->rule = blob_rule_of(blob);
	memcpy(st->md5, blob->md5, sizeof(st->md5));
	st->parts = blob->parts;
	st->is_whole = blob->size <= FETCHER_WHOLE_MAX;
	st->source = source_get(f, blob->backend);
	st->key = strdup(blob->key);
	has_all = st->source && st->key;
	if (blob->check == BLOB_CHECK_FOREIGN && blob->if_match) {
		st->is_fixed = true;
		st->validator = strdup(blob->if_match);
		has_all = has_all && st->validator;
	}
	if (!has_all) {
		free(st->key);
		free(st->validator);
		free(st);
		return NULL;
	}
	st->hash_next = *at;
	*at = st;
	state_find_on_disk(f, st);
	return st;
}

struct blob_state *state_get(struct fetcher *f, const struct blob_id *id,
			     const struct blob *blob)
{
	struct blob_state *st = state_find(f, id);

	if (!st) {
		st = state_new(f, id, blob);
	} else if (!st->refs) {
		struct source *source = source_get(f, blob->backend);

		/* The credential may be a newer one. */
		if (!source)
			return NULL;
		st->source = source;
		idle_remove(f, st);
	}
	if (st)
		st->refs++;
	return st;
}

/* What of an unused one must still be known. */
static bool is_worth_keeping(const struct blob_state *st)
{
	return !st->is_whole || st->bad_until_ms;
}

void state_put(struct fetcher *f, struct blob_state *st)
{
	if (--st->refs)
		return;
	if (!is_worth_keeping(st)) {
		state_free(f, st);
		return;
	}
	idle_add(f, st);
	while (f->n_idle > FETCH_IDLE_MAX ||
	       (f->n_idle && f->parts_bytes > f->memory / FETCH_PARTS_SHARE)) {
		struct blob_state *oldest = f->idle_oldest;

		/* Its cached ranges must not meet another validator's. */
		if (!oldest->is_whole)
			cache_forget(f->cache, &oldest->id);
		idle_remove(f, oldest);
		state_free(f, oldest);
	}
}

void state_restart(struct fetcher *f, struct blob_state *st)
{
	cache_forget(f->cache, &st->id);
	state_forget_parts(f, st);
	seen_forget(f, st);
	if (!st->is_fixed) {
		free(st->validator);
		st->validator = NULL;
	}
	st->generation++;
	st->was_served = false;
	st->is_verified = false;
	if (st->fingerprint) {
		st->fingerprint = 0;
		st->is_on_disk = false;
		state_write_note(f, st);
	} else if (st->is_on_disk) {
		disk_cache_forget(f->opt.disk, &st->disk_key, st->size);
	}
}

bool state_condemn(struct fetcher *f, struct blob_state *st)
{
	bool was_served = st->was_served;

	state_restart(f, st);
	st->valid_from = st->generation;
	return was_served;
}

void state_evict(struct fetcher *f, struct blob_state *st)
{
	cache_forget(f->cache, &st->id);
	state_forget_parts(f, st);
	st->is_verified = false;
	if (st->fingerprint)
		state_write_note(f, st);
}

void state_evict_idle(struct fetcher *f)
{
	for (struct blob_state *st = f->idle_oldest; st; st = st->idle_next)
		state_evict(f, st);
}

void state_free_all(struct fetcher *f)
{
	for (size_t i = 0; i < FETCH_BUCKETS; i++)
		while (f->states[i])
			state_free(f, f->states[i]);
	f->idle_oldest = f->idle_newest = NULL;
}
