/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TAP lines that say which of the forty cases they are of (tests/README.md
 * has the table, tests/tools/cases_table.py the list).
 */
#ifndef DATASETFS_TESTS_BACKEND_CASE_H
#define DATASETFS_TESTS_BACKEND_CASE_H

#include <stdbool.h>
#include "backends/base/err.h"

/* What is checked from now on is of this case; 0: of none. */
void in_case(unsigned number);

bool check(bool ok, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* r is what was expected, or the case fails and shows the error. */
bool check_r(int r, int want, const struct err *err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void skip(const char *name, const char *why);

/* The plan, and the exit status of the program. */
int cases_done(void);

#endif
