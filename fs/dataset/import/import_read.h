/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SOURCE of the command line -> an import_source: a SQL dump, the client's
 * JSON, a folder of such files, or "-" for standard input.  What a file is is
 * told by its first bytes, not by its name.
 */
#ifndef DATASETFS_DATASET_IMPORT_READ_H
#define DATASETFS_DATASET_IMPORT_READ_H

#include "fs/dataset/import/import_source.h"

#define IMPORT_FILES_MAX 100000	/* in a folder */
#define IMPORT_FOLDER_DEPTH 4

/*
 * May be called for several sources; then import_source_settle().  Errors name
 * the file: ERR_MISSING (no such file, or nothing of OSMO in it), ERR_CORRUPT
 * (cut off, syntax), ERR_USAGE (a compressed or binary dump: the text says what
 * to run).
 */
int import_read(struct import_source *src, const char *source, struct err *err)
	MUST_CHECK;

#endif
