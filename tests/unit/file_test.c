/* SPDX-License-Identifier: Apache-2.0 */
/* file*.c: what only a directory can show; the rest is in tests/backend. */
#include <config.h>
#include "backends/backend_sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <criterion/criterion.h>
#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/log.h"

static char dir[] = "/tmp/datasetfs-file-test-XXXXXX";
static struct backend *b;

static int64_t soon(void)
{
	return clock_ms() + 5000;
}

static struct backend *open_dir(const char *path, bool read_only)
{
	cleanup_uri struct uri uri;
	struct backend_spec spec = {.location = &uri, .read_only = read_only};
	struct backend *out;
	struct err err = ERR_INIT;
	char text[256];

	(void)snprintf(text, sizeof(text), "file://%s", path);
	cr_assert_eq(uri_parse_location(&uri, text, &err), 0);
	cr_assert_eq(backend_open(&out, &spec, NULL, &err), 0, "%s", err.text);
	return out;
}

static void in_dir(char *out, size_t size, const char *name)
{
	(void)snprintf(out, size, "%s/%s", dir, name);
}

static void setup(void)
{
	char path[256];

	cr_assert_not_null(mkdtemp(dir));
	in_dir(path, sizeof(path), "in");
	cr_assert_eq(mkdir(path, 0700), 0);
	b = open_dir(path, false);
}

static void teardown(void)
{
	char line[256];

	backend_put_ref(b);
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	struct err err = ERR_INIT;

	in_dir(path, sizeof(path), name);
	cr_assert_eq(
		io_replace_file(path, text, strlen(text), 0600, false, &err), 0,
		"%s", err.text);
}

static int get(const char *key, char *dst, size_t len, const char *if_match,
	       struct object_info *info)
{
	struct backend_get rq = {
		.key = key,
		.dst = dst,
		.len = len,
		.if_match = if_match,
		.expect_size = BACKEND_SIZE_UNKNOWN,
		.deadline_ms = soon(),
	};
	struct err err = ERR_INIT;

	return backend_sync_get(b, &rq, info, &err);
}

TestSuite(file, .init = setup, .fini = teardown);

Test(file, nothing_outside_the_directory_can_be_read)
{
	char path[256], c;
	struct object_info info;

	write_file("secret", "x");
	in_dir(path, sizeof(path), "in/link");
	cr_assert_eq(symlink("../secret", path), 0);
	in_dir(path, sizeof(path), "in/dirlink");
	cr_assert_eq(symlink("..", path), 0);
	in_dir(path, sizeof(path), "in/abs");
	cr_assert_eq(symlink("/etc/passwd", path), 0);
	cr_expect_eq(get("../secret", &c, 1, NULL, &info), -EACCES);
	cr_expect_eq(get("a/../../secret", &c, 1, NULL, &info), -EACCES);
	cr_expect_eq(get("link", &c, 1, NULL, &info), -EACCES);
	cr_expect_eq(get("abs", &c, 1, NULL, &info), -EACCES);
	cr_expect_eq(get("dirlink/secret", &c, 1, NULL, &info), -EACCES);
	cr_expect_eq(get("/etc/passwd", &c, 1, NULL, &info), -ENOENT);
}

Test(file, what_is_not_a_regular_file_is_refused_without_waiting)
{
	char path[256], c;
	struct object_info info;

	in_dir(path, sizeof(path), "in/fifo");
	cr_assert_eq(mkfifo(path, 0600), 0);
	in_dir(path, sizeof(path), "in/sub");
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(get("fifo", &c, 1, NULL, &info), -EACCES);
	cr_expect_eq(get("sub", &c, 1, NULL, &info), -ENOENT);
	cr_expect_eq(get("sub/", &c, 1, NULL, &info), -ENOENT);
	cr_expect_eq(get("sub//x", &c, 1, NULL, &info), -ENOENT);
}

Test(file, a_change_in_place_shows_in_the_validator)
{
	struct object_info first, second;
	char path[256], buf[2];
	cleanup_fd int fd = -1;

	write_file("in/x", "ab");
	cr_assert_eq(get("x", buf, 2, NULL, &first), 0);
	cr_expect_eq(first.size, 2);
	cr_expect_eq(get("x", buf, 2, first.etag, &second), 0);

	/* Far enough for a kernel that stamps by the tick. */
	struct timespec tick = {.tv_nsec = 20000000};

	(void)nanosleep(&tick, NULL);
	in_dir(path, sizeof(path), "in/x");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	cr_assert_eq(write(fd, "cd", 2), 2);
	cr_expect_eq(get("x", buf, 2, first.etag, &second), -ESTALE);
}

static int put(const char *key, const char *text, const char *if_match,
	       bool create_only, struct object_info *info)
{
	struct backend_put rq = {
		.key = key,
		.data = text,
		.len = strlen(text),
		.if_match = if_match,
		.create_only = create_only,
		.deadline_ms = soon(),
	};
	struct err err = ERR_INIT;

	return backend_sync_put(b, &rq, info, &err);
}

Test(file, a_validator_does_not_look_like_the_md5_of_the_content)
{
	struct object_info info;
	size_t len;
	char c;

	write_file("in/x", "a");
	cr_assert_eq(get("x", &c, 1, NULL, &info), 0);
	len = strlen(info.etag);
	cr_expect(len > 32 && strspn(info.etag, "0123456789abcdef") == len,
		  "%s", info.etag);
}

Test(file, validators_never_come_back)
{
	struct object_info info, now;
	char old[200][BACKEND_ETAG_MAX];

	cr_assert_eq(put("head", "A", NULL, true, &info), 0);
	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		memcpy(old[i], info.etag, BACKEND_ETAG_MAX);
		cr_assert_eq(
			put("head", i % 2 ? "A" : "B", info.etag, false, &now),
			0);
		for (size_t j = 0; j <= i; j++)
			cr_assert_str_neq(now.etag, old[j]);
		info = now;
	}
	cr_expect_eq(put("head", "C", old[0], false, &now), -ESTALE);
}

Test(file, a_put_leaves_nothing_else_behind)
{
	struct object_info info;
	char line[300];

	cr_assert_eq(put("a/b/c", "x", NULL, true, &info), 0);
	cr_assert_eq(put("a/b/c", "x", NULL, true, &info), -EEXIST);
	cr_assert_eq(put("a/b/c", "y", "0000", false, &info), -ESTALE);
	(void)snprintf(line, sizeof(line),
		       "test \"$(find '%s/in' -type f)\" "
		       "= '%s/in/a/b/c'",
		       dir, dir);
	cr_expect_eq(system(line), 0);
}

Test(file, a_put_goes_nowhere_else)
{
	struct object_info info;
	char path[256];

	in_dir(path, sizeof(path), "in/up");
	cr_assert_eq(symlink("..", path), 0);
	cr_expect_eq(put("up/x", "x", NULL, false, &info), -EACCES);
	cr_expect_eq(put("../x", "x", NULL, false, &info), -EACCES);
	cr_expect_eq(put("a//x", "x", NULL, false, &info), -EINVAL);
	cr_expect_eq(put("up", "x", NULL, false, &info), -EACCES);
	cr_expect_eq(put(".~datasetfs-x", "x", NULL, false, &info), -EINVAL);
	in_dir(path, sizeof(path), "x");
	cr_expect_neq(access(path, F_OK), 0);
}

Test(file, a_file_where_a_directory_belongs_is_an_error)
{
	struct object_info info;

	cr_assert_eq(put("a/b", "x", NULL, false, &info), 0);
	cr_expect_eq(put("a", "x", NULL, false, &info), -EISDIR);
	cr_expect_eq(put("a/b/c", "x", NULL, false, &info), -ENOTDIR);
	cr_expect_eq(put("a", "x", NULL, true, &info), -EISDIR);
}

Test(file, a_read_only_backend_writes_nothing)
{
	struct object_info info;
	char path[256];

	backend_put_ref(b);
	in_dir(path, sizeof(path), "in");
	b = open_dir(path, true);
	cr_expect_eq(put("x", "x", NULL, false, &info), -EROFS);

	struct err err = ERR_INIT;

	cr_expect_eq(backend_sync_delete(b, "x", NULL, soon(), &err), -EROFS);

	/* The bucket's mode was changed. */
	backend_set_read_only(b, false);
	cr_expect_eq(put("x", "x", NULL, false, &info), 0);
	backend_set_read_only(b, true);
	cr_expect_eq(put("x", "y", NULL, false, &info), -EROFS);
}

Test(file, a_missing_directory_is_named)
{
	cleanup_uri struct uri uri;
	struct backend_spec spec = {.location = &uri};
	struct backend *out;
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse_location(&uri, "file:///nowhere/at/all", &err),
		     0);
	cr_expect_eq(backend_open(&out, &spec, NULL, &err), -ENOENT);
	cr_expect(strstr(err.text, "/nowhere/at/all"), "%s", err.text);
}

static int add_key(void *arg, const struct list_entry *entry, struct err *err)
{
	(void)err;
	buf_printf(arg, "%s%s ", entry->key, entry->is_prefix ? "!" : "");
	return 0;
}

static void expect_list(const char *prefix, const char *delimiter,
			const char *keys)
{
	cleanup_buf struct buf all = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(backend_sync_list(b, prefix, delimiter, 5000, add_key,
				       &all, &err),
		     0, "%s", err.text);
	cr_expect_str_eq(all.data ? all.data : "", keys);
}

Test(file, what_a_listing_leaves_out_is_told_once)
{
	char path[256], line[1024];
	struct object_info info;

	cr_assert_eq(put("l/a", "x", NULL, false, &info), 0);
	expect_list("l/", NULL, "l/a ");
	log_last_problem(line, sizeof(line));
	cr_expect_str_empty(line, "%s", line);

	in_dir(path, sizeof(path), "in/l/fifo");
	cr_assert_eq(mkfifo(path, 0600), 0);
	in_dir(path, sizeof(path), "in/l/link");
	cr_assert_eq(symlink("a", path), 0);
	in_dir(path, sizeof(path), "in/other");
	cr_assert_eq(symlink("l", path), 0);
	expect_list("l/", NULL, "l/a ");
	log_last_problem(line, sizeof(line));
	cr_expect(strstr(line, "below=\"l/\" count=2 first=\"l/fifo\""), "%s",
		  line);

	log_warn("test", "another line");
	expect_list("l/", NULL, "l/a ");
	log_last_problem(line, sizeof(line));
	cr_expect_str_eq(line, "test: another line");
}

Test(file, a_page_of_nothing_but_what_is_left_out_has_a_next_one)
{
	const unsigned n = 10100;	/* more than a page */
	struct object_info info;
	char path[256], line[1024];
	unsigned count;

	cr_assert_eq(put("p/0", "x", NULL, false, &info), 0);
	cr_assert_eq(put("p/z/z", "x", NULL, false, &info), 0);
	for (unsigned i = 0; i < n; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "in/p/link-%05u", i);
		in_dir(path, sizeof(path), name);
		cr_assert_eq(symlink("0", path), 0);
	}
	expect_list("p/", NULL, "p/0 p/z/z ");
	expect_list("p/", "/", "p/0 p/z/! ");
	expect_list("p", "/", "p/! ");
	log_last_problem(line, sizeof(line));
	cr_assert_not_null(strstr(line, "count="), "%s", line);
	count = (unsigned)atoi(strstr(line, "count=") + 6);
	cr_expect(count > 0 && count < n, "of its page: %s", line);
}

Test(file, keys_are_listed_in_byte_order_and_nothing_else_is)
{
	struct object_info info;
	char path[256];

	cr_assert_eq(put("a/b", "x", NULL, false, &info), 0);
	cr_assert_eq(put("a.b", "x", NULL, false, &info), 0);
	cr_assert_eq(put("a0", "x", NULL, false, &info), 0);
	cr_assert_eq(put("a/c/d", "x", NULL, false, &info), 0);
	in_dir(path, sizeof(path), "in/empty");
	cr_assert_eq(mkdir(path, 0700), 0);
	in_dir(path, sizeof(path), "in/link");
	cr_assert_eq(symlink("a.b", path), 0);
	in_dir(path, sizeof(path), "in/.~datasetfs-put-1");
	cr_assert_eq(mkdir(path, 0700), 0);
	expect_list("", NULL, "a.b a/b a/c/d a0 ");
	expect_list("", "/", "a.b a/! a0 ");
	expect_list("a/", "/", "a/b a/c/! ");
	expect_list("a", "/", "a.b a/! a0 ");
	expect_list("a/c", NULL, "a/c/d ");
	expect_list("a/c", "/", "a/c/! ");
	expect_list("a/b/", NULL, "");
	expect_list("none/x", NULL, "");
	expect_list("a//", NULL, "");
}
