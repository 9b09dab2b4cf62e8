/* SPDX-License-Identifier: Apache-2.0 */
/* tree_emit.c and tree_writer.c: what does not come from a checked path; the
 * rest is in tree_test.c. */
#include <config.h>
#include "fs/dataset/tree/tree_emit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>

static char dir[] = "/tmp/datasetfs-emit-test-XXXXXX";
static int dirfd_;
static struct tree_writer writer;
static struct tree_emit *emit;

static void setup(void)
{
	struct err err = ERR_INIT;

	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	emit = calloc(1, sizeof(*emit));
	cr_assert_not_null(emit);
	cr_assert_eq(tree_writer_init(&writer, dirfd_, &err), 0);
	cr_assert_eq(tree_emit_init(emit, &writer, "b/ds@1", &err), 0);
}

static void teardown(void)
{
	tree_emit_release(emit);
	free(emit);
	tree_writer_release(&writer);
	(void)unlinkat(dirfd_, "x", 0);
	close(dirfd_);
	cr_assert_eq(rmdir(dir), 0);
}

TestSuite(tree_emit, .init = setup, .fini = teardown);

static int record(const char *key, size_t len, uint8_t rank)
{
	static const uint8_t payload[TREE_P_HEAP];
	const struct record rec = {
		.key = (const uint8_t *)key,
		.key_len = (uint16_t)len,
		.payload = payload,
		.payload_len = rank == TREE_RANK_FILE ? sizeof(payload) : 0,
		.rank = rank,
	};
	struct err err = ERR_INIT;

	return tree_emit_record(emit, &rec, &err);
}

#define FILE_(key) record(key, sizeof(key) - 1, TREE_RANK_FILE)
#define DIR_(key) record(key, sizeof(key) - 1, TREE_RANK_DIR)

Test(tree_emit, records_in_order_become_entries)
{
	struct err err = ERR_INIT;

	cr_expect_eq(DIR_("\0a"), 0);
	cr_expect_eq(FILE_("\0b"), 0);
	cr_expect_eq(DIR_("a\0\0c"), 0);
	cr_expect_eq(FILE_("a\0c\0\0d"), 0);
	cr_expect_eq(tree_emit_finish(emit, &err), 0);
	cr_expect_eq(emit->info.n_entries, 5);
	cr_expect_eq(emit->info.n_dirs, 3);
	cr_expect_eq(emit->info.n_files, 2);
}

Test(tree_emit, a_file_without_its_directory_is_refused)
{
	cr_expect_eq(FILE_("\0b"), 0);
	cr_expect_eq(FILE_("a\0\0x"), -EIO);
}

Test(tree_emit, a_directory_below_one_that_is_not_there_is_refused)
{
	cr_expect_eq(DIR_("\0a"), 0);
	cr_expect_eq(FILE_("a\0b\0c\0\0x"), -EIO);
}

Test(tree_emit, records_that_are_none_are_refused)
{
	static const uint8_t payload[TREE_P_HEAP];
	struct record rec = { .key = (const uint8_t *)"\0b", .key_len = 2,
			      .payload = payload,
			      .payload_len = TREE_P_HEAP - 1,
			      .rank = TREE_RANK_FILE };
	struct err err = ERR_INIT;

	cr_expect_eq(tree_emit_record(emit, &rec, &err), -EIO);
	cr_expect_eq(FILE_("no separator"), -EIO);
}

/* Sections grow side by side, by more than an extent each. */
Test(tree_emit, the_writer_keeps_sections_apart)
{
	static uint8_t block[TREE_BLOCK], got[TREE_BLOCK];
	uint8_t header[TREE_HEADER_SIZE] = { 0 };
	const uint32_t n = 2 * TREE_EXTENT_BLOCKS + 3;
	struct err err = ERR_INIT;
	uint64_t at;
	int fd;

	tree_writer_release(&writer);
	cr_assert_eq(tree_writer_init(&writer, dirfd_, &err), 0);
	for (uint32_t i = 0; i < n; i++) {
		memset(block, (int)(i & 0xff), sizeof(block));
		cr_assert_eq(tree_writer_add(&writer, TREE_ENTRIES, block,
					     sizeof(block), &err), 0);
		memset(block, (int)(~i & 0xff), sizeof(block));
		cr_assert_eq(tree_writer_add(&writer, TREE_HEAP, block,
					     i == 7 ? 1 : sizeof(block), &err),
			     0);
	}
	cr_expect_eq(tree_writer_tell(&writer, TREE_ENTRIES),
		     (uint64_t)n * TREE_BLOCK);
	cr_assert_eq(tree_writer_finish(&writer, header, "", 0, "x", &err), 0,
		     "%s", err.text);
	cr_expect_eq(get_le32(header + TREE_H_BLOCKS), n);
	cr_expect_eq(get_le32(header + TREE_H_BLOCKS + 4), 0);
	cr_expect_eq(get_le32(header + TREE_H_BLOCKS + 8), n);

	fd = openat(dirfd_, "x", O_RDONLY);
	at = get_le64(header + TREE_H_TRAILER);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t first[4];

		cr_assert_eq(pread(fd, first, 4, (off_t)(at + i /
				   TREE_EXTENT_BLOCKS * 4)), 4);
		cr_assert_eq(pread(fd, got, TREE_BLOCK,
				   (off_t)(get_le32(first) +
					   i % TREE_EXTENT_BLOCKS) *
				   TREE_BLOCK), TREE_BLOCK);
		cr_assert_eq(got[0], (uint8_t)i);
		cr_assert_eq(got[TREE_BLOCK - 1], (uint8_t)i);
	}
	close(fd);
}
