/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "datasetfs bucket check": each step from the configuration to an object of
 * the store, what it took, and, where it fails, what is missing in the store's
 * own words and what to write.
 */
#ifndef DATASETFS_CLI_BUCKET_CHECK_H
#define DATASETFS_CLI_BUCKET_CHECK_H

#include "fs/cli/findings.h"

#define CHECK_STEP_MS 15000	/* of one question to a store */

struct bucket_check {
	struct cli *cli;
	struct findings findings;
	bool no_write;		/* also where the mode allows it */
	const char *mountpoint;
	int code;		/* of the first failure, or EXIT_DONE */

	/* Of the bucket that is checked. */
	struct bucket *bucket;
	const char *name;
};

/* What one step came to; us -1 where there is nothing to measure. */
struct step {
	const char *check;
	int64_t us;
	enum verdict verdict;
	int code;		/* for the command, where it failed */
	const char *fix;	/* or NULL */
};
void bucket_check_tell(struct bucket_check *c, const struct step *step,
		       const char *fmt, ...) PRINTF_LIKE(3, 4);

/* A name of the command line that is no bucket's. */
void bucket_check_unknown(struct bucket_check *c, const char *name,
			  const struct err *err);
void bucket_check_default(struct bucket_check *c);
void bucket_check_one(struct bucket_check *c, struct bucket *b);

/* From the name of the host to the deletion of an object. */
void bucket_check_store(struct bucket_check *c);

#endif
