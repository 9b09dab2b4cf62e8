/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/blob.h"

#include <criterion/criterion.h>
#include <string.h>
#include "tests/fake_store.h"

static struct fake_store *store;

static void setup(void)
{
	store = fake_store_new();
}

static void teardown(void)
{
	fake_store_free(store);
}

TestSuite(blob, .init = setup, .fini = teardown);

static struct blob base(void)
{
	return (struct blob){ .backend = &store->backend, .key = "ID/hashes/x",
			      .size = 1000, .check = BLOB_CHECK_OSMO,
			      .has_md5 = true };
}

static bool is_same(const struct blob *a, const struct blob *b)
{
	struct blob_id x, y;

	blob_identify(&x, a);
	blob_identify(&y, b);
	return blob_id_equal(&x, &y);
}

Test(blob, the_same_expectation_is_the_same_blob)
{
	struct blob a = base(), b = base();
	char key[] = "ID/hashes/x";

	b.key = key;
	cr_assert(is_same(&a, &b));
}

Test(blob, key_size_and_what_is_expected_tell_blobs_apart)
{
	struct blob a = base(), b;

	b = a;
	b.key = "ID/hashes/y";
	cr_assert_not(is_same(&a, &b));
	b = a;
	b.size++;
	cr_assert_not(is_same(&a, &b));
	b = a;
	b.md5[15] ^= 1;
	cr_assert_not(is_same(&a, &b));
	b = a;
	b.parts = 2;
	cr_assert_not(is_same(&a, &b));
	b = a;
	b.check = BLOB_CHECK_SIZE;
	cr_assert_not(is_same(&a, &b));
	b.check = BLOB_CHECK_FOREIGN;
	cr_assert_not(is_same(&a, &b));
}

Test(blob, a_foreign_blob_is_told_apart_by_its_etag)
{
	struct blob a = base(), b;

	a.check = BLOB_CHECK_FOREIGN;
	a.if_match = "one";
	b = a;
	cr_assert(is_same(&a, &b));
	b.if_match = "two";
	cr_assert_not(is_same(&a, &b));
	b.if_match = NULL;
	cr_assert_not(is_same(&a, &b));
}

Test(blob, what_a_check_does_not_use_is_no_part_of_the_identity)
{
	struct blob a = base(), b;

	a.check = BLOB_CHECK_SIZE;
	b = a;
	memset(b.md5, 7, sizeof(b.md5));
	b.parts = 9;
	b.if_match = "etag";
	cr_assert(is_same(&a, &b));
}

Test(blob, a_key_cannot_pose_as_the_end_of_another)
{
	/* Fields end in NUL: moving bytes between them is another text. */
	struct blob a = base(), b = base();

	a.check = b.check = BLOB_CHECK_FOREIGN;
	a.key = "k";
	a.if_match = "etag";
	b.key = "ketag";
	b.if_match = NULL;
	cr_assert_not(is_same(&a, &b));
}
