/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that pg_dump writes, read as a stream: COPY ... FROM stdin and
 * INSERT (--inserts, --column-inserts, --rows-per-insert), with the rows of
 * OSMO's four tables told and everything else skipped: other tables, their
 * data, functions, comments, psql's own commands.  Columns may come in any
 * order; where a statement names none, CREATE TABLE's order holds.
 *
 * The result is the same for every split of the input.  Memory is bounded by
 * one row.  Takes memory, never a path; one thread.
 */
#ifndef DATASETFS_DATASET_OSMO_SQL_H
#define DATASETFS_DATASET_OSMO_SQL_H

#include <stdint.h>
#include "backends/base/err.h"

#define OSMO_SQL_FIELD_MAX ((size_t)4 << 20)	/* bytes of one value */
#define OSMO_SQL_ROW_MAX ((size_t)8 << 20)	/* ... of a row of ours */
#define OSMO_SQL_COLUMNS_MAX 1600	/* PostgreSQL's own limit */
#define OSMO_SQL_NAME_MAX 255		/* bytes of an identifier */

enum osmo_table {
	OSMO_DATASET, OSMO_VERSION, OSMO_TAG, OSMO_COLLECTION,
};
#define OSMO_TABLES (OSMO_COLLECTION + 1)
#define OSMO_TABLE_COLUMNS_MAX 12	/* that are ours, of one table */
const char *osmo_table_name(enum osmo_table table);	/* "dataset_version" */

/* Indices into the values of a row. */
enum {
	DATASET_NAME, DATASET_ID, DATASET_CREATED_BY, DATASET_CREATED_DATE,
	DATASET_IS_COLLECTION, DATASET_LABELS, DATASET_HASH_LOCATION,
	DATASET_HASH_LOCATION_SIZE, DATASET_BUCKET,
};
enum {
	VERSION_DATASET_ID, VERSION_VERSION_ID, VERSION_LOCATION,
	VERSION_STATUS, VERSION_CREATED_BY, VERSION_CREATED_DATE,
	VERSION_LAST_USED, VERSION_SIZE, VERSION_CHECKSUM, VERSION_METADATA,
};
enum { TAG_DATASET_ID, TAG_VERSION_ID, TAG_TAG };
enum { COLLECTION_ID, COLLECTION_DATASET_ID, COLLECTION_VERSION_ID };

/*
 * values: NULL is the database's NULL, or a column that the table does not
 * have; else a string without NUL.  Valid during the call.  Non-zero ends the
 * parse with that value.
 */
typedef int (*osmo_sql_row_fn)(void *arg, enum osmo_table table,
			       const char *const *values, uint64_t line,
			       struct err *err);

struct osmo_sql;
int osmo_sql_new(struct osmo_sql **out, osmo_sql_row_fn each, void *arg,
		 struct err *err) MUST_CHECK;
void osmo_sql_free(struct osmo_sql *sql);
/* ERR_CORRUPT -EBADMSG "line N: …"; after an error nothing may be fed. */
int osmo_sql_feed(struct osmo_sql *sql, const void *bytes, size_t len,
		  struct err *err) MUST_CHECK;
/*
 * ERR_CORRUPT where the dump ends in the middle, naming the line: also when
 * pg_dump's first comment is there and its last one is not.
 */
int osmo_sql_finish(struct osmo_sql *sql, struct err *err) MUST_CHECK;
/* The table's data was there, be it of no rows. */
bool osmo_sql_has(const struct osmo_sql *sql, enum osmo_table table);

#endif
