/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --catalog of the imports: where the catalog of a bucket is written, when that
 * is not where the configuration says.
 */
#ifndef DATASETFS_CLI_IMPORT_CATALOG_H
#define DATASETFS_CLI_IMPORT_CATALOG_H

#include "fs/cli/cli.h"

/*
 * To be called between cli_settings() and cli_buckets(): catalog (may be NULL)
 * stands for the configured one, for this run, and a local one's directory is
 * made.  *is_new: it is not what the configuration says, so a mount would not
 * find it yet.  0, or an exit code that was explained already: a read-only
 * bucket needs one that lies elsewhere.
 */
int import_catalog_use(struct cli *cli, const char *bucket, const char *catalog,
		       bool is_dry_run, bool *is_new);
/* What to write into the configuration where *is_new. */
void import_catalog_tell(const struct cli *cli, const char *bucket,
			 const char *catalog);

#endif
