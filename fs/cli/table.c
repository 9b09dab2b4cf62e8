/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/table.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "backends/base/encode.h"

#define CELL_MAX 1024	/* bytes shown of one cell */

struct table {
	size_t n_columns;
	size_t n_rows;		/* the header is row 0 */
	size_t cap_rows;
	char **cells;		/* n_rows * n_columns */
	size_t *widths;		/* of the columns, so far */
};

/* Columns on the screen: bytes that do not continue a UTF-8 sequence. */
static size_t text_width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->widths);
	free(t);
}

int table_row(struct table *t, const char *const *cells, struct err *err)
{
	size_t at = t->n_rows * t->n_columns;

	if (t->n_rows == t->cap_rows) {
		size_t cap = t->cap_rows ? 2 * t->cap_rows : 16;
		char **more = reallocarray(t->cells, cap * t->n_columns,
					   sizeof(*more));

		if (!more)
			return err_nomem(err);
		t->cells = more;
		t->cap_rows = cap;
	}
	for (size_t i = 0; i < t->n_columns; i++)
		t->cells[at + i] = NULL;
	t->n_rows++;
	for (size_t i = 0; i < t->n_columns; i++) {
		struct buf text = BUF_INIT;
		size_t width;

		encode_prose(&text, cells[i], strlen(cells[i]), CELL_MAX);
		if (buf_failed(&text)) {
			buf_release(&text);
			return err_nomem(err);
		}
		t->cells[at + i] = text.data ? buf_steal(&text) : strdup("");
		if (!t->cells[at + i])
			return err_nomem(err);
		width = text_width(t->cells[at + i]);
		if (width > t->widths[i])
			t->widths[i] = width;
	}
	return 0;
}

int table_new(struct table **out, const char *const *headers, size_t n_columns,
	      struct err *err)
{
	struct table *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_nomem(err);
	t->n_columns = n_columns;
	t->widths = calloc(n_columns, sizeof(*t->widths));
	r = t->widths ? table_row(t, headers, err) : err_nomem(err);
	if (r < 0) {
		table_free(t);
		return r;
	}
	*out = t;
	return 0;
}

void table_print(const struct table *t, unsigned gap, FILE *out)
{
	size_t total = 0;

	for (size_t c = 0; c < t->n_columns; c++)
		total += t->widths[c] + (c ? gap : 0);

	for (size_t row = 0; row < t->n_rows; row++) {
		for (size_t c = 0; c < t->n_columns; c++) {
			const char *cell = t->cells[row * t->n_columns + c];
			size_t pad = t->widths[c] - text_width(cell);

			fputs(cell, out);
			if (c + 1 < t->n_columns)
				fprintf(out, "%*s", (int)(pad + gap), "");
		}
		fputc('\n', out);
		if (row == 0) {
			for (size_t i = 0; i < total; i++)
				fputc('=', out);
			fputc('\n', out);
		}
	}
}

int table_end_section(struct table *t, int r)
{
	if (r == 0) {
		putchar('\n');
		table_print(t, TABLE_GAP, stdout);
	}
	table_free(t);
	return r;
}

void size_text(char out[SIZE_TEXT_MAX], uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
					     "PiB", "EiB" };
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1024 && u + 1 < ARRAY_SIZE(units)) {
		v /= 1024;
		u++;
	}
	if (u == 0)
		snprintf(out, SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
	else
		snprintf(out, SIZE_TEXT_MAX, "%.1f %s", v, units[u]);
}

void date_text(char out[DATE_TEXT_MAX], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	out[0] = '\0';
	if (seconds == 0 || !localtime_r(&t, &tm))
		return;
	if (strftime(out, DATE_TEXT_MAX, "%b %d, %Y %H:%M %Z", &tm) == 0)
		out[0] = '\0';
}
