/* SPDX-License-Identifier: Apache-2.0 */
/* Writing records under conditions. */
#include <config.h>

#include "fs/dataset/catalog_store/catalog_record.h"
#include "tests/unit/catalog_place.h"

#define OTHER_ID "0c9w2m3wR3qv7hJrmZ8qLg"

static struct place place;

static void setup(void)
{
	place_open(&place);
}

static void teardown(void)
{
	place_close(&place);
}

TestSuite(catalog_put, .init = setup, .fini = teardown);

static int create_version(const char *bytes, struct err *err)
{
	err_clear(err);
	return catalog_store_create_version(place.store, PLACE_ID, 1, bytes,
					    strlen(bytes), place_deadline(),
					    err);
}

static int create_name(const char *name, const char *id, struct err *err)
{
	err_clear(err);
	return catalog_store_create_name(place.store, name, id,
					 place_deadline(), err);
}

static int delete_name(const char *name, const char *id)
{
	struct err err = ERR_INIT;

	return catalog_store_delete_name(place.store, name, id,
					 place_deadline(), &err);
}

static void name_is(const char *name, const char *id)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	char key[256], found[DATASET_ID_MAX];
	struct err err = ERR_INIT;

	(void)snprintf(key, sizeof(key), PLACE_CATALOG "names/%s.json", name);
	place_read(&place, key, &bytes);
	cr_assert_eq(catalog_parse_name(found, bytes.data, bytes.len, &err), 0);
	cr_expect_str_eq(found, id);
}

Test(catalog_put, a_catalog_keeps_the_id_it_was_begun_with)
{
	cleanup_buf struct buf first = BUF_INIT, second = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_store_init(place.store, place_deadline(), &err), 0,
		     "%s", err.text);
	place_read(&place, ".datasetfs/format.json", &first);
	cr_assert_eq(catalog_store_init(place.store, place_deadline(), &err), 0);
	place_read(&place, ".datasetfs/format.json", &second);
	cr_expect_str_eq(first.data, second.data);
}

Test(catalog_put, a_format_that_is_newer_is_not_written_to)
{
	struct err err = ERR_INIT;

	place_write(&place, ".datasetfs/format.json",
		    "{\"format\":2,\"id\":\"x\"}\n");
	cr_expect_eq(catalog_store_init(place.store, place_deadline(), &err),
		     -ENOTSUP);
}

Test(catalog_put, a_version_is_created_once)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(create_version("one", &err), 0, "%s", err.text);
	cr_expect_eq(create_version("one", &err), 0);
	cr_expect_eq(create_version("two", &err), -EEXIST);
	cr_expect_eq(err.class, ERR_CONFLICT);
	place_read(&place, PLACE_CATALOG "datasets/" PLACE_ID
		   "/versions/0000000001.json", &bytes);
	cr_expect_str_eq(bytes.data, "one");
}

Test(catalog_put, a_name_that_is_held_is_not_given_away)
{
	struct err err = ERR_INIT;

	place_write_head(&place, PLACE_ID, "imagenet", "");
	cr_assert_eq(create_name("imagenet", PLACE_ID, &err), 0, "%s", err.text);
	cr_expect_eq(create_name("imagenet", PLACE_ID, &err), 0);
	cr_expect_eq(create_name("imagenet", OTHER_ID, &err), -EEXIST);
	cr_expect_not_null(strstr(err.text, PLACE_ID), "%s", err.text);
	name_is("imagenet", PLACE_ID);
}

Test(catalog_put, a_name_that_is_being_taken_by_a_rename_is_held)
{
	struct err err = ERR_INIT;

	place_write_head(&place, PLACE_ID, "old", ",\"renaming\":\"imagenet\"");
	place_write_name(&place, "imagenet", PLACE_ID);
	cr_expect_eq(create_name("imagenet", OTHER_ID, &err), -EEXIST);
}

Test(catalog_put, a_name_that_nobody_confirms_is_replaced)
{
	struct err err = ERR_INIT;

	place_write_name(&place, "dangling", PLACE_ID);
	cr_expect_eq(create_name("dangling", OTHER_ID, &err), 0, "%s", err.text);
	name_is("dangling", OTHER_ID);
	place_write_head(&place, PLACE_ID, "moved", "");
	place_write_name(&place, "stale", PLACE_ID);
	cr_expect_eq(create_name("stale", OTHER_ID, &err), 0, "%s", err.text);
	name_is("stale", OTHER_ID);
}

Test(catalog_put, a_name_whose_head_cannot_be_read_is_left)
{
	struct err err = ERR_INIT;

	place_write_name(&place, "imagenet", PLACE_ID);
	place_write(&place, PLACE_CATALOG "datasets/" PLACE_ID "/head.json", "?");
	cr_expect_eq(create_name("imagenet", OTHER_ID, &err), -EBADMSG);
	name_is("imagenet", PLACE_ID);
}

Test(catalog_put, only_the_owner_deletes_a_name)
{
	place_write_name(&place, "imagenet", PLACE_ID);
	cr_expect_eq(delete_name("imagenet", OTHER_ID), 0);
	name_is("imagenet", PLACE_ID);
	cr_expect_eq(delete_name("imagenet", PLACE_ID), 0);
	cr_expect_eq(delete_name("imagenet", PLACE_ID), 0);
	cleanup_catalog struct catalog *c = place_load(place.store);

	cr_expect_eq(c->n_datasets, 0);
}

struct change {
	int calls;
	int races;	/* so many changes are overtaken */
};

static int count_up(void *arg, const void *bytes, size_t len, struct buf *out,
		    struct err *err)
{
	struct change *change = arg;
	int n = len > 0 ? atoi(bytes) : 0;
	char other[32];

	(void)err;
	change->calls++;
	buf_printf(out, "%d", n + 1);
	if (change->races > 0) {
		change->races--;
		(void)snprintf(other, sizeof(other), "%d", n + 100);
		place_write(&place, PLACE_CATALOG "datasets/" PLACE_ID
			    "/head.json", other);
	}
	return 0;
}

static void head_is(const char *want)
{
	cleanup_buf struct buf bytes = BUF_INIT;

	place_read(&place, PLACE_CATALOG "datasets/" PLACE_ID "/head.json",
		   &bytes);
	cr_expect_str_eq(bytes.data, want);
}

static int update(catalog_head_change_fn fn, void *arg, struct err *err)
{
	return catalog_store_update_head(place.store, PLACE_ID, fn, arg,
					 place_deadline(), err);
}

Test(catalog_put, a_head_is_changed_from_what_stands_there)
{
	struct change change = { .calls = 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(update(count_up, &change, &err), 0, "%s", err.text);
	head_is("1");
	cr_assert_eq(update(count_up, &change, &err), 0);
	head_is("2");
}

Test(catalog_put, who_lost_a_race_starts_from_the_winner)
{
	struct change change = { .races = 2 };
	struct err err = ERR_INIT;

	cr_assert_eq(update(count_up, &change, &err), 0, "%s", err.text);
	cr_expect_eq(change.calls, 3);
	head_is("201");
}

Test(catalog_put, after_too_many_lost_races_it_is_given_up)
{
	struct change change = { .races = 1000 };
	struct err err = ERR_INIT;

	cr_expect_eq(update(count_up, &change, &err), -EBUSY);
	cr_expect_eq(err.class, ERR_RETRY);
	cr_expect_eq(change.calls, CATALOG_CAS_TRIES);
}

static int leave(void *arg, const void *bytes, size_t len, struct buf *out,
		 struct err *err)
{
	(void)arg, (void)bytes, (void)len, (void)out, (void)err;
	return 1;
}

static int fail(void *arg, const void *bytes, size_t len, struct buf *out,
		struct err *err)
{
	(void)arg, (void)bytes, (void)len, (void)out;
	return err_set(err, ERR_USAGE, EINVAL, "no");
}

Test(catalog_put, a_change_may_decline_or_fail)
{
	struct change change = { .calls = 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(update(count_up, &change, &err), 0);
	cr_expect_eq(update(leave, NULL, &err), 0);
	cr_expect_eq(update(fail, NULL, &err), -EINVAL);
	head_is("1");
}

Test(catalog_put, a_store_that_is_read_only_is_not_written_to)
{
	struct err err = ERR_INIT;

	catalog_store_free(place.store);
	backend_put_ref(place.backend);
	place_backend(&place, true);
	place.store = place_store(&place, false);
	cr_expect_lt(create_version("one", &err), 0);
	cr_expect_lt(catalog_store_init(place.store, place_deadline(), &err), 0);
}
