/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog's records, and its local copy.  The first byte says which kind.
 * fuzz-covers: fs/dataset/catalog_store/catalog_record.c fs/dataset/catalog_store/catalog_write.c
 * fuzz-covers: fs/dataset/catalog_store/json_text.c fs/dataset/catalog_store/catalog_local.c
 * fuzz-covers: fs/dataset/catalog_store/catalog_records.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "backends/base/digest.h"
#include "fs/dataset/catalog_store/catalog_store_impl.h"
#include "fs/dataset/catalog_store/json_text.h"
#include <jansson.h>

#define ID "QqVPkgoARi-qN_cBg1KIUA"
#define NUMBER 7u

static void check_id(const char *id)
{
	FUZZ_CHECK(catalog_is_id(id, strlen(id)));
}

/* What was parsed can be written, and parses to the same bytes again. */
static void check_version(const void *data, size_t size)
{
	cleanup_buf struct buf first = BUF_INIT, second = BUF_INIT;
	struct version v, again;
	struct err err = ERR_INIT;

	if (catalog_parse_version(&v, ID, NUMBER, data, size, &err) < 0) {
		FUZZ_CHECK(err.text[0]);
		return;
	}
	FUZZ_CHECK(v.number == NUMBER && v.checksum && v.metadata);
	FUZZ_CHECK(v.kind != VERSION_OSMO || v.manifest_uri);
	FUZZ_CHECK(v.kind != VERSION_LEGACY || v.location);
	FUZZ_CHECK(catalog_write_version(&first, ID, &v, &err) == 0);
	FUZZ_CHECK(catalog_parse_version(&again, ID, NUMBER, first.data,
					 first.len, &err) == 0);
	FUZZ_CHECK(catalog_write_version(&second, ID, &again, &err) == 0);
	FUZZ_CHECK(strcmp(first.data, second.data) == 0);
	version_release(&v);
	version_release(&again);
}

static void check_head(const void *data, size_t size)
{
	cleanup_buf struct buf first = BUF_INIT, second = BUF_INIT;
	struct catalog_head head, again;
	struct err err = ERR_INIT;

	if (catalog_parse_head(&head, ID, data, size, &err) < 0) {
		FUZZ_CHECK(err.text[0]);
		return;
	}
	for (size_t i = 1; i < head.n_deleted; i++)
		FUZZ_CHECK(head.deleted[i - 1] < head.deleted[i]);
	for (size_t i = 1; i < head.n_live; i++)
		FUZZ_CHECK(head.live[i - 1].number < head.live[i].number);
	for (size_t i = 0; i < head.ds.n_tags; i++)
		FUZZ_CHECK(head.ds.tags[i].name[0]);
	if (catalog_write_head(&first, &head, data, size, &err) == 0) {
		FUZZ_CHECK(catalog_parse_head(&again, ID, first.data,
					      first.len, &err) == 0);
		FUZZ_CHECK(catalog_write_head(&second, &again, first.data,
					      first.len, &err) == 0);
		FUZZ_CHECK(strcmp(first.data, second.data) == 0);
		catalog_head_release(&again);
	}
	catalog_head_release(&head);
}

#define PLACE "file:///x"

/* A copy whose frame is right, so that what is in it decides. */
static void check_local(const uint8_t *data, size_t size)
{
	static const char place[] = "\x09\0" PLACE;
	cleanup_buf struct buf bytes = BUF_INIT;
	struct records records = { .n = 0 };
	char id[DATASET_ID_MAX];
	uint8_t head[32] = "DSFSCATA";
	struct err err = ERR_INIT;

	if (size == 0)
		return;
	buf_bytes(&bytes, head, sizeof(head));
	buf_bytes(&bytes, place, sizeof(place) - 1);
	buf_bytes(&bytes, data + 1, size - 1);
	FUZZ_CHECK(!buf_failed(&bytes));
	put_le32(bytes.data + 8, 1);
	put_le32(bytes.data + 12, data[0]);
	put_le64(bytes.data + 16, bytes.len - 32);
	put_le64(bytes.data + 24, digest_xxh3(bytes.data + 32, bytes.len - 32));
	if (catalog_local_parse(id, &records, PLACE, bytes.data, bytes.len,
				&err) == 0) {
		FUZZ_CHECK(!id[0] || catalog_is_id(id, strlen(id)));
		FUZZ_CHECK(records.n <= data[0]);
		for (size_t i = 0; i < records.n; i++) {
			const struct record *r = &records.at[i];

			FUZZ_CHECK(record_key_parse(r->key).kind !=
				   RECORD_OTHER);
			FUZZ_CHECK(i == 0 ||
				   strcmp(records.at[i - 1].key, r->key) < 0);
			FUZZ_CHECK(records_find(&records, r->key) == r);
		}
	} else {
		FUZZ_CHECK(err.text[0]);
	}
	records_release(&records);
}

/* Compact text means the same, and is compact. */
static void check_text(const void *data, size_t size)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;
	struct json_text_walk walk;
	struct err err = ERR_INIT;
	json_t *a, *b;
	size_t n = 0;

	if (json_text_parse(&a, data, size, &err) < 0)
		return;
	json_text_compact(&once, data, size);
	FUZZ_CHECK(!buf_failed(&once));
	FUZZ_CHECK(json_text_parse(&b, once.data, once.len, &err) == 0);
	FUZZ_CHECK(json_equal(a, b));
	json_text_compact(&twice, once.data, once.len);
	FUZZ_CHECK(once.len == twice.len &&
		   memcmp(once.data, twice.data, once.len) == 0);
	walk = json_text_walk(data, size);
	while (json_text_next(&walk)) {
		json_t *v = NULL;

		n++;
		/* A lone number or string is no document to jansson. */
		if (*walk.value == '{' || *walk.value == '[') {
			FUZZ_CHECK(json_text_parse(&v, walk.value,
						   walk.value_len, &err) == 0);
			json_decref(v);
		}
	}
	FUZZ_CHECK(n == (json_is_object(a) ? json_object_size(a) : 0));
	json_decref(a);
	json_decref(b);
}

static void check_key(const uint8_t *data, size_t size)
{
	char *key = fuzz_string(data, size);
	struct record_key parsed = record_key_parse(key);

	if (parsed.kind == RECORD_HEAD || parsed.kind == RECORD_VERSION)
		check_id(parsed.id);
	FUZZ_CHECK(parsed.kind != RECORD_VERSION || parsed.number > 0);
	FUZZ_CHECK(parsed.kind != RECORD_NAME || parsed.name[0]);
	free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[DATASET_ID_MAX];
	struct err err = ERR_INIT;

	if (!size)
		return 0;
	switch (data[0] & 7) {
	case 0:
		if (catalog_parse_format(id, data + 1, size - 1, &err) == 0)
			check_id(id);
		break;
	case 1:
		if (catalog_parse_name(id, data + 1, size - 1, &err) == 0)
			check_id(id);
		break;
	case 2:
		check_head(data + 1, size - 1);
		break;
	case 3:
		check_version(data + 1, size - 1);
		break;
	case 4:
		check_local(data + 1, size - 1);
		break;
	case 5:
		check_text(data + 1, size - 1);
		break;
	default:
		check_key(data + 1, size - 1);
		break;
	}
	return 0;
}
