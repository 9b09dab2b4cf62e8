/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every fuzz target shares.  A target is one file, fuzz_X.c, that holds
 * LLVMFuzzerTestOneInput() and names the parsers that it is meant to reach:
 *
 *	fuzz-covers: backends/uri.c
 *
 * in its opening comment ("make fuzz-coverage" reads that line).  The same
 * object is linked to libFuzzer ("make fuzz") and to replay.c ("make check").
 *
 * A target checks properties, not only the absence of crashes: FUZZ_CHECK()
 * what must hold for every input (parse and print again, the same result for
 * every split of a stream, bounds of what came out).
 */
#ifndef DATASETFS_TESTS_FUZZ_H
#define DATASETFS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(condition)						\
	do {								\
		if (!(condition)) {					\
			fprintf(stderr, "%s:%d: does not hold: %s\n",	\
				__FILE__, __LINE__, #condition);	\
			abort();					\
		}							\
	} while (0)

/* The input as a string of its own, for parsers that end at NUL. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
