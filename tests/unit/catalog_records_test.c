/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <string.h>
#include <criterion/criterion.h>
#include "fs/dataset/catalog_store/catalog_store_impl.h"

Test(catalog_records, a_key_tells_what_a_record_is)
{
	struct record_key key = record_key_parse("names/imagenet.json");

	cr_expect_eq(key.kind, RECORD_NAME);
	cr_expect_str_eq(key.name, "imagenet");
	key = record_key_parse("datasets/-id_1/head.json");
	cr_expect_eq(key.kind, RECORD_HEAD);
	cr_expect_str_eq(key.id, "-id_1");
	key = record_key_parse("datasets/id/versions/0000000012.json");
	cr_expect_eq(key.kind, RECORD_VERSION);
	cr_expect_str_eq(key.id, "id");
	cr_expect_eq(key.number, 12);
	key = record_key_parse("datasets/id/versions/4294967295.json");
	cr_expect_eq(key.number, 4294967295u);
}

Test(catalog_records, any_other_key_is_ignored)
{
	static const char *const others[] = {
		"", "names/", "names/.json", "names/a", "names/a.json.tmp",
		"names/a/b.json", "names/a b.json", "names/../x.json",
		"datasets/", "datasets/id", "datasets/id/", "datasets//head.json",
		"datasets/id/head.json.bak", "datasets/id/x/head.json",
		"datasets/id/versions/1.json",
		"datasets/id/versions/0000000000.json",
		"datasets/id/versions/4294967296.json",
		"datasets/id/versions/00000000012.json",
		"datasets/id/versions/0000000012.json/x",
		"datasets/id/versions/000000001a.json", "other/a.json",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		cr_expect_eq(record_key_parse(others[i]).kind, RECORD_OTHER,
			     "%s", others[i]);
}

Test(catalog_records, the_table_is_sorted_and_has_each_key_once)
{
	static const char *const keys[] = { "b", "a", "c", "b", "aa" };
	struct records records = { .n = 0 };
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		cr_assert_not_null(records_append(&records, keys[i], strlen(keys[i]),
						  &err));
	records_sort(&records);
	cr_assert_eq(records.n, 4);
	for (size_t i = 1; i < records.n; i++)
		cr_expect_lt(strcmp(records.at[i - 1].key, records.at[i].key), 0);
	cr_expect_eq(records_find(&records, "b"), &records.at[2]);
	cr_expect_null(records_find(&records, "bb"));
	cr_expect_eq(records_lower(&records, "ab"), 2);
	cr_expect_eq(records_lower(&records, "zzz"), 4);
	records_release(&records);
	cr_expect_null(records_find(&records, "b"));
}
