/* SPDX-License-Identifier: Apache-2.0 */
/* The local copy: what comes back, and what is never believed. */
#include <config.h>

#include <dirent.h>
#include "fs/dataset/catalog_store/catalog_store_impl.h"
#include "tests/unit/catalog_place.h"

static struct place place;

static void setup(void)
{
	place_open(&place);
	place_write_format(&place);
	place_write_name(&place, "imagenet", PLACE_ID);
	place_write_head(&place, PLACE_ID, "imagenet", "");
	place_write_version(&place, PLACE_ID, 1, "s3://b/1.json");
}

static void teardown(void)
{
	place_close(&place);
}

TestSuite(catalog_local, .init = setup, .fini = teardown);

static void copy_path(char *out, size_t size)
{
	char dir[128];
	struct dirent *entry;
	DIR *d;

	(void)snprintf(dir, sizeof(dir), "%s/catalogs", place.cache);
	d = opendir(dir);
	cr_assert_not_null(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			(void)snprintf(out, size, "%s/%.200s", dir,
				       entry->d_name);
	closedir(d);
}

static void copy_read(struct buf *out)
{
	struct err err = ERR_INIT;
	char path[512];

	copy_path(path, sizeof(path));
	cr_assert_eq(io_read_file(path, (size_t)1 << 20, out, &err), 0, "%s",
		     err.text);
}

/* copy_make - has a copy written, by a load, and reads it */
static void copy_make(struct buf *out)
{
	cleanup_catalog struct catalog *c = place_load(place.store);

	cr_assert_not_null(c);
	copy_read(out);
}

static int parse(const struct buf *bytes, const char *location)
{
	struct records records = { .n = 0 };
	char id[DATASET_ID_MAX];
	struct err err = ERR_INIT;
	int r = catalog_local_parse(id, &records, location, bytes->data,
				    bytes->len, &err);

	records_release(&records);
	return r;
}

Test(catalog_local, what_was_seen_last_is_there_when_the_store_is_away)
{
	cleanup_catalog struct catalog *c = place_load(place.store), *local = NULL;
	struct catalog_store *next;
	struct err err = ERR_INIT;

	next = place_store(&place, true);
	cr_assert_eq(catalog_store_load_local(next, &local, &err), 0, "%s",
		     err.text);
	cr_expect_str_eq(local->id, c->id);
	cr_assert_not_null(catalog_dataset(local, "imagenet"));
	cr_expect_eq(catalog_dataset(local, "imagenet")->n_versions, 1);
	catalog_store_free(next);
}

Test(catalog_local, without_a_copy_that_is_said)
{
	struct catalog *local = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_store_load_local(place.store, &local, &err),
		     -ENOENT);
	cr_assert_eq(err.class, ERR_MISSING);
}

Test(catalog_local, every_changed_byte_is_noticed)
{
	cleanup_buf struct buf bytes = BUF_INIT;

	copy_make(&bytes);
	cr_assert_eq(parse(&bytes, backend_name(place.backend)), 0);
	for (size_t i = 0; i < bytes.len; i++) {
		/* The record count is told apart from the content by the end. */
		bytes.data[i] ^= 0x20;
		cr_expect_eq(parse(&bytes, backend_name(place.backend)),
			     -EBADMSG, "byte %zu", i);
		bytes.data[i] ^= 0x20;
	}
}

Test(catalog_local, every_shortened_copy_is_noticed)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	size_t len;

	copy_make(&bytes);
	len = bytes.len;
	for (bytes.len = 0; bytes.len < len; bytes.len++)
		cr_expect_eq(parse(&bytes, backend_name(place.backend)),
			     -EBADMSG, "%zu bytes", bytes.len);
}

Test(catalog_local, a_copy_of_another_place_is_not_taken)
{
	cleanup_buf struct buf bytes = BUF_INIT;

	copy_make(&bytes);
	cr_expect_eq(parse(&bytes, "file:///other"), -EBADMSG);
	cr_expect_eq(parse(&bytes, ""), -EBADMSG);
}

/* The checksum is only against accidents; a forged one must not unpin. */
Test(catalog_local, content_without_its_digest_is_not_taken)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	char *at;

	copy_make(&bytes);
	at = memmem(bytes.data, bytes.len, "s3://b/1.json", 13);
	cr_assert_not_null(at);
	at[5] = 'x';
	put_le64(bytes.data + 24, digest_xxh3(bytes.data + 32, bytes.len - 32));
	cr_expect_eq(parse(&bytes, backend_name(place.backend)), -EBADMSG);
}

Test(catalog_local, a_damaged_copy_is_discarded_and_replaced)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	cleanup_catalog struct catalog *again = NULL;
	struct catalog_store *next;
	struct err err = ERR_INIT;
	char path[512];

	copy_make(&bytes);
	copy_path(path, sizeof(path));
	cr_assert_eq(io_replace_file(path, "garbage", 7, 0600, false, &err), 0);
	next = place_store(&place, true);
	again = place_load(next);
	cr_expect_not_null(catalog_dataset(again, "imagenet"));
	catalog_store_free(next);
	buf_clear(&bytes);
	copy_read(&bytes);
	cr_expect_eq(parse(&bytes, backend_name(place.backend)), 0);
}

Test(catalog_local, a_cache_that_cannot_be_written_stops_nothing)
{
	struct catalog_store *store;
	struct err err = ERR_INIT;
	cleanup_catalog struct catalog *c = NULL;

	cr_assert_eq(catalog_store_new(&store, place.backend,
				       "/proc/no/such/place", &err), 0);
	c = place_load(store);
	cr_expect_not_null(catalog_dataset(c, "imagenet"));
	catalog_store_free(store);
}

Test(catalog_local, a_copy_that_others_could_write_is_not_read)
{
	struct err err = ERR_INIT;
	cleanup_buf struct buf before = BUF_INIT;
	struct catalog_store *store = place_store(&place, true);
	struct catalog *c = NULL;
	char path[128];

	copy_make(&before);
	(void)snprintf(path, sizeof(path), "%s/catalogs", place.cache);
	cr_assert_eq(chmod(path, 0777), 0);
	cr_expect_eq(catalog_store_load_local(store, &c, &err), -ENOENT);
	cr_expect_eq(err.class, ERR_MISSING);
	cr_assert_eq(chmod(path, 0700), 0);
	cr_assert_eq(chmod(place.cache, 0770), 0);
	catalog_store_free(store);
	store = place_store(&place, true);
	cr_expect_eq(catalog_store_load_local(store, &c, &err), -ENOENT);
	cr_assert_eq(chmod(place.cache, 0700), 0);
	catalog_store_free(store);
	store = place_store(&place, true);
	cr_assert_eq(catalog_store_load_local(store, &c, &err), 0, "%s",
		     err.text);
	catalog_put(c);
	catalog_store_free(store);
}
