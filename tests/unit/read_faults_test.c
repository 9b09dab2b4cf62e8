/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/fuse/read_faults.h"

#include <errno.h>
#include <criterion/criterion.h>

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
