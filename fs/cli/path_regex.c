/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/path_regex.h"

#include <string.h>

#define REGEX_BYTES_MAX 1000	/* regcomp(3) recurses, however deep it gets */
#define REGEX_NESTING_MAX 16	/* each of ((a+)+)+ doubles the program */

/* How deep parentheses are nested; those in brackets count too. */
static unsigned regex_nesting(const char *text)
{
	unsigned depth = 0, deepest = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && depth > 0)
			depth--;
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest;
}

int path_regex_take(struct path_regex *regex, const struct cli *cli,
		    const char *text)
{
	cleanup_buf struct buf anchored = BUF_INIT;
	char why[256];
	int r;

	if (regex->is_given)
		return cli_usage(cli, "one regex is enough");
	if (strlen(text) > REGEX_BYTES_MAX)
		return cli_usage(cli, "regex of %zu bytes: at most %d are possible",
				 strlen(text), REGEX_BYTES_MAX);
	if (regex_nesting(text) > REGEX_NESTING_MAX)
		return cli_usage(cli, "regex with parentheses %u deep: at most %d are possible",
				 regex_nesting(text), REGEX_NESTING_MAX);
	buf_printf(&anchored, "^(%s)", text);
	if (buf_failed(&anchored))
		return cli_usage(cli, "out of memory");
	r = regcomp(&regex->compiled, anchored.data, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &regex->compiled, why, sizeof(why));
		return cli_usage(cli, "regex \"%s\": %s", text, why);
	}
	regex->is_given = true;
	return 0;
}

bool path_regex_matches(const struct path_regex *regex, const char *path)
{
	return !regex->is_given ||
	       regexec(&regex->compiled, path, 0, NULL, 0) == 0;
}

void path_regex_release(struct path_regex *regex)
{
	if (regex->is_given)
		regfree(&regex->compiled);
	regex->is_given = false;
}
