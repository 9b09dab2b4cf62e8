/* SPDX-License-Identifier: Apache-2.0 */
/* The data of COPY: PostgreSQL's manual, COPY, "Text Format". */
#include <config.h>
#include "fs/dataset/import/osmo_sql.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/buf.h"

#define HEAD "COPY dataset_tag (dataset_id, version_id, tag) FROM stdin;\n"

static int each(void *arg, enum osmo_table table, const char *const *values,
		uint64_t line, struct err *err)
{
	struct buf *out = arg;

	(void)table, (void)err;
	buf_printf(out, "%llu", (unsigned long long)line);
	for (int i = 0; i < 3; i++)
		buf_printf(out, "|%s", values[i] ? values[i] : "NULL");
	buf_str(out, ";");
	return 0;
}

static int parse(struct buf *out, const char *text, size_t len, size_t step,
		 struct err *err)
{
	struct osmo_sql *sql;
	int r = 0;

	err_clear(err);
	cr_assert_eq(osmo_sql_new(&sql, each, out, err), 0);
	for (size_t at = 0; at < len && r == 0; at += step)
		r = osmo_sql_feed(sql, text + at,
				  len - at < step ? len - at : step, err);
	if (r == 0)
		r = osmo_sql_finish(sql, err);
	osmo_sql_free(sql);
	return r;
}

static void gives(const char *text, const char *want)
{
	for (size_t step = 1; step < 80; step += 7) {
		cleanup_buf struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		buf_str(&out, "");
		cr_assert_eq(parse(&out, text, strlen(text), step, &err), 0,
			     "%s: %s", text, err.text);
		cr_expect_str_eq(out.data, want, "%s by %zu: %s", text, step,
				 out.data);
	}
}

static void is_refused(const char *text)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(parse(&out, text, strlen(text), 3, &err), -EBADMSG, "%s",
		     text);
}

Test(osmo_sql_copy, rows_with_their_lines)
{
	gives(HEAD "a\t1\tx\nb\t2\ty\n\\.\n", "2|a|1|x;3|b|2|y;");
	gives(HEAD "\\.\n", "");
	gives(HEAD "\t\t\n\\.\n", "2|||;");
}

Test(osmo_sql_copy, null_is_not_the_text_n)
{
	gives(HEAD "\\N\t\\\\N\tN\n\\.\n", "2|NULL|\\N|N;");
	is_refused(HEAD "a\tb\t\\Nx\n\\.\n");
}

Test(osmo_sql_copy, every_escape)
{
	gives(HEAD "a\\tb\t\\b\\f\\n\\r\\v\t\\\\ \\q\n\\.\n",
	      "2|a\tb|\b\f\n\r\v|\\ q;");
	gives(HEAD "\\101\\x42\\1019\t\\x4g\\xzz\t\\60\n\\.\n",
	      "2|ABA9|\x04gxzz|0;");
}

Test(osmo_sql_copy, a_dot_ends_the_data_only_alone_on_its_line)
{
	gives(HEAD "\\\\.\t.\tx\n\\.\nSELECT 1;", "2|\\.|.|x;");
	is_refused(HEAD "\\.x\n");
	is_refused(HEAD "a\tb\n");
}

Test(osmo_sql_copy, lines_may_end_as_on_windows)
{
	gives("COPY dataset_tag (dataset_id, version_id, tag) FROM stdin;\r\n"
	      "a\t1\tx\r\n\\.\r\nSELECT 1;\r\n", "2|a|1|x;");
	is_refused(HEAD "a\t1\tx\ry\n\\.\n");
}

Test(osmo_sql_copy, the_data_of_other_tables_is_skipped)
{
	gives("COPY users (name) FROM stdin;\n'\"/*$$ COPY dataset (id) FROM stdin;\n"
	      "\\N\t\\\\.\n\\.\n" HEAD "a\t1\tx\n\\.\n", "6|a|1|x;");
	gives("COPY users (name) FROM stdin WITH (x 'y');\nz\n\\.\n", "");
}

Test(osmo_sql_copy, a_nul_is_refused)
{
	static const char text[] = HEAD "a\0b\t1\tx\n\\.\n";
	static const char escaped[] = HEAD "a\\0b\t1\tx\n\\.\n";
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(parse(&out, text, sizeof(text) - 1, 100, &err), -EBADMSG);
	cr_expect_eq(parse(&out, escaped, sizeof(escaped) - 1, 100, &err),
		     -EBADMSG);
}

Test(osmo_sql_copy, a_value_beyond_the_limit_is_refused)
{
	size_t len = sizeof(HEAD) - 1 + OSMO_SQL_FIELD_MAX + 2;
	char *text = malloc(len);
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	memset(text, 'a', len);
	memcpy(text, HEAD, sizeof(HEAD) - 1);
	cr_expect_eq(parse(&out, text, len, 65536, &err), -EFBIG);
	free(text);
}
