/* SPDX-License-Identifier: Apache-2.0 */
/* record_sort.c and record_run.c. */
#include <config.h>
#include "fs/dataset/tree/record_sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include "backends/base/buf.h"
#include "fs/dataset/tree/record_run.h"

static char dir[] = "/tmp/datasetfs-sort-test-XXXXXX";
static int dirfd_;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dirfd_, 0);
}

/* Nothing but the directory itself was ever visible. */
static void teardown(void)
{
	close(dirfd_);
	cr_assert_eq(rmdir(dir), 0);
}

TestSuite(record_sort, .init = setup, .fini = teardown);

static struct record_sort *sort_new(void)
{
	struct record_sort *s;
	struct err err = ERR_INIT;

	cr_assert_eq(record_sort_new(&s, dirfd_, 1, &err), 0);
	return s;
}

static void add(struct record_sort *s, const char *key, uint8_t rank,
		uint32_t number)
{
	uint8_t payload[4];
	const struct record rec = {
		.key = (const uint8_t *)key,
		.key_len = (uint16_t)strlen(key),
		.payload = payload,
		.payload_len = sizeof(payload),
		.rank = rank,
	};
	struct err err = ERR_INIT;

	put_le32(payload, number);
	cr_assert_eq(record_sort_add(s, &rec, &err), 0, "%s", err.text);
}

static uint32_t mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352d;
	x = (x ^ x >> 15) * 0x846ca68b;
	return x ^ x >> 16;
}

static void key_of(char key[64], uint32_t i)
{
	uint32_t h = mix(i / 3);

	/* Many keys agree in their first words; lengths differ. */
	(void)snprintf(key, 64, "train/directory%u/%.*s%x", h % 5,
		       (int)(h % 20), "xxxxxxxxxxxxxxxxxxxxxxx", h >> 3);
}

/* Each key three times, of both ranks, n records in all. */
static void fill(struct record_sort *s, uint32_t n)
{
	char key[64];

	for (uint32_t i = 0; i < n; i++) {
		key_of(key, i);
		add(s, key, i % 3 == 2 ? 0 : 1, i);
	}
}

static int compare(const struct record *a, const struct record *b)
{
	size_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int c = memcmp(a->key, b->key, len);

	if (c)
		return c;
	if (a->key_len != b->key_len)
		return a->key_len < b->key_len ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return get_le32(a->payload) < get_le32(b->payload) ? -1 : 1;
}

static void expect_sorted(struct record_sort *s, uint32_t n)
{
	uint8_t before[64 + 8] = "";
	struct record last = { .key_len = 0 }, rec;
	uint8_t *seen = calloc(n, 1);
	struct err err = ERR_INIT;
	uint32_t count = 0;
	int r;

	cr_assert_not_null(seen);
	cr_assert_eq(record_sort_finish(s, &err), 0, "%s", err.text);
	while ((r = record_sort_next(s, &rec, &err)) > 0) {
		uint32_t number = get_le32(rec.payload);

		if (count++)
			cr_assert_lt(compare(&last, &rec), 0);
		cr_assert_lt(number, n);
		cr_assert_eq(seen[number]++, 0);
		memcpy(before, rec.key, rec.key_len);
		memcpy(before + 64, rec.payload, 4);
		last = rec;
		last.key = before;
		last.payload = before + 64;
	}
	cr_expect_eq(r, 0);
	cr_expect_eq(count, n);
	free(seen);
}

Test(record_sort, nothing_in_nothing_out)
{
	struct record_sort *s = sort_new();

	expect_sorted(s, 0);
	record_sort_free(s);
}

Test(record_sort, by_key_then_rank_then_order_of_adding)
{
	/* In memory; a few runs; more runs than are merged at once. */
	static const uint32_t sizes[] = { 1, 17, 1000, 20000, 400000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct record_sort *s = sort_new();

		fill(s, sizes[i]);
		expect_sorted(s, sizes[i]);
		record_sort_free(s);
	}
}

Test(record_sort, equal_keys_keep_their_order_across_runs)
{
	struct record_sort *s = sort_new();

	for (uint32_t i = 0; i < 100000; i++)
		add(s, i % 2 ? "the same key" : "the same kex", 1, i);
	expect_sorted(s, 100000);
	record_sort_free(s);
}

Test(record_sort, a_key_stands_before_those_it_begins)
{
	static const char *const keys[] = {
		"", "a", "aaaaaaa", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab",
		"aaaaaaaabaaaaaaa", "aaaaaaaabaaaaaaaa", "aaaaaaab", "b",
	};
	struct record_sort *s = sort_new();
	struct err err = ERR_INIT;
	struct record rec;

	for (size_t i = ARRAY_SIZE(keys); i-- > 0;)
		add(s, keys[i], 0, (uint32_t)i);
	cr_assert_eq(record_sort_finish(s, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cr_assert_eq(record_sort_next(s, &rec, &err), 1);
		cr_expect_eq(get_le32(rec.payload), i);
	}
	record_sort_free(s);
}

Test(record_sort, the_largest_record_goes_through_a_run)
{
	static uint8_t key[RECORD_SORT_KEY_MAX + 1];
	static uint8_t payload[RECORD_SORT_PAYLOAD_MAX + 1];
	struct record_sort *s = sort_new();
	struct record rec = { .key = key, .payload = payload };
	struct err err = ERR_INIT;

	memset(key, 'k', sizeof(key));
	rec.key_len = RECORD_SORT_KEY_MAX;
	rec.payload_len = RECORD_SORT_PAYLOAD_MAX;
	for (int i = 0; i < 30; i++) {
		key[RECORD_SORT_KEY_MAX - 1] = (uint8_t)('z' - i % 26);
		cr_assert_eq(record_sort_add(s, &rec, &err), 0);
	}
	rec.key_len++;
	cr_expect_eq(record_sort_add(s, &rec, &err), -EFBIG);
	rec.key_len--;
	rec.payload_len++;
	cr_expect_eq(record_sort_add(s, &rec, &err), -EFBIG);
	cr_assert_eq(record_sort_finish(s, &err), 0);
	for (int i = 0; i < 30; i++) {
		cr_assert_eq(record_sort_next(s, &rec, &err), 1);
		cr_expect_eq(rec.payload_len, RECORD_SORT_PAYLOAD_MAX);
	}
	cr_expect_eq(record_sort_next(s, &rec, &err), 0);
	record_sort_free(s);
}

Test(record_sort, it_can_be_given_up_at_any_time)
{
	struct record_sort *s = sort_new();
	struct err err = ERR_INIT;
	struct record rec;

	fill(s, 30000);
	record_sort_free(s);
	s = sort_new();
	fill(s, 30000);
	cr_assert_eq(record_sort_finish(s, &err), 0);
	cr_assert_eq(record_sort_next(s, &rec, &err), 1);
	record_sort_free(s);
}

Test(record_sort, a_disk_that_gives_back_other_bytes_is_noticed)
{
	struct record rec = { .key = (const uint8_t *)"key", .key_len = 3 };
	struct err err = ERR_INIT;

	for (uint64_t at = 0; at < 20; at++) {
		struct record_run run;
		uint8_t c;

		cr_assert_eq(record_run_init(&run, dirfd_, &err), 0);
		cr_assert_eq(record_run_add(&run, &rec, &err), 0);
		cr_assert_eq(record_run_finish(&run, &err), 0);
		cr_assert_eq(run.size, 20);
		cr_assert_eq(pread(run.file.fd, &c, 1, (off_t)at), 1);
		c ^= 1;
		cr_assert_eq(pwrite(run.file.fd, &c, 1, (off_t)at), 1);
		cr_expect_eq(record_run_next(&run, &rec, &err), -EIO, "%d",
			     (int)at);
		cr_expect_eq(err.class, ERR_SYSTEM);
		rec.key = (const uint8_t *)"key";
		rec.key_len = 3;
		rec.payload_len = 0;
		record_run_release(&run);
	}
}

Test(record_sort, a_cut_run_is_noticed)
{
	struct record rec = { .key = (const uint8_t *)"key", .key_len = 3 };
	struct err err = ERR_INIT;
	struct record_run run;

	cr_assert_eq(record_run_init(&run, dirfd_, &err), 0);
	cr_assert_eq(record_run_add(&run, &rec, &err), 0);
	cr_assert_eq(record_run_finish(&run, &err), 0);
	cr_assert_eq(ftruncate(run.file.fd, 19), 0);
	cr_expect_eq(record_run_next(&run, &rec, &err), -EIO);
	record_run_release(&run);
}
