/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/fuse/read_faults.h"

#include <errno.h>
#include <criterion/criterion.h>
#include "backends/base/clock.h"

Test(read_faults, each_file_and_error_is_told_once)
{
	struct read_faults *faults;
	struct err err = ERR_INIT;
	uint64_t a = nodeid_make(1, 5), b = nodeid_make(1, 6);

	cr_assert_eq(read_faults_new(&faults, &err), 0);
	cr_assert(read_faults_first(faults, a, EIO));
	cr_assert_not(read_faults_first(faults, a, EIO));
	cr_assert(read_faults_first(faults, b, EIO));
	cr_assert(read_faults_first(faults, a, EACCES));
	cr_assert_not(read_faults_first(faults, b, EIO));
	read_faults_free(faults);
}

Test(read_faults, nearly_all_of_many_are_told_once)
{
	struct read_faults *faults;
	struct err err = ERR_INIT;
	unsigned again = 0;

	cr_assert_eq(read_faults_new(&faults, &err), 0);
	for (uint32_t i = 0; i < READ_FAULTS_MAX / 8; i++)
		cr_assert(read_faults_first(faults, nodeid_make(3, i), EIO));
	for (uint32_t i = 0; i < READ_FAULTS_MAX / 8; i++)
		again += read_faults_first(faults, nodeid_make(3, i), EIO);
	cr_assert_lt(again, READ_FAULTS_MAX / 32);
	read_faults_free(faults);
}

static int64_t now_ms = 1000;

static int64_t fake_ms(void)
{
	return now_ms;
}

Test(read_faults, a_repetition_of_a_read_that_has_just_failed_fails_too)
{
	struct read_faults *faults;
	struct err err = ERR_INIT;
	uint64_t a = nodeid_make(1, 5), b = nodeid_make(1, 6);

	clock_fake(fake_ms, NULL);
	cr_assert_eq(read_faults_new(&faults, &err), 0);
	cr_expect_eq(read_faults_recent(faults, a, 0, 4096), 0);
	read_faults_note(faults, a, 4096, 8192, ETIMEDOUT);
	cr_expect_eq(read_faults_recent(faults, a, 4096, 4096), ETIMEDOUT);
	cr_expect_eq(read_faults_recent(faults, a, 0, 4097), ETIMEDOUT);
	cr_expect_eq(read_faults_recent(faults, a, 12287, 1), ETIMEDOUT);

	/* One of two that fail together, as reads ahead do. */
	read_faults_note(faults, b, 0, 1 << 20, EIO);
	read_faults_note(faults, b, 1 << 20, 1 << 20, ETIMEDOUT);
	cr_expect_eq(read_faults_recent(faults, b, 4096, 4096), EIO);
	cr_expect_eq(read_faults_recent(faults, b, 2 << 20, 4096), 0);
	b = nodeid_make(1, 7);

	/* Other bytes, another file, later. */
	cr_expect_eq(read_faults_recent(faults, a, 0, 4096), 0);
	cr_expect_eq(read_faults_recent(faults, a, 12288, 4096), 0);
	cr_expect_eq(read_faults_recent(faults, b, 4096, 4096), 0);
	now_ms += READ_FAULTS_REPEAT_MS - 1;
	cr_expect_eq(read_faults_recent(faults, a, 4096, 4096), ETIMEDOUT);
	now_ms++;
	cr_expect_eq(read_faults_recent(faults, a, 4096, 4096), 0);
	read_faults_free(faults);
	clock_fake(NULL, NULL);
}
