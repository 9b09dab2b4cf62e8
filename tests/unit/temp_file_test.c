/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/tree/temp_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
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
		cr_assert(temp_file_publish(&t, "x"));
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

/* A file that is whole, but has no name in the directory. */
static void expect_elsewhere(struct temp_file *t, const char *text)
{
	char got[64] = "";
	struct stat st;

	cr_expect_eq(t->dirfd, -1);
	cr_assert_eq(fstat(t->fd, &st), 0);
	cr_expect_eq(st.st_nlink, 0);
	cr_assert_geq(pread(t->fd, got, sizeof(got) - 1, 0), 0);
	cr_expect_str_eq(got, text);
	cr_expect_not(temp_file_publish(t, "x"));
	temp_file_release(t);
	cr_expect_eq(count_files(), 0);
}

Test(temp_file, what_the_directory_does_not_take_lies_elsewhere)
{
	static const int flags[] = { O_RDONLY | O_DIRECTORY, O_PATH };
	char gone[64];
	struct temp_file t;
	struct err err = ERR_INIT;

	cr_assert_eq(temp_file_init(&t, -1, &err), 0, "%s", err.text);
	cr_assert_eq(temp_file_write(&t, "abc", 3, 0, &err), 0);
	expect_elsewhere(&t, "abc");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		int fd;

		(void)snprintf(gone, sizeof(gone), "%s/gone", dir);
		cr_assert_eq(mkdir(gone, 0700), 0);
		fd = open(gone, flags[i]);
		cr_assert_eq(rmdir(gone), 0);
		cr_expect_lt(temp_file_probe(fd, &err), 0);
		cr_assert_eq(temp_file_init(&t, fd, &err), 0, "%s", err.text);
		cr_assert_eq(temp_file_write(&t, "abc", 3, 0, &err), 0);
		expect_elsewhere(&t, "abc");
		close(fd);
	}
}

Test(temp_file, a_write_that_fails_takes_what_was_written_along)
{
	char self[64];
	struct temp_file t;
	struct err err = ERR_INIT;
	int fd;

	cr_assert_eq(temp_file_probe(dirfd_, &err), 0, "%s", err.text);
	cr_assert_eq(temp_file_init(&t, dirfd_, &err), 0);
	cr_assert_eq(temp_file_write(&t, "abc", 3, 0, &err), 0);
	/* One that can be read only stands for a disk that is full. */
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", t.fd);
	fd = open(self, O_RDONLY);
	cr_assert_geq(fd, 0);
	close(t.fd);
	t.fd = fd;
	cr_assert_eq(temp_file_write(&t, "def", 3, 3, &err), 0, "%s",
		     err.text);
	expect_elsewhere(&t, "abcdef");
}

Test(temp_file, where_no_directory_takes_it_both_are_named)
{
	struct temp_file t;
	struct err err = ERR_INIT;
	int file;

	cr_assert_eq(setenv("TMPDIR", "/proc/nowhere", 1), 0);
	file = open("/dev/null", O_RDWR);
	cr_expect_eq(temp_file_init(&t, file, &err), -EIO);
	cr_expect_eq(err.class, ERR_SYSTEM);
	cr_expect(strstr(err.text, "cache directory: Not a directory"), "%s",
		  err.text);
	cr_expect(strstr(err.text, "/proc/nowhere: No such file"), "%s",
		  err.text);
	temp_file_release(&t);
	close(file);
	(void)unsetenv("TMPDIR");
}

Test(temp_file, a_directory_in_its_place_goes_if_it_is_empty)
{
	struct temp_file t;
	struct err err = ERR_INIT;

	cr_assert_eq(mkdirat(dirfd_, "x", 0700), 0);
	cr_assert_eq(temp_file_init(&t, dirfd_, &err), 0);
	cr_expect(temp_file_publish(&t, "x"));
	temp_file_release(&t);
	cr_assert_eq(unlinkat(dirfd_, "x", 0), 0);

	cr_assert_eq(mkdirat(dirfd_, "x", 0700), 0);
	cr_assert_eq(mkdirat(dirfd_, "x/y", 0700), 0);
	cr_assert_eq(temp_file_init(&t, dirfd_, &err), 0);
	cr_expect_not(temp_file_publish(&t, "x"));
	temp_file_release(&t);
	cr_expect_eq(count_files(), 1);
	cr_assert_eq(unlinkat(dirfd_, "x/y", AT_REMOVEDIR), 0);
	cr_assert_eq(unlinkat(dirfd_, "x", AT_REMOVEDIR), 0);
}

Test(temp_file, one_that_is_somebodys_replaces_files_but_no_folder)
{
	static const char *const texts[] = { "one", "two" };
	cleanup_fd int place = openat(dirfd_, ".", O_PATH | O_DIRECTORY);

	for (size_t i = 0; i < 2; i++) {
		struct temp_file t = TEMP_FILE_INIT;
		struct stat st;

		cr_assert_eq(temp_file_create(&t, place, 0640), 0);
		cr_assert_eq(write(t.fd, texts[i], 3), 3);
		cr_assert_eq(temp_file_rename(&t, "x"), 0);
		cr_assert_eq(fstat(t.fd, &st), 0);
		cr_expect_eq(st.st_mode & 0137, 0, "%o", st.st_mode);
		temp_file_release(&t);
		expect_content("x", texts[i]);
	}
	cr_assert_eq(unlinkat(dirfd_, "x", 0), 0);
	cr_assert_eq(mkdirat(dirfd_, "x", 0700), 0);
	{
		struct temp_file t = TEMP_FILE_INIT;

		cr_assert_eq(temp_file_create(&t, place, 0640), 0);
		cr_expect_eq(temp_file_rename(&t, "x"), -EISDIR);
		temp_file_release(&t);
	}
	cr_expect_eq(unlinkat(dirfd_, "x", AT_REMOVEDIR), 0);
	cr_expect_eq(count_files(), 0);
}
