/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One suite for every store: what backend.h promises, whoever keeps it.  The
 * store under test is one location, which begins empty and is emptied.
 */
#ifndef DATASETFS_TESTS_BACKEND_CONFORMANCE_H
#define DATASETFS_TESTS_BACKEND_CONFORMANCE_H

#include "tests/backend/fixture.h"

struct subject {
	struct opening how;
	struct http_engine *engine;
	struct backend *b;
	/* A directory has no keys such as "a//b", "..", "x/". */
	bool has_any_key;
};

void test_reading(struct subject *s);
void test_listing(struct subject *s);
void test_writing(struct subject *s);
void test_races(struct subject *s);
/* Only where there are credentials. */
void test_refusals(struct subject *s);

/* tap_ok() is of the file that includes tap.h: one place counts. */
bool check(bool ok, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* r is what was expected, or the case fails and shows the error. */
bool check_r(int r, int want, const struct err *err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void skip(const char *name, const char *why);

/* len bytes that differ from place to place. */
char *make_bytes(size_t len, unsigned seed);

#endif
