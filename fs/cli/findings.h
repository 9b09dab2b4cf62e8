/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What "doctor" and "bucket check" found: a line each for people, as soon as it
 * is known, or an array for machines.
 */
#ifndef DATASETFS_CLI_FINDINGS_H
#define DATASETFS_CLI_FINDINGS_H

#include <stdarg.h>
#include "fs/cli/cli.h"

enum verdict {
	VERDICT_OK,
	VERDICT_WARNING,	/* it works, but not as well as it could */
	VERDICT_FAILED,
};

struct findings {
	json_t *list;		/* with --json, else NULL */
	unsigned n_failed, n_warnings;
};

struct finding {
	enum verdict verdict;
	const char *subject;	/* "archive", or NULL; for machines */
	const char *check;	/* what was looked at: "bucket archive" */
	const char *fix;	/* the next thing to do, or NULL */
	int64_t us;		/* what it took, -1: not measured */
};
void findings_tell(struct findings *f, const struct finding *finding,
		   const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

/* The sums, or the document of that schema; code, or that of a failed print. */
int findings_finish(struct findings *f, const char *schema, int code);

/* What a store's clock less ours says of ours. */
struct clock_finding {
	enum verdict verdict;
	const char *fix;	/* NULL with VERDICT_OK */
	char text[80];
};
struct clock_finding findings_of_clock(int64_t skew_s);

#endif
