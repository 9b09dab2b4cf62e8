/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/catalog_store/catalog_store_impl.h"
#include "tests/unit/catalog_place.h"

#define N 100

static struct place place;

static void setup(void)
{
	place_open(&place);
}

static void teardown(void)
{
	place_close(&place);
}

TestSuite(catalog_fetch, .init = setup, .fini = teardown);

struct seen {
	unsigned times[N];
	int r[N];
	size_t len[N];
	bool has_etag[N];
};

static void fetched(void *arg, size_t i, int r, const struct buf *bytes,
		    const char *etag, const struct err *err)
{
	struct seen *seen = arg;

	(void)err;
	seen->times[i]++;
	seen->r[i] = r;
	seen->len[i] = bytes->len;
	seen->has_etag[i] = r == 0 && *etag;
}

static void fetch(struct seen *seen, size_t limit)
{
	char *keys[N];
	size_t limits[N];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < N; i++) {
		cr_assert_gt(asprintf(&keys[i], "k/%zu", i), 0);
		limits[i] = limit;
	}
	cr_assert_eq(catalog_fetch(place.backend, keys, limits, N,
				   place_deadline(), fetched, seen, &err), 0);
	for (size_t i = 0; i < N; i++)
		free(keys[i]);
}

Test(catalog_fetch, each_object_is_told_once)
{
	struct seen seen = { .times = { 0 } };
	char key[32], text[N + 1];

	for (size_t i = 0; i < N; i++) {
		if (i == 7)
			continue;
		(void)snprintf(key, sizeof(key), "k/%zu", i);
		memset(text, 'x', i);
		text[i] = '\0';
		place_write(&place, key, text);
	}
	fetch(&seen, 4096);
	for (size_t i = 0; i < N; i++) {
		cr_expect_eq(seen.times[i], 1);
		cr_expect_eq(seen.r[i], i == 7 ? -ENOENT : 0, "%zu", i);
		cr_expect_eq(seen.len[i], i == 7 ? 0 : i);
		cr_expect_eq(seen.has_etag[i], i != 7);
	}
}

Test(catalog_fetch, limits_hold_and_large_ones_go_one_at_a_time)
{
	struct seen seen = { .times = { 0 } };
	char key[32];

	for (size_t i = 0; i < N; i++) {
		(void)snprintf(key, sizeof(key), "k/%zu", i);
		place_write(&place, key, "0123456789");
	}
	fetch(&seen, CATALOG_FETCH_BYTES + 1);
	for (size_t i = 0; i < N; i++)
		cr_expect_eq(seen.r[i], 0);
	fetch(&seen, 9);
	for (size_t i = 0; i < N; i++) {
		cr_expect_eq(seen.times[i], 2);
		cr_expect_eq(seen.r[i], -EFBIG);
	}
}

Test(catalog_fetch, nothing_to_fetch_is_nothing)
{
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_fetch(place.backend, NULL, NULL, 0,
				   place_deadline(), fetched, NULL, &err), 0);
}
