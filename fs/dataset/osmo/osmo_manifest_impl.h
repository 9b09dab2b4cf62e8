/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine behind osmo_manifest.h, for its two halves: osmo_manifest.c knows
 * the grammar, osmo_manifest_string.c what stands between two quotes.
 */
#ifndef DATASETFS_DATASET_OSMO_MANIFEST_IMPL_H
#define DATASETFS_DATASET_OSMO_MANIFEST_IMPL_H

#include "backends/base/buf.h"
#include "fs/dataset/osmo/osmo_manifest.h"

enum state {
	ST_START,		/* the opening bracket of all */
	ST_VALUE, ST_VALUE_OR_END, ST_KEY, ST_KEY_OR_END, ST_COLON,
	ST_AFTER,		/* a value: comma or closing bracket */
	ST_STRING, ST_ESCAPE, ST_HEX,
	ST_SIZE, ST_NUMBER, ST_LITERAL,
	ST_DONE,
};

/* Where in the grammar of a skipped number the machine stands. */
enum number_state {
	NUM_MINUS, NUM_ZERO, NUM_INT, NUM_DOT, NUM_FRACTION, NUM_E, NUM_E_SIGN,
	NUM_EXPONENT,
};

enum field {
	FIELD_PATH, FIELD_STORAGE, FIELD_ETAG, FIELD_STRINGS,
	FIELD_SIZE = FIELD_STRINGS, FIELD_URL, FIELD_OTHER,
};

/* Points into the feed, or at own, which outlives it. */
struct text {
	const char *p;
	size_t len;
	struct buf own;
};

struct osmo_manifest {
	osmo_entry_fn each;
	void *arg;

	const uint8_t *p, *end;	/* the rest of the feed */
	const uint8_t *feed;
	uint64_t feed_offset;	/* of feed in the input */

	enum state state;
	unsigned depth;
	uint32_t objects;	/* bit d: level d is an object, not an array */

	uint64_t number;	/* of the entry */
	unsigned seen;		/* bit of each field the entry had */
	enum field field;
	struct text text[FIELD_STRINGS];
	struct text key;
	uint64_t size;
	bool is_malformed;

	/* The string under way. */
	struct text *dst;	/* NULL: skipped */
	bool is_key;
	const uint8_t *piece;	/* its part in this feed, not yet in dst->own */
	uint64_t string_offset;
	uint16_t high;		/* a surrogate that waits for its other half */
	uint16_t hex;
	unsigned hex_digits;
	unsigned utf8_need;	/* continuation bytes to come */
	uint8_t utf8_min, utf8_max;	/* bounds of the next one */

	enum number_state num;
	const char *literal;	/* the rest of it */

	int failed;		/* result of every later call */
	struct err failure;
};

int osmo_corrupt(const struct osmo_manifest *m, const uint8_t *at,
		 const char *why, struct err *err);
int osmo_corrupt_offset(const struct osmo_manifest *m, uint64_t offset,
			const char *why, struct err *err);

static inline uint64_t osmo_load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/* Behind the opening quote; dst NULL: the string is skipped. */
void osmo_string_begin(struct osmo_manifest *m, struct text *dst, bool is_key);
/* In the states ST_STRING, ST_ESCAPE, ST_HEX: at least one byte. */
int osmo_string_step(struct osmo_manifest *m, struct err *err) MUST_CHECK;
/* Moves what the feed holds of the string to memory that outlives it. */
int osmo_string_keep(struct osmo_manifest *m, struct err *err) MUST_CHECK;
/* What follows the closing quote of a member's name. */
int osmo_key_end(struct osmo_manifest *m, struct err *err) MUST_CHECK;

#endif
