/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that is no YAML 1.1: tabs before the first brace, and characters beyond
 * the BMP escaped as two surrogates, which libyaml refuses.  Both become what
 * it reads, in as many bytes as far as possible, so that positions stay.
 */
#include <config.h>
#include "fs/config/yaml_load.h"

#include <stdio.h>
#include <string.h>

static unsigned hex4(const char *s)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return 0;
	}
	return v;
}

size_t yaml_adapt_json(char *text, size_t len)
{
	size_t in = 0, out = 0;

	while (in < len && strchr(" \t\r\n", text[in]) && text[in])
		in++;
	if (in == len || (text[in] != '{' && text[in] != '['))
		return len;
	for (size_t i = 0; i < in; i++)
		if (text[i] == '\t')
			text[i] = ' ';
	for (in = 0; in < len;) {
		unsigned high, low;

		if (text[in] != '\\' || len - in < 2) {
			text[out++] = text[in++];
			continue;
		}
		high = len - in >= 12 && text[in + 1] == 'u' ?
			       hex4(text + in + 2) : 0;
		low = high && memcmp(text + in + 6, "\\u", 2) == 0 ?
			      hex4(text + in + 8) : 0;
		if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 &&
		    low < 0xe000) {
			char escape[11];

			snprintf(escape, sizeof(escape), "\\U%08X",
				 0x10000 + ((high - 0xd800) << 10) +
					 (low - 0xdc00));
			memcpy(text + out, escape, 10);
			out += 10;
			in += 12;
		} else {
			text[out++] = text[in++];
			text[out++] = text[in++];
		}
	}
	return out;
}
