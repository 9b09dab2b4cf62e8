/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/dataset/catalog_store/catalog_record.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

#define ID "Yb3kq0HnSHuGuLxg2ZfPzA"
#define HEAD "{\"format\":1,\"id\":\"" ID "\",\"name\":\"imagenet\",\"type\":\"dataset\""
#define V_BEGIN "{\"format\":1,\"dataset\":\"" ID "\",\"version\":2"

static int head(const char *text, struct catalog_head *out, struct err *err)
{
	err_clear(err);
	return catalog_parse_head(out, ID, text, strlen(text), err);
}

static void head_is_refused(const char *text, const char *says)
{
	struct catalog_head out;
	struct err err = ERR_INIT;

	cr_expect_eq(head(text, &out, &err), -EBADMSG, "%s", text);
	cr_expect_not_null(strstr(err.text, says), "%s: %s", text, err.text);
}

static void version_is_refused(const char *text, int code)
{
	struct version out;
	struct err err = ERR_INIT;

	cr_expect_eq(catalog_parse_version(&out, ID, 2, text, strlen(text),
					   &err), code, "%s: %s", text,
		     err.text);
}

Test(catalog_record, a_head_gives_all_its_members)
{
	cleanup_catalog_head struct catalog_head h = { .n_live = 0 };
	struct err err = ERR_INIT;
	int r = head(HEAD ",\"origin\":\"osmo\",\"adopted\":true,"
		     "\"renaming\":\"newer\",\"created_by\":\"ada\","
		     "\"created_date\":\"2026-05-01T12:00:00Z\","
		     "\"hash_location\":\"s3://b/h\",\"stored_size\":77,"
		     "\"labels\":{ \"a\" : 1.50 },"
		     "\"tags\":{\"latest\":2,\"2\":1},"
		     "\"versions\":{\"3\":{\"status\":\"PENDING_DELETE\"},"
		     "\"1\":{\"last_used\":\"2026-05-20T08:30:00Z\","
		     "\"metadata\":{\"x\": 1}}},"
		     "\"deleted\":[4,9]}", &h, &err);

	cr_assert_eq(r, 0, "%s", err.text);
	cr_expect_str_eq(h.ds.name, "imagenet");
	cr_expect(h.is_imported && h.is_adopted);
	cr_expect_str_eq(h.renaming, "newer");
	cr_expect_str_eq(h.ds.created_by, "ada");
	cr_expect_eq(h.ds.created_s, 1777636800);
	cr_expect_str_eq(h.ds.hash_location, "s3://b/h");
	cr_expect_eq(h.ds.stored_size, 77);
	cr_expect_str_eq(h.ds.labels, "{\"a\":1.50}");
	cr_assert_eq(h.ds.n_tags, 2);
	cr_expect_str_eq(h.ds.tags[0].name, "2");
	cr_expect_eq(h.ds.tags[0].version, 1);
	cr_assert_eq(h.n_live, 2);
	cr_expect_eq(h.live[0].number, 1);
	cr_expect_str_eq(h.live[0].metadata, "{\"x\":1}");
	cr_expect_eq(h.live[1].status, VERSION_PENDING_DELETE);
	cr_expect_null(h.live[1].metadata);
	cr_expect(catalog_head_is_deleted(&h, 9));
	cr_expect_not(catalog_head_is_deleted(&h, 5));
	cr_expect_not_null(catalog_head_live(&h, 3));
	cr_expect_null(catalog_head_live(&h, 2));
}

Test(catalog_record, what_is_optional_has_its_default)
{
	cleanup_catalog_head struct catalog_head h = { .n_live = 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(head(HEAD ",\"future\":{\"a\":[1]}}", &h, &err), 0, "%s",
		     err.text);
	cr_expect_not(h.is_imported || h.is_adopted || h.ds.is_collection);
	cr_expect_str_eq(h.ds.created_by, "");
	cr_expect_str_eq(h.ds.labels, "{}");
	cr_expect_null(h.renaming);
}

Test(catalog_record, a_head_that_breaks_the_format_is_refused)
{
	head_is_refused("", "");
	head_is_refused("[]", "object");
	head_is_refused(HEAD, "");
	head_is_refused("{\"id\":\"" ID "\"}", "format");
	head_is_refused("{\"format\":0,\"id\":\"" ID "\"}", "format");
	head_is_refused("{\"format\":\"1\",\"id\":\"" ID "\"}", "format");
	head_is_refused("{\"format\":1,\"id\":\"other\",\"name\":\"a\",\"type\":\"dataset\"}", "id");
	head_is_refused("{\"format\":1,\"id\":\"" ID "\",\"name\":\"a b\",\"type\":\"dataset\"}", "name");
	head_is_refused("{\"format\":1,\"id\":\"" ID "\",\"name\":\"a\"}", "type");
	head_is_refused("{\"format\":1,\"id\":\"" ID "\",\"name\":\"a\",\"type\":\"set\"}", "type");
	head_is_refused(HEAD ",\"name\":\"b\"}", "");
	head_is_refused(HEAD ",\"n\\u0061m\":\"b\"}", "escape");
	head_is_refused(HEAD ",\"adopted\":1}", "adopted");
	head_is_refused(HEAD ",\"created_date\":\"yesterday\"}", "created_date");
	head_is_refused(HEAD ",\"stored_size\":-1}", "stored_size");
	head_is_refused(HEAD ",\"stored_size\":1.0}", "stored_size");
	head_is_refused(HEAD ",\"labels\":[]}", "labels");
	head_is_refused(HEAD ",\"tags\":{\"a b\":1}}", "tags");
	head_is_refused(HEAD ",\"tags\":{\"a\":0}}", "tags");
	head_is_refused(HEAD ",\"tags\":{\"a\":4294967296}}", "tags");
	head_is_refused(HEAD ",\"versions\":{\"01\":{}}}", "versions");
	head_is_refused(HEAD ",\"versions\":{\"1\":1}}", "versions");
	head_is_refused(HEAD ",\"versions\":{\"1\":{\"status\":\"PENDING\"}}}", "status");
	head_is_refused(HEAD ",\"versions\":{\"1\":{\"metadata\":null}}}", "metadata");
	head_is_refused(HEAD ",\"deleted\":[2,2]}", "deleted");
	head_is_refused(HEAD ",\"deleted\":[3,2]}", "deleted");
	head_is_refused(HEAD ",\"members\":[]}", "members");
	head_is_refused(HEAD ",\"tagged\":0}", "tagged");
}

Test(catalog_record, a_collection_has_each_member_once)
{
	static const char begin[] = "{\"format\":1,\"id\":\"" ID "\","
		"\"name\":\"robots\",\"type\":\"collection\"";
	cleanup_catalog_head struct catalog_head h = { .n_live = 0 };
	struct err err = ERR_INIT;
	char text[512];

	(void)snprintf(text, sizeof(text), "%s,\"members\":[{\"id\":\"b\","
		       "\"version\":2},{\"id\":\"a\",\"version\":1}]}", begin);
	cr_assert_eq(head(text, &h, &err), 0, "%s", err.text);
	cr_assert_eq(h.ds.n_members, 2);
	cr_expect_str_eq(h.ds.members[0].dataset_id, "a");
	(void)snprintf(text, sizeof(text), "%s,\"members\":[{\"id\":\"b\","
		       "\"version\":2},{\"id\":\"b\",\"version\":1}]}", begin);
	head_is_refused(text, "members");
	(void)snprintf(text, sizeof(text), "%s}", begin);
	head_is_refused(text, "members");
	(void)snprintf(text, sizeof(text), "%s,\"members\":[1]}", begin);
	head_is_refused(text, "id");
}

Test(catalog_record, a_version_of_each_kind)
{
	static const char osmo[] = V_BEGIN ",\"kind\":\"osmo\",\"manifest\":"
		"\"s3://b/m.json\",\"size\":5,\"checksum\":\"abc\","
		"\"metadata\":{\"k\": [1]}}";
	static const char empty[] = V_BEGIN ",\"kind\":\"empty\",\"size\":0}";
	static const char legacy[] = V_BEGIN ",\"kind\":\"legacy\","
		"\"location\":\"s3://b/p\",\"size\":1}";
	struct version v;
	struct err err = ERR_INIT;
	uint8_t digest[SHA256_SIZE];

	cr_assert_eq(catalog_parse_version(&v, ID, 2, osmo, strlen(osmo), &err),
		     0, "%s", err.text);
	digest_sha256(digest, osmo, strlen(osmo));
	cr_expect_eq(v.kind, VERSION_OSMO);
	cr_expect_str_eq(v.manifest_uri, "s3://b/m.json");
	cr_expect_str_eq(v.metadata, "{\"k\":[1]}");
	cr_expect_eq(memcmp(v.digest, digest, sizeof(digest)), 0);
	version_release(&v);
	cr_assert_eq(catalog_parse_version(&v, ID, 2, empty, strlen(empty),
					   &err), 0, "%s", err.text);
	cr_expect_str_eq(v.checksum, "");
	version_release(&v);
	cr_assert_eq(catalog_parse_version(&v, ID, 2, legacy, strlen(legacy),
					   &err), 0, "%s", err.text);
	cr_expect_str_eq(v.location, "s3://b/p");
	version_release(&v);
}

Test(catalog_record, a_version_that_breaks_the_format_is_refused)
{
	version_is_refused(V_BEGIN ",\"kind\":\"osmo\",\"size\":1}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"osmo\",\"manifest\":\"x\"}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"osmo\",\"manifest\":\"x\",\"location\":\"y\",\"size\":1}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"osmo\",\"manifest\":\"\",\"size\":1}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"legacy\",\"location\":\"\",\"size\":1}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"legacy\",\"size\":1}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"legacy\",\"location\":\"y\",\"manifest\":\"x\",\"size\":1}", -EBADMSG);
	version_is_refused("{\"format\":1,\"dataset\":\"" ID "\",\"version\":3,\"kind\":\"empty\",\"size\":0}", -EBADMSG);
	version_is_refused("{\"format\":1,\"dataset\":\"x\",\"version\":2,\"kind\":\"empty\",\"size\":0}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"empty\",\"size\":0,\"tags\":{}}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"empty\",\"size\":0,\"tags\":[\"a b\"]}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"empty\",\"size\":0,\"tags\":[\"latest\"]}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":\"empty\",\"size\":0,\"tags\":[1]}", -EBADMSG);
	version_is_refused(V_BEGIN ",\"kind\":7,\"size\":0}", -EBADMSG);
}

Test(catalog_record, what_a_newer_datasetfs_wrote_is_told_apart)
{
	struct err err = ERR_INIT;
	char id[DATASET_ID_MAX];
	static const char newer[] = "{\"format\":2,\"id\":\"x\"}";

	version_is_refused(V_BEGIN ",\"kind\":\"native\",\"size\":0}", -ENOTSUP);
	cr_expect_eq(catalog_parse_format(id, newer, strlen(newer), &err),
		     -ENOTSUP);
	cr_expect_eq(err.class, ERR_USAGE);
}

Test(catalog_record, each_kind_has_its_limit_of_bytes)
{
	cleanup_buf struct buf text = BUF_INIT;
	char id[DATASET_ID_MAX];
	struct err err = ERR_INIT;

	buf_str(&text, "{\"format\":1,\"id\":\"x\",\"pad\":\"");
	while (text.len < CATALOG_SMALL_MAX - 2)
		buf_char(&text, 'a');
	buf_str(&text, "\"}");
	cr_expect_eq(catalog_parse_name(id, text.data, text.len, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(id, "x");
	buf_char(&text, ' ');
	cr_expect_eq(catalog_parse_name(id, text.data, text.len, &err),
		     -EBADMSG);
}

Test(catalog_record, an_id_has_the_characters_of_a_name)
{
	char id[DATASET_ID_MAX + 1];

	memset(id, 'x', sizeof(id));
	cr_expect(catalog_is_id(id, DATASET_ID_MAX - 1));
	cr_expect_not(catalog_is_id(id, DATASET_ID_MAX));
	cr_expect(catalog_is_id("-a", 2));
	cr_expect_not(catalog_is_id("", 0));
	cr_expect_not(catalog_is_id("../x", 4));
}
