/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/import/osmo_sql_lex.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum {
	LEX_BETWEEN,
	LEX_WORD,
	LEX_NUMBER,
	LEX_IDENT, LEX_IDENT_QUOTE,
	LEX_STRING, LEX_STRING_QUOTE,
	LEX_ESCAPES, LEX_ESCAPES_QUOTE,
	LEX_ESCAPE, LEX_ESCAPE_OCTAL, LEX_ESCAPE_HEX,
	LEX_DASH, LEX_LINE_COMMENT,
	LEX_SLASH, LEX_COMMENT, LEX_COMMENT_STAR, LEX_COMMENT_SLASH,
	LEX_DOLLAR, LEX_DOLLAR_BODY, LEX_DOLLAR_END,
	LEX_PSQL,
};

#define LEX_COMMENT_DEPTH_MAX 100

void sql_lex_init(struct sql_lex *lex, sql_token_fn each, void *arg,
		  size_t text_max)
{
	memset(lex, 0, sizeof(*lex));
	lex->each = each;
	lex->arg = arg;
	lex->text_max = text_max;
	lex->is_line_start = true;
	lex->line = 1;
	lex->text = (struct buf)BUF_INIT;
}

void sql_lex_release(struct sql_lex *lex)
{
	buf_release(&lex->text);
}

static int damaged(struct err *err, const char *what)
{
	return err_set(err, ERR_CORRUPT, EBADMSG, "%s", what);
}

static bool is_word_start(unsigned char c)
{
	return isalpha(c) || c == '_' || c >= 0x80;
}

static bool is_word(unsigned char c)
{
	return is_word_start(c) || isdigit(c) || c == '$';
}

static void begin(struct sql_lex *lex, int state, bool is_kept)
{
	lex->state = state;
	lex->is_kept = is_kept;
	lex->is_long = false;
	buf_clear(&lex->text);
	buf_str(&lex->text, "");
}

static int keep(struct sql_lex *lex, char c, struct err *err)
{
	if (!lex->is_kept)
		return 0;
	if (c == '\0')
		return damaged(err, "a value with a NUL byte");
	if (lex->text.len >= lex->text_max) {
		if (lex->wants_text)
			return err_set(err, ERR_USAGE, EFBIG,
				       "a value of more than %zu bytes",
				       lex->text_max);
		lex->is_long = true;
		return 0;
	}
	return buf_add(&lex->text, &c, 1, err);
}

static int end(struct sql_lex *lex, enum sql_token token, struct err *err)
{
	lex->state = LEX_BETWEEN;
	/* What was cut matters to nobody; it must only not look like a name. */
	if (lex->is_long)
		buf_clear(&lex->text);
	return lex->each(lex->arg, token,
			 lex->text.len ? lex->text.data : "", lex->text.len,
			 err);
}

static int punct(struct sql_lex *lex, char c, struct err *err)
{
	const char text[2] = { c, '\0' };

	lex->state = LEX_BETWEEN;
	return lex->each(lex->arg, SQL_PUNCT, text, 1, err);
}

/* A byte that begins a token. */
static int between(struct sql_lex *lex, char c, struct err *err)
{
	bool is_line_start = lex->is_line_start;

	lex->is_line_start = c == '\n' || (is_line_start && isspace((unsigned char)c));
	if (isspace((unsigned char)c))
		return 0;
	if (is_word_start((unsigned char)c)) {
		begin(lex, LEX_WORD, true);
		return keep(lex, (char)tolower((unsigned char)c), err);
	}
	if (isdigit((unsigned char)c)) {
		begin(lex, LEX_NUMBER, true);
		return keep(lex, c, err);
	}
	switch (c) {
	case '\'':
		begin(lex, lex->has_plain_escapes ? LEX_ESCAPES : LEX_STRING,
		      lex->wants_text);
		return 0;
	case '"':
		begin(lex, LEX_IDENT, true);
		return 0;
	case '-':
		lex->state = LEX_DASH;
		return 0;
	case '/':
		lex->state = LEX_SLASH;
		return 0;
	case '$':
		begin(lex, LEX_DOLLAR, lex->wants_text);
		lex->tag_len = 0;
		return 0;
	case '\\':
		if (is_line_start) {
			lex->state = LEX_PSQL;
			return 0;
		}
		break;
	case '\0':
		return damaged(err, "a NUL byte: this is not SQL text");
	}
	return punct(lex, c, err);
}

/* E'' begins as a word "e"; *again: the byte begins another token. */
static int in_word(struct sql_lex *lex, char c, bool *again, struct err *err)
{
	if (is_word((unsigned char)c))
		return keep(lex, (char)tolower((unsigned char)c), err);
	if (c == '\'' && lex->text.len == 1 && lex->text.data[0] == 'e') {
		begin(lex, LEX_ESCAPES, lex->wants_text);
		return 0;
	}
	*again = true;
	return end(lex, SQL_WORD, err);
}

static int in_number(struct sql_lex *lex, char c, bool *again, struct err *err)
{
	size_t len = lex->text.len;
	bool is_exponent = len && lex->text.data[len - 1] == 'e';

	if (isdigit((unsigned char)c) || c == '.' || c == 'e' || c == 'E' ||
	    (is_exponent && (c == '-' || c == '+')))
		return keep(lex, (char)tolower((unsigned char)c), err);
	*again = true;
	return end(lex, SQL_NUMBER, err);
}

/* Escapes of E''; *again: the byte is not a part of the escape. */
static int in_escape(struct sql_lex *lex, char c, bool *again, struct err *err)
{
	static const char names[] = "bfnrt";
	static const char codes[] = "\b\f\n\r\t";
	const char *name = c ? strchr(names, c) : NULL;

	switch (lex->state) {
	case LEX_ESCAPE:
		lex->state = LEX_ESCAPES;
		if (c >= '0' && c <= '7') {
			lex->state = LEX_ESCAPE_OCTAL;
			lex->code = (unsigned)(c - '0');
			lex->digits = 1;
			return 0;
		}
		if (c == 'x') {
			lex->state = LEX_ESCAPE_HEX;
			lex->code = lex->digits = 0;
			return 0;
		}
		if (c == 'u' || c == 'U')
			return damaged(err, "a \\u escape, which pg_dump does not write");
		return keep(lex, name ? codes[name - names] : c, err);
	case LEX_ESCAPE_OCTAL:
		if (c >= '0' && c <= '7' && lex->digits < 3) {
			lex->code = lex->code * 8 + (unsigned)(c - '0');
			lex->digits++;
			return 0;
		}
		break;
	default:
		if (isxdigit((unsigned char)c) && lex->digits < 2) {
			lex->code = lex->code * 16 +
				    (unsigned)(isdigit((unsigned char)c) ?
					       c - '0' : (c | 0x20) - 'a' + 10);
			lex->digits++;
			return 0;
		}
		break;
	}
	*again = true;
	lex->state = LEX_ESCAPES;
	if (lex->digits == 0)
		return keep(lex, 'x', err);
	return keep(lex, (char)lex->code, err);
}

static int in_string(struct sql_lex *lex, char c, bool *again, struct err *err)
{
	int quoted = lex->state + 1;

	switch (lex->state) {
	case LEX_STRING:
	case LEX_ESCAPES:
	case LEX_IDENT:
		if (c == (lex->state == LEX_IDENT ? '"' : '\'')) {
			lex->state = quoted;
			return 0;
		}
		if (c == '\\' && lex->state == LEX_ESCAPES) {
			lex->state = LEX_ESCAPE;
			return 0;
		}
		return keep(lex, c, err);
	default:	/* behind a quote: doubled, or the end */
		if (c == (lex->state == LEX_IDENT_QUOTE ? '"' : '\'')) {
			lex->state--;
			return keep(lex, c, err);
		}
		*again = true;
		return end(lex, lex->state == LEX_IDENT_QUOTE ? SQL_IDENT :
								SQL_STRING,
			   err);
	}
}

static int in_comment(struct sql_lex *lex, char c, bool *again,
		      struct err *err)
{
	switch (lex->state) {
	case LEX_DASH:
		if (c == '-') {
			begin(lex, LEX_LINE_COMMENT, true);
			return 0;
		}
		*again = true;
		return punct(lex, '-', err);
	case LEX_LINE_COMMENT:
		if (c != '\n') {
			/* Long comments are cut, they are for people. */
			return lex->text.len < 255 && c ? keep(lex, c, err) : 0;
		}
		*again = true;
		return end(lex, SQL_COMMENT, err);
	case LEX_SLASH:
		if (c == '*') {
			lex->state = LEX_COMMENT;
			lex->depth = 1;
			return 0;
		}
		*again = true;
		return punct(lex, '/', err);
	case LEX_COMMENT_STAR:
		lex->state = c == '*' ? LEX_COMMENT_STAR : LEX_COMMENT;
		if (c == '/' && --lex->depth == 0)
			lex->state = LEX_BETWEEN;
		return 0;
	case LEX_COMMENT_SLASH:
		lex->state = c == '/' ? LEX_COMMENT_SLASH : LEX_COMMENT;
		if (c == '*' && ++lex->depth > LEX_COMMENT_DEPTH_MAX)
			return damaged(err, "comments nested too deep");
		return 0;
	default:
		if (c == '*')
			lex->state = LEX_COMMENT_STAR;
		else if (c == '/')
			lex->state = LEX_COMMENT_SLASH;
		return 0;
	}
}

/* $tag$ ... $tag$, also of functions, which may hold anything. */
static int in_dollar(struct sql_lex *lex, char c, bool *again, struct err *err)
{
	int r;

	if (lex->state == LEX_DOLLAR) {
		if (c == '$') {
			lex->state = LEX_DOLLAR_BODY;
			return 0;
		}
		if (!is_word((unsigned char)c) ||
		    lex->tag_len == sizeof(lex->tag) ||
		    (lex->tag_len == 0 && isdigit((unsigned char)c))) {
			/* $1 of a prepared statement: nothing to us. */
			*again = true;
			return punct(lex, '$', err);
		}
		lex->tag[lex->tag_len++] = c;
		return 0;
	}
	if (lex->state == LEX_DOLLAR_BODY) {
		if (c != '$')
			return keep(lex, c, err);
		lex->state = LEX_DOLLAR_END;
		lex->tag_at = 0;
		return 0;
	}
	if (lex->tag_at < lex->tag_len && c == lex->tag[lex->tag_at]) {
		lex->tag_at++;
		return 0;
	}
	if (lex->tag_at == lex->tag_len && c == '$')
		return end(lex, SQL_STRING, err);
	/* Not the end: what looked like it belongs to the body. */
	lex->state = LEX_DOLLAR_BODY;
	*again = true;
	r = keep(lex, '$', err);
	for (size_t i = 0; r == 0 && i < lex->tag_at; i++)
		r = keep(lex, lex->tag[i], err);
	return r;
}

static int step(struct sql_lex *lex, char c, bool *again, struct err *err)
{
	switch (lex->state) {
	case LEX_BETWEEN:
		return between(lex, c, err);
	case LEX_WORD:
		return in_word(lex, c, again, err);
	case LEX_NUMBER:
		return in_number(lex, c, again, err);
	case LEX_IDENT:
	case LEX_IDENT_QUOTE:
	case LEX_STRING:
	case LEX_STRING_QUOTE:
	case LEX_ESCAPES:
	case LEX_ESCAPES_QUOTE:
		return in_string(lex, c, again, err);
	case LEX_ESCAPE:
	case LEX_ESCAPE_OCTAL:
	case LEX_ESCAPE_HEX:
		return in_escape(lex, c, again, err);
	case LEX_DOLLAR:
	case LEX_DOLLAR_BODY:
	case LEX_DOLLAR_END:
		return in_dollar(lex, c, again, err);
	case LEX_PSQL:
		if (c == '\n') {
			lex->state = LEX_BETWEEN;
			*again = true;
		}
		return 0;
	default:
		return in_comment(lex, c, again, err);
	}
}

int sql_lex_feed(struct sql_lex *lex, const char *bytes, size_t len,
		 size_t *used, struct err *err)
{
	size_t i = 0;
	int r = 0;

	while (i < len && r == 0) {
		bool again = false;

		r = step(lex, bytes[i], &again, err);
		if (again)
			continue;
		if (bytes[i] == '\n')
			lex->line++;
		i++;
	}
	*used = i;
	return r < 0 ? r : 0;
}

int sql_lex_finish(struct sql_lex *lex, struct err *err)
{
	bool again = false;
	int r;

	/* A last line without its end. */
	r = step(lex, '\n', &again, err);
	if (r < 0)
		return r;
	if (lex->state != LEX_BETWEEN)
		return damaged(err, "it ends inside a string or a comment");
	return 0;
}
