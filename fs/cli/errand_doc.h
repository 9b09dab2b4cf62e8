/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends whoever holds the cache on an errand, see fs/mount/control/errand.h.
 */
#ifndef DATASETFS_CLI_ERRAND_DOC_H
#define DATASETFS_CLI_ERRAND_DOC_H

#include <jansson.h>
#include "fs/cli/cli.h"

/*
 * "VERB {"ref": ..., "paths": [...], "from": ...}"; "" among the paths is the
 * root.  -EILSEQ (ERR_USAGE): a path that is no UTF-8.
 */
int errand_doc_question(struct buf *out, const char *verb, const char *ref,
			char *const *paths, size_t n_paths, uint32_t from,
			struct err *err) MUST_CHECK;

/*
 * The mount at mountpoint, or NULL: nobody's, on the directory itself.  *doc
 * is an object, and the caller's; the errand's own error is *err.
 */
int errand_doc_fetch(json_t **doc, const char *mountpoint,
		     const struct settings *settings, const char *question,
		     struct err *err) MUST_CHECK;

#endif
