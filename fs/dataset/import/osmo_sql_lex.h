/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's lexical rules over a stream of bytes (its manual, "SQL Syntax,
 * Lexical Structure"): words, quoted identifiers, the three forms of strings,
 * numbers, comments that nest, and psql's own lines.  The tokens are the same
 * for every split of the input.
 */
#ifndef DATASETFS_DATASET_OSMO_SQL_LEX_H
#define DATASETFS_DATASET_OSMO_SQL_LEX_H

#include <stdint.h>
#include "backends/base/buf.h"

enum sql_token {
	SQL_WORD,	/* folded to lower case */
	SQL_IDENT,	/* "quoted" */
	SQL_STRING,
	SQL_NUMBER,
	SQL_PUNCT,	/* one byte */
	SQL_COMMENT,	/* of one line, without the dashes */
};

struct sql_lex;
/*
 * 0 to go on; SQL_LEX_PAUSE to stop behind this token's last byte (see
 * sql_lex_feed()); negative ends the parse.  text is NUL-terminated, its NUL
 * being the only one.
 */
#define SQL_LEX_PAUSE 1
typedef int (*sql_token_fn)(void *arg, enum sql_token token, const char *text,
			    size_t len, struct err *err);

struct sql_lex {
	sql_token_fn each;
	void *arg;
	bool wants_text;	/* set by the owner: the next strings matter */
	bool has_plain_escapes;	/* ...: '' is read as E'' is, as in a database
				   without standard_conforming_strings */
	size_t text_max;	/* bytes of a token that is kept */

	/* internal */
	int state;
	bool is_line_start;
	bool is_kept;
	bool is_long;
	unsigned depth;		/* of nested comments */
	unsigned digits, code;	/* of an escape in E'' */
	size_t tag_len, tag_at;	/* of $tag$ */
	char tag[64];
	struct buf text;
	uint64_t line;		/* where the next byte stands, from 1 */
};

void sql_lex_init(struct sql_lex *lex, sql_token_fn each, void *arg,
		  size_t text_max);
void sql_lex_release(struct sql_lex *lex);
/*
 * Consumes bytes; *used says how many, less than len only after a token that
 * paused.  ERR_CORRUPT -EBADMSG without a position: lex->line has it.
 */
int sql_lex_feed(struct sql_lex *lex, const char *bytes, size_t len,
		 size_t *used, struct err *err) MUST_CHECK;
/* The end of the input; ERR_CORRUPT inside a string or a comment. */
int sql_lex_finish(struct sql_lex *lex, struct err *err) MUST_CHECK;

#endif
