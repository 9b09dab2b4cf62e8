/* SPDX-License-Identifier: Apache-2.0 */
/* The disk cache: right bytes or a miss, within its size, again and again. */
#include <config.h>
#include "cache/disk/disk_cache.h"
#include "cache/disk/disk_cache_impl.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "backends/base/lock.h"

#define MIB ((uint64_t)1 << 20)
#define GRAIN DISK_CACHE_GRAIN

static char dir[64];
static struct memory_budget *budget;
static struct disk_cache *dc;
static uint64_t size = 32 * MIB;
static atomic_uint releases;
static uint8_t got[DISK_CACHE_EXTENT];

static void reopen(void)
{
	struct disk_cache_options opt = { .dir = dir, .size = size,
					  .budget = budget };
	struct err err = ERR_INIT;

	disk_cache_free(dc);
	cr_assert_eq(disk_cache_open(&dc, &opt, &err), 0, "%s", err.text);
}

static void remove_all(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

static void setup(void)
{
	struct err err = ERR_INIT;

	(void)snprintf(dir, sizeof(dir), "/tmp/disk-cache-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err), 0);
	reopen();
}

static void teardown(void)
{
	disk_cache_free(dc);
	cr_assert_eq(memory_budget_used(budget), 0);
	memory_budget_free(budget);
	remove_all();
}

TestSuite(disk_cache, .init = setup, .fini = teardown);

static struct segment_key key_of(uint64_t i)
{
	return (struct segment_key){ i * 0x9e3779b97f4a7c15u, i };
}

static void fill(uint8_t *data, uint64_t i, uint64_t offset, uint32_t len)
{
	for (uint32_t k = 0; k < len; k++)
		data[k] = (uint8_t)((offset + k + i * 131) *
				    0x9e3779b97f4a7c15u >> 56);
}

static void release(void *data)
{
	free(data);
	atomic_fetch_add(&releases, 1);
}

static void release_nothing(void *arg)
{
	(void)arg;
}

static void put(uint64_t i, uint64_t offset, uint32_t len)
{
	struct segment_key key = key_of(i);
	uint8_t *data = malloc(len);

	fill(data, i, offset, len);
	disk_cache_put(dc, &key, offset, data, len, release, data);
	(void)disk_cache_flush(dc, INT64_MAX);	/* more than the queue takes would be dropped */
}

/* The length of the record that holds offset, its bytes compared; 0: none. */
static uint32_t held(uint64_t i, uint64_t offset)
{
	static uint8_t expected[DISK_CACHE_EXTENT];
	struct segment_key key = key_of(i);
	struct disk_record record;

	if (!disk_cache_find(dc, &key, offset, &record))
		return 0;
	cr_assert(record.offset <= offset &&
		  offset < record.offset + record.entry.len);
	fill(expected, i, record.offset, record.entry.len);
	if (disk_cache_read(dc, &record, got) < 0)
		return 0;
	cr_assert_arr_eq(got, expected, record.entry.len);
	return record.entry.len;
}

static struct disk_cache_stats stats(void)
{
	struct disk_cache_stats st;

	disk_cache_stats(dc, &st);
	return st;
}

static uint64_t dir_bytes(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	uint64_t n = 0;

	cr_assert_not_null(d);
	while ((e = readdir(d))) {
		struct stat st;

		if (*e->d_name != '.' && fstatat(dirfd(d), e->d_name, &st, 0) == 0)
			n += (uint64_t)st.st_size;
	}
	closedir(d);
	return n;
}

Test(disk_cache, what_was_put_is_found_by_any_byte_of_it)
{
	put(1, 0, 5000);
	put(2, 0, DISK_CACHE_EXTENT);
	put(2, DISK_CACHE_EXTENT, 3 * GRAIN + 5);
	put(3, 5 * GRAIN, GRAIN);
	put(4, 5 * GRAIN, 4 * GRAIN);
	cr_expect_eq(held(4, 5 * GRAIN - 1), 0);
	cr_expect_eq(held(4, 5 * GRAIN), 4 * GRAIN);
	cr_expect_eq(held(4, 9 * GRAIN - 1), 4 * GRAIN);
	cr_expect_eq(held(4, 9 * GRAIN), 0);
	put(4, 7 * GRAIN, GRAIN);
	cr_expect_eq(held(4, 7 * GRAIN), GRAIN, "the nearest");
	cr_expect_eq(held(4, 8 * GRAIN), 4 * GRAIN);
	cr_expect_eq(held(1, 0), 5000);
	cr_expect_eq(held(1, 4999), 5000);
	cr_expect_eq(held(1, 5000), 0);
	cr_expect_eq(held(2, 12345), DISK_CACHE_EXTENT);
	cr_expect_eq(held(2, DISK_CACHE_EXTENT + 3 * GRAIN), 3 * GRAIN + 5);
	cr_expect_eq(held(3, 6 * GRAIN - 1), GRAIN);
	cr_expect_eq(held(3, 4 * GRAIN), 0);
	cr_expect_eq(held(3, 6 * GRAIN), 0);
	cr_expect_eq(atomic_load(&releases), 6);
}

Test(disk_cache, it_is_there_after_a_restart)
{
	for (uint64_t i = 0; i < 300; i++)
		put(i, 0, 10000);
	for (int restart = 0; restart < 3; restart++) {
		reopen();
		for (uint64_t i = 0; i < 300; i++)
			cr_assert_eq(held(i, 77), 10000);
	}
	cr_expect_eq(stats().bytes, dir_bytes());
	cr_expect_eq(stats().records, 300);
}

Test(disk_cache, bytes_stay_below_the_size_and_the_newest_stay)
{
	for (uint64_t i = 0; i < 200; i++) {
		put(i, 0, DISK_CACHE_EXTENT);
		cr_assert_leq(dir_bytes(), size + MIB);
	}
	cr_expect_gt(stats().evicted, 150);
	for (uint64_t i = 180; i < 200; i++)
		cr_expect_eq(held(i, 0), DISK_CACHE_EXTENT);
	cr_expect_eq(held(0, 0), 0);
	reopen();
	for (uint64_t i = 180; i < 200; i++)
		cr_expect_eq(held(i, 0), DISK_CACHE_EXTENT);
	cr_expect_eq(stats().bytes, dir_bytes());
}

/* Few small records wait for more, but not for ever. */
Test(disk_cache, a_record_alone_is_written_though_nobody_flushes)
{
	struct segment_key key = key_of(1);
	static uint8_t data[1000];

	fill(data, 1, 0, sizeof(data));
	for (uint64_t i = 0; i < 3; i++) {
		disk_cache_put(dc, &key, i * GRAIN, data, sizeof(data),
			       release_nothing, NULL);
		for (int k = 0; k < 5000 && stats().written < i + 1; k++)
			usleep(1000);
		cr_assert_eq(stats().written, i + 1);
	}
	cr_expect_eq(held(1, 0), sizeof(data));
}

Test(disk_cache, a_smaller_size_holds_from_the_start)
{
	for (uint64_t i = 0; i < 30; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	size = DISK_CACHE_SIZE_MIN;
	reopen();
	for (int i = 0; i < 1000 && dir_bytes() > size; i++)
		usleep(1000);
	cr_expect_leq(dir_bytes(), size);
	cr_expect_eq(held(29, 0), DISK_CACHE_EXTENT);
	cr_expect_eq(held(0, 0), 0);
}

Test(disk_cache, what_is_used_outlives_what_is_not)
{
	put(1000, 0, DISK_CACHE_EXTENT);
	for (uint64_t i = 0; i < 200; i++) {
		put(i, 0, DISK_CACHE_EXTENT);
		cr_assert_eq(held(1000, 5), DISK_CACHE_EXTENT);
	}
	reopen();
	cr_expect_eq(held(1000, 5), DISK_CACHE_EXTENT);
}

Test(disk_cache, where_all_is_used_it_still_evicts)
{
	for (uint64_t i = 0; i < 200; i++) {
		put(i, 0, DISK_CACHE_EXTENT);
		for (uint64_t k = 0; k <= i; k++)
			(void)held(k, 0);
		cr_assert_leq(dir_bytes(), size + MIB);
	}
	cr_expect_eq(held(199, 0), DISK_CACHE_EXTENT);
}

/* As kill -9 would leave it: the files as they are now, elsewhere. */
Test(disk_cache, a_killed_process_leaves_what_it_had_sealed)
{
	struct disk_cache *killed;
	char old[sizeof(dir)], command[256];
	int n;
	unsigned n_held = 0;

	for (uint64_t i = 0; i < 25; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	killed = steal_pointer(&dc);
	memcpy(old, dir, sizeof(dir));
	n = snprintf(dir, sizeof(dir), "%s-copy", old);
	cr_assert_lt(n, (int)sizeof(dir));
	(void)snprintf(command, sizeof(command), "cp -r %s %s", old, dir);
	cr_assert_eq(system(command), 0);
	reopen();
	for (uint64_t i = 0; i < 25; i++)
		n_held += held(i, 0) != 0;
	/* But for the segment that was open: an eighth of the size. */
	cr_expect(n_held >= 21 && n_held < 25, "%u", n_held);
	cr_expect_eq(stats().bytes, dir_bytes(), "the open one is removed");
	remove_all();
	memcpy(dir, old, sizeof(dir));
	disk_cache_free(killed);
}

static int damage(unsigned seed)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	srand(seed);
	while ((e = readdir(d))) {
		int fd = *e->d_name == '.' ? -1 :
					     openat(dirfd(d), e->d_name, O_RDWR);
		struct stat st;

		if (fd < 0)
			continue;
		fstat(fd, &st);
		for (int i = 0; i < 10; i++) {
			off_t at = rand() % st.st_size;
			uint8_t byte;

			cr_assert_eq(pread(fd, &byte, 1, at), 1);
			byte ^= (uint8_t)(1 << rand() % 8);
			cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
			n++;
		}
		close(fd);
	}
	closedir(d);
	return n;
}

Test(disk_cache, damaged_bytes_are_a_miss_and_can_be_put_again)
{
	unsigned n_held = 0;

	for (uint64_t i = 0; i < 25; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	cr_assert_gt(damage(1), 0);
	for (uint64_t i = 0; i < 25; i++)
		n_held += held(i, 0) != 0;
	cr_expect_lt(n_held, 25);
	cr_expect_eq(stats().damaged, 25 - n_held);
	for (uint64_t i = 0; i < 25; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	for (uint64_t i = 0; i < 25; i++)
		cr_expect_eq(held(i, 0), DISK_CACHE_EXTENT);
	cr_assert_gt(damage(2), 0);
	reopen();
	for (uint64_t i = 0; i < 25; i++)
		(void)held(i, 0);
}

static atomic_uint n_held_up;

static void hold_up(void *arg)
{
	struct lock *gate = arg;

	lock_take(gate);
	lock_drop(gate);
	atomic_fetch_add(&n_held_up, 1);
}

Test(disk_cache, what_comes_faster_than_it_is_written_is_not_kept)
{
	static uint8_t data[DISK_CACHE_EXTENT];
	struct lock gate = LOCK_INIT;
	unsigned n = 2 * DISK_CACHE_QUEUE_MAX / DISK_CACHE_EXTENT;

	lock_take(&gate);
	for (uint64_t i = 0; i < n; i++) {
		struct segment_key key = key_of(i);

		/* The first one keeps the writer busy in its release. */
		disk_cache_put(dc, &key, 0, data, sizeof(data),
			       i ? release_nothing : hold_up, &gate);
	}
	cr_expect(disk_cache_is_behind(dc, sizeof(data)));
	usleep((DISK_CACHE_STUCK_MS + 100) * 1000);
	cr_expect_not(disk_cache_is_behind(dc, sizeof(data)), "it is stuck");
	lock_drop(&gate);
	(void)disk_cache_flush(dc, INT64_MAX);
	cr_expect_eq(stats().written + stats().dropped, n);
	cr_expect_gt(stats().dropped, n / 2);
	cr_expect_not(disk_cache_is_behind(dc, sizeof(data)));
	cr_expect_eq(atomic_load(&n_held_up), 1);
}

Test(disk_cache, a_removed_directory_is_made_again)
{
	for (uint64_t i = 0; i < 10; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	remove_all();
	for (uint64_t i = 0; i < 10; i++)
		cr_expect_eq(held(i, 0), DISK_CACHE_EXTENT, "still open");
	for (uint64_t i = 10; i < 20; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	cr_expect_eq(held(19, 0), DISK_CACHE_EXTENT);
	reopen();
	cr_expect_eq(held(19, 0), DISK_CACHE_EXTENT);
}

Test(disk_cache, a_disk_that_takes_nothing_fails_nobody)
{
	put(1, 0, 1000);
	remove_all();
	cr_assert_eq(close(open(dir, O_CREAT | O_WRONLY, 0600)), 0);
	for (uint64_t i = 2; i < 40; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	cr_expect(stats().is_paused);
	cr_expect_not(strcmp(stats().problem, "") == 0);
	cr_expect_eq(held(1, 0), 1000);
	cr_expect_gt(stats().dropped, 10);
}

Test(disk_cache, no_room_on_the_file_system_is_a_pause)
{
	struct disk_cache_options opt = { .dir = dir, .size = size,
					  .free = (uint64_t)1 << 62,
					  .budget = budget };
	struct err err = ERR_INIT;

	for (uint64_t i = 0; i < 30; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	disk_cache_free(dc);
	cr_assert_eq(disk_cache_open(&dc, &opt, &err), 0);
	/* The room is asked for again every few MiB. */
	for (uint64_t i = 100; i < 110; i++)
		put(i, 0, DISK_CACHE_EXTENT);
	cr_expect(stats().is_paused);
	cr_expect_leq(stats().bytes, 8 * MIB);
}

Test(disk_cache, the_newest_note_holds_across_restarts)
{
	struct segment_key key = key_of(9), none = key_of(10);
	struct disk_note note = { 77, 5, false }, seen;

	disk_cache_set_note(dc, &key, &note);
	cr_assert(disk_cache_note(dc, &key, &seen) && seen.fingerprint == 77);
	reopen();
	note.is_verified = true;
	disk_cache_set_note(dc, &key, &note);
	reopen();
	cr_assert(disk_cache_note(dc, &key, &seen));
	cr_expect(seen.fingerprint == 77 && seen.is_verified);
	cr_expect_eq(seen.salt, note.salt);
	cr_expect_not(disk_cache_note(dc, &none, &seen));
}

Test(disk_cache, that_nothing_is_valid_survives_a_kill)
{
	struct segment_key key = key_of(9);
	struct disk_note note = { 77, DISK_NOTE_SALT_MAX, true }, seen;
	struct disk_cache_options opt = { .dir = dir, .size = size,
					  .budget = budget };
	struct disk_cache *other;
	struct err err = ERR_INIT;

	disk_cache_set_note(dc, &key, &note);
	note.fingerprint = 0;
	disk_cache_set_note(dc, &key, &note);
	(void)disk_cache_flush(dc, INT64_MAX);
	cr_assert_eq(disk_cache_open(&other, &opt, &err), 0);
	cr_assert(disk_cache_note(other, &key, &seen));
	cr_expect_eq(seen.fingerprint, 0);
	disk_cache_free(other);
}

Test(disk_cache, of_two_notes_of_a_segment_the_newer_is_carried_over)
{
	struct segment_key key = key_of(5000);
	struct disk_note note = { 77, 5, false }, seen;

	disk_cache_set_note(dc, &key, &note);
	note.is_verified = true;
	disk_cache_set_note(dc, &key, &note);
	for (uint64_t i = 0; i < 100; i++) {
		put(i, 0, DISK_CACHE_EXTENT);
		cr_assert(disk_cache_note(dc, &key, &seen), "%llu",
			  (unsigned long long)i);
	}
	reopen();
	cr_assert(disk_cache_note(dc, &key, &seen));
	cr_expect(seen.fingerprint == 77 && seen.is_verified);
}

Test(disk_cache, a_disk_that_takes_no_note_is_empty_for_the_next_process)
{
	struct segment_key key = key_of(9);
	struct disk_note note = { 77, 5, true }, seen;
	struct rlimit none = { 0, RLIM_INFINITY }, all;

	disk_cache_set_note(dc, &key, &note);
	put(1, 0, 1000);
	reopen();
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
	note.fingerprint = 0;
	disk_cache_set_note(dc, &key, &note);
	(void)disk_cache_flush(dc, INT64_MAX);
	cr_expect(stats().is_paused);
	cr_expect_eq(held(1, 0), 1000, "this one reads on");
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
	reopen();
	cr_expect_not(disk_cache_note(dc, &key, &seen));
	cr_expect_eq(held(1, 0), 0);
}

Test(disk_cache, a_note_in_use_is_carried_over)
{
	struct segment_key key = key_of(5000);
	struct disk_note note = { 77, DISK_NOTE_SALT_MAX, true }, seen;

	disk_cache_set_note(dc, &key, &note);
	for (uint64_t i = 0; i < 200; i++) {
		put(i, 0, DISK_CACHE_EXTENT);
		cr_assert(disk_cache_note(dc, &key, &seen));
	}
	reopen();
	cr_assert(disk_cache_note(dc, &key, &seen));
	cr_expect(seen.fingerprint == 77 && seen.is_verified);
	cr_expect_eq(seen.salt, note.salt);
}

static bool has_file(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static void make_file(const char *name)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	cr_assert_eq(write(fd, name, strlen(name)), (ssize_t)strlen(name));
	close(fd);
}

Test(disk_cache, segments_of_another_format_are_removed_and_nothing_else)
{
	static const char *const names[] = {
		"0000000000000007", "00000000000000ff.v9",
		"0000000000000008.00000020.00000000",
	};

	put(1, 0, 1000);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_file(names[i]);
	make_file("notes.txt");
	reopen();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_not(has_file(names[i]), "%s", names[i]);
	cr_expect(has_file("notes.txt"));
	cr_expect_eq(held(1, 0), 1000);
	put(2, 0, 1000);
	cr_expect(has_file("0000000000000100"), "their numbers are taken");
}

static void *find_one(void *is_about_to)
{
	struct segment_key key = key_of(1);
	struct disk_record record;

	atomic_store((atomic_bool *)is_about_to, true);
	cr_expect_not(disk_cache_find(dc, &key, 0, &record));
	return NULL;
}

Test(disk_cache, the_longest_wait_of_a_find_is_told)
{
	atomic_bool is_about_to = false;
	pthread_t finder;

	cr_expect_eq(stats().longest_wait_ms, 0);
	lock_take(&dc->lock);
	cr_assert_eq(pthread_create(&finder, NULL, find_one, &is_about_to), 0);
	while (!atomic_load(&is_about_to))
		usleep(1000);
	usleep(300000);
	lock_drop(&dc->lock);
	pthread_join(finder, NULL);
	cr_expect_geq(stats().longest_wait_ms, 100);
}
