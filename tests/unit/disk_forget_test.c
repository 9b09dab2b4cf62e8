/* SPDX-License-Identifier: Apache-2.0 */
/* What was forgotten is a miss, for the next process too, and leaves room. */
#include <config.h>
#include "cache/disk/disk_cache.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "backends/base/clock.h"

#define MIB ((uint64_t)1 << 20)
#define GRAIN DISK_CACHE_GRAIN
#define WAIT_MS 10000

static char dir[64];
static struct memory_budget *budget;
static struct disk_cache *dc;
static uint8_t got[DISK_CACHE_EXTENT];

static void reopen(void)
{
	struct disk_cache_options opt = { .dir = dir, .size = 64 * MIB,
					  .budget = budget };
	struct err err = ERR_INIT;

	disk_cache_free(dc);
	cr_assert_eq(disk_cache_open(&dc, &opt, &err), 0, "%s", err.text);
}

static void setup(void)
{
	struct err err = ERR_INIT;

	(void)snprintf(dir, sizeof(dir), "/tmp/disk-forget-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err), 0);
	reopen();
}

static void teardown(void)
{
	char command[128];

	disk_cache_free(dc);
	cr_assert_eq(memory_budget_used(budget), 0);
	memory_budget_free(budget);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(disk_forget, .init = setup, .fini = teardown);

static struct segment_key key_of(uint64_t i)
{
	return (struct segment_key){ i * 0x9e3779b97f4a7c15u, i };
}

static void release(void *data)
{
	free(data);
}

/* All bytes of blob i are i. */
static void put_unwritten(uint64_t i, uint64_t offset, uint32_t len)
{
	struct segment_key key = key_of(i);
	uint8_t *data = malloc(len);

	memset(data, (int)i, len);
	disk_cache_put(dc, &key, offset, data, len, release, data);
}

static void put(uint64_t i, uint64_t offset, uint32_t len)
{
	put_unwritten(i, offset, len);
	(void)disk_cache_flush(dc, INT64_MAX);
}

static uint64_t forget(uint64_t i, uint64_t size)
{
	struct segment_key key = key_of(i);

	return disk_cache_forget(dc, &key, size);
}

static uint64_t reclaim(bool is_all)
{
	struct err err = ERR_INIT;
	uint64_t bytes = 0;

	cr_assert_eq(disk_cache_reclaim(dc, is_all, clock_ms() + WAIT_MS,
					&bytes, &err), 0, "%s", err.text);
	return bytes;
}

static uint32_t held(uint64_t i, uint64_t offset)
{
	struct segment_key key = key_of(i);
	struct disk_record record;

	if (!disk_cache_find(dc, &key, offset, &record) ||
	    disk_cache_read(dc, &record, got) < 0)
		return 0;
	for (uint32_t k = 0; k < record.entry.len; k++)
		cr_assert_eq(got[k], (uint8_t)i);
	return record.entry.len;
}

static struct disk_cache_stats stats(void)
{
	struct disk_cache_stats st;

	disk_cache_stats(dc, &st);
	return st;
}

static unsigned files(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

/* Goes on as a process that was killed before it could seal. */
static void die_and_reopen(void (*before)(void))
{
	pid_t pid;
	int status;

	disk_cache_free(dc);
	dc = NULL;
	pid = fork();
	if (pid == 0) {
		reopen();
		before();
		_exit(kill(getpid(), SIGKILL));
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	reopen();
}

static atomic_bool is_endless;

static void put_again(void *data)
{
	static uint64_t n;	/* each is another: what is known is not written */
	struct segment_key key = key_of(++n);

	if (atomic_load(&is_endless))
		disk_cache_put(dc, &key, 0, data, GRAIN, put_again, data);
	else
		free(data);
}

Test(disk_forget, who_flushes_does_not_wait_for_what_comes_behind)
{
	atomic_store(&is_endless, true);
	put_again(calloc(1, GRAIN));
	cr_assert(disk_cache_flush(dc, clock_ms() + WAIT_MS));
	cr_assert_not(disk_cache_flush(dc, 0));
	atomic_store(&is_endless, false);
	cr_assert(disk_cache_flush(dc, clock_ms() + WAIT_MS));
}

Test(disk_forget, what_is_forgotten_is_gone_and_the_rest_stays)
{
	put(1, 0, MIB);
	put(1, MIB, 2 * GRAIN);
	put(2, 0, 100);
	cr_assert_eq(forget(1, 2 * MIB), MIB + 2 * GRAIN);
	cr_assert_eq(held(1, 0), 0);
	cr_assert_eq(held(1, MIB), 0);
	cr_assert_eq(held(2, 0), 100);
	cr_assert_eq(stats().record_bytes, 100);
	cr_assert_eq(forget(1, 2 * MIB), 0);
}

Test(disk_forget, it_stays_so_after_a_restart)
{
	put(1, 0, MIB);
	put(2, 0, 100);
	reopen();		/* they are sealed */
	put(1, MIB, GRAIN);
	cr_assert_eq(forget(1, 2 * MIB), MIB + GRAIN);
	reopen();
	cr_assert_eq(held(1, 0), 0);
	cr_assert_eq(held(1, MIB), 0);
	cr_assert_eq(held(2, 0), 100);
	cr_assert_eq(stats().records, 1);
	reopen();
	cr_assert_eq(stats().records, 1);
}

Test(disk_forget, what_comes_again_later_is_kept)
{
	put(1, 0, 100);
	put(2, 0, 100);
	reopen();
	cr_assert_eq(forget(1, 100), 100);
	put(1, 0, 100);
	cr_assert_eq(held(1, 0), 100);
	reopen();
	cr_assert_eq(held(1, 0), 100);
	cr_assert_eq(held(2, 0), 100);
}

Test(disk_forget, what_is_queued_is_forgotten_too)
{
	for (int round = 0; round < 50; round++) {
		for (uint64_t i = 1; i <= 8; i++)
			put_unwritten(i, 0, MIB);
		put_unwritten(9, 0, 100);
		for (uint64_t i = 1; i <= 8; i++)
			(void)forget(i, MIB);
		for (uint64_t i = 1; i <= 8; i++)
			cr_assert_eq(held(i, 0), 0);
		(void)disk_cache_flush(dc, INT64_MAX);
		for (uint64_t i = 1; i <= 8; i++)
			cr_assert_eq(held(i, 0), 0);
		cr_assert_eq(held(9, 0), 100);
	}
	reopen();
	cr_assert_eq(stats().records, 1);
	cr_assert_eq(held(9, 0), 100);
}

Test(disk_forget, what_is_put_behind_it_is_kept)
{
	for (uint64_t i = 1; i <= 8; i++)
		put_unwritten(i, 0, MIB);
	(void)forget(1, MIB);
	put_unwritten(1, 0, MIB);
	(void)disk_cache_flush(dc, INT64_MAX);
	cr_assert_eq(held(1, 0), MIB);
	reopen();
	cr_assert_eq(held(1, 0), MIB);
}

Test(disk_forget, segments_with_nothing_left_go_at_once)
{
	/* 7 records of 1 MiB a segment. */
	for (uint64_t i = 1; i <= 21; i++)
		put(i, 0, MIB);
	cr_assert_eq(files(), 3);
	for (uint64_t i = 8; i <= 14; i++)
		cr_assert_eq(forget(i, MIB), MIB);
	cr_assert_geq(reclaim(false), 7 * MIB);
	cr_assert_eq(files(), 3);	/* and that of the tombstones */
	cr_assert_leq(stats().bytes, 14 * MIB + MIB / 2);
	cr_assert_eq(held(7, 0), MIB);
	cr_assert_eq(held(15, 0), MIB);
	cr_assert_eq(held(10, 0), 0);
	reopen();
	cr_assert_eq(held(7, 0), MIB);
	cr_assert_eq(held(15, 0), MIB);
	cr_assert_eq(held(10, 0), 0);
}

Test(disk_forget, a_tombstone_outlives_what_it_is_for)
{
	put(1, 0, 100);
	put(2, 0, 100);
	reopen();
	put(3, 0, 100);
	cr_assert_eq(forget(1, 100), 100);
	reopen();
	/* Nothing but the tombstone is left there. */
	cr_assert_eq(forget(3, 100), 100);
	(void)reclaim(false);
	reopen();
	cr_assert_eq(held(1, 0), 0);
	cr_assert_eq(held(2, 0), 100);
	cr_assert_eq(held(3, 0), 0);
	/* Then everything goes with the last record. */
	cr_assert_eq(forget(2, 100), 100);
	cr_assert_gt(reclaim(false), 0);
	cr_assert_eq(files(), 0);
	cr_assert_eq(stats().bytes, 0);
}

static void forget_one_and_reclaim(void)
{
	struct err err = ERR_INIT;
	uint64_t bytes;

	(void)forget(1, 100);
	if (disk_cache_reclaim(dc, false, clock_ms() + WAIT_MS, &bytes,
			       &err) < 0)
		_exit(EXIT_FAILURE);
}

Test(disk_forget, what_was_reclaimed_survives_a_kill)
{
	put(1, 0, 100);
	put(2, 0, 100);
	die_and_reopen(forget_one_and_reclaim);
	cr_assert_eq(held(1, 0), 0);
	cr_assert_eq(held(2, 0), 100);
}

Test(disk_forget, a_carried_record_stays_and_a_forgotten_one_is_not_carried)
{
	for (uint64_t i = 1; i <= 7; i++)
		put(i, 0, MIB);
	cr_assert_eq(held(1, 0), MIB);	/* in use */
	cr_assert_eq(held(2, 0), MIB);
	cr_assert_eq(forget(2, MIB), MIB);
	for (uint64_t i = 100; i < 170; i++)
		put(i, 0, MIB);
	cr_assert_eq(held(1, 0), MIB);
	cr_assert_eq(held(2, 0), 0);
	reopen();
	cr_assert_eq(held(1, 0), MIB);
	cr_assert_eq(held(2, 0), 0);
}

Test(disk_forget, all_of_it_goes_but_for_the_notes)
{
	struct disk_note note = { .fingerprint = 7, .salt = 3,
				  .is_verified = true };
	struct segment_key key = key_of(50);

	for (uint64_t i = 1; i <= 21; i++)
		put(i, 0, MIB);
	disk_cache_set_note(dc, &key, &note);
	cr_assert_geq(reclaim(true), 21 * MIB);
	cr_assert_eq(stats().records, 0);
	cr_assert_eq(stats().record_bytes, 0);
	cr_assert_lt(stats().bytes, 1024);
	for (uint64_t i = 1; i <= 21; i++)
		cr_assert_eq(held(i, 0), 0);
	put(1, 0, 100);
	reopen();
	cr_assert_eq(held(1, 0), 100);
	cr_assert_eq(stats().records, 1);
	cr_assert(disk_cache_note(dc, &key, &note));
	cr_assert_eq(note.fingerprint, 7);
	cr_assert_eq(note.salt, 3);
	cr_assert_not(note.is_verified);
}

Test(disk_forget, a_pinned_record_is_read_to_its_end)
{
	struct segment_key key = key_of(1);
	struct disk_record record;

	put(1, 0, 100);
	cr_assert(disk_cache_find(dc, &key, 0, &record));
	(void)reclaim(true);
	cr_assert_eq(disk_cache_read(dc, &record, got), 0);
	cr_assert_eq(got[99], 1);
}
