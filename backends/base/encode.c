/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/encode.h"

#include <errno.h>
#include <string.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void encode_hex(char *out, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = hex_lower[b[i] >> 4];
		out[2 * i + 1] = hex_lower[b[i] & 15];
	}
	out[2 * len] = '\0';
}

/* 0 to 15, or -1. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int decode_hex(void *out, size_t len, const char *digits, size_t n_digits)
{
	uint8_t *b = out;

	if (n_digits % 2 != 0 || n_digits / 2 != len)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		int hi = hex_value(digits[2 * i]);
		int lo = hex_value(digits[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

void encode_base64(struct buf *out, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t v = (uint32_t)b[i] << 16;
		char quad[4];

		if (n > 1)
			v |= (uint32_t)b[i + 1] << 8;
		if (n > 2)
			v |= b[i + 2];
		quad[0] = base64_digits[v >> 18];
		quad[1] = base64_digits[v >> 12 & 63];
		quad[2] = n > 1 ? base64_digits[v >> 6 & 63] : '=';
		quad[3] = n > 2 ? base64_digits[v & 63] : '=';
		buf_bytes(out, quad, sizeof(quad));
	}
}

void encode_base64url(struct buf *out, const void *bytes, size_t len)
{
	size_t from = out->len;

	encode_base64(out, bytes, len);
	if (buf_failed(out))
		return;
	while (out->len > from && out->data[out->len - 1] == '=')
		out->data[--out->len] = '\0';
	for (char *p = out->data + from; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* len without the padding; false where the padding is not what it must be. */
static bool base64_unpad(const char *text, size_t *len)
{
	size_t n = *len;
	size_t pad = 0;

	while (pad < 2 && n > 0 && text[n - 1] == '=') {
		n--;
		pad++;
	}
	if (pad > 0 && *len % 4 != 0)
		return false;
	*len = n;
	return n % 4 != 1;
}

int decode_base64(struct buf *out, const char *text, size_t len,
		  struct err *err)
{
	size_t start = out->len;
	uint32_t bits = 0;
	unsigned n_bits = 0;
	int r;

	if (!base64_unpad(text, &len))
		goto invalid;
	r = buf_reserve(out, len / 4 * 3 + 2, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i++) {
		int v = base64_value(text[i]);

		if (v < 0)
			goto invalid;
		bits = bits << 6 | (uint32_t)v;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out->data[out->len++] = (char)(bits >> n_bits);
			bits &= (1u << n_bits) - 1;
		}
	}
	/* Bits left over must be 0: one value has one spelling. */
	if (bits)
		goto invalid;
	out->data[out->len] = '\0';
	return 0;

invalid:
	out->len = start;
	if (out->data)
		out->data[start] = '\0';
	return err_set(err, ERR_CORRUPT, EINVAL, "this is not base64");
}

static bool is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

void encode_percent(struct buf *out, const char *s, size_t len,
		    const char *keep)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t b = (uint8_t)s[i];
		char triple[3] = { '%', hex_upper[b >> 4], hex_upper[b & 15] };

		if (is_unreserved(s[i]) || (s[i] && keep && strchr(keep, s[i])))
			buf_char(out, s[i]);
		else
			buf_bytes(out, triple, sizeof(triple));
	}
}

int decode_percent(struct buf *out, const char *s, size_t len,
		   bool plus_is_space, struct err *err)
{
	size_t start = out->len;
	int r;

	r = buf_reserve(out, len, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];

		if (c == '+' && plus_is_space) {
			c = ' ';
		} else if (c == '%') {
			int hi = len - i > 2 ? hex_value(s[i + 1]) : -1;
			int lo = len - i > 2 ? hex_value(s[i + 2]) : -1;

			if (hi < 0 || lo < 0) {
				out->len = start;
				out->data[start] = '\0';
				return err_set(err, ERR_CORRUPT, EINVAL,
					       "a percent sign without two "
					       "hexadecimal digits at byte %zu",
					       i);
			}
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		out->data[out->len++] = c;
	}
	out->data[out->len] = '\0';
	return 0;
}

static bool is_continuation(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

size_t encode_utf8_len(const char *s, size_t len)
{
	uint8_t b0;
	uint8_t b1;

	if (len == 0)
		return 0;
	b0 = (uint8_t)s[0];
	if (b0 < 0x80)
		return 1;
	if (b0 < 0xc2 || b0 > 0xf4 || len < 2 || !is_continuation(s[1]))
		return 0;
	if (b0 < 0xe0)
		return 2;
	/* The second byte rules out longer spellings, surrogates, > 10FFFF. */
	b1 = (uint8_t)s[1];
	if ((b0 == 0xe0 && b1 < 0xa0) || (b0 == 0xed && b1 > 0x9f) ||
	    (b0 == 0xf0 && b1 < 0x90) || (b0 == 0xf4 && b1 > 0x8f))
		return 0;
	if (len < 3 || !is_continuation(s[2]))
		return 0;
	if (b0 < 0xf0)
		return 3;
	return len > 3 && is_continuation(s[3]) ? 4 : 0;
}

size_t encode_shown_len(const char *s, size_t len)
{
	size_t n = encode_utf8_len(s, len);

	if (n == 1 && ((uint8_t)s[0] < 0x20 || s[0] == 0x7f))
		return 0;
	/* U+0080 to U+009F: a terminal may take them for escape sequences. */
	if (n == 2 && (uint8_t)s[0] == 0xc2 && (uint8_t)s[1] < 0xa0)
		return 0;
	return n;
}

static void encode_shown(struct buf *out, const char *s, size_t len, size_t max,
			 bool is_quoted)
{
	static const char dots[] = "...";
	const size_t n_dots = sizeof(dots) - 1;
	size_t start = out->len;
	size_t cut = start;	/* where the dots still fit */

	for (size_t i = 0; i < len && !buf_failed(out);) {
		size_t n = encode_shown_len(s + i, len - i);
		uint8_t b = (uint8_t)s[i];

		if (is_quoted && n == 1 &&
		    (b == '"' || b == '\'' || b == '\\'))
			n = 0;
		if (n > 0)
			buf_bytes(out, s + i, n);
		else
			buf_printf(out, "\\x%02x", b);
		i += n ? n : 1;

		if (out->len - start > max) {
			out->len = cut;
			out->data[cut] = '\0';
			buf_bytes(out, dots, max < n_dots ? max : n_dots);
			return;
		}
		if (max >= n_dots && out->len - start <= max - n_dots)
			cut = out->len;
	}
}

void encode_printable(struct buf *out, const char *s, size_t len, size_t max)
{
	encode_shown(out, s, len, max, true);
}

void encode_prose(struct buf *out, const char *s, size_t len, size_t max)
{
	encode_shown(out, s, len, max, false);
}
