/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A push-down machine over bytes.  Whatever it must remember between two feeds
 * stands in struct osmo_manifest; inside a feed, strings without escapes are
 * handed on where they lie.
 */
#include <config.h>

#include "fs/dataset/osmo_manifest.h"

#include <errno.h>
#include <string.h>

#include "backends/base/buf.h"

#define SIZE_LIMIT ((uint64_t)1 << 53)	/* what every JSON writer can express */
#define ENTRY_DEPTH 2			/* array, object */
#define LEVELS_MAX (ENTRY_DEPTH + OSMO_DEPTH_MAX)

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

static const struct {
	const char *name;
	size_t len;
} field_names[] = {
	[FIELD_PATH] = { "relative_path", 13 },
	[FIELD_STORAGE] = { "storage_path", 12 },
	[FIELD_ETAG] = { "etag", 4 },
	[FIELD_SIZE] = { "size", 4 },
	[FIELD_URL] = { "url", 3 },
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

int osmo_manifest_new(struct osmo_manifest **out, osmo_entry_fn each, void *arg,
		      struct err *err)
{
	struct osmo_manifest *m = calloc(1, sizeof(*m));

	if (!m)
		return err_nomem(err);
	m->each = each;
	m->arg = arg;
	*out = m;
	return 0;
}

void osmo_manifest_free(struct osmo_manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < FIELD_STRINGS; i++)
		buf_release(&m->text[i].own);
	buf_release(&m->key.own);
	free(m);
}

static uint64_t offset_at(const struct osmo_manifest *m, const uint8_t *at)
{
	return m->feed_offset + (uint64_t)(at - m->feed);
}

static int corrupt_offset(const struct osmo_manifest *m, uint64_t offset,
			  const char *why, struct err *err)
{
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "manifest entry %llu, byte %llu: %s",
		       (unsigned long long)m->number,
		       (unsigned long long)offset, why);
}

static int corrupt(const struct osmo_manifest *m, const uint8_t *at,
		   const char *why, struct err *err)
{
	return corrupt_offset(m, offset_at(m, at), why, err);
}

/* ---- strings ---- */

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

static uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

/*
 * The first byte that a string may not simply contain: a quote, a backslash, a
 * control byte, or one above ASCII; end without one.  Eight at a time: borrows
 * make a flag wrong only above a true one, and the lowest is what counts.
 */
static const uint8_t *scan_plain(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8) {
		uint64_t v = load_le64(p);
		uint64_t quote = v ^ (ONES * '"');
		uint64_t slash = v ^ (ONES * '\\');
		uint64_t hit = ((quote - ONES) & ~quote) |
			       ((slash - ONES) & ~slash) |
			       ((v - ONES * 0x20) & ~v) | v;

		hit &= HIGHS;
		if (hit)
			return p + (__builtin_ctzll(hit) >> 3);
		p += 8;
	}
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

static int too_long(const struct osmo_manifest *m, struct err *err)
{
	return corrupt_offset(m, m->string_offset,
			      "a string is longer than the limit", err);
}

static int text_add(struct osmo_manifest *m, const void *bytes, size_t len,
		    struct err *err)
{
	struct text *t = m->dst;

	if (!t || len == 0)
		return 0;
	if (len > OSMO_STRING_MAX - t->own.len)
		return too_long(m, err);
	return buf_add(&t->own, bytes, len, err);
}

/* Moves what the feed holds of the string to memory that outlives it. */
static int string_keep(struct osmo_manifest *m, struct err *err)
{
	const uint8_t *piece = m->piece;

	m->piece = m->p;
	return text_add(m, piece, (size_t)(m->p - piece), err);
}

static void string_begin(struct osmo_manifest *m, struct text *dst, bool is_key)
{
	m->dst = dst;
	m->is_key = is_key;
	m->string_offset = offset_at(m, m->p - 1);
	m->piece = m->p;
	m->high = 0;
	m->utf8_need = 0;
	if (dst)
		buf_clear(&dst->own);
	m->state = ST_STRING;
}

static enum field field_of(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(field_names); i++)
		if (len == field_names[i].len &&
		    memcmp(name, field_names[i].name, len) == 0)
			return (enum field)i;
	return FIELD_OTHER;
}

static int key_end(struct osmo_manifest *m, struct err *err)
{
	m->state = ST_COLON;
	m->field = FIELD_OTHER;
	if (m->depth != ENTRY_DEPTH)
		return 0;
	m->field = field_of(m->key.p, m->key.len);
	if (m->field == FIELD_OTHER)
		return 0;
	if (m->seen & (1u << m->field))
		return corrupt_offset(m, m->string_offset,
				      "a member stands twice", err);
	m->seen |= 1u << m->field;
	return 0;
}

static int string_end(struct osmo_manifest *m, struct err *err)
{
	struct text *t = m->dst;
	int r;

	if (t && t->own.len == 0) {
		t->p = (const char *)m->piece;
		t->len = (size_t)(m->p - m->piece);
	} else if (t) {
		r = string_keep(m, err);
		if (r < 0)
			return r;
		t->p = t->own.data;
		t->len = t->own.len;
	}
	m->p++;			/* the quote */
	m->dst = NULL;
	if (m->is_key)
		return key_end(m, err);
	m->state = ST_AFTER;
	return 0;
}

static int add_code_point(struct osmo_manifest *m, uint32_t cp, struct err *err)
{
	uint8_t b[4];
	size_t n = 0;

	if (cp < 0x80) {
		b[n++] = (uint8_t)cp;
	} else if (cp < 0x800) {
		b[n++] = (uint8_t)(0xc0 | cp >> 6);
	} else if (cp < 0x10000) {
		b[n++] = (uint8_t)(0xe0 | cp >> 12);
		b[n++] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	} else {
		b[n++] = (uint8_t)(0xf0 | cp >> 18);
		b[n++] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
		b[n++] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	}
	if (cp >= 0x80)
		b[n++] = (uint8_t)(0x80 | (cp & 0x3f));
	return text_add(m, b, n, err);
}

/* The waiting half did not get its other one. */
static int lone_high(struct osmo_manifest *m, struct err *err)
{
	uint32_t cp = m->high;

	m->high = 0;
	if (m->dst && !m->is_key)
		m->is_malformed = true;
	return add_code_point(m, cp, err);
}

static int add_utf16(struct osmo_manifest *m, uint16_t unit, struct err *err)
{
	int r;

	if (m->high && unit >= 0xdc00 && unit <= 0xdfff) {
		uint32_t cp = 0x10000 + ((uint32_t)(m->high - 0xd800) << 10) +
			      (unit - 0xdc00u);

		m->high = 0;
		return add_code_point(m, cp, err);
	}
	if (m->high) {
		r = lone_high(m, err);
		if (r < 0)
			return r;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		m->high = unit;
		return 0;
	}
	if (unit >= 0xdc80 && unit <= 0xdcff) {
		uint8_t byte = (uint8_t)unit;

		return text_add(m, &byte, 1, err);
	}
	if (unit >= 0xdc00 && unit <= 0xdfff && m->dst && !m->is_key)
		m->is_malformed = true;
	return add_code_point(m, unit, err);
}

static int hex_step(struct osmo_manifest *m, struct err *err)
{
	uint8_t c = *m->p;
	unsigned v;

	if (c >= '0' && c <= '9')
		v = c - '0';
	else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		v = (c | 0x20u) - 'a' + 10;
	else
		return corrupt(m, m->p, "bad \\u escape", err);
	m->p++;
	m->hex = (uint16_t)(m->hex << 4 | v);
	if (++m->hex_digits < 4)
		return 0;
	m->state = ST_STRING;
	m->piece = m->p;
	return add_utf16(m, m->hex, err);
}

static int escape_step(struct osmo_manifest *m, struct err *err)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint8_t c = *m->p;
	const char *at;
	int r;

	if (c == 'u') {
		m->p++;
		m->hex = 0;
		m->hex_digits = 0;
		m->state = ST_HEX;
		return 0;
	}
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return corrupt(m, m->p, "bad escape", err);
	if (m->high) {
		r = lone_high(m, err);
		if (r < 0)
			return r;
	}
	m->p++;
	m->piece = m->p;
	m->state = ST_STRING;
	return text_add(m, to + (at - from), 1, err);
}

/* One byte of a sequence above ASCII: overlong, surrogate and > U+10FFFF are
 * no UTF-8 (Unicode 15, table 3-7). */
static int utf8_step(struct osmo_manifest *m, struct err *err)
{
	uint8_t c = *m->p;

	if (m->utf8_need) {
		if (c < m->utf8_min || c > m->utf8_max)
			return corrupt(m, m->p, "not UTF-8", err);
		m->utf8_need--;
	} else if (c >= 0xc2 && c <= 0xdf) {
		m->utf8_need = 1;
	} else if (c >= 0xe0 && c <= 0xef) {
		m->utf8_need = 2;
	} else if (c >= 0xf0 && c <= 0xf4) {
		m->utf8_need = 3;
	} else {
		return corrupt(m, m->p, "not UTF-8", err);
	}
	m->utf8_min = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	m->utf8_max = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
	m->p++;
	return 0;
}

static int string_step(struct osmo_manifest *m, struct err *err)
{
	int r;

	if (m->high && *m->p != '\\') {
		r = lone_high(m, err);
		if (r < 0)
			return r;
	}
	if (m->utf8_need == 0)
		m->p = scan_plain(m->p, m->end);
	/* Before the next byte is judged, or the split would show. */
	if (m->dst &&
	    (size_t)(m->p - m->piece) > OSMO_STRING_MAX - m->dst->own.len)
		return too_long(m, err);
	if (m->p == m->end)
		return 0;
	if (m->utf8_need || *m->p >= 0x80)
		return utf8_step(m, err);
	if (*m->p == '"')
		return string_end(m, err);
	if (*m->p != '\\')
		return corrupt(m, m->p, "control byte in a string", err);
	r = string_keep(m, err);
	m->p++;
	m->state = ST_ESCAPE;
	return r;
}

/* ---- numbers and literals ---- */

static int size_step(struct osmo_manifest *m, struct err *err)
{
	uint8_t c = *m->p;

	if (c >= '0' && c <= '9') {
		if (m->num == NUM_ZERO)
			return corrupt(m, m->p, "size has a leading zero", err);
		m->size = m->size * 10 + (c - '0');
		if (m->size > SIZE_LIMIT)
			return corrupt(m, m->p, "size is beyond 2^53", err);
		m->p++;
		return 0;
	}
	if (c == '.' || c == 'e' || c == 'E')
		return corrupt(m, m->p, "size is not a whole number", err);
	m->state = ST_AFTER;
	return 0;
}

/* The state behind c, or -1 where the number ends before it. */
static int number_next(enum number_state s, uint8_t c)
{
	bool digit = c >= '0' && c <= '9';

	switch (s) {
	case NUM_MINUS:
		return c == '0' ? NUM_ZERO : digit ? NUM_INT : -1;
	case NUM_INT:
		if (digit)
			return NUM_INT;
		/* fallthrough */
	case NUM_ZERO:
		return c == '.' ? NUM_DOT :
		       (c == 'e' || c == 'E') ? NUM_E : -1;
	case NUM_DOT:
		return digit ? NUM_FRACTION : -1;
	case NUM_FRACTION:
		return digit ? NUM_FRACTION :
		       (c == 'e' || c == 'E') ? NUM_E : -1;
	case NUM_E:
		if (c == '+' || c == '-')
			return NUM_E_SIGN;
		/* fallthrough */
	case NUM_E_SIGN:
	case NUM_EXPONENT:
		return digit ? NUM_EXPONENT : -1;
	}
	return -1;
}

static int number_step(struct osmo_manifest *m, struct err *err)
{
	int next = number_next(m->num, *m->p);

	if (next >= 0) {
		m->num = (enum number_state)next;
		m->p++;
		return 0;
	}
	if (m->num != NUM_ZERO && m->num != NUM_INT &&
	    m->num != NUM_FRACTION && m->num != NUM_EXPONENT)
		return corrupt(m, m->p, "bad number", err);
	m->state = ST_AFTER;
	return 0;
}

static int literal_step(struct osmo_manifest *m, struct err *err)
{
	if (*m->p != (uint8_t)*m->literal)
		return corrupt(m, m->p, "unknown word", err);
	m->p++;
	if (!*++m->literal)
		m->state = ST_AFTER;
	return 0;
}

/* ---- structure ---- */

static void entry_begin(struct osmo_manifest *m)
{
	m->seen = 0;
	m->is_malformed = false;
	m->size = 0;
	for (size_t i = 0; i < FIELD_STRINGS; i++) {
		m->text[i].p = "";
		m->text[i].len = 0;
	}
}

static int entry_end(struct osmo_manifest *m, const uint8_t *at,
		     struct err *err)
{
	const struct osmo_entry e = {
		.relative_path = m->text[FIELD_PATH].p,
		.relative_path_len = m->text[FIELD_PATH].len,
		.storage_path = m->text[FIELD_STORAGE].p,
		.storage_path_len = m->text[FIELD_STORAGE].len,
		.etag = m->text[FIELD_ETAG].p,
		.etag_len = m->text[FIELD_ETAG].len,
		.size = m->size,
		.number = m->number,
		.is_malformed = m->is_malformed,
	};
	int r;

	if (!(m->seen & 1u << FIELD_PATH))
		return corrupt(m, at, "relative_path is missing", err);
	if (!(m->seen & 1u << FIELD_STORAGE))
		return corrupt(m, at, "storage_path is missing", err);
	if (!(m->seen & 1u << FIELD_SIZE))
		return corrupt(m, at, "size is missing", err);
	r = m->each(m->arg, &e, err);
	m->number++;
	return r;
}

static int level_open(struct osmo_manifest *m, bool is_object,
		      const uint8_t *at, struct err *err)
{
	if (m->depth == LEVELS_MAX)
		return corrupt(m, at, "nested too deep", err);
	m->depth++;
	if (is_object)
		m->objects |= 1u << m->depth;
	else
		m->objects &= ~(1u << m->depth);
	if (m->depth == ENTRY_DEPTH)
		entry_begin(m);
	m->state = is_object ? ST_KEY_OR_END : ST_VALUE_OR_END;
	return 0;
}

static int level_close(struct osmo_manifest *m, const uint8_t *at,
		       struct err *err)
{
	int r = 0;

	if (m->depth == ENTRY_DEPTH)
		r = entry_end(m, at, err);
	m->depth--;
	m->state = m->depth ? ST_AFTER : ST_DONE;
	return r;
}

static int wrong_type(struct osmo_manifest *m, const uint8_t *at,
		      struct err *err)
{
	switch (m->field) {
	case FIELD_PATH:
		return corrupt(m, at, "relative_path is not a string", err);
	case FIELD_STORAGE:
		return corrupt(m, at, "storage_path is not a string", err);
	case FIELD_ETAG:
		return corrupt(m, at, "etag is not a string", err);
	default:
		return corrupt(m, at, "size is not a whole number", err);
	}
}

static int literal_begin(struct osmo_manifest *m, uint8_t c)
{
	m->literal = c == 't' ? "rue" : c == 'f' ? "alse" : "ull";
	m->state = ST_LITERAL;
	return 0;
}

static int number_begin(struct osmo_manifest *m, uint8_t c, bool is_size)
{
	m->num = c == '-' ? NUM_MINUS : c == '0' ? NUM_ZERO : NUM_INT;
	m->size = is_size ? (uint64_t)(c - '0') : m->size;
	m->state = is_size ? ST_SIZE : ST_NUMBER;
	return 0;
}

/* A value of the entry itself: the members that mean something. */
static int member_begin(struct osmo_manifest *m, uint8_t c, const uint8_t *at,
			struct err *err)
{
	if (m->field == FIELD_SIZE) {
		if (c < '0' || c > '9')
			return wrong_type(m, at, err);
		return number_begin(m, c, true);
	}
	if (c == '"') {
		string_begin(m, &m->text[m->field], false);
		return 0;
	}
	if (c == 'n' && m->field == FIELD_ETAG)
		return literal_begin(m, c);
	return wrong_type(m, at, err);
}

static int value_begin(struct osmo_manifest *m, uint8_t c, const uint8_t *at,
		       struct err *err)
{
	if (m->depth == ENTRY_DEPTH - 1 && c != '{')
		return corrupt(m, at, "not an object", err);
	if (m->depth == ENTRY_DEPTH && m->field <= FIELD_SIZE)
		return member_begin(m, c, at, err);
	if (c == '{' || c == '[')
		return level_open(m, c == '{', at, err);
	if (c == '"') {
		string_begin(m, NULL, false);
		return 0;
	}
	if (c == '-' || (c >= '0' && c <= '9'))
		return number_begin(m, c, false);
	if (c == 't' || c == 'f' || c == 'n')
		return literal_begin(m, c);
	return corrupt(m, at, "a value is expected", err);
}

/* Keys below the entry are skipped like any string. */
static int key_begin(struct osmo_manifest *m, uint8_t c, const uint8_t *at,
		     struct err *err)
{
	if (c != '"')
		return corrupt(m, at, "a member name is expected", err);
	string_begin(m, m->depth == ENTRY_DEPTH ? &m->key : NULL, true);
	return 0;
}

static int structure_step(struct osmo_manifest *m, struct err *err)
{
	const uint8_t *at = m->p++;
	uint8_t c = *at;
	bool in_object = m->objects & 1u << m->depth;

	switch (m->state) {
	case ST_START:
		if (c != '[')
			return corrupt(m, at, "not a JSON array", err);
		return level_open(m, false, at, err);
	case ST_VALUE_OR_END:
		if (c == ']')
			return level_close(m, at, err);
		return value_begin(m, c, at, err);
	case ST_VALUE:
		return value_begin(m, c, at, err);
	case ST_KEY_OR_END:
		if (c == '}')
			return level_close(m, at, err);
		return key_begin(m, c, at, err);
	case ST_KEY:
		return key_begin(m, c, at, err);
	case ST_COLON:
		if (c != ':')
			return corrupt(m, at, "a colon is expected", err);
		m->state = ST_VALUE;
		return 0;
	case ST_AFTER:
		if (c == (in_object ? '}' : ']'))
			return level_close(m, at, err);
		if (c != ',')
			return corrupt(m, at, "a comma is expected", err);
		m->state = in_object ? ST_KEY : ST_VALUE;
		return 0;
	default:
		return corrupt(m, at, "bytes behind the array", err);
	}
}

static void skip_space(struct osmo_manifest *m)
{
	const uint8_t *p = m->p, *end = m->end;

	while (p < end) {
		if (*p == ' ') {
			if (end - p >= 8 && load_le64(p) == ONES * ' ')
				p += 7;
		} else if (*p != '\n' && *p != '\r' && *p != '\t') {
			break;
		}
		p++;
	}
	m->p = p;
}

static int step(struct osmo_manifest *m, struct err *err)
{
	switch (m->state) {
	case ST_STRING:
		return string_step(m, err);
	case ST_ESCAPE:
		return escape_step(m, err);
	case ST_HEX:
		return hex_step(m, err);
	case ST_SIZE:
		return size_step(m, err);
	case ST_NUMBER:
		return number_step(m, err);
	case ST_LITERAL:
		return literal_step(m, err);
	default:
		skip_space(m);
		return m->p < m->end ? structure_step(m, err) : 0;
	}
}

/* The feed's memory goes away: keep what the entry under way needs of it. */
static int keep_entry(struct osmo_manifest *m, struct err *err)
{
	int r;

	if (m->state == ST_STRING) {
		r = string_keep(m, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < FIELD_STRINGS && m->depth >= ENTRY_DEPTH; i++) {
		struct text *t = &m->text[i];

		if (t == m->dst || t->len == 0 || t->p == t->own.data)
			continue;
		buf_clear(&t->own);
		r = buf_add(&t->own, t->p, t->len, err);
		if (r < 0)
			return r;
		t->p = t->own.data;
	}
	return 0;
}

static int fail(struct osmo_manifest *m, int r, const struct err *err)
{
	m->failed = r;
	err_copy(&m->failure, err);
	return r;
}

int osmo_manifest_feed(struct osmo_manifest *m, const void *bytes, size_t len,
		       struct err *err)
{
	int r = 0;

	if (m->failed) {
		err_copy(err, &m->failure);
		return m->failed;
	}
	m->feed = m->p = m->piece = bytes;
	m->end = m->p + len;
	while (m->p < m->end && r == 0)
		r = step(m, err);
	if (r == 0)
		r = keep_entry(m, err);
	if (r)
		return fail(m, r, err);
	m->feed_offset += len;
	m->feed = m->p = m->end = NULL;
	return 0;
}

int osmo_manifest_finish(struct osmo_manifest *m, struct err *err)
{
	if (m->failed) {
		err_copy(err, &m->failure);
		return m->failed;
	}
	if (m->state == ST_DONE)
		return 0;
	return fail(m, corrupt(m, m->p, "the manifest is cut off", err), err);
}
