/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/nearest.h"

#include <ctype.h>
#include <string.h>

#define WORD_MAX 64	/* bytes compared; nothing longer is a typing error */

/* False where it is too long to be compared. */
static int fold(char out[WORD_MAX + 1], const char *word)
{
	size_t n = 0;

	for (; *word; word++) {
		if (*word == '_' || *word == '-' || *word == ' ')
			continue;
		if (n == WORD_MAX)
			return 0;
		out[n++] = (char)tolower((unsigned char)*word);
	}
	out[n] = '\0';
	return 1;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Insertions, deletions, replacements and swaps of neighbours. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t la = strlen(a), lb = strlen(b);

	for (size_t k = 0; k <= lb; k++)
		rows[0][k] = (unsigned)k;
	for (size_t i = 1; i <= la; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t k = 1; k <= lb; k++) {
			row[k] = min3(above[k] + 1, row[k - 1] + 1,
				      above[k - 1] + (a[i - 1] != b[k - 1]));
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
			    a[i - 2] == b[k - 1] && above2[k - 2] + 1 < row[k])
				row[k] = above2[k - 2] + 1;
		}
	}
	return rows[la % 3][lb];
}

const char *nearest_name(const char *word, const char *const *names, size_t n)
{
	char a[WORD_MAX + 1], b[WORD_MAX + 1];
	const char *best = NULL;
	unsigned best_distance;

	if (!fold(a, word))
		return NULL;
	/* A third of the letters, and at most three, may be wrong. */
	best_distance = (unsigned)(strlen(a) / 3);
	if (best_distance > 3)
		best_distance = 3;
	for (size_t i = 0; i < n; i++) {
		unsigned d;

		if (!fold(b, names[i]))
			continue;
		d = distance(a, b);
		if (d < best_distance || (d == best_distance && !best)) {
			best = names[i];
			best_distance = d;
		}
	}
	return best;
}
