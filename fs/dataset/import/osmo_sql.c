/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/osmo_sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fs/dataset/import/osmo_sql_impl.h"

struct table_form {
	const char *name;
	const char *columns[OSMO_TABLE_COLUMNS_MAX];
};

static const struct table_form forms[OSMO_TABLES] = {
	[OSMO_DATASET] = { "dataset", {
		[DATASET_NAME] = "name", [DATASET_ID] = "id",
		[DATASET_CREATED_BY] = "created_by",
		[DATASET_CREATED_DATE] = "created_date",
		[DATASET_IS_COLLECTION] = "is_collection",
		[DATASET_LABELS] = "labels",
		[DATASET_HASH_LOCATION] = "hash_location",
		[DATASET_HASH_LOCATION_SIZE] = "hash_location_size",
		[DATASET_BUCKET] = "bucket" } },
	[OSMO_VERSION] = { "dataset_version", {
		[VERSION_DATASET_ID] = "dataset_id",
		[VERSION_VERSION_ID] = "version_id",
		[VERSION_LOCATION] = "location",
		[VERSION_STATUS] = "status",
		[VERSION_CREATED_BY] = "created_by",
		[VERSION_CREATED_DATE] = "created_date",
		[VERSION_LAST_USED] = "last_used",
		[VERSION_SIZE] = "size", [VERSION_CHECKSUM] = "checksum",
		[VERSION_METADATA] = "metadata" } },
	[OSMO_TAG] = { "dataset_tag", {
		[TAG_DATASET_ID] = "dataset_id", [TAG_VERSION_ID] = "version_id",
		[TAG_TAG] = "tag" } },
	[OSMO_COLLECTION] = { "collection", {
		[COLLECTION_ID] = "id",
		[COLLECTION_DATASET_ID] = "dataset_id",
		[COLLECTION_VERSION_ID] = "version_id" } },
};

const char *osmo_table_name(enum osmo_table table)
{
	return forms[table].name;
}

int osmo_sql_damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, EBADMSG, "%s", what);
}

/* ---- rows ---- */

void osmo_sql_row_begin(struct osmo_sql *sql)
{
	buf_clear(&sql->row);
	for (size_t i = 0; i < OSMO_TABLE_COLUMNS_MAX; i++)
		sql->offset[i] = SIZE_MAX;
	sql->column = 0;
	sql->is_negative = false;
	sql->row_line = sql->lex.line;
}

bool osmo_sql_row_wants(const struct osmo_sql *sql)
{
	return sql->table != NOT_OURS && sql->column < sql->columns.n &&
	       sql->columns.value[sql->column] != NOT_OURS;
}

int osmo_sql_row_value(struct osmo_sql *sql, const char *text, size_t len,
		     struct err *err)
{
	int r = 0;

	if (sql->column >= sql->columns.n)
		return osmo_sql_damaged(err, "a row with more values than columns");
	if (text && osmo_sql_row_wants(sql)) {
		sql->offset[sql->columns.value[sql->column]] = sql->row.len;
		r = buf_add(&sql->row, text, len, err);
		if (r == 0)
			r = buf_add(&sql->row, "", 1, err);
	}
	sql->column++;
	return r;
}

int osmo_sql_row_end(struct osmo_sql *sql, struct err *err)
{
	const char *values[OSMO_TABLE_COLUMNS_MAX];

	if (sql->column != sql->columns.n)
		return osmo_sql_damaged(err, "a row with fewer values than columns");
	for (size_t i = 0; i < OSMO_TABLE_COLUMNS_MAX; i++)
		values[i] = sql->offset[i] == SIZE_MAX ? NULL :
			    sql->row.data + sql->offset[i];
	sql->has[sql->table] = true;
	return sql->each(sql->arg, (enum osmo_table)sql->table, values,
			 sql->row_line, err);
}

/* ---- tables and columns ---- */

static int column_value(int table, const char *name)
{
	if (table == NOT_OURS)
		return NOT_OURS;
	for (int i = 0; i < OSMO_TABLE_COLUMNS_MAX; i++)
		if (forms[table].columns[i] &&
		    strcmp(forms[table].columns[i], name) == 0)
			return i;
	return NOT_OURS;
}

static int column_add(struct osmo_sql *sql, const char *name, struct err *err)
{
	if (sql->columns.n >= OSMO_SQL_COLUMNS_MAX)
		return osmo_sql_damaged(err, "a table with too many columns");
	sql->columns.value[sql->columns.n++] =
		(int8_t)column_value(sql->table, name);
	return 0;
}

/* The name is whole: is it one of the four, and of the same schema? */
static int table_found(struct osmo_sql *sql, struct err *err)
{
	sql->columns.n = 0;
	sql->table = NOT_OURS;
	for (int i = 0; i < OSMO_TABLES; i++)
		if (strcmp(sql->name, forms[i].name) == 0)
			sql->table = i;
	if (sql->table == NOT_OURS)
		return 0;
	if (sql->has_home && strcmp(sql->home, sql->schema) != 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "two schemas have a table of OSMO's, %s and %s: "
			       "dump the right one, pg_dump -n SCHEMA",
			       *sql->home ? sql->home : "(none)",
			       *sql->schema ? sql->schema : "(none)");
	strcpy(sql->home, sql->schema);
	sql->has_home = true;
	return 0;
}

/* Rows follow, of the columns that the statement named or CREATE TABLE did. */
static int rows_begin(struct osmo_sql *sql, struct err *err)
{
	const struct columns *defined;

	if (sql->table == NOT_OURS)
		return 0;
	sql->has[sql->table] = true;
	if (sql->columns.n)
		return 0;
	defined = sql->defined[sql->table];
	if (!defined)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the rows of %s name no columns, and no CREATE "
			       "TABLE came before: use pg_dump --column-inserts",
			       forms[sql->table].name);
	sql->columns = *defined;
	return 0;
}

static int table_defined(struct osmo_sql *sql, struct err *err)
{
	struct columns **slot = &sql->defined[sql->table];

	if (!*slot)
		*slot = malloc(sizeof(**slot));
	if (!*slot)
		return err_nomem(err);
	**slot = sql->columns;
	return 0;
}

/* ---- statements ---- */

static bool is_punct(enum sql_token token, const char *text, char c)
{
	return token == SQL_PUNCT && text[0] == c;
}

static bool is_word(enum sql_token token, const char *text, const char *word)
{
	return token == SQL_WORD && strcmp(text, word) == 0;
}

static bool is_name(enum sql_token token)
{
	return token == SQL_WORD || token == SQL_IDENT;
}

static void name_part(struct osmo_sql *sql, const char *text, size_t len)
{
	memcpy(sql->schema, sql->name, sizeof(sql->schema));
	sql->name[0] = '\0';
	if (len <= OSMO_SQL_NAME_MAX)
		memcpy(sql->name, text, len + 1);
	sql->at = IN_NAME;
}

static int unexpected(struct osmo_sql *sql, const char *where, struct err *err)
{
	if (sql->table == NOT_OURS) {
		sql->at = IN_OTHER;
		return 0;
	}
	return err_set(err, ERR_CORRUPT, EBADMSG,
		       "%s of table %s has a form that pg_dump does not write",
		       where, forms[sql->table].name);
}

static int at_start(struct osmo_sql *sql, enum sql_token token,
		    const char *text)
{
	sql->at = IN_OTHER;
	sql->name[0] = sql->schema[0] = '\0';
	sql->table = NOT_OURS;
	if (is_word(token, text, "insert"))
		sql->at = IN_INSERT;
	else if (is_word(token, text, "copy"))
		sql->at = IN_COPY;
	else if (is_word(token, text, "create"))
		sql->at = IN_CREATE;
	else if (is_word(token, text, "set"))
		sql->at = IN_SET;
	sql->verb = sql->at;
	sql->setting = SET_OTHER;
	return 0;
}

static bool is_readable_encoding(const char *name)
{
	return strcasecmp(name, "UTF8") == 0 ||
	       strcasecmp(name, "UTF-8") == 0 ||
	       strcasecmp(name, "UNICODE") == 0 ||
	       strcasecmp(name, "SQL_ASCII") == 0;
}

/* The settings that decide what the bytes of a value mean. */
static int in_set(struct osmo_sql *sql, enum sql_token token, const char *text,
		  struct err *err)
{
	if (sql->at == IN_SET) {
		if (is_word(token, text, "client_encoding"))
			sql->setting = SET_ENCODING;
		else if (is_word(token, text, "standard_conforming_strings"))
			sql->setting = SET_STRINGS;
		else if (is_punct(token, text, '=') ||
			 is_word(token, text, "to"))
			sql->at = IN_SET_VALUE;
		return 0;
	}
	sql->at = IN_OTHER;
	if (sql->setting == SET_STRINGS)
		sql->lex.has_plain_escapes = strcmp(text, "off") == 0;
	if (sql->setting == SET_ENCODING && !is_readable_encoding(text))
		return err_set(err, ERR_USAGE, EINVAL,
			       "the dump is not in UTF-8: use pg_dump -E UTF8");
	return 0;
}

/* The words between the verb and the name. */
static int before_name(struct osmo_sql *sql, enum sql_token token,
		       const char *text, size_t len)
{
	static const char *const before_table[] = {
		"unlogged", "global", "local", "temporary", "temp", "foreign",
		"table", "if", "not", "exists",
	};

	if (sql->verb == IN_INSERT && is_word(token, text, "into"))
		return 0;
	for (size_t i = 0; sql->verb == IN_CREATE &&
	     i < ARRAY_SIZE(before_table); i++)
		if (is_word(token, text, before_table[i])) {
			/* CREATE TABLE, and nothing else that is created. */
			if (strcmp(text, "table") == 0)
				sql->depth = 1;
			return 0;
		}
	if (!is_name(token) || (sql->verb == IN_CREATE && sql->depth != 1)) {
		sql->at = IN_OTHER;
		return 0;
	}
	name_part(sql, text, len);
	return 0;
}

static int behind_name(struct osmo_sql *sql, enum sql_token token,
		       const char *text, struct err *err)
{
	int r;

	if (is_punct(token, text, '.')) {
		sql->at = IN_NAME_DOT;
		return 0;
	}
	r = table_found(sql, err);
	if (r < 0)
		return r;
	if (is_punct(token, text, '(')) {
		sql->at = sql->verb == IN_CREATE ? IN_DEFINITIONS : IN_COLUMNS;
		return 0;
	}
	if (sql->verb == IN_CREATE) {	/* AS, OF, PARTITION OF */
		sql->at = IN_OTHER;
		return 0;
	}
	sql->at = BEHIND_COLUMNS;
	return 1;	/* the token is still to be looked at */
}

static int in_columns(struct osmo_sql *sql, enum sql_token token,
		      const char *text, struct err *err)
{
	if (is_name(token))
		return column_add(sql, text, err);
	if (is_punct(token, text, ')'))
		sql->at = BEHIND_COLUMNS;
	else if (!is_punct(token, text, ','))
		return unexpected(sql, "a list of columns", err);
	return 0;
}

static int behind_columns(struct osmo_sql *sql, enum sql_token token,
			  const char *text, struct err *err)
{
	if (sql->verb == IN_COPY) {
		if (!is_word(token, text, "from"))	/* TO: no data here */
			return unexpected(sql, "COPY", err);
		sql->at = IN_COPY_FROM;
		return 0;
	}
	if (is_word(token, text, "overriding") ||
	    is_word(token, text, "system") || is_word(token, text, "user") ||
	    is_word(token, text, "value"))
		return 0;
	if (!is_word(token, text, "values"))
		return unexpected(sql, "INSERT", err);
	sql->at = sql->table == NOT_OURS ? IN_OTHER : IN_VALUES;
	return rows_begin(sql, err);
}

static int in_copy(struct osmo_sql *sql, enum sql_token token,
		   const char *text, struct err *err)
{
	int r;

	if (sql->at == IN_COPY_FROM) {
		if (!is_word(token, text, "stdin"))
			return unexpected(sql, "COPY", err);
		sql->at = IN_COPY_END;
		return 0;
	}
	if (!is_punct(token, text, ';'))
		/* Options; the data of other tables ends as ours does. */
		return sql->table == NOT_OURS ? 0 :
		       unexpected(sql, "COPY", err);
	r = rows_begin(sql, err);
	if (r < 0)
		return r;
	sql->at = AT_START;
	osmo_sql_copy_begin(sql);
	return SQL_LEX_PAUSE;
}

/* The first word of each item of CREATE TABLE's list. */
static int in_definitions(struct osmo_sql *sql, enum sql_token token,
			  const char *text, struct err *err)
{
	static const char *const not_columns[] = {
		"constraint", "primary", "unique", "check", "foreign",
		"exclude", "like",
	};

	if (sql->at == IN_DEFINITIONS) {
		sql->at = IN_DEFINITION;
		sql->depth = 1;
		for (size_t i = 0; i < ARRAY_SIZE(not_columns); i++)
			if (is_word(token, text, not_columns[i]))
				return 0;
		if (is_name(token))
			return column_add(sql, text, err);
	}
	if (is_punct(token, text, '('))
		sql->depth++;
	else if (is_punct(token, text, ')'))
		sql->depth--;
	else if (is_punct(token, text, ',') && sql->depth == 1)
		sql->at = IN_DEFINITIONS;
	if (sql->depth)
		return 0;
	sql->at = IN_OTHER;
	return sql->table == NOT_OURS ? 0 : table_defined(sql, err);
}

static int in_value(struct osmo_sql *sql, enum sql_token token,
		    const char *text, size_t len, struct err *err)
{
	char number[64];

	sql->at = BEHIND_VALUE;
	if (token == SQL_STRING)
		return osmo_sql_row_value(sql, text, len, err);
	if (token == SQL_NUMBER && len < sizeof(number) - 1) {
		number[0] = '-';
		memcpy(number + 1, text, len + 1);
		return sql->is_negative ? osmo_sql_row_value(sql, number, len + 1, err) :
					  osmo_sql_row_value(sql, text, len, err);
	}
	if (is_word(token, text, "null"))
		return osmo_sql_row_value(sql, NULL, 0, err);
	if (is_word(token, text, "true") || is_word(token, text, "false"))
		return osmo_sql_row_value(sql, text, len, err);
	if (is_punct(token, text, '-') && !sql->is_negative) {
		sql->is_negative = true;
		sql->at = IN_VALUE;
		return 0;
	}
	return unexpected(sql, "a value", err);
}

static int in_values(struct osmo_sql *sql, enum sql_token token,
		     const char *text, size_t len, struct err *err)
{
	switch (sql->at) {
	case IN_VALUES:
		if (is_punct(token, text, '(')) {
			osmo_sql_row_begin(sql);
			sql->at = IN_VALUE;
			return 0;
		}
		if (is_word(token, text, "on")) {	/* CONFLICT DO NOTHING */
			sql->at = IN_OTHER;
			return 0;
		}
		return is_punct(token, text, ',') ? 0 :
		       unexpected(sql, "INSERT", err);
	case IN_VALUE:
		return in_value(sql, token, text, len, err);
	case BEHIND_VALUE:
		if (is_punct(token, text, ':')) {
			sql->at = IN_CAST;
			sql->depth = 0;
			return 0;
		}
		break;
	default:	/* ::jsonb, ::character varying(10) */
		if (is_punct(token, text, '('))
			sql->depth++;
		if (sql->depth) {
			sql->depth -= is_punct(token, text, ')');
			return 0;
		}
		if (!is_punct(token, text, ',') && !is_punct(token, text, ')'))
			return 0;
		break;
	}
	sql->is_negative = false;
	if (is_punct(token, text, ',')) {
		sql->at = IN_VALUE;
		return 0;
	}
	if (!is_punct(token, text, ')'))
		return unexpected(sql, "a value", err);
	sql->at = IN_VALUES;
	return osmo_sql_row_end(sql, err);
}

static int statement_token(struct osmo_sql *sql, enum sql_token token,
			   const char *text, size_t len, struct err *err)
{
	int r;

	/* The end of any statement; inside parentheses it is damage. */
	if (is_punct(token, text, ';') && sql->at != IN_COPY_END) {
		if (sql->table != NOT_OURS &&
		    (sql->at == IN_VALUE || sql->at == BEHIND_VALUE ||
		     sql->at == IN_CAST || sql->at == IN_COLUMNS))
			return osmo_sql_damaged(err, "a statement ends in the middle");
		sql->at = AT_START;
		return 0;
	}
	switch (sql->at) {
	case AT_START:
		sql->depth = 0;
		return at_start(sql, token, text);
	case IN_INSERT:
	case IN_COPY:
	case IN_CREATE:
		return before_name(sql, token, text, len);
	case IN_NAME:
		r = behind_name(sql, token, text, err);
		return r == 1 ? behind_columns(sql, token, text, err) : r;
	case IN_NAME_DOT:
		if (!is_name(token))
			sql->at = IN_OTHER;
		else
			name_part(sql, text, len);
		return 0;
	case IN_COLUMNS:
		return in_columns(sql, token, text, err);
	case BEHIND_COLUMNS:
		return behind_columns(sql, token, text, err);
	case IN_COPY_FROM:
	case IN_COPY_END:
		return in_copy(sql, token, text, err);
	case IN_DEFINITIONS:
	case IN_DEFINITION:
		return in_definitions(sql, token, text, err);
	case IN_VALUES:
	case IN_VALUE:
	case BEHIND_VALUE:
	case IN_CAST:
		return in_values(sql, token, text, len, err);
	case IN_SET:
	case IN_SET_VALUE:
		return in_set(sql, token, text, err);
	case IN_OTHER:
		break;
	}
	return 0;
}

/* pg_dump's comments tell what was dumped, be it of no rows, and the end. */
static void comment(struct osmo_sql *sql, const char *text)
{
	static const char data_for[] = " Data for Name: ";
	char name[64];

	if (strncmp(text, " PostgreSQL database dump complete", 34) == 0) {
		sql->has_ended = true;
	} else if (strncmp(text, " PostgreSQL database dump", 25) == 0) {
		/* Once more in what pg_dumpall writes. */
		sql->has_begun = true;
		sql->has_ended = false;
	}
	if (strncmp(text, data_for, sizeof(data_for) - 1) != 0)
		return;
	text += sizeof(data_for) - 1;
	for (int i = 0; i < OSMO_TABLES; i++) {
		snprintf(name, sizeof(name), "%s; Type: TABLE DATA;",
			 forms[i].name);
		if (strncmp(text, name, strlen(name)) == 0)
			sql->has[i] = true;
	}
}

static int token_found(void *arg, enum sql_token token, const char *text,
		       size_t len, struct err *err)
{
	struct osmo_sql *sql = arg;
	int r;

	if (token == SQL_COMMENT) {
		comment(sql, text);
		return 0;
	}
	r = statement_token(sql, token, text, len, err);
	sql->lex.wants_text = sql->at == IN_SET_VALUE ||
			      (sql->at == IN_VALUE && osmo_sql_row_wants(sql));
	return r;
}

/* ---- the whole ---- */

int osmo_sql_new(struct osmo_sql **out, osmo_sql_row_fn each, void *arg,
		 struct err *err)
{
	struct osmo_sql *sql = calloc(1, sizeof(*sql));

	if (!sql)
		return err_nomem(err);
	sql->each = each;
	sql->arg = arg;
	sql->at = AT_START;
	sql->table = NOT_OURS;
	sql->row = (struct buf)BUF_INIT_LIMIT(OSMO_SQL_ROW_MAX);
	sql_lex_init(&sql->lex, token_found, sql, OSMO_SQL_FIELD_MAX);
	*out = sql;
	return 0;
}

void osmo_sql_free(struct osmo_sql *sql)
{
	if (!sql)
		return;
	for (size_t i = 0; i < OSMO_TABLES; i++)
		free(sql->defined[i]);
	sql_lex_release(&sql->lex);
	buf_release(&sql->row);
	buf_release(&sql->field);
	free(sql);
}

int osmo_sql_feed(struct osmo_sql *sql, const void *bytes, size_t len,
		  struct err *err)
{
	const char *p = bytes;
	int r = 0;

	while (len > 0 && r == 0) {
		size_t used;

		r = sql->in_copy ? osmo_sql_copy_feed(sql, p, len, &used, err) :
				   sql_lex_feed(&sql->lex, p, len, &used, err);
		p += used;
		len -= used;
	}
	if (r < 0)
		return err_wrap(err, "line %llu",
				(unsigned long long)sql->lex.line);
	return 0;
}

int osmo_sql_finish(struct osmo_sql *sql, struct err *err)
{
	int r = 0;

	if (sql->in_copy && !sql->is_end)
		r = osmo_sql_damaged(err, "it ends inside the data of a COPY: the dump was cut off");
	else if (!sql->in_copy)
		r = sql_lex_finish(&sql->lex, err);
	if (r == 0 && !sql->in_copy && sql->at != AT_START)
		r = osmo_sql_damaged(err, "it ends inside a statement: the dump was cut off");
	if (r == 0 && sql->has_begun && !sql->has_ended)
		r = osmo_sql_damaged(err, "pg_dump's last line, \"dump complete\", is missing: the dump was cut off");
	if (r < 0)
		return err_wrap(err, "line %llu",
				(unsigned long long)sql->lex.line);
	return 0;
}

bool osmo_sql_has(const struct osmo_sql *sql, enum osmo_table table)
{
	return sql->has[table];
}
