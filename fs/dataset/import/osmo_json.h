/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What OSMO's client prints as JSON: "osmo dataset list -t json" and "osmo
 * dataset info -t json", one or several documents in one text, with whatever
 * the client prints around them.
 *
 * Takes memory, never a path.  The rows go to an import_source, which checks
 * the values.
 */
#ifndef DATASETFS_DATASET_OSMO_JSON_H
#define DATASETFS_DATASET_OSMO_JSON_H

#include "fs/dataset/import/import_source.h"

#define OSMO_JSON_MAX ((size_t)512 << 20)	/* bytes of one text */
#define OSMO_JSON_LIST_MAX 1000	/* what one list can show */
#define OSMO_JSON_LIST_DEFAULT 20	/* ... and does unless told */
#define OSMO_JSON_INFO_MAX 100	/* versions that info shows unless told */

/*
 * where: the file's name, for notes and errors.  ERR_CORRUPT -EBADMSG with
 * the line for a document that is no JSON or ends in the middle; -ENOENT
 * (ERR_MISSING) where there is no list and no info in it.
 */
int osmo_json_read(struct import_source *src, const char *where,
		   const void *text, size_t len, struct err *err) MUST_CHECK;

/*
 * One info, as the service itself says it when asked for all of a dataset's
 * versions: it is whole.
 */
int osmo_json_read_info(struct import_source *src, const char *where,
			const void *text, size_t len, struct err *err)
	MUST_CHECK;

#endif
