/* SPDX-License-Identifier: Apache-2.0 */
/* Statements; what a real pg_dump writes is in import_sql_test.c. */
#include <config.h>
#include "fs/dataset/import/osmo_sql.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/buf.h"

static int each(void *arg, enum osmo_table table, const char *const *values,
		uint64_t line, struct err *err)
{
	struct buf *out = arg;

	(void)err;
	buf_printf(out, "%s@%llu", osmo_table_name(table),
		   (unsigned long long)line);
	for (int i = 0; i < OSMO_TABLE_COLUMNS_MAX; i++)
		if (values[i])
			buf_printf(out, " %d=%s", i, values[i]);
	buf_str(out, ";");
	return 0;
}

static int parse(struct buf *out, const char *text, size_t step,
		 struct err *err)
{
	struct osmo_sql *sql;
	size_t len = strlen(text);
	int r;

	err_clear(err);
	cr_assert_eq(osmo_sql_new(&sql, each, out, err), 0);
	r = 0;
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
	for (size_t step = 1; step < 40; step += 6) {
		cleanup_buf struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		buf_str(&out, "");
		cr_assert_eq(parse(&out, text, step, &err), 0, "%s: %s", text,
			     err.text);
		cr_expect_str_eq(out.data, want, "%s by %zu: %s", text, step,
				 out.data);
	}
}

static void is_refused(const char *text, const char *says)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_lt(parse(&out, text, 5, &err), 0, "%s", text);
	cr_expect_not_null(strstr(err.text, says), "%s: %s", text, err.text);
	cr_expect_not_null(strstr(err.text, "line "), "%s", err.text);
}

Test(osmo_sql, the_statements_columns_decide)
{
	gives("INSERT INTO public.dataset_tag (tag, dataset_id, version_id) VALUES ('t', 'd', '1');",
	      "dataset_tag@1 0=d 1=1 2=t;");
	gives("insert into \"public\".\"dataset_tag\" (tag,other,dataset_id) values ('t',E'x','d');",
	      "dataset_tag@1 0=d 2=t;");
}

Test(osmo_sql, else_those_of_create_table)
{
	gives("CREATE TABLE dataset_tag (tag text DEFAULT 'a, (b'::text, PRIMARY KEY (x, y),\n"
	      " version_id numeric(10,2), \"dataset_id\" text);\n"
	      "INSERT INTO dataset_tag VALUES ('t', '1', 'd');",
	      "dataset_tag@3 0=d 1=1 2=t;");
	is_refused("INSERT INTO dataset_tag VALUES ('t');", "--column-inserts");
	is_refused("COPY dataset_tag FROM stdin;\n", "no CREATE TABLE");
}

Test(osmo_sql, values_of_all_kinds)
{
	gives("INSERT INTO dataset (name, id, hash_location_size, is_collection, labels, created_by) VALUES\n"
	      " ('a', 'i', -5, true, '{}'::jsonb, NULL),\n ('b', 'j', 7, FALSE, 'x'::character varying(10), ''),\n"
	      " ('c', 'k', 1.5e3, NULL, null, 'it''s') ON CONFLICT DO NOTHING;",
	      "dataset@2 0=a 1=i 4=true 5={} 7=-5;"
	      "dataset@3 0=b 1=j 2= 4=false 5=x 7=7;"
	      "dataset@4 0=c 1=k 2=it's 7=1.5e3;");
}

Test(osmo_sql, other_statements_and_tables_are_nothing)
{
	gives("CREATE INDEX dataset ON t (dataset_id);"
	      "CREATE VIEW dataset AS SELECT 'INSERT INTO dataset VALUES (1)';"
	      "INSERT INTO users (name) VALUES ('x'), (DEFAULT), (now() + interval '1 day');"
	      "ALTER TABLE ONLY dataset ADD CONSTRAINT x PRIMARY KEY (id);"
	      "CREATE TABLE dataset_files (id text);"
	      "SELECT setval('dataset', 1, false);", "");
}

Test(osmo_sql, a_row_must_fit_its_columns)
{
	is_refused("INSERT INTO dataset (id) VALUES ('a', 'b');", "more values");
	is_refused("INSERT INTO dataset (id, name) VALUES ('a');", "fewer values");
	is_refused("COPY dataset (id) FROM stdin;\na\tb\n\\.\n", "more values");
	is_refused("COPY dataset (id, name) FROM stdin;\na\n\\.\n", "fewer values");
}

Test(osmo_sql, a_form_that_pg_dump_does_not_write_is_refused_not_guessed)
{
	is_refused("INSERT INTO dataset (id) SELECT 'a';", "form");
	is_refused("INSERT INTO dataset (id) VALUES (lower('a'));", "form");
	is_refused("INSERT INTO dataset (id) VALUES (DEFAULT);", "form");
	is_refused("COPY dataset (id) FROM '/tmp/x';", "form");
	is_refused("COPY dataset (id) FROM stdin WITH (FORMAT csv);\n", "form");
	is_refused("INSERT INTO dataset (id) VALUES ('a';", "ends in the middle");
}

Test(osmo_sql, tables_of_two_schemas_are_not_mixed)
{
	is_refused("INSERT INTO a.dataset (id) VALUES ('x');"
		   "INSERT INTO b.dataset (id) VALUES ('y');", "pg_dump -n");
}

Test(osmo_sql, what_is_cut_is_told)
{
	is_refused("INSERT INTO dataset (id) VALUES ('x'", "cut off");
	is_refused("INSERT INTO dataset (id) VALUES ('x')", "cut off");
	is_refused("COPY dataset (id) FROM stdin;\na\n", "cut off");
	is_refused("--\n-- PostgreSQL database dump\n--\n", "dump complete");
	is_refused("-- PostgreSQL database dump\n-- PostgreSQL database dump complete\n"
		   "-- PostgreSQL database dump\n", "dump complete");
	gives("-- PostgreSQL database dump\n-- PostgreSQL database dump complete", "");
}

Test(osmo_sql, an_empty_table_is_there_all_the_same)
{
	static const char text[] =
		"COPY collection (id, dataset_id, version_id) FROM stdin;\n\\.\n"
		"-- Data for Name: dataset_tag; Type: TABLE DATA; Schema: public; Owner: -\n";
	struct osmo_sql *sql;
	struct err err = ERR_INIT;

	cr_assert_eq(osmo_sql_new(&sql, each, NULL, &err), 0);
	cr_assert_eq(osmo_sql_feed(sql, text, strlen(text), &err), 0);
	cr_expect(osmo_sql_has(sql, OSMO_COLLECTION));
	cr_expect(osmo_sql_has(sql, OSMO_TAG));
	cr_expect_not(osmo_sql_has(sql, OSMO_DATASET));
	osmo_sql_free(sql);
}

Test(osmo_sql, other_encodings_are_refused)
{
	is_refused("SET client_encoding = 'LATIN1';", "-E UTF8");
	is_refused("SET client_encoding TO sjis;", "-E UTF8");
	gives("SET client_encoding = 'UTF8'; SET client_encoding TO 'sql_ascii'; SET x = 'LATIN1';", "");
}

static int stop(void *arg, enum osmo_table table, const char *const *values,
		uint64_t line, struct err *err)
{
	(void)arg, (void)table, (void)values, (void)line;
	return err_set(err, ERR_USAGE, ECANCELED, "stop");
}

Test(osmo_sql, the_callers_error_ends_the_parse)
{
	static const char text[] = "INSERT INTO dataset (id) VALUES ('x');";
	struct osmo_sql *sql;
	struct err err = ERR_INIT;

	cr_assert_eq(osmo_sql_new(&sql, stop, NULL, &err), 0);
	cr_expect_eq(osmo_sql_feed(sql, text, strlen(text), &err), -ECANCELED);
	osmo_sql_free(sql);
}
