/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>

#include "backends/base/encode.h"
#include "backends/base/json.h"
#include "fs/dataset/catalog_store/json_text.h"

int json_text_parse(struct json_t **out, const void *text, size_t len,
		    struct err *err)
{
	return json_parse(out, text, len, JSON_TEXT_DEPTH, err);
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* p is at the opening quote; the result is behind the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\')
			p++;
	return p < end ? p + 1 : end;
}

static const char *skip_value(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
		} else if (*p == '{' || *p == '[') {
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			if (depth == 0)
				return p;
			depth--;
			p++;
		} else if (depth == 0 && (*p == ',' || *p == ' ' ||
					  *p == '\t' || *p == '\n' ||
					  *p == '\r')) {
			return p;
		} else {
			p++;
			continue;
		}
		if (depth == 0)
			return p;
	}
	return end;
}

struct json_text_walk json_text_walk(const char *text, size_t len)
{
	struct json_text_walk walk = { .p = text, .end = text + len };

	walk.p = skip_blank(walk.p, walk.end);
	if (walk.p < walk.end && *walk.p == '{')
		walk.p++;
	else
		walk.p = walk.end;
	return walk;
}

bool json_text_next(struct json_text_walk *walk)
{
	const char *p = skip_blank(walk->p, walk->end);

	if (p < walk->end && *p == ',')
		p = skip_blank(p + 1, walk->end);
	if (p >= walk->end || *p != '"')
		return false;
	walk->key = p + 1;
	p = skip_string(p, walk->end);
	walk->key_len = (size_t)(p - walk->key) - 1;
	p = skip_blank(p, walk->end);
	if (p >= walk->end || *p != ':')
		return false;
	walk->value = skip_blank(p + 1, walk->end);
	walk->p = skip_value(walk->value, walk->end);
	walk->value_len = (size_t)(walk->p - walk->value);
	return true;
}

bool json_text_key_is(const struct json_text_walk *walk, const char *key)
{
	return walk->key_len == strlen(key) &&
	       memcmp(walk->key, key, walk->key_len) == 0;
}

static void put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_char(out, (char)c);
	} else if (c < 0x800) {
		buf_char(out, (char)(0xc0 | c >> 6));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_char(out, (char)(0xe0 | c >> 12));
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_char(out, (char)(0xf0 | c >> 18));
		buf_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_char(out, (char)(0x80 | (c & 0x3f)));
	}
}

static void put_char(struct buf *out, uint32_t c)
{
	switch (c) {
	case '"':
		buf_str(out, "\\\"");
		return;
	case '\\':
		buf_str(out, "\\\\");
		return;
	case '\b':
		buf_str(out, "\\b");
		return;
	case '\f':
		buf_str(out, "\\f");
		return;
	case '\n':
		buf_str(out, "\\n");
		return;
	case '\r':
		buf_str(out, "\\r");
		return;
	case '\t':
		buf_str(out, "\\t");
		return;
	}
	if (c < 0x20)
		buf_printf(out, "\\u%04x", (unsigned)c);
	else
		put_utf8(out, c);
}

static uint32_t hex4(const char *p, const char *end)
{
	uint32_t v = 0;

	for (int i = 0; i < 4 && p < end; i++, p++) {
		uint32_t d = (uint32_t)(*p | 0x20);

		v = v << 4 | (d >= 'a' ? d - 'a' + 10 : d - '0') % 16;
	}
	return v;
}

/* p is behind the backslash; the result is behind the escape. */
static const char *put_escape(struct buf *out, const char *p, const char *end)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	const char *found = memchr(from, *p, sizeof(from) - 1);
	uint32_t c;

	if (*p != 'u') {
		put_char(out, found ? (unsigned char)to[found - from] :
				      (unsigned char)*p);
		return p + 1;
	}
	if (end - p < 5)
		return end;
	c = hex4(p + 1, end);
	p += 5;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
	    p[1] == 'u') {
		c = 0x10000 + ((c - 0xd800) << 10) +
		    ((hex4(p + 2, end) - 0xdc00) & 0x3ff);
		p += 6;
	}
	put_char(out, c);
	return p;
}

static const char *put_string(struct buf *out, const char *p, const char *end)
{
	buf_char(out, '"');
	for (p++; p < end && *p != '"';) {
		if (*p == '\\' && p + 1 < end)
			p = put_escape(out, p + 1, end);
		else
			buf_char(out, *p++);
	}
	buf_char(out, '"');
	return p < end ? p + 1 : end;
}

void json_text_compact(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;

	for (const char *p = skip_blank(text, end); p < end;
	     p = skip_blank(p, end)) {
		if (*p == '"')
			p = put_string(out, p, end);
		else
			buf_char(out, *p++);
	}
}

static void put_byte(struct buf *out, char byte)
{
	unsigned char c = (unsigned char)byte;

	if (c < 0x80)
		put_char(out, c);
	else
		buf_char(out, byte);
}

void json_text_string(struct buf *out, const char *s, size_t len)
{
	buf_char(out, '"');
	for (size_t i = 0; i < len; i++)
		put_byte(out, s[i]);
	buf_char(out, '"');
}

void json_text_bytes(struct buf *out, const char *s, size_t len)
{
	size_t i = 0;

	buf_char(out, '"');
	while (i < len) {
		size_t n = encode_utf8_len(s + i, len - i);

		if (n == 0)
			buf_printf(out, "\\udc%02x", (unsigned char)s[i++]);
		while (n-- > 0)
			put_byte(out, s[i++]);
	}
	buf_char(out, '"');
}
