/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/osmo/osmo_manifest_impl.h"

#include <string.h>

#define ONES 0x0101010101010101ull
#define HIGHS 0x8080808080808080ull

/*
 * The first byte that a string may not simply contain: a quote, a backslash, a
 * control byte, or one above ASCII; end without one.  Eight at a time: borrows
 * make a flag wrong only above a true one, and the lowest is what counts.
 */
static const uint8_t *scan_plain(const uint8_t *p, const uint8_t *end)
{
	while (end - p >= 8) {
		uint64_t v = osmo_load_le64(p);
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
	return osmo_corrupt_offset(m, m->string_offset,
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
int osmo_string_keep(struct osmo_manifest *m, struct err *err)
{
	const uint8_t *piece = m->piece;

	m->piece = m->p;
	return text_add(m, piece, (size_t)(m->p - piece), err);
}

void osmo_string_begin(struct osmo_manifest *m, struct text *dst, bool is_key)
{
	m->dst = dst;
	m->is_key = is_key;
	m->string_offset = m->feed_offset + (uint64_t)(m->p - 1 - m->feed);
	m->piece = m->p;
	m->high = 0;
	m->utf8_need = 0;
	if (dst)
		buf_clear(&dst->own);
	m->state = ST_STRING;
}

static int string_end(struct osmo_manifest *m, struct err *err)
{
	struct text *t = m->dst;
	int r;

	if (t && t->own.len == 0) {
		t->p = (const char *)m->piece;
		t->len = (size_t)(m->p - m->piece);
	} else if (t) {
		r = osmo_string_keep(m, err);
		if (r < 0)
			return r;
		t->p = t->own.data;
		t->len = t->own.len;
	}
	m->p++;			/* the quote */
	m->dst = NULL;
	if (m->is_key)
		return osmo_key_end(m, err);
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
		return osmo_corrupt(m, m->p, "bad \\u escape", err);
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
		return osmo_corrupt(m, m->p, "bad escape", err);
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
			return osmo_corrupt(m, m->p, "not UTF-8", err);
		m->utf8_need--;
	} else if (c >= 0xc2 && c <= 0xdf) {
		m->utf8_need = 1;
	} else if (c >= 0xe0 && c <= 0xef) {
		m->utf8_need = 2;
	} else if (c >= 0xf0 && c <= 0xf4) {
		m->utf8_need = 3;
	} else {
		return osmo_corrupt(m, m->p, "not UTF-8", err);
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
		return osmo_corrupt(m, m->p, "control byte in a string", err);
	r = osmo_string_keep(m, err);
	m->p++;
	m->state = ST_ESCAPE;
	return r;
}

int osmo_string_step(struct osmo_manifest *m, struct err *err)
{
	switch (m->state) {
	case ST_ESCAPE:
		return escape_step(m, err);
	case ST_HEX:
		return hex_step(m, err);
	default:
		return string_step(m, err);
	}
}
