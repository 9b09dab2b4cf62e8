/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/header.h"

#include <ctype.h>
#include <string.h>
#include <time.h>
#include "backends/base/digest.h"
#include "backends/base/encode.h"

bool header_get(const struct http_response *rs, const char *name,
		char value[HEADER_MAX])
{
	return http_response_header(rs, name, value, HEADER_MAX);
}

void header_etag(char etag[BACKEND_ETAG_MAX], const char *text)
{
	size_t len = strlen(text);

	etag[0] = '\0';
	if (len >= 2 && text[0] == '"' && text[len - 1] == '"') {
		text++;
		len -= 2;
	}
	if (len >= BACKEND_ETAG_MAX)
		return;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return;
	}
	memcpy(etag, text, len);
	etag[len] = '\0';
}

bool header_is_generation(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len && !text[len] && len < BACKEND_GENERATION_MAX;
}

void header_generation(char generation[BACKEND_GENERATION_MAX],
		       const char *text)
{
	(void)strcpy(generation, header_is_generation(text) ? text : "");
}

static bool take_number(const char **p, unsigned n_digits, int *out)
{
	*out = 0;
	for (unsigned i = 0; i < n_digits; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return false;
		*out = *out * 10 + (**p - '0');
	}
	return true;
}

static bool take_char(const char **p, char c)
{
	return *(*p)++ == c;
}

bool header_date(int64_t *s, const char *text)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = {.tm_isdst = 0};
	const char *p = text, *month;
	char name[4];

	if (strlen(text) != strlen("Sun, 06 Nov 1994 08:49:37 GMT") ||
	    memcmp(p + 3, ", ", 2) != 0)
		return false;
	p += 5;
	if (!take_number(&p, 2, &tm.tm_mday) || !take_char(&p, ' '))
		return false;
	memcpy(name, p, 3);
	name[3] = '\0';
	month = strstr(months, name);
	if (!month || (month - months) % 3 != 0)
		return false;
	tm.tm_mon = (int)(month - months) / 3;
	p += 3;
	if (!take_char(&p, ' ') || !take_number(&p, 4, &tm.tm_year) ||
	    !take_char(&p, ' ') || !take_number(&p, 2, &tm.tm_hour) ||
	    !take_char(&p, ':') || !take_number(&p, 2, &tm.tm_min) ||
	    !take_char(&p, ':') || !take_number(&p, 2, &tm.tm_sec) ||
	    strcmp(p, " GMT") != 0)
		return false;
	if (tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_year < 1970 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_year -= 1900;
	*s = timegm(&tm);
	return true;
}

static bool take_u64(const char **p, uint64_t *out)
{
	if (!isdigit((unsigned char)**p))
		return false;
	*out = 0;
	for (; isdigit((unsigned char)**p); (*p)++)
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (uint64_t)(**p - '0'), out) ||
		    *out > INT64_MAX)
			return false;
	return true;
}

bool header_content_range(uint64_t *first, uint64_t *last, uint64_t *total,
			  const char *text)
{
	const char *p = text;

	if (strncasecmp(p, "bytes ", 6) != 0)
		return false;
	p += 6;
	return take_u64(&p, first) && take_char(&p, '-') &&
	       take_u64(&p, last) && take_char(&p, '/') &&
	       take_u64(&p, total) && !*p && *first <= *last && *last < *total;
}

bool header_length(uint64_t *out, const char *text)
{
	return take_u64(&text, out) && !*text;
}

void header_content_md5(struct buf *out, const void *body, size_t len,
			bool is_spoiled)
{
	uint8_t md5[MD5_SIZE];

	digest_md5(md5, len ? body : "", len);
	if (is_spoiled)
		md5[0] ^= 1;
	encode_base64(out, md5, sizeof(md5));
}
