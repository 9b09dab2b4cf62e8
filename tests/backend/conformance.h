/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One suite for every store: what backend.h promises, whoever keeps it.  The
 * store under test is one location, which begins empty and is emptied.
 */
#ifndef DATASETFS_TESTS_BACKEND_CONFORMANCE_H
#define DATASETFS_TESTS_BACKEND_CONFORMANCE_H

#include "tests/backend/case.h"
#include "tests/backend/fixture.h"

struct subject {
	struct opening how;
	struct http_engine *engine;
	struct backend *b;
	/* A directory has no keys such as "a//b", "..", "x/". */
	bool has_any_key;
	/* Google's S3 dialect and Swift's have no conditional writes. */
	bool has_conditions;
	/* Some know no temporary keys, and pass over the token. */
	bool has_tokens;
	/* Azure reads one as a slash. */
	bool has_backslash;
	/* Azure has no uploads to give up: blocks without a list expire. */
	bool has_abort;
};

void test_reading(struct subject *s);
void test_listing(struct subject *s);
void test_writing(struct subject *s);
void test_races(struct subject *s);
/* Only where there are credentials. */
void test_refusals(struct subject *s);
/* What is there was written by somebody else (conformance.c, -d). */
void test_directory(struct subject *s, const char *dir, bool is_broken);

/* len bytes that differ from place to place. */
char *make_bytes(size_t len, unsigned seed);

#endif
