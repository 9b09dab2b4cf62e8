/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/import/osmo_sql_lex.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

static const char *const kinds[] = {
	[SQL_WORD] = "w", [SQL_IDENT] = "i", [SQL_STRING] = "s",
	[SQL_NUMBER] = "n", [SQL_PUNCT] = "p", [SQL_COMMENT] = "c",
};

static int each(void *arg, enum sql_token token, const char *text, size_t len,
		struct err *err)
{
	struct buf *out = arg;

	(void)err;
	buf_printf(out, "%s<", kinds[token]);
	buf_bytes(out, text, len);
	buf_str(out, ">");
	return 0;
}

static int lex(struct buf *out, const char *text, size_t step, bool escapes,
	       struct err *err)
{
	struct sql_lex lexer;
	size_t len = strlen(text), used;
	int r = 0;

	err_clear(err);
	sql_lex_init(&lexer, each, out, 100);
	lexer.wants_text = true;
	lexer.has_plain_escapes = escapes;
	for (size_t at = 0; at < len && r == 0; at += step) {
		size_t n = len - at < step ? len - at : step;

		r = sql_lex_feed(&lexer, text + at, n, &used, err);
		cr_assert(r < 0 || used == n);
	}
	if (r == 0)
		r = sql_lex_finish(&lexer, err);
	sql_lex_release(&lexer);
	return r;
}

static void gives(const char *text, const char *want)
{
	for (size_t step = 1; step < 12; step++) {
		cleanup_buf struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		buf_str(&out, "");
		cr_assert_eq(lex(&out, text, step, false, &err), 0, "%s: %s",
			     text, err.text);
		cr_expect_str_eq(out.data, want, "%s by %zu: %s", text, step,
				 out.data);
	}
}

static void is_refused(const char *text)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(lex(&out, text, 3, false, &err), -EBADMSG, "%s", text);
}

Test(osmo_sql_lex, words_are_folded_and_quoted_names_are_not)
{
	gives("Insert INTO a$b_1 \"A \"\"b\"\"\"", "w<insert>w<into>w<a$b_1>i<A \"b\">");
	gives("\xc3\xa9t\xc3\xa9", "w<\xc3\xa9t\xc3\xa9>");
}

Test(osmo_sql_lex, three_forms_of_strings)
{
	gives("'it''s \\n' ''", "s<it's \\n>s<>");
	gives("E'a\\tb\\\\c\\'d''e\\x41\\101\\q' e''", "s<a\tb\\c'd'eAAq>s<>");
	gives("$$a'b$$ $t$x $$ $t t$ $t$", "s<a'b>s<x $$ $t t$ >");
	gives("$1 $t", "p<$>n<1>p<$>");
}

Test(osmo_sql_lex, without_conforming_strings_backslashes_escape)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(lex(&out, "'a\\\\b''c\\'d'", 2, true, &err), 0);
	cr_expect_str_eq(out.data, "s<a\\b'c'd>");
}

Test(osmo_sql_lex, numbers_and_punctuation)
{
	gives("1,-2.50 1e-7;x::y", "n<1>p<,>p<->n<2.50>n<1e-7>p<;>w<x>p<:>p<:>w<y>");
}

Test(osmo_sql_lex, comments_nest_and_psqls_lines_are_skipped)
{
	gives("a -- b 'c\nd", "w<a>c< b 'c>w<d>");
	gives("a /* /* ' */ */ b", "w<a>w<b>");
	gives("a/b", "w<a>p</>w<b>");
	gives("\\connect 'x\na \\ b", "w<a>p<\\>w<b>");
	gives("  \\restrict \"\nx", "w<x>");
}

Test(osmo_sql_lex, what_does_not_end_is_refused)
{
	is_refused("'abc");
	is_refused("E'abc\\");
	is_refused("\"abc");
	is_refused("$a$ b $a");
	is_refused("/* a");
	is_refused("E'\\u0041'");
}

Test(osmo_sql_lex, a_value_beyond_the_limit_is_refused_when_it_is_wanted)
{
	char text[256] = "'";
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	memset(text + 1, 'a', 150);
	strcpy(text + 151, "'");
	cr_expect_eq(lex(&out, text, 50, false, &err), -EFBIG);
}

Test(osmo_sql_lex, a_nul_is_refused)
{
	struct sql_lex lexer;
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	size_t used;

	sql_lex_init(&lexer, each, &out, 100);
	cr_expect_eq(sql_lex_feed(&lexer, "a\0b", 3, &used, &err), -EBADMSG);
	sql_lex_release(&lexer);
}

Test(osmo_sql_lex, a_pause_stops_behind_the_token)
{
	struct sql_lex lexer;
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	size_t used;

	sql_lex_init(&lexer, each, &out, 100);
	cr_assert_eq(sql_lex_feed(&lexer, "ab cd", 5, &used, &err), 0);
	cr_expect_eq(used, 5);
	cr_expect_eq(lexer.line, 1);
	cr_assert_eq(sql_lex_feed(&lexer, "\n\n", 2, &used, &err), 0);
	cr_expect_eq(lexer.line, 3);
	sql_lex_release(&lexer);
}
