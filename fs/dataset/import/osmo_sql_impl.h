/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What osmo_sql.c (statements) and osmo_sql_copy.c (the data of COPY) share.
 */
#ifndef DATASETFS_DATASET_OSMO_SQL_IMPL_H
#define DATASETFS_DATASET_OSMO_SQL_IMPL_H

#include "fs/dataset/import/osmo_sql.h"
#include "fs/dataset/import/osmo_sql_lex.h"

#define NOT_OURS (-1)

/* Which value of a row each column of a statement is. */
struct columns {
	int n;			/* 0: none were named */
	int8_t value[OSMO_SQL_COLUMNS_MAX];	/* or NOT_OURS */
};

enum statement {		/* where in a statement the next token stands */
	AT_START, IN_OTHER,
	IN_SET, IN_SET_VALUE,
	IN_INSERT, IN_COPY, IN_CREATE,	/* before the table's name */
	IN_NAME,			/* behind a part of it */
	IN_NAME_DOT,			/* behind its dot */
	IN_COLUMNS, BEHIND_COLUMNS,
	IN_COPY_FROM, IN_COPY_END,
	IN_DEFINITIONS, IN_DEFINITION,
	IN_VALUES, IN_VALUE, BEHIND_VALUE, IN_CAST,
};

struct osmo_sql {
	osmo_sql_row_fn each;
	void *arg;
	struct sql_lex lex;

	enum statement at;
	enum statement verb;	/* IN_INSERT, IN_COPY or IN_CREATE */
	int table;		/* enum osmo_table or NOT_OURS */
	char name[OSMO_SQL_NAME_MAX + 1];
	char schema[OSMO_SQL_NAME_MAX + 1];
	unsigned depth;		/* of parentheses, in definitions and casts */
	enum { SET_OTHER, SET_ENCODING, SET_STRINGS } setting;
	struct columns columns;		/* of this statement */

	char home[OSMO_SQL_NAME_MAX + 1];	/* schema of our tables */
	bool has_home;
	struct columns *defined[OSMO_TABLES];	/* by CREATE TABLE */
	bool has[OSMO_TABLES];
	bool has_begun, has_ended;	/* pg_dump's first and last comment */

	/* the row that is being read */
	struct buf row;
	size_t offset[OSMO_TABLE_COLUMNS_MAX];	/* SIZE_MAX: NULL */
	int column;
	bool is_negative;
	uint64_t row_line;

	/* the data of COPY */
	bool in_copy;		/* data, from the next line on */
	bool skips_line;	/* the rest of the COPY line itself */
	struct buf field;
	enum { C_PLAIN, C_ESCAPE, C_OCTAL, C_HEX, C_CR } copy_state;
	unsigned code, digits;
	bool is_null, is_end;	/* the field is \N; the line is \. */
	bool is_fresh;		/* at the start of a field */
};

void osmo_sql_row_begin(struct osmo_sql *sql);
/* The value of the next column is of interest. */
bool osmo_sql_row_wants(const struct osmo_sql *sql);
/* text NULL: the database's NULL. */
int osmo_sql_row_value(struct osmo_sql *sql, const char *text, size_t len,
		       struct err *err) MUST_CHECK;
int osmo_sql_row_end(struct osmo_sql *sql, struct err *err) MUST_CHECK;
int osmo_sql_damaged(struct err *err, const char *what);

/* The data, up to and with the line "\."; *used as in sql_lex_feed(). */
void osmo_sql_copy_begin(struct osmo_sql *sql);
int osmo_sql_copy_feed(struct osmo_sql *sql, const char *bytes, size_t len,
		       size_t *used, struct err *err) MUST_CHECK;

#endif
