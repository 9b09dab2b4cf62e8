/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/json.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* jansson recurses up to 2048 deep; ours is checked before it sees the text. */
static int check_depth(const char *s, size_t len, unsigned most,
		       struct err *err)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
			continue;
		}
		if (s[i] == '"') {
			in_string = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > most)
				return err_set(err, ERR_CORRUPT, EBADMSG,
					       "byte %zu: nested deeper than %u",
					       i, most);
		} else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}

int json_parse(struct json_t **out, const void *text, size_t len,
	       unsigned depth, struct err *err)
{
	json_error_t bad;
	int r;

	/* jansson (2.14) drops a NUL that stands behind a number or a word. */
	if (len > 0 && memchr(text, '\0', len))
		return err_set(err, ERR_CORRUPT, EBADMSG, "a NUL byte");
	r = check_depth(text, len, depth, err);
	if (r < 0)
		return r;
	*out = json_loadb(text, len, JSON_REJECT_DUPLICATES, &bad);
	if (!*out)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "line %d, column %d: %s", bad.line, bad.column,
			       bad.text);
	return 0;
}
