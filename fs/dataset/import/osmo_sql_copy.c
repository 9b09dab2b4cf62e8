/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data of COPY: PostgreSQL's manual, COPY, "Text Format".
 */
#include <config.h>

#include "fs/dataset/import/osmo_sql_impl.h"

#include <errno.h>
#include <string.h>

static void field_begin(struct osmo_sql *sql)
{
	buf_clear(&sql->field);
	sql->copy_state = C_PLAIN;
	sql->is_null = false;
	sql->is_fresh = true;
}

static int field_end(struct osmo_sql *sql, struct err *err)
{
	int r = 0;

	if (sql->table != NOT_OURS)
		r = osmo_sql_row_value(sql, sql->is_null ? NULL :
			      sql->field.len ? sql->field.data : "",
			      sql->field.len, err);
	field_begin(sql);
	return r;
}

static int field_keep(struct osmo_sql *sql, char c, struct err *err)
{
	sql->is_fresh = false;
	if (!osmo_sql_row_wants(sql))
		return 0;
	if (c == '\0')
		return osmo_sql_damaged(err, "a value with a NUL byte");
	if (sql->is_null)
		return osmo_sql_damaged(err, "a value that begins with \\N");
	if (sql->field.len >= OSMO_SQL_FIELD_MAX)
		return err_set(err, ERR_USAGE, EFBIG,
			       "a value of more than %zu bytes",
			       OSMO_SQL_FIELD_MAX);
	return buf_add(&sql->field, &c, 1, err);
}

static int copy_line_end(struct osmo_sql *sql, struct err *err)
{
	bool is_end = sql->is_end;
	int r = 0;

	sql->is_end = false;
	if (sql->skips_line) {
		sql->skips_line = false;
	} else if (is_end) {
		sql->in_copy = false;
		sql->table = NOT_OURS;
	} else {
		r = field_end(sql, err);
		if (r == 0 && sql->table != NOT_OURS)
			r = osmo_sql_row_end(sql, err);
	}
	field_begin(sql);
	osmo_sql_row_begin(sql);
	sql->row_line = sql->lex.line + 1;
	return r;
}

static int copy_escape(struct osmo_sql *sql, char c, struct err *err)
{
	static const char names[] = "bfnrtv";
	static const char codes[] = "\b\f\n\r\t\v";
	const char *name = c ? strchr(names, c) : NULL;

	sql->copy_state = C_PLAIN;
	if (c == 'N' && sql->is_fresh) {
		sql->is_null = true;
		sql->is_fresh = false;
		return 0;
	}
	if (c == '.' && sql->is_fresh && sql->column == 0) {
		sql->is_end = true;
		return 0;
	}
	if (c >= '0' && c <= '7') {
		sql->copy_state = C_OCTAL;
		sql->code = (unsigned)(c - '0');
		sql->digits = 1;
		return 0;
	}
	if (c == 'x') {
		sql->copy_state = C_HEX;
		sql->code = sql->digits = 0;
		return 0;
	}
	return field_keep(sql, name ? codes[name - names] : c, err);
}

/* True when the byte is a part of the number. */
static bool copy_digit(struct osmo_sql *sql, char c)
{
	static const char hex[] = "0123456789abcdef";
	bool is_hex = sql->copy_state == C_HEX;
	const char *at = c ? strchr(hex, c >= 'A' && c <= 'F' ? c | 0x20 : c) :
			     NULL;

	if (!at || (!is_hex && at - hex > 7) ||
	    sql->digits == (is_hex ? 2 : 3))
		return false;
	sql->code = sql->code * (is_hex ? 16 : 8) + (unsigned)(at - hex);
	sql->digits++;
	return true;
}

static int copy_byte(struct osmo_sql *sql, char c, bool *again,
		     struct err *err)
{
	switch (sql->copy_state) {
	case C_ESCAPE:
		return copy_escape(sql, c, err);
	case C_OCTAL:
	case C_HEX:
		if (copy_digit(sql, c))
			return 0;
		*again = true;
		sql->copy_state = C_PLAIN;
		return field_keep(sql, sql->digits ? (char)sql->code : 'x',
				  err);
	case C_CR:	/* of a line's end; elsewhere it would be escaped */
		if (c != '\n')
			return osmo_sql_damaged(err, "a carriage return inside a row");
		sql->copy_state = C_PLAIN;
		break;
	case C_PLAIN:
		break;
	}
	if (c == '\n')
		return copy_line_end(sql, err);
	if (sql->skips_line)
		return 0;
	if (sql->is_end && c != '\r')
		return osmo_sql_damaged(err, "bytes behind \\.");
	if (c == '\r')
		sql->copy_state = C_CR;
	else if (c == '\\')
		sql->copy_state = C_ESCAPE;
	else if (c == '\t')
		return sql->table == NOT_OURS ?
		       (sql->column = 1, field_begin(sql), 0) :
		       field_end(sql, err);
	else
		return field_keep(sql, c, err);
	return 0;
}

void osmo_sql_copy_begin(struct osmo_sql *sql)
{
	sql->in_copy = sql->skips_line = true;
}

int osmo_sql_copy_feed(struct osmo_sql *sql, const char *bytes, size_t len,
		       size_t *used, struct err *err)
{
	size_t i = 0;
	int r = 0;

	while (i < len && r == 0 && sql->in_copy) {
		bool again = false;

		r = copy_byte(sql, bytes[i], &again, err);
		if (again)
			continue;
		if (bytes[i] == '\n')
			sql->lex.line++;
		i++;
	}
	*used = i;
	return r;
}
