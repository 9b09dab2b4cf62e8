/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <criterion/criterion.h>

static char top[] = "/tmp/datasetfs-io-test-XXXXXX";
static int top_fd = -1;

static void make_top(void)
{
	cr_assert_not_null(mkdtemp(top));
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(top_fd, 0);
}

static void remove_top(void)
{
	char command[128];

	close(top_fd);
	snprintf(command, sizeof(command), "rm -rf %s", top);
	cr_expect_eq(system(command), 0);
}

TestSuite(io, .init = make_top, .fini = remove_top);

static char *below(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void put(const char *name, const void *data, size_t len)
{
	struct err err = ERR_INIT;

	cr_assert_eq(io_replace_file(below(name), data, len, 0644, false,
				     &err), 0, "%s", err.text);
}

Test(io, pread_is_short_only_at_the_end)
{
	char bytes[16];
	int fd;

	put("f", "0123456789", 10);
	fd = open(below("f"), O_RDWR | O_CLOEXEC);
	cr_expect_eq(io_pread_full(fd, bytes, 4, 2), 4);
	cr_expect_eq(memcmp(bytes, "2345", 4), 0);
	cr_expect_eq(io_pread_full(fd, bytes, 16, 8), 2);
	cr_expect_eq(io_pread_full(fd, bytes, 16, 10), 0);
	cr_expect_eq(io_pread_full(fd, bytes, 16, 1ULL << 40), 0);
	cr_expect_eq(io_pread_full(-1, bytes, 1, 0), -EBADF);
	cr_expect_lt(io_pread_full(fd, bytes, 1, UINT64_MAX), 0);
	cr_expect_eq(io_pwrite_full(fd, "xy", 2, 12), 0);
	cr_expect_eq(io_pread_full(fd, bytes, 16, 9), 5);
	cr_expect_eq(memcmp(bytes, "9\0\0xy", 5), 0);
	close(fd);
}

static void on_alarm(int signo)
{
	(void)signo;
}

/* A pipe takes 64 KiB at once and the reader is slow: short writes, EINTR. */
Test(io, write_goes_on_after_signals_and_short_writes)
{
	struct sigaction action = { .sa_handler = on_alarm };
	size_t len = 1 << 20, got = 0;
	char *data = calloc(1, len);
	int pipe_fds[2];
	pid_t child;

	cr_assert_not_null(data);
	cr_assert_eq(pipe(pipe_fds), 0);
	child = fork();
	if (child == 0) {
		close(pipe_fds[1]);
		usleep(50000);
		for (ssize_t n; (n = read(pipe_fds[0], data, 65536)) > 0;)
			got += n;
		_exit(got == len ? 0 : 1);
	}
	close(pipe_fds[0]);
	sigaction(SIGALRM, &action, NULL);
	ualarm(10000, 10000);
	cr_expect_eq(io_write_full(pipe_fds[1], data, len), 0);
	ualarm(0, 0);
	close(pipe_fds[1]);
	cr_expect_eq(waitpid(child, (int *)&got, 0), child);
	cr_expect_eq((int)got, 0);
	free(data);
}

Test(io, read_file_has_a_limit_to_the_byte)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	put("f", "0123456789", 10);
	buf_str(&out, "before ");
	cr_expect_eq(io_read_file(below("f"), 10, &out, &err), 0);
	cr_expect_str_eq(out.data, "before 0123456789");
	cr_expect_eq(io_read_file(below("f"), 9, &out, &err), -EFBIG);
	cr_expect_eq(err.class, ERR_USAGE);
	cr_expect_not_null(strstr(err.text, below("f")));
	cr_expect_str_eq(out.data, "before 0123456789");
	cr_expect_eq(io_read_file(below("f"), SIZE_MAX, &out, &err), 0);
}

Test(io, read_file_takes_what_has_no_size)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_expect_eq(io_read_file("/proc/self/status", 1 << 20, &out, &err), 0);
	cr_expect_gt(out.len, 100);
}

Test(io, read_file_takes_only_regular_files_and_never_hangs)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(mkfifo(below("fifo"), 0600), 0);
	cr_expect_eq(io_read_file(below("fifo"), 10, &out, &err), -EINVAL);
	cr_expect_eq(io_read_file("/dev/zero", 10, &out, &err), -EINVAL);
	cr_expect_eq(io_read_file(top, 10, &out, &err), -EISDIR);
	cr_expect_eq(err.class, ERR_USAGE);
	cr_expect_eq(io_read_file(below("none"), 10, &out, &err), -ENOENT);
	cr_expect_eq(err.class, ERR_MISSING);
	cr_expect_eq(out.len, 0);
}

Test(io, replace_file_swaps_content_and_mode_and_leaves_no_litter)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	struct stat st;

	put("f", "old", 3);
	cr_expect_eq(io_replace_file(below("f"), "new!", 4, 0600, true, &err), 0);
	cr_expect_eq(io_read_file(below("f"), 10, &out, &err), 0);
	cr_expect_str_eq(out.data, "new!");
	cr_expect_eq(stat(below("f"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);

	cr_expect_eq(mkdir(below("d"), 0755), 0);
	cr_expect_lt(io_replace_file(below("d"), "x", 1, 0600, false, &err), 0);
	cr_expect_eq(err.class, ERR_SYSTEM);
	cr_expect_eq(io_replace_file(below("no/f"), "x", 1, 0600, false, &err),
		     -ENOENT);
	/* "f" and "d" and nothing else. */
	cr_expect_eq(rmdir(below("d")), 0);
	cr_expect_eq(unlink(below("f")), 0);
	cr_expect_eq(rmdir(top), 0);
	cr_expect_eq(mkdir(top, 0755), 0);
}

Test(io, nothing_opens_outside_of_its_folder)
{
	char outside[] = "/etc/passwd";
	int fd;

	cr_assert_eq(mkdir(below("in"), 0755), 0);
	put("in/f", "x", 1);
	put("secret", "x", 1);
	cr_assert_eq(symlink(outside, below("in/absolute")), 0);
	cr_assert_eq(symlink("../secret", below("in/up")), 0);
	cr_assert_eq(symlink("f", below("in/inside")), 0);
	cr_assert_eq(symlink("..", below("in/parent")), 0);
	fd = open(below("in"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < 2; i++) {
		int got = io_open_beneath(fd, i ? "./f" : "f", O_RDONLY, 0);

		cr_expect_geq(got, 0);
		close(got);
	}
	cr_expect_eq(io_open_beneath(fd, "../secret", O_RDONLY, 0), -EXDEV);
	cr_expect_eq(io_open_beneath(fd, "f/../../secret", O_RDONLY, 0),
		     -ENOTDIR);
	cr_expect_eq(io_open_beneath(fd, outside, O_RDONLY, 0), -EXDEV);
	cr_expect_eq(io_open_beneath(fd, "absolute", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(io_open_beneath(fd, "up", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(io_open_beneath(fd, "inside", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(io_open_beneath(fd, "parent/secret", O_RDONLY, 0), -ELOOP);
	cr_expect_eq(io_open_beneath(fd, "none", O_RDONLY, 0), -ENOENT);
	close(fd);
}

Test(io, mkdir_beneath_makes_all_and_never_leaves)
{
	struct stat st;

	cr_expect_eq(io_mkdir_beneath(top_fd, "a/b//c/./d", 0750), 0);
	cr_expect_eq(stat(below("a/b/c/d"), &st), 0);
	cr_expect(S_ISDIR(st.st_mode));
	cr_expect_eq(io_mkdir_beneath(top_fd, "a/b", 0750), 0);
	cr_expect_eq(io_mkdir_beneath(top_fd, "a/../../x", 0750), -EXDEV);
	cr_expect_eq(io_mkdir_beneath(top_fd, "/tmp/x", 0750), -EXDEV);
	cr_assert_eq(symlink("/tmp", below("a/link")), 0);
	cr_expect_lt(io_mkdir_beneath(top_fd, "a/link/datasetfs-x", 0750), 0);
	cr_expect_neq(access("/tmp/datasetfs-x", F_OK), 0);
}

Test(io, mkdir_p_is_content_with_what_is_there)
{
	cr_expect_eq(io_mkdir_p(below("p/q/r"), 0755), 0);
	cr_expect_eq(io_mkdir_p(below("p/q/r/"), 0755), 0);
	put("p/file", "x", 1);
	cr_expect_eq(io_mkdir_p(below("p/file/x"), 0755), -ENOTDIR);
	cr_expect_eq(io_mkdir_p(below("p/file"), 0755), -ENOTDIR);
	cr_expect_eq(io_mkdir_p("", 0755), -ENOENT);
	cr_expect_eq(io_mkdir_p("/", 0755), 0);
}

/* Opened (0) or refused, and then told by what mends it. */
static void expect_private(const char *below_it, int code, const char *says)
{
	struct err err = ERR_INIT;
	int fd = io_open_private_dir(below("private"), below_it, &err);

	cr_expect_eq(fd < 0 ? fd : 0, -code, "%d: %s", fd, err.text);
	cr_expect(strstr(err.text, says), "%s", err.text);
	if (fd >= 0)
		close(fd);
}

Test(io, a_private_directory_is_one_that_nobody_else_writes_to)
{
	static const mode_t others[] = { 0770, 0702, 01777 };
	struct stat st;

	expect_private("in", 0, "");
	cr_assert_eq(stat(below("private"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(stat(below("private/in"), &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0700);
	cr_assert_eq(chmod(below("private"), 0755), 0);
	expect_private(NULL, 0, "");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		cr_assert_eq(chmod(below("private/in"), others[i]), 0);
		expect_private(NULL, 0, "");
		expect_private("in", EPERM, "chmod go-w /");
		cr_assert_eq(chmod(below("private/in"), 0700), 0);
		cr_assert_eq(chmod(below("private"), others[i]), 0);
		expect_private(NULL, EPERM, "chmod go-w /");
		expect_private("in", EPERM, "chmod go-w /");
		cr_assert_eq(chmod(below("private"), 0700), 0);
	}
	if (geteuid() == 0) {
		cr_assert_eq(chown(below("private/in"), 1000, 0), 0);
		expect_private("in", EPERM, "belongs to user 1000");
		expect_private("in", EPERM, "chown 0 /");
	}
	put("private/file", "x", 1);
	expect_private("file", ENOTDIR, "private/file");
}
