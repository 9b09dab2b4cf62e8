/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "datasetfs doctor": what is wrong with this machine and the configuration,
 * and what would mend it.  Each check tells one finding a thing it looked at,
 * as soon as it knows; none changes anything, but for the cache directory,
 * which is made as a mount would make it.
 */
#ifndef DATASETFS_CLI_DOCTOR_H
#define DATASETFS_CLI_DOCTOR_H

#include "fs/cli/findings.h"

struct doctor {
	struct cli *cli;
	struct findings findings;
};

/*
 * check: what was looked at ("bucket archive"); fix: the next thing to do,
 * NULL with VERDICT_OK.
 */
void doctor_tell(struct doctor *d, enum verdict verdict, const char *check,
		 const char *fix, const char *fmt, ...) PRINTF_LIKE(5, 6);

void doctor_look_at_fuse(struct doctor *d);	/* may it be mounted? */
void doctor_look_at_mounts(struct doctor *d);	/* that run with this file */
void doctor_look_at_updatedb(struct doctor *d);
void doctor_look_at_cache(struct doctor *d);	/* needs settings */
void doctor_look_at_memory(struct doctor *d);	/* needs settings */
void doctor_look_at_buckets(struct doctor *d);	/* needs settings */

#endif
