/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/nodes/names.h"

#include "fs/mount/nodes/nodeid.h"
#include "tests/unit/mount_fixture.h"

static struct bucket buckets[] = {
	{ .name = (char *)"one", .key = (char *)"1" },
	{ .name = (char *)"two", .key = (char *)"2" },
};

static uint32_t bind(struct names *names, enum name_kind kind, struct bucket *b,
		     const char *id, const char *text, uint32_t number)
{
	const struct name_node node = {
		.kind = kind, .bucket = b, .dataset_id = id, .text = text,
		.number = number,
	};
	struct err err = ERR_INIT;
	uint32_t index;

	cr_assert_eq(names_bind(names, &node, &index, &err), 0, "%s", err.text);
	return index;
}

static struct names *make(void)
{
	struct names *names;
	struct err err = ERR_INIT;

	cr_assert_eq(names_new(&names, &err), 0);
	return names;
}

Test(names, the_same_thing_has_the_same_number_always)
{
	struct names *names = make();
	uint32_t a = bind(names, NAME_TAG, &buckets[0], "id", "best", 0);

	cr_assert_gt(a, NODEID_ROOT);
	cr_assert_eq(bind(names, NAME_TAG, &buckets[0], "id", "best", 0), a);
	cr_assert_neq(bind(names, NAME_TAG, &buckets[1], "id", "best", 0), a);
	cr_assert_neq(bind(names, NAME_TAG, &buckets[0], "idb", "est", 0), a);
	cr_assert_neq(bind(names, NAME_DEFAULT, &buckets[0], "id", "best", 0),
		      a);
	cr_assert_neq(bind(names, NAME_MEMBER, &buckets[0], "id", "best", 1),
		      bind(names, NAME_MEMBER, &buckets[0], "id", "best", 2));
	names_free(names);
}

Test(names, a_number_gives_back_what_it_stands_for)
{
	struct names *names = make();
	char id[] = "id";
	uint32_t a = bind(names, NAME_MEMBER, &buckets[1], id, "member", 5);
	const struct name_node *node;

	id[0] = 'X';	/* it was copied */
	node = names_get(names, a);
	cr_assert_not_null(node);
	cr_assert_eq(node->kind, NAME_MEMBER);
	cr_assert_eq(node->bucket, &buckets[1]);
	cr_assert_str_eq(node->dataset_id, "id");
	cr_assert_str_eq(node->text, "member");
	cr_assert_eq(node->number, 5);
	names_free(names);
}

Test(names, the_root_is_one_and_others_are_unknown)
{
	struct names *names = make();

	cr_assert_eq(names_get(names, NODEID_ROOT)->kind, NAME_ROOT);
	cr_assert_eq(bind(names, NAME_ROOT, NULL, "", "", 0), NODEID_ROOT);
	cr_assert_null(names_get(names, 0));
	cr_assert_null(names_get(names, 2));
	cr_assert_null(names_get(names, UINT32_MAX));
	names_free(names);
}

static void keep(void *arg, const struct state_record *record)
{
	names_restore(arg, record);
}

Test(names, numbers_survive_a_restart)
{
	char path[] = "/tmp/datasetfs-names-test-XXXXXX";
	struct names *names = make();
	struct state_file *state;
	struct err err = ERR_INIT;
	uint32_t a, b;

	close(mkstemp(path));
	cr_assert_eq(state_file_open(&state, path, keep, names, &err), 0);
	names_set_state(names, state);
	a = bind(names, NAME_TAG, &buckets[0], "id", "a", 0);
	b = bind(names, NAME_TAG, &buckets[0], "id", "b", 0);
	names_free(names);
	state_file_free(state);

	names = make();
	cr_assert_eq(state_file_open(&state, path, keep, names, &err), 0);
	names_set_state(names, state);
	/* Known from the file, but no node of this mount until it is bound. */
	cr_assert_null(names_get(names, b));
	cr_assert_eq(bind(names, NAME_TAG, &buckets[0], "id", "b", 0), b);
	cr_assert_not_null(names_get(names, b));
	cr_assert_gt(bind(names, NAME_TAG, &buckets[0], "id", "c", 0), b);
	cr_assert_eq(bind(names, NAME_TAG, &buckets[0], "id", "a", 0), a);
	names_free(names);
	state_file_free(state);
	(void)unlink(path);
}

Test(names, a_hostile_state_file_cannot_take_numbers_without_end)
{
	struct names *names = make();
	struct state_record rec = { .kind = STATE_NAME, .number = UINT32_MAX };

	names_restore(names, &rec);
	rec.number = NODEID_ROOT;
	names_restore(names, &rec);
	rec.number = 0;
	names_restore(names, &rec);
	cr_assert_eq(bind(names, NAME_TAG, &buckets[0], "id", "a", 0), 2);
	names_free(names);
}
