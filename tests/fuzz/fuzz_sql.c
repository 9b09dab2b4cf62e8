/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dumps of OSMO's database.  The first byte says how the rest is split.
 * fuzz-covers: fs/dataset/import/osmo_sql.c fs/dataset/import/osmo_sql_lex.c
 * fuzz-covers: fs/dataset/import/osmo_sql_copy.c fs/dataset/import/import_sql.c
 * fuzz-covers: fs/dataset/import/import_source.c fs/dataset/import/import_value.c
 * fuzz-covers: fs/dataset/import/import_settle.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "backends/base/digest.h"
#include "fs/dataset/import/import_sql.h"
#include "fs/dataset/import/osmo_sql.h"

struct seen {
	struct digest *rows;
	size_t n;
};

static int add_row(void *arg, enum osmo_table table,
		   const char *const *values, uint64_t line, struct err *err)
{
	struct seen *seen = arg;
	uint8_t mark = (uint8_t)table;

	(void)err;
	digest_add(seen->rows, &mark, 1);
	digest_add(seen->rows, &line, sizeof(line));
	for (size_t i = 0; i < OSMO_TABLE_COLUMNS_MAX; i++) {
		mark = values[i] != NULL;
		digest_add(seen->rows, &mark, 1);
		if (!values[i])
			continue;
		FUZZ_CHECK(strlen(values[i]) <= OSMO_SQL_FIELD_MAX);
		digest_add(seen->rows, values[i], strlen(values[i]) + 1);
	}
	seen->n++;
	return 0;
}

/* What comes out of the input in pieces of so many bytes; 0: in one. */
static int parse(const uint8_t *data, size_t size, size_t piece,
		 uint8_t sum[SHA256_SIZE], struct err *err)
{
	struct seen seen = { .rows = digest_new(DIGEST_SHA256) };
	struct osmo_sql *sql;
	int r = osmo_sql_new(&sql, add_row, &seen, err);

	if (r < 0)
		abort();
	while (r == 0 && size) {
		size_t n = piece && piece < size ? piece : size;

		r = osmo_sql_feed(sql, data, n, err);
		data += n;
		size -= n;
	}
	if (r == 0)
		r = osmo_sql_finish(sql, err);
	osmo_sql_free(sql);
	digest_finish(seen.rows, sum);
	digest_free(seen.rows);
	return r;
}

/* The rows of a dump of any kind make a source that settles. */
static void import(const uint8_t *data, size_t size)
{
	struct import_source *src = import_source_new();
	struct import_sql *sql;
	struct err err = ERR_INIT;
	int r;

	if (!src || import_sql_new(&sql, src, "dump.sql", &err) < 0)
		abort();
	r = import_sql_feed(sql, data, size, &err);
	if (r == 0)
		r = import_sql_finish(sql, &err);
	import_sql_free(sql);
	if (r == 0)
		r = import_source_settle(src, &err);
	FUZZ_CHECK(r == 0 || err.text[0]);
	for (size_t i = 0; r == 0 && i < src->n_datasets; i++)
		for (size_t v = 1; v < src->datasets[i].n_versions; v++)
			FUZZ_CHECK(src->datasets[i].versions[v - 1].number <
				   src->datasets[i].versions[v].number);
	import_source_free(src);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t whole[SHA256_SIZE], pieces[SHA256_SIZE];
	struct err a = ERR_INIT, b = ERR_INIT;
	int r;

	if (!size)
		return 0;
	r = parse(data + 1, size - 1, 0, whole, &a);
	FUZZ_CHECK(parse(data + 1, size - 1, 1 + data[0] % 17, pieces, &b) ==
		   r);
	FUZZ_CHECK(memcmp(whole, pieces, sizeof(whole)) == 0);
	FUZZ_CHECK(strcmp(a.text, b.text) == 0);
	import(data + 1, size - 1);
	return 0;
}
