/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/catalog_store/catalog_record.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

#define ID "Yb3kq0HnSHuGuLxg2ZfPzA"

/* The examples of datasetfs-format(5), without the white space added there. */
static const char *const heads[] = {
	"{\"format\":1,\"id\":\"" ID "\",\"name\":\"imagenet\","
	"\"type\":\"dataset\",\"origin\":\"osmo\",\"created_by\":\"ada@example.com\","
	"\"created_date\":\"2026-05-01T12:00:00Z\","
	"\"hash_location\":\"s3://prod/data/" ID "/hashes\","
	"\"stored_size\":140737488,\"labels\":{\"team\":\"vision\"},"
	"\"tags\":{\"2\":2,\"baseline\":1,\"latest\":2},"
	"\"versions\":{\"1\":{\"last_used\":\"2026-05-20T08:30:00Z\"},"
	"\"3\":{\"status\":\"PENDING_DELETE\"}}}\n",

	"{\"format\":1,\"id\":\"" ID "\",\"name\":\"robots\","
	"\"type\":\"collection\",\"origin\":\"osmo\","
	"\"members\":[{\"id\":\"Yb3kq0HnSHuGuLxg2ZfPzB\",\"version\":2}]}\n",

	"{\"format\":1,\"id\":\"" ID "\",\"name\":\"a\",\"type\":\"dataset\","
	"\"origin\":\"native\",\"adopted\":true,\"renaming\":\"b\","
	"\"versions\":{\"7\":{\"status\":\"DELETED\",\"metadata\":{}}},"
	"\"deleted\":[1,5],\"tagged\":7}\n",
};

Test(catalog_write, a_head_is_written_as_it_was_read)
{
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		cleanup_catalog_head struct catalog_head h = { .n_live = 0 };
		cleanup_buf struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		cr_assert_eq(catalog_parse_head(&h, ID, heads[i],
						strlen(heads[i]), &err), 0,
			     "%s", err.text);
		cr_assert_eq(catalog_write_head(&out, &h, "", 0, &err), 0);
		cr_expect_str_eq(out.data, heads[i]);
	}
}

Test(catalog_write, members_that_are_not_ours_survive)
{
	static const char old[] =
		"{ \"format\": 1, \"future\": {\"x\": [1, 2.50]}, \"id\":\"" ID "\","
		"\"name\":\"a\",\"type\":\"dataset\",\"zz\":\"\\u0041\","
		"\"versions\":{\"9\":{\"new\":9},\"2\":{\"last_used\":"
		"\"2026-05-20T08:30:00Z\",\"keep\":true}}}";
	static const char want[] =
		"{\"format\":1,\"id\":\"" ID "\",\"name\":\"b\","
		"\"type\":\"dataset\",\"origin\":\"native\","
		"\"versions\":{\"2\":{\"last_used\":\"2026-05-20T08:30:00Z\","
		"\"keep\":true},\"9\":{\"new\":9}},"
		"\"future\":{\"x\":[1,2.50]},\"zz\":\"A\"}\n";
	cleanup_catalog_head struct catalog_head h = { .n_live = 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_parse_head(&h, ID, old, strlen(old), &err), 0,
		     "%s", err.text);
	free(h.ds.name);
	h.ds.name = strdup("b");
	cr_assert_eq(catalog_write_head(&out, &h, old, strlen(old), &err), 0);
	cr_expect_str_eq(out.data, want);
}

Test(catalog_write, a_version_is_written_as_it_was_read)
{
	static const char *const texts[] = {
		"{\"format\":1,\"dataset\":\"" ID "\",\"version\":2,"
		"\"kind\":\"osmo\",\"manifest\":\"s3://b/m.json\","
		"\"hash_location\":\"s3://b/h\",\"checksum\":\"abc\",\"size\":5,"
		"\"created_by\":\"a\\tb\",\"created_date\":\"2026-05-03T12:00:00Z\","
		"\"metadata\":{\"description\":\"\"}}\n",
		"{\"format\":1,\"dataset\":\"" ID "\",\"version\":2,"
		"\"kind\":\"legacy\",\"location\":\"s3://b/p\",\"size\":0,"
		"\"tags\":[\"b\",\"7\"]}\n",
		"{\"format\":1,\"dataset\":\"" ID "\",\"version\":2,"
		"\"kind\":\"empty\",\"manifest\":\"s3://b/m.json\",\"size\":0}\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_version struct version v = { .number = 0 };
		cleanup_buf struct buf out = BUF_INIT;
		struct err err = ERR_INIT;

		cr_assert_eq(catalog_parse_version(&v, ID, 2, texts[i],
						   strlen(texts[i]), &err), 0,
			     "%s", err.text);
		cr_assert_eq(catalog_write_version(&out, ID, &v, &err), 0);
		cr_expect_str_eq(out.data, texts[i]);
	}
}

Test(catalog_write, small_records)
{
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_write_name(&out, ID, &err), 0);
	cr_expect_str_eq(out.data, "{\"format\":1,\"id\":\"" ID "\"}\n");
	buf_clear(&out);
	cr_assert_eq(catalog_write_format(&out, ID, &err), 0);
	cr_expect_str_eq(out.data, "{\"format\":1,\"id\":\"" ID "\"}\n");
}

Test(catalog_write, what_a_reader_would_refuse_for_its_size_is_not_written)
{
	struct version v = { .number = 2, .kind = VERSION_EMPTY };
	cleanup_buf struct buf metadata = BUF_INIT, out = BUF_INIT;
	struct err err = ERR_INIT;

	buf_str(&metadata, "{\"a\":\"");
	while (metadata.len < CATALOG_VERSION_MAX)
		buf_char(&metadata, 'x');
	buf_str(&metadata, "\"}");
	v.metadata = metadata.data;
	cr_expect_eq(catalog_write_version(&out, ID, &v, &err), -EFBIG);
	cr_expect_eq(err.class, ERR_USAGE);
}
