/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A prefetch that the daemon of a mount goes on with when the command has
 * ended; see fs/mount/control/fill_jobs.h.  For who mounted and root.
 */
#ifndef DATASETFS_CLI_PREFETCH_BACKGROUND_H
#define DATASETFS_CLI_PREFETCH_BACKGROUND_H

#include "fs/cli/cli.h"

/* root: of the version or collection in the mount; paths below it. */
int prefetch_background(struct cli *cli, const char *mountpoint,
			const char *root, char *const *paths, size_t n_paths,
			struct err *err) MUST_CHECK;
/* Nothing to cancel: -ENOENT (ERR_MISSING). */
int prefetch_background_cancel(struct cli *cli, const char *mountpoint,
			       const char *root, struct err *err) MUST_CHECK;

#endif
