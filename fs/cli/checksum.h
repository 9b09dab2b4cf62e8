/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DATASETFS_CLI_CHECKSUM_H
#define DATASETFS_CLI_CHECKSUM_H

#include "fs/cli/cli.h"
#include "fs/dataset/osmo/osmo_checksum.h"

/*
 * What a version's checksum must be by its manifest, which is read for it; ""
 * for an empty version.  -ENOTSUP (ERR_USAGE) for a legacy one.
 */
int checksum_compute(const struct resolved *ref, char text[OSMO_CHECKSUM_TEXT],
		     uint64_t *n_files, struct err *err) MUST_CHECK;

#endif
