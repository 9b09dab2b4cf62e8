/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/settings.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "", "B", "K", "KB", "Ki", "KiB", ...; false for anything else. */
static bool parse_unit(const char *s, uint64_t *unit)
{
	static const char letters[] = "kmgtpe";
	const char *letter;
	uint64_t base = 1000;

	*unit = 1;
	if (*s && (letter = strchr(letters, tolower((unsigned char)*s)))) {
		s++;
		if (*s == 'i' || *s == 'I') {
			base = 1024;
			s++;
		}
		for (long i = letter - letters; i >= 0; i--)
			*unit *= base;
	}
	if (*s == 'b' || *s == 'B')
		s++;
	return *s == '\0';
}

int settings_parse_size(const char *text, uint64_t *bytes)
{
	uint64_t whole = 0, fraction = 0, scale = 1, unit, part;
	const char *s = text;

	if (!is_digit(*s))
		return -EINVAL;
	for (; is_digit(*s); s++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return -EINVAL;
	}
	if (*s == '.') {
		s++;
		if (!is_digit(*s))
			return -EINVAL;
		for (; is_digit(*s); s++) {
			if (scale >= 1000000000)
				return -EINVAL;
			fraction = fraction * 10 + (uint64_t)(*s - '0');
			scale *= 10;
		}
	}
	while (*s == ' ')
		s++;
	if (!parse_unit(s, &unit))
		return -EINVAL;
	part = (uint64_t)((unsigned __int128)fraction * unit / scale);
	if (__builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(whole, part, bytes))
		return -EINVAL;
	return 0;
}
