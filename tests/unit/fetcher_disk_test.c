/* SPDX-License-Identifier: Apache-2.0 */
/* The fetcher over the disk cache: what was read needs no request again. */
#include <config.h>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/fetcher_case.h"

static char dir[64];

static void disk_open(void)
{
	struct disk_cache_options opt = { .dir = dir, .size = 128 * MIB,
					  .budget = budget };
	struct err err = ERR_INIT;

	cr_assert_eq(disk_cache_open(&disk, &opt, &err), 0, "%s", err.text);
}

/* As the next process would find it. */
static void restart(void)
{
	fetcher_free(fetcher);
	disk_cache_free(disk);
	disk_open();
	fetcher_start();
	store->gets = 0;
}

static void setup_disk(void)
{
	struct err err = ERR_INIT;

	(void)snprintf(dir, sizeof(dir), "/tmp/fetcher-disk-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	store = fake_store_new();
	cr_assert_eq(memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err), 0);
	disk_open();
	fetcher_start();
}

static void teardown_disk(void)
{
	char command[128];

	fetcher_free(steal_pointer(&fetcher));
	disk_cache_free(disk);
	teardown();
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(fetcher_disk, .init = setup_disk, .fini = teardown_disk,
	  .timeout = 60);

static void read_all(const struct blob *b)
{
	for (uint64_t at = 0; at < b->size; at += MIB) {
		uint64_t rest = b->size - at;

		cr_assert_eq(read_now(b, at, (size_t)(rest < MIB ? rest : MIB)),
			     0);
	}
}

static uint64_t from_disk(void)
{
	struct fetcher_stats stats;

	fetcher_stats(fetcher, &stats);
	return stats.bytes_from_disk;
}

Test(fetcher_disk, what_was_read_needs_no_request_after_a_restart)
{
	static const uint64_t sizes[] = {
		1, 4095, 65537, MIB, MIB + 1, 8 * MIB, 8 * MIB + 1, 20 * MIB,
	};
	struct blob blobs[ARRAY_SIZE(sizes)];
	static char keys[ARRAY_SIZE(sizes)][8];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
		blobs[i] = osmo_blob(keys[i], sizes[i]);
		read_all(&blobs[i]);
	}
	restart();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cr_expect_eq(fetcher_cached_bytes(fetcher, &blobs[i]),
			     sizes[i]);
		read_all(&blobs[i]);
	}
	cr_expect_eq(store->gets, 0);
	cr_expect_gt(from_disk(), 38 * MIB);
}

Test(fetcher_disk, what_memory_has_no_room_for_is_read_from_the_disk)
{
	struct blob b = osmo_blob("k", 60 * MIB);

	read_all(&b);
	(void)disk_cache_flush(disk, INT64_MAX);
	store->gets = 0;
	read_all(&b);
	cr_expect_leq(store->gets, 2, "%u", store->gets);
}

Test(fetcher_disk, random_reads_of_a_large_blob_are_kept)
{
	struct blob b = osmo_blob("k", 20 * MIB);

	for (uint64_t at = 0; at < b.size; at += 3 * MIB)
		cr_assert_eq(read_now(&b, at + 4000, 100), 0);
	restart();
	for (uint64_t at = 0; at < b.size; at += 3 * MIB)
		cr_assert_eq(read_now(&b, at + 4000, 100), 0);
	cr_expect_eq(store->gets, 0);
	cr_assert_eq(read_now(&b, MIB, 100), 0);
	cr_expect_eq(store->gets, 1, "under the validator that is remembered");
	cr_expect_eq(atomic_load(&n_bad), 0);
}

Test(fetcher_disk, the_grains_of_one_read_are_one_record_of_each_extent)
{
	struct blob b = osmo_blob("k", 20 * MIB);
	const uint64_t at = 5 * MIB + 3 * FETCHER_GRAIN + 100;
	struct disk_cache_stats stats;

	cr_assert_eq(read_now(&b, at, 256 << 10), 0);
	cr_assert_eq(read_now(&b, 8 * MIB - 1000, 2000), 0);
	/* A read is answered before its bytes are queued for the disk. */
	for (int64_t until = clock_ms() + SOON_MS; clock_ms() < until;) {
		cr_expect(disk_cache_flush(disk, INT64_MAX));
		disk_cache_stats(disk, &stats);
		if (stats.records >= 3)
			break;
	}
	cr_expect_eq(stats.records, 3);
	cr_expect_eq(stats.record_bytes, 7 * FETCHER_GRAIN);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &b), 7 * FETCHER_GRAIN);
	restart();
	cr_expect_eq(fetcher_cached_bytes(fetcher, &b), 7 * FETCHER_GRAIN);
	cr_assert_eq(read_now(&b, at + (200 << 10), 5000), 0);
	cr_assert_eq(read_now(&b, at, 256 << 10), 0);
	cr_assert_eq(read_now(&b, 8 * MIB - 1000, 2000), 0);
	cr_expect_eq(store->gets, 0);
	cr_expect_eq(from_disk(), 7 * FETCHER_GRAIN);
}

Test(fetcher_disk, a_reader_with_gaps_gets_disk_and_store_together)
{
	struct blob b = osmo_blob("k", 20 * MIB);

	for (uint64_t at = 0; at < b.size; at += 128 << 10)
		cr_assert_eq(read_now(&b, at, 100), 0);
	restart();
	read_all(&b);
	cr_expect_eq(atomic_load(&n_bad), 0);
}

Test(fetcher_disk, damage_on_the_disk_is_fetched_again)
{
	struct blob large = osmo_blob("large", 20 * MIB);
	struct blob small = osmo_blob("small", 3 * MIB);
	struct dirent *e;
	DIR *d;

	read_all(&large);
	read_all(&small);
	restart();
	d = opendir(dir);
	while ((e = readdir(d))) {
		int fd = openat(dirfd(d), e->d_name, O_RDWR);
		struct stat st;

		if (fd < 0)
			continue;
		fstat(fd, &st);
		for (off_t at = 100000; at < st.st_size; at += 700000)
			cr_assert_eq(pwrite(fd, "damaged", 7, at), 7);
		close(fd);
	}
	closedir(d);
	read_all(&large);
	read_all(&small);
	cr_expect_gt(store->gets, 0);
	restart();
	read_all(&large);
	read_all(&small);
	cr_expect_eq(store->gets, 0, "what was fetched again is kept");
	cr_expect_eq(atomic_load(&n_bad), 0);
}

Test(fetcher_disk, an_object_that_changed_drops_what_is_on_the_disk)
{
	struct blob b = blob_of("k", 20 * MIB);

	cr_assert_eq(read_now(&b, 0, 1000), 0);
	restart();
	store->seed = 5;
	snprintf(store->etag, sizeof(store->etag), "another");
	/* Not seen before the store is asked; then all of it is new. */
	cr_assert_eq(read_now(&b, 10 * MIB, 1000), 0);
	cr_assert_eq(read_now(&b, 0, 1000), 0);
	restart();
	cr_assert_eq(read_now(&b, 0, 1000), 0);
	cr_assert_eq(read_now(&b, 10 * MIB, 1000), 0);
	cr_expect_eq(store->gets, 0);
}

Test(fetcher_disk, a_damaged_large_blob_is_not_read_again_from_the_disk)
{
	struct blob b = osmo_blob("k", 20 * MIB);
	int r = 0;

	store->damage_at = 12345678;
	for (uint64_t at = 0; at < b.size && r == 0; at += MIB) {
		struct result *res = start(&b, at, MIB);

		r = result_wait(res);
		result_free(res);
	}
	cr_assert_eq(r, -EIO);
	store->damage_at = -1;
	restart();
	cr_expect_eq(fetcher_cached_bytes(fetcher, &b), 0);
	read_all(&b);
	cr_expect_gt(store->gets, 0);
	restart();
	read_all(&b);
	cr_expect_eq(store->gets, 0);
}

Test(fetcher_disk, what_was_verified_is_not_hashed_again)
{
	struct blob b = osmo_blob("k", 20 * MIB);
	struct disk_note note;
	struct segment_key key;
	struct blob_id id;

	read_all(&b);
	blob_identify(&id, &b);
	key = (struct segment_key){ id.hi, id.lo };
	for (int i = 0; i < 1000; i++) {
		cr_assert(disk_cache_note(disk, &key, &note));
		if (note.is_verified)
			break;
		usleep(1000);
	}
	cr_expect(note.is_verified);
	restart();
	cr_assert(disk_cache_note(disk, &key, &note) && note.is_verified);
}

Test(fetcher_disk, forgotten_content_is_forgotten_on_the_disk_too)
{
	struct blob small = osmo_blob("small", 3 * MIB);
	struct blob large = osmo_blob("large", 20 * MIB);

	read_all(&small);
	read_all(&large);
	(void)disk_cache_flush(disk, INT64_MAX);
	fetcher_forget(fetcher, &small);
	fetcher_forget(fetcher, &large);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &small), 0);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &large), 0);
	store->gets = 0;
	read_all(&small);
	cr_expect_eq(store->gets, 1);
}

Test(fetcher_disk, what_is_evicted_is_gone_and_reads_as_before)
{
	struct blob small = osmo_blob("small", 3 * MIB);
	struct blob large = osmo_blob("large", 20 * MIB);
	struct blob kept = osmo_blob("kept", 2 * MIB);
	struct fetcher_evicted out = { 0, 0 };
	struct err err = ERR_INIT;
	uint64_t freed = 0;

	read_all(&small);
	read_all(&large);
	read_all(&kept);
	(void)disk_cache_flush(disk, INT64_MAX);
	fetcher_evict(fetcher, &small, &out);
	fetcher_evict(fetcher, &large, &out);
	cr_expect_eq(out.bytes_disk, 23 * MIB);
	cr_expect_geq(out.bytes_memory, 3 * MIB);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &small), 0);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &large), 0);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &kept), 2 * MIB);
	restart();
	cr_expect_eq(fetcher_cached_bytes(fetcher, &small), 0);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &large), 0);
	read_all(&kept);
	cr_expect_eq(store->gets, 0);
	read_all(&small);
	read_all(&large);
	(void)disk_cache_flush(disk, INT64_MAX);

	out = (struct fetcher_evicted){ 0, 0 };
	fetcher_evict_all(fetcher, &out);
	cr_assert_eq(disk_cache_reclaim(disk, true, INT64_MAX, &freed, &err),
		     0);
	cr_expect_geq(freed, 25 * MIB);
	cr_expect_geq(out.bytes_memory, 3 * MIB);
	cr_expect_eq(fetcher_cached_bytes(fetcher, &large), 0);
	store->gets = 0;
	read_all(&large);
	cr_expect_gt(store->gets, 0);
	restart();
	cr_expect_eq(fetcher_cached_bytes(fetcher, &small), 0);
	read_all(&large);
	cr_expect_eq(store->gets, 0);
}

Test(fetcher_disk, a_disk_that_goes_away_fails_no_read)
{
	struct blob b = osmo_blob("k", 60 * MIB);
	char command[256];

	read_all(&b);
	(void)disk_cache_flush(disk, INT64_MAX);
	(void)snprintf(command, sizeof(command),
		       "for f in %s/*; do : > $f; done; rm -rf %s; touch %s",
		       dir, dir, dir);
	cr_assert_eq(system(command), 0);
	read_all(&b);
	read_all(&b);
	(void)snprintf(command, sizeof(command), "rm -f %s", dir);
	cr_assert_eq(system(command), 0);
}
