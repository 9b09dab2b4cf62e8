/* SPDX-License-Identifier: Apache-2.0 */
/* A segment gives back what was put in, or says that it is not there. */
#include <config.h>
#include "cache/disk/segment.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <unistd.h>
#include "backends/base/buf.h"
#include "backends/base/io.h"

#define RECORDS 20

static char dir[64];
static char name[SEGMENT_NAME];		/* of the one that was made last */
static int dir_fd;
static struct err err;
static uint8_t data[SEGMENT_RECORD_MAX], got[SEGMENT_RECORD_MAX];

static void setup(void)
{
	(void)snprintf(dir, sizeof(dir), "/tmp/segment-test-XXXXXX");
	cr_assert_not_null(mkdtemp(dir));
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
}

static int remove_one(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void teardown(void)
{
	close(dir_fd);
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(segment, .init = setup, .fini = teardown);

static uint32_t len_of(uint32_t i)
{
	return i == 7 ? SEGMENT_RECORD_MAX : 1 + i * 1000;
}

static const uint8_t *bytes_of(uint32_t i)
{
	for (uint32_t k = 0; k < len_of(i); k++)
		data[k] = (uint8_t)((k ^ i) * 2654435761u >> 24);
	return data;
}

static void seal(struct segment *s)
{
	cr_assert_eq(segment_seal(s, dir_fd, &err), 0, "%s", err.text);
	(void)snprintf(name, sizeof(name), "%s", segment_name(s));
	segment_put(s);
}

/* RECORDS records and a note after each, sealed. */
static void make(uint64_t sequence)
{
	struct segment *s;

	cr_assert_eq(segment_create(&s, dir_fd, sequence, &err), 0, "%s",
		     err.text);
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct segment_entry e = { { i, ~(uint64_t)i }, i, len_of(i), 0 };
		struct segment_entry note = { { 7, i }, 1, 0, i * 3 };

		cr_assert_eq(segment_append(s, &e, bytes_of(i), &err), 0);
		cr_assert_eq(segment_append(s, &note, NULL, &err), 0);
		cr_assert_eq(segment_read(s, &e, got), 0, "while it is open");
	}
	seal(s);
}

struct seen {
	uint32_t n, n_notes;
	struct segment_entry entries[RECORDS];
};

static int each(void *arg, const struct segment_entry *e)
{
	struct seen *seen = arg;

	if (e->len == 0) {
		cr_expect_eq(e->value, e->key.lo * 3);
		seen->n_notes++;
		return 0;
	}
	cr_assert_lt(seen->n, RECORDS);
	seen->entries[seen->n++] = *e;
	return 0;
}

/* The one that was made last. */
static int open_it(struct segment **s, struct seen *seen)
{
	struct segment_file file;

	memset(seen, 0, sizeof(*seen));
	err_clear(&err);
	cr_assert_eq(segment_file_parse(name, &file), SEGMENT_SEALED);
	return segment_open(s, dir_fd, &file, each, seen, &err);
}

Test(segment, what_was_sealed_is_found_in_another_process)
{
	struct segment *s;
	struct seen seen;
	struct stat st;

	make(5);
	cr_assert_eq(open_it(&s, &seen), 0, "%s", err.text);
	cr_assert(seen.n == RECORDS && seen.n_notes == RECORDS);
	cr_assert_eq(fstatat(dir_fd, name, &st, 0), 0);
	cr_expect_eq(segment_bytes(s), (uint64_t)st.st_size);
	for (uint32_t i = 0; i < RECORDS; i++) {
		const struct segment_entry *e = &seen.entries[RECORDS - 1 - i];

		cr_expect(e->key.hi == i && e->part == i, "newest first");
		cr_assert_eq(segment_read(s, e, got), 0);
		cr_assert_arr_eq(got, bytes_of(i), len_of(i));
	}
	segment_put(s);
}

Test(segment, an_unlinked_one_is_read_to_the_end)
{
	struct segment *s, *other;
	struct seen seen;

	make(5);
	cr_assert_eq(open_it(&s, &seen), 0);
	other = segment_get(s);
	cr_assert_eq(unlinkat(dir_fd, name, 0), 0);
	segment_put(s);
	cr_expect_eq(segment_read(other, &seen.entries[3], got), 0);
	segment_put(other);
}

Test(segment, what_was_not_sealed_is_none)
{
	struct segment_entry e = { { 1, 2 }, 3, 100, 0 };
	struct segment_file file;
	struct segment *s;

	cr_assert_eq(segment_create(&s, dir_fd, 1, &err), 0);
	cr_assert_eq(segment_append(s, &e, bytes_of(1), &err), 0);
	cr_expect_str_eq(segment_name(s), "0000000000000001");
	cr_expect_eq(segment_file_parse(segment_name(s), &file),
		     SEGMENT_STALE);
	cr_expect_eq(file.sequence, 1);
	segment_put(s);
}

Test(segment, one_that_was_removed_is_sealed_for_nobody)
{
	struct segment_entry e = { { 1, 2 }, 3, 100, 0 };
	struct segment *s;
	struct stat st;

	cr_assert_eq(segment_create(&s, dir_fd, 1, &err), 0);
	cr_assert_eq(segment_append(s, &e, bytes_of(1), &err), 0);
	segment_unlink(s, dir_fd);
	seal(s);
	cr_expect_eq(fstatat(dir_fd, name, &st, 0), -1);
	cr_expect_eq(fstatat(dir_fd, "0000000000000001.0000008c.00000001",
			     &st, 0), -1);
}

static void rename_to(const char *other)
{
	cr_assert_eq(renameat(dir_fd, name, dir_fd, other), 0);
	(void)snprintf(name, sizeof(name), "%s", other);
}

Test(segment, another_name_is_another_segment)
{
	char right[SEGMENT_NAME];
	struct segment_file file;
	struct segment *s;
	struct seen seen;

	make(5);
	cr_assert_eq(segment_file_parse(name, &file), SEGMENT_SEALED);
	memcpy(right, name, sizeof(right));
	file.sequence++;
	for (int i = 0; i < 3; i++) {
		char wrong[SEGMENT_NAME];

		segment_file_name(wrong, &file);
		rename_to(wrong);
		cr_expect_eq(open_it(&s, &seen), -EBADMSG, "%s", wrong);
		cr_expect_eq(seen.n, 0);
		file.sequence = 5;
		if (i == 0)	/* a line less before the summary ... */
			file.n_entries--, file.end += SEGMENT_ENTRY;
		else		/* ... and one more than the file has */
			file.n_entries += 2, file.end -= SEGMENT_ENTRY;
	}
	rename_to(right);
	cr_assert_eq(open_it(&s, &seen), 0);
	segment_put(s);
}

Test(segment, every_flipped_bit_is_noticed_where_it_is)
{
	cleanup_buf struct buf whole = BUF_INIT;
	char path[128];
	struct segment *s;
	struct seen seen;
	int fd, n_bad_opens = 0, n_bad_reads = 0;

	make(5);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(io_read_file(path, SEGMENT_SIZE_MAX, &whole, &err), 0);
	fd = open(path, O_RDWR);
	for (size_t at = 0; at < whole.len; at += 997) {
		uint8_t wrong = (uint8_t)whole.data[at] ^ 0x10;

		cr_assert_eq(pwrite(fd, &wrong, 1, (off_t)at), 1);
		if (open_it(&s, &seen) < 0) {
			n_bad_opens++;
		} else {
			for (uint32_t i = 0; i < seen.n; i++) {
				if (segment_read(s, &seen.entries[i], got) < 0)
					n_bad_reads++;
				else
					cr_assert_arr_eq(got, bytes_of(seen.entries[i].part),
							 seen.entries[i].len);
			}
			segment_put(s);
		}
		cr_assert_eq(pwrite(fd, &whole.data[at], 1, (off_t)at), 1);
	}
	close(fd);
	/* One record each; and the summary takes its share. */
	cr_expect_gt(n_bad_reads, 1000);
	cr_expect_geq(n_bad_opens, 1);
}

Test(segment, every_length_is_whole_or_none)
{
	char path[128];
	struct segment *s;
	struct seen seen;
	struct stat st;

	make(5);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(stat(path, &st), 0);
	for (off_t len = st.st_size - 1; len > 0; len -= len > 2000 ? 1999 : 1) {
		cr_assert_eq(truncate(path, len), 0);
		cr_assert_eq(open_it(&s, &seen), -EBADMSG, "%lld",
			     (long long)len);
	}
}

Test(segment, a_file_that_shrinks_is_a_short_read)
{
	char path[128];
	struct segment *s;
	struct seen seen;

	make(5);
	cr_assert_eq(open_it(&s, &seen), 0);
	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	cr_assert_eq(truncate(path, 1000), 0);
	cr_expect_eq(segment_read(s, &seen.entries[0], got), -EBADMSG);
	segment_put(s);
}

Test(segment, pieces_that_changed_places_are_none_of_the_records)
{
	struct segment_entry a = { { 1, 1 }, 0, 500, 0 };
	struct segment_entry b = { { 1, 2 }, 0, 500, 0 };
	struct segment *s;
	uint64_t at;

	cr_assert_eq(segment_create(&s, dir_fd, 1, &err), 0);
	cr_assert_eq(segment_append(s, &a, bytes_of(1), &err), 0);
	cr_assert_eq(segment_append(s, &b, bytes_of(2), &err), 0);
	at = a.value;
	a.value = b.value;
	b.value = at;
	cr_expect_eq(segment_read(s, &a, got), -EBADMSG);
	cr_expect_eq(segment_read(s, &b, got), -EBADMSG);
	segment_put(s);
}

static enum segment_kind kind_of(const char *text)
{
	struct segment_file file;

	return segment_file_parse(text, &file);
}

Test(segment, only_segments_have_such_names)
{
	struct segment_file file;

	cr_expect_eq(segment_file_parse("00000000000000ff.00001000.0000000a",
					&file), SEGMENT_SEALED);
	cr_expect(file.sequence == 255 && file.end == 4096 &&
		  file.n_entries == 10);
	cr_expect_eq(kind_of("00000000000000FF"), SEGMENT_NONE);
	cr_expect_eq(kind_of("0ff"), SEGMENT_NONE);
	cr_expect_eq(kind_of("-000000000000001"), SEGMENT_NONE);
	cr_expect_eq(kind_of(""), SEGMENT_NONE);
}

Test(segment, of_another_format_is_none_to_be_read)
{
	static const char *const names[] = {
		"00000000000000ff",	/* as it was in the first format */
		"00000000000000ff0",
		"00000000000000ff.v3",
		"00000000000000ff.00001000",
		"00000000000000ff.00001000.0000000A",
		"00000000000000ff.00001000.0000000a1",
		"00000000000000ff.00001000.0000000a.1",
		"00000000000000ff.0000001f.00000000",	/* in the header */
		"00000000000000ff.04000001.00000000",	/* beyond the size */
		"00000000000000ff.00000020.ffffffff",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_eq(kind_of(names[i]), SEGMENT_STALE, "%s", names[i]);
}

/* ---- records that go past the page cache ---- */

#define LARGE (SEGMENT_DIRECT_MIN + SEGMENT_PAGE)

static _Alignas(SEGMENT_PAGE) uint8_t page_data[LARGE], page_got[LARGE];

static void fill_pages(uint8_t with)
{
	for (size_t i = 0; i < LARGE; i++)
		page_data[i] = (uint8_t)(i * 31 >> 3) ^ with;
}

static int truncateat(const char *file, uint64_t size)
{
	int fd = openat(dir_fd, file, O_WRONLY);
	int r = ftruncate(fd, (off_t)size);

	close(fd);
	return r;
}

/* Small ones before and after, which share no page with it. */
static void make_mixed(struct segment_entry e[5])
{
	static const bool is_large[5] = { false, true, true, false, true };
	struct segment *s;

	cr_assert_eq(segment_create(&s, dir_fd, 9, &err), 0, "%s", err.text);
	for (uint32_t i = 0; i < 5; i++) {
		uint64_t before = segment_bytes(s);

		fill_pages((uint8_t)i);
		e[i] = (struct segment_entry){ { i, 1 }, i,
					       is_large[i] ? LARGE : 777, 0 };
		cr_assert_eq(segment_append(s, &e[i], page_data, &err), 0,
			     "%s", err.text);
		cr_assert_leq(segment_bytes(s) - before,
			      segment_cost(e[i].len));
	}
	seal(s);
}

static int read_one(const struct segment_entry *e, void *dst)
{
	struct segment *s;
	struct seen seen;
	int r;

	cr_assert_eq(open_it(&s, &seen), 0, "%s", err.text);
	r = segment_read(s, e, dst);
	segment_put(s);
	return r;
}

Test(segment, large_records_lie_at_pages)
{
	struct segment_entry e[5];

	make_mixed(e);
	for (uint32_t i = 0; i < 5; i++) {
		fill_pages((uint8_t)i);
		cr_assert_eq(read_one(&e[i], page_got), 0);
		cr_assert_arr_eq(page_got, page_data, e[i].len);
		if (e[i].len == LARGE)
			cr_expect_eq((e[i].value + SEGMENT_RECORD_HEAD) %
				     SEGMENT_PAGE, 0);
	}
}

Test(segment, large_records_are_read_to_anywhere)
{
	struct segment_entry e[5];

	make_mixed(e);
	fill_pages(2);
	cr_assert_eq(read_one(&e[2], got + 1), 0);
	cr_assert_arr_eq(got + 1, page_data, LARGE);
}

Test(segment, damage_of_a_large_record_is_seen)
{
	struct segment_entry e[5];
	uint8_t byte;
	int fd;

	make_mixed(e);
	fd = openat(dir_fd, name, O_RDWR);
	for (uint64_t at = 0; at < SEGMENT_RECORD_HEAD + LARGE; at += 8191) {
		cr_assert_eq(pread(fd, &byte, 1, (off_t)(e[1].value + at)), 1);
		byte ^= 1;
		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(e[1].value + at)), 1);
		cr_assert_eq(read_one(&e[1], page_got), -EBADMSG);
		byte ^= 1;
		cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(e[1].value + at)), 1);
	}
	cr_assert_eq(read_one(&e[1], page_got), 0);
	close(fd);
}

Test(segment, a_large_record_that_was_cut_is_none)
{
	struct segment_entry e[5];
	struct segment *s;
	struct seen seen;

	make_mixed(e);
	cr_assert_eq(open_it(&s, &seen), 0, "%s", err.text);
	cr_assert_eq(truncateat(name, e[4].value + 50000), 0);
	cr_assert_eq(segment_read(s, &e[4], page_got), -EBADMSG);
	cr_assert_eq(segment_read(s, &e[2], page_got), 0);
	cr_assert_eq(truncateat(name, e[2].value + 10), 0);
	cr_assert_eq(segment_read(s, &e[2], page_got), -EBADMSG);
	cr_assert_eq(truncateat(name, 0), 0);
	cr_assert_eq(segment_read(s, &e[1], page_got), -EBADMSG);
	segment_put(s);
}

Test(segment, what_the_kernel_has_is_read_without_waiting)
{
	struct segment_entry e = { { 1, 2 }, 3, 5000, 0 };
	struct segment *s;
	int r;

	cr_assert_eq(segment_create(&s, dir_fd, 9, &err), 0, "%s", err.text);
	cr_assert_eq(segment_append(s, &e, bytes_of(4), &err), 0);
	r = segment_read_now(s, &e, got);
	(void)snprintf(name, sizeof(name), "%s", segment_name(s));
	if (r == -EAGAIN)	/* a file system without RWF_NOWAIT */
		cr_assert_eq(segment_read(s, &e, got), 0);
	else
		cr_assert_eq(r, 0);
	cr_assert_arr_eq(got, data, e.len);

	cr_assert_eq(truncateat(name, e.value + 4000), 0);
	cr_assert_eq(segment_read_now(s, &e, got), -EAGAIN);
	cr_assert_eq(segment_read(s, &e, got), -EBADMSG);
	e.part++;
	r = segment_read_now(s, &e, got);
	cr_assert(r == -EAGAIN || r == -EBADMSG, "another's: %d", r);
	segment_put(s);
}
