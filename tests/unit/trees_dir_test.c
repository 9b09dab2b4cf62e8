/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/registry/trees_dir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <criterion/criterion.h>

#define FILE_BYTES 65536

static char dir[] = "/tmp/datasetfs-trees-test-XXXXXX";
static int dirfd_;

static void add_file(const char *name, long used_s)
{
	struct timespec times[2] = { { .tv_sec = used_s }, { .tv_sec = used_s } };
	char block[4096];
	int fd = openat(dirfd_, name, O_WRONLY | O_CREAT, 0600);

	memset(block, 'x', sizeof(block));
	cr_assert_geq(fd, 0);
	for (size_t i = 0; i < FILE_BYTES / sizeof(block); i++)
		cr_assert_eq(write(fd, block, sizeof(block)), (ssize_t)sizeof(block));
	cr_assert_eq(fsync(fd), 0);	/* st_blocks is known only then */
	cr_assert_eq(futimens(fd, times), 0);
	close(fd);
}

static bool exists(const char *name)
{
	return faccessat(dirfd_, name, F_OK, 0) == 0;
}

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dirfd_, 0);
	add_file("old.tree", 1000);
	add_file("middle.tree", 2000);
	add_file("new.tree", 3000);
}

static void teardown(void)
{
	char line[64];

	close(dirfd_);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(trees_dir, .init = setup, .fini = teardown);

Test(trees_dir, the_bytes_are_those_of_the_files)
{
	cr_assert_eq(trees_dir_bytes(dirfd_), 3u * FILE_BYTES);
}

Test(trees_dir, a_limit_that_holds_removes_nothing)
{
	trees_dir_trim(dirfd_, 3u * FILE_BYTES, "");
	cr_assert(exists("old.tree") && exists("middle.tree") &&
		  exists("new.tree"));
}

Test(trees_dir, what_was_used_longest_ago_goes_first)
{
	trees_dir_trim(dirfd_, 2u * FILE_BYTES, "");
	cr_assert(!exists("old.tree") && exists("middle.tree") &&
		  exists("new.tree"));
}

Test(trees_dir, the_kept_one_stays_whatever_the_limit)
{
	trees_dir_trim(dirfd_, 1, "old.tree");
	cr_assert(exists("old.tree") && !exists("middle.tree") &&
		  !exists("new.tree"));
}

Test(trees_dir, a_touch_makes_it_the_newest)
{
	trees_dir_touch(dirfd_, "old.tree");
	trees_dir_trim(dirfd_, (uint64_t)FILE_BYTES, "");
	cr_assert(exists("old.tree") && !exists("new.tree"));
}
