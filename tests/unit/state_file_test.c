/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/nodes/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <criterion/criterion.h>

static char dir[] = "/tmp/datasetfs-state-test-XXXXXX";
static char path[64];

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/nodes", dir);
}

static void teardown(void)
{
	(void)unlink(path);
	cr_assert_eq(rmdir(dir), 0);
}

TestSuite(state_file, .init = setup, .fini = teardown);

struct seen {
	struct state_record records[8];
	size_t n;
};

static void see(void *arg, const struct state_record *record)
{
	struct seen *seen = arg;

	cr_assert_lt(seen->n, 8);
	seen->records[seen->n++] = *record;
}

static struct state_file *must_open(struct seen *seen)
{
	struct state_file *sf;
	struct err err = ERR_INIT;

	seen->n = 0;
	cr_assert_eq(state_file_open(&sf, path, see, seen, &err), 0, "%s",
		     err.text);
	return sf;
}

static void append(struct state_file *sf, uint32_t number)
{
	struct state_record rec = {
		.kind = STATE_SLOT, .number = number, .value = number * 3,
	};
	struct err err = ERR_INIT;

	memset(rec.key, (int)number, sizeof(rec.key));
	cr_assert_eq(state_file_append(sf, &rec, &err), 0);
}

static off_t size_now(void)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return st.st_size;
}

Test(state_file, gives_back_what_was_appended_in_order)
{
	struct seen seen;
	struct state_file *sf = must_open(&seen);

	cr_assert_eq(seen.n, 0);
	append(sf, 1);
	append(sf, 2);
	state_file_free(sf);

	sf = must_open(&seen);
	cr_assert_eq(seen.n, 2);
	cr_assert_eq(seen.records[0].number, 1);
	cr_assert_eq(seen.records[1].number, 2);
	cr_assert_eq(seen.records[1].value, 6);
	cr_assert_eq(seen.records[1].key[STATE_KEY_SIZE - 1], 2);
	append(sf, 3);
	state_file_free(sf);

	sf = must_open(&seen);
	cr_assert_eq(seen.n, 3);
	state_file_free(sf);
}

Test(state_file, cuts_a_damaged_end_and_goes_on_from_there)
{
	struct seen seen;
	struct state_file *sf = must_open(&seen);
	off_t good;
	int fd;

	append(sf, 1);
	good = size_now();
	append(sf, 2);
	state_file_free(sf);
	fd = open(path, O_WRONLY);
	cr_assert_eq(pwrite(fd, "x", 1, good + 20), 1);
	close(fd);

	sf = must_open(&seen);
	cr_assert_eq(seen.n, 1);
	cr_assert_eq(size_now(), good);
	append(sf, 5);
	state_file_free(sf);
	sf = must_open(&seen);
	cr_assert_eq(seen.n, 2);
	cr_assert_eq(seen.records[1].number, 5);
	state_file_free(sf);
}

Test(state_file, cuts_a_record_that_was_written_in_part)
{
	struct seen seen;
	struct state_file *sf = must_open(&seen);
	off_t good;

	append(sf, 1);
	good = size_now();
	append(sf, 2);
	state_file_free(sf);
	cr_assert_eq(truncate(path, good + 13), 0);

	sf = must_open(&seen);
	cr_assert_eq(seen.n, 1);
	cr_assert_eq(size_now(), good);
	state_file_free(sf);
}

Test(state_file, starts_afresh_over_another_format)
{
	struct seen seen;
	struct state_file *sf;
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	for (int i = 0; i < 100; i++)
		cr_assert_eq(write(fd, "not ours", 8), 8);
	close(fd);
	sf = must_open(&seen);
	cr_assert_eq(seen.n, 0);
	append(sf, 1);
	state_file_free(sf);
	sf = must_open(&seen);
	cr_assert_eq(seen.n, 1);
	state_file_free(sf);
}

Test(state_file, is_held_by_one_and_names_the_holder)
{
	struct seen seen;
	struct state_file *sf = must_open(&seen), *second;
	struct err err = ERR_INIT;
	char pid[32];

	cr_assert_eq(state_file_open(&second, path, see, &seen, &err), -EBUSY);
	cr_assert_eq(err.class, ERR_CONFLICT);
	snprintf(pid, sizeof(pid), "process %d", (int)getpid());
	cr_assert_not_null(strstr(err.text, pid), "%s", err.text);
	state_file_free(sf);
}

Test(state_file, refuses_what_is_no_regular_file)
{
	struct seen seen = { .n = 0 };
	struct state_file *sf;
	struct err err = ERR_INIT;

	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_assert_lt(state_file_open(&sf, path, see, &seen, &err), 0);
	cr_assert_eq(err.class, ERR_SYSTEM);
}
