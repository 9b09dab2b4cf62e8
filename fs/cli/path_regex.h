/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regular expressions of -x: POSIX extended ones over paths in a version,
 * anchored at the start as OSMO's are, and bounded, as regcomp(3) is not.
 */
#ifndef DATASETFS_CLI_PATH_REGEX_H
#define DATASETFS_CLI_PATH_REGEX_H

#include <regex.h>
#include "fs/cli/cli.h"

struct path_regex {
	regex_t compiled;
	bool is_given;
};

/* -x: 0, or EXIT_USAGE after it was explained, as for a second one. */
int path_regex_take(struct path_regex *regex, const struct cli *cli,
		    const char *text);
/* Where none was given, each does.  Any thread may call. */
bool path_regex_matches(const struct path_regex *regex, const char *path);
void path_regex_release(struct path_regex *regex);

#endif
