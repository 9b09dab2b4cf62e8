/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/tree/temp_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <criterion/criterion.h>

static char dir[] = "/tmp/datasetfs-temp-test-XXXXXX";
static int dirfd_;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dirfd_, 0);
}

static void teardown(void)
{
	(void)unlinkat(dirfd_, "x", 0);
	close(dirfd_);
	cr_assert_eq(rmdir(dir), 0, "something was left behind");
}

TestSuite(temp_file, .init = setup, .fini = teardown);

static unsigned count_files(void)
{
	int fd = openat(dirfd_, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);
	const struct dirent *e;
	unsigned n = 0;

	cr_assert_not_null(d);
	while ((e = readdir(d)))
		n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return n;
}

static void expect_content(const char *name, const char *text)
{
	char got[64] = "";
	int fd = openat(dirfd_, name, O_RDONLY);

	cr_assert_geq(fd, 0);
	cr_assert_geq(read(fd, got, sizeof(got) - 1), 0);
	cr_expect_str_eq(got, text);
	close(fd);
}

Test(temp_file, what_is_not_published_is_gone)
{
	struct temp_file t;
	struct err err = ERR_INIT;

	cr_assert_eq(temp_file_init(&t, dirfd_, &err), 0, "%s", err.text);
	cr_assert_eq(write(t.fd, "x", 1), 1);
	temp_file_release(&t);
	cr_expect_eq(count_files(), 0);
	temp_file_release(&t);	/* again is harmless */
}

Test(temp_file, publishing_replaces_what_stands_there)
{
	struct temp_file t;
	struct err err = ERR_INIT;
	struct stat st;
	int before = -1;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(temp_file_init(&t, dirfd_, &err), 0);
		cr_assert_eq(write(t.fd, i ? "new" : "old", 3), 3);
		if (i) {
			before = openat(dirfd_, "x", O_RDONLY);
			expect_content("x", "old");
		}
		cr_assert_eq(temp_file_publish(&t, "x", &err), 0, "%s",
			     err.text);
		temp_file_release(&t);
		cr_expect_eq(count_files(), 1);
	}
	expect_content("x", "new");
	cr_assert_eq(fstat(before, &st), 0);
	cr_expect_eq(st.st_nlink, 0);	/* whoever had it open still has it */
	close(before);
	cr_assert_eq(fstatat(dirfd_, "x", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
}

Test(temp_file, a_directory_that_is_away_is_an_error)
{
	struct temp_file t;
	struct err err = ERR_INIT;

	cr_expect_eq(temp_file_init(&t, -1, &err), -EBADF);
	cr_expect_eq(err.class, ERR_SYSTEM);
	temp_file_release(&t);
	cr_assert_eq(temp_file_init(&t, dirfd_, &err), 0);
	cr_expect_lt(temp_file_publish(&t, "no/such", &err), 0);
	temp_file_release(&t);
	cr_expect_eq(count_files(), 0);
}
