/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog's records.  The first byte says which kind.
 * fuzz-covers: fs/dataset/catalog_record.c fs/dataset/json_text.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "fs/dataset/catalog_record.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char id[DATASET_ID_MAX];
	struct err err = ERR_INIT;

	if (!size)
		return 0;
	switch (data[0] & 3) {
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
	default:
		check_version(data + 1, size - 1);
		break;
	}
	return 0;
}
