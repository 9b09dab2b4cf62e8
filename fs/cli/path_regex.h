/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The regular expressions of -x: POSIX extended ones over paths in a version,
 * anchored at the start as OSMO's are, and bounded, as regcomp(3) is not.
 */
#ifndef DATASETFS_CLI_PATH_REGEX_H
#define DATASETFS_CLI_PATH_REGEX_H

#include <regex.h>
#include "fs/cli/cli.h"

/* 0, and the caller calls regfree(); or EXIT_USAGE after it was explained. */
int path_regex_compile(regex_t *out, const struct cli *cli, const char *text);
/* Any thread may call. */
bool path_regex_matches(const regex_t *regex, const char *path);

#endif
