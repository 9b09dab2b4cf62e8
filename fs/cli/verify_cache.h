/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has the daemon of a mount check what it has cached of a version, piece by
 * piece: see fs/mount/control/errand_check.h.
 */
#ifndef DATASETFS_CLI_VERIFY_CACHE_H
#define DATASETFS_CLI_VERIFY_CACHE_H

#include <jansson.h>
#include "fs/cli/progress.h"
#include "fs/cli/verify_state.h"

struct verify_cache {
	const char *mountpoint;
	const struct resolved *ref;
	struct tree *tree;
	char *const *paths;
	size_t n_paths;
	struct verify_state *state;
	struct progress *progress;
	json_t *failed;			/* an array to add to, or NULL */

	bool has_no_disk;		/* as the daemon said when asked */
	uint64_t files, records, bytes, damaged;
	uint64_t refetched;		/* of the damaged ones, already */
	uint64_t files_damaged;
};

/*
 * Each file that is not right is named; -EINTR: it was interrupted between two
 * pieces.  The errors of errand_doc_fetch(); -ESTALE: the mount has another
 * version of that name.
 */
int verify_cache_run(struct verify_cache *vc, struct err *err) MUST_CHECK;

#endif
