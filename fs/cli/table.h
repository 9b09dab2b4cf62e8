/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OSMO's tables: left-aligned, a gap between columns, a full-width "=" rule
 * under the header, no borders; and OSMO's way to write sizes and dates.
 */
#ifndef DATASETFS_CLI_TABLE_H
#define DATASETFS_CLI_TABLE_H

#include <stdint.h>
#include <stdio.h>
#include "backends/base/err.h"

struct table;

#define TABLE_GAP 3	/* spaces between columns */

int table_new(struct table **out, const char *const *headers, size_t n_columns,
	      struct err *err) MUST_CHECK;
void table_free(struct table *table);
/* Copies n_columns cells; control bytes are shown escaped. */
int table_row(struct table *table, const char *const *cells, struct err *err)
	MUST_CHECK;
void table_print(const struct table *table, unsigned gap, FILE *out);
/*
 * After the rows of one of several tables on stdout: where r is 0, an empty
 * line and the table; frees it and returns r.
 */
int table_end_section(struct table *table, int r) MUST_CHECK;

/* "16.9 GiB", "0 B": one decimal from KiB on. */
#define SIZE_TEXT_MAX 24
void size_text(char out[SIZE_TEXT_MAX], uint64_t bytes);

/* "May 10, 2024 20:17 PDT" in the local zone; "" for 0. */
#define DATE_TEXT_MAX 48
void date_text(char out[DATE_TEXT_MAX], int64_t seconds);

#endif
