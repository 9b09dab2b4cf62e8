/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of a pg_dump of OSMO's database -> an import_source.  A feed, as
 * dumps are of any size; one thread.
 */
#ifndef DATASETFS_DATASET_IMPORT_SQL_H
#define DATASETFS_DATASET_IMPORT_SQL_H

#include "fs/dataset/import/import_source.h"

struct import_sql;

/* where: the file's name, for notes and errors; copied. */
int import_sql_new(struct import_sql **out, struct import_source *src,
		   const char *where, struct err *err) MUST_CHECK;
void import_sql_free(struct import_sql *sql);
/* ERR_CORRUPT -EBADMSG with the line. */
int import_sql_feed(struct import_sql *sql, const void *bytes, size_t len,
		    struct err *err) MUST_CHECK;
/*
 * The end of the input.  ERR_CORRUPT when the dump is cut off; ERR_MISSING
 * -ENOENT when it has none of the tables.  With all four tables every dataset
 * of the source is whole.
 */
int import_sql_finish(struct import_sql *sql, struct err *err) MUST_CHECK;

#endif
