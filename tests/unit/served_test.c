/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/fuse/served.h"

#include <criterion/criterion.h>

#define MANY 3000u

static void expect(struct served *served, const struct blob_id *id, size_t n,
		   uint64_t sum)
{
	size_t got_n;
	uint64_t *nodes = served_nodes(served, id, &got_n), got = 0;

	cr_assert_eq(got_n, n);
	cr_assert_eq(nodes != NULL, n > 0);
	for (size_t i = 0; i < got_n; i++)
		got += nodes[i];
	cr_assert_eq(got, sum);
	free(nodes);
}

Test(served, gives_all_nodes_of_one_blob_and_no_others)
{
	const struct blob_id a = { 1, 77 }, same_place = { 2, 77 };
	struct served *served;
	struct err err = ERR_INIT;

	cr_assert_eq(served_new(&served, &err), 0);
	expect(served, &a, 0, 0);
	served_note(served, &a, 10);
	served_note(served, &same_place, 20);
	served_note(served, &a, 11);
	served_note(served, &a, 10);
	expect(served, &a, 2, 21);
	expect(served, &same_place, 1, 20);
	served_free(served);
}

Test(served, keeps_them_while_it_grows)
{
	struct served *served;
	struct err err = ERR_INIT;

	cr_assert_eq(served_new(&served, &err), 0);
	for (uint64_t i = 1; i <= MANY; i++)
		served_note(served, &(struct blob_id){ i, i * 31 }, i);
	for (uint64_t i = 1; i <= MANY; i++)
		expect(served, &(struct blob_id){ i, i * 31 }, 1, i);
	served_free(served);
}

Test(served, a_blob_may_have_very_many_nodes)
{
	const struct blob_id id = { 5, 5 };
	struct served *served;
	struct err err = ERR_INIT;

	cr_assert_eq(served_new(&served, &err), 0);
	for (uint64_t i = 1; i <= MANY; i++)
		served_note(served, &id, i);
	expect(served, &id, MANY, (uint64_t)MANY * (MANY + 1) / 2);
	served_free(served);
}
