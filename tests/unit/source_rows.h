/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for an import_source, one call each. */
#ifndef DATASETFS_TESTS_SOURCE_ROWS_H
#define DATASETFS_TESTS_SOURCE_ROWS_H

#include <criterion/criterion.h>
#include "tests/unit/source_text.h"

static struct import_source *src;
static struct err err;

static inline void setup(void)
{
	err_clear(&err);
	src = import_source_new();
}

static inline void teardown(void)
{
	import_source_free(src);
}

static inline void dataset(const char *id, const char *name)
{
	const struct import_dataset_row row = {
		.id = id, .name = name, .bucket = "prod",
	};

	cr_assert_eq(import_source_add_dataset(src, &row, "t:1", &err), 0);
}

static inline void version_of(const char *id, const char *number, const char *checksum,
		       const char *last_used)
{
	const struct import_version_row row = {
		.dataset_id = id, .version_id = number, .status = "READY",
		.location = "s3://b/m.json", .size = "1", .checksum = checksum,
		.last_used = last_used,
	};

	cr_assert_eq(import_source_add_version(src, &row, "t:2", &err), 0);
}

static inline void tag(const char *id, const char *number, const char *name)
{
	const struct import_tag_row row = {
		.dataset_id = id, .version_id = number, .tag = name,
	};

	cr_assert_eq(import_source_add_tag(src, &row, "t:3", &err), 0);
}

static inline void member(const char *collection, const char *id, const char *name,
		   const char *number)
{
	const struct import_member_row row = {
		.collection_id = collection, .dataset_id = id,
		.dataset_name = name, .version_id = number,
	};

	cr_assert_eq(import_source_add_member(src, &row, "t:4", &err), 0);
}

static inline const struct import_dataset *settled(const char *id)
{
	cr_assert_eq(import_source_settle(src, &err), 0, "%s", err.text);
	return import_source_find(src, id);
}

#endif
