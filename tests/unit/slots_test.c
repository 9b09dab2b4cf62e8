/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/nodes/slots.h"

#include <errno.h>
#include <fcntl.h>
#include "fs/dataset/tree_build.h"
#include "fs/mount/nodes/nodeid.h"
#include "tests/unit/mount_fixture.h"

static struct bucket bucket = { .name = (char *)"one", .key = (char *)"1" };
static char dir[] = "/tmp/datasetfs-slots-test-XXXXXX";
static int dirfd_;
static struct slots *slots;
static struct err err;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(dirfd_, 0);
	cr_assert_eq(slots_new(&slots, &err), 0);
}

static void teardown(void)
{
	char line[128];

	slots_free(slots);
	close(dirfd_);
	snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

TestSuite(slots, .init = setup, .fini = teardown);

/* A tree of one file; the name decides its checksum. */
static struct tree *make_tree(const char *file)
{
	const struct tree_build_options opt = {
		.dirfd = dirfd_, .name = file, .label = "x",
	};
	struct tree_build *build;
	struct tree *tree;

	cr_assert_eq(tree_build_new(&build, &opt, &err), 0);
	cr_assert_eq(tree_build_add(build, file, strlen(file), "file:///x", 9,
				    1, "", 0, TREE_OK, &err), 0);
	cr_assert_eq(tree_build_finish(build, &tree, &err), 0);
	tree_build_free(build);
	return tree;
}

static uint32_t bind(struct catalog *c, size_t ds, size_t v)
{
	uint32_t slot;

	cr_assert_eq(slots_bind(slots, &bucket, c, &c->datasets[ds],
				&c->datasets[ds].versions[v], &slot, &err), 0);
	return slot;
}

static struct catalog *make_catalog(const char *id, int salt)
{
	struct catalog *c = fixture_catalog(id, 1);

	fixture_versions(&c->datasets[0], 2, salt);
	return c;
}

Test(slots, a_version_keeps_its_slot_and_another_record_gets_another)
{
	struct catalog *c = make_catalog("c", 1), *same = make_catalog("c", 1);
	struct catalog *changed = make_catalog("c", 9);
	struct catalog *other = make_catalog("d", 1);
	uint32_t slot = bind(c, 0, 0);

	cr_assert_gt(slot, NODEID_SLOT_NAMES);
	cr_assert_eq(bind(c, 0, 0), slot);
	cr_assert_eq(bind(same, 0, 0), slot);
	cr_assert_neq(bind(c, 0, 1), slot);
	cr_assert_neq(bind(changed, 0, 0), slot);
	cr_assert_neq(bind(other, 0, 0), slot);
	catalog_put(c);
	catalog_put(same);
	catalog_put(changed);
	catalog_put(other);
}

Test(slots, a_deleted_version_stays_for_those_inside)
{
	struct catalog *c = make_catalog("c", 1), *now = make_catalog("c", 1);
	uint32_t slot = bind(c, 0, 0), kept = bind(c, 0, 1);
	struct slot_ref ref;

	catalog_put(c);		/* the slots hold it now */
	now->datasets[0].n_versions = 1;
	now->datasets[0].versions[0].number = 2;
	memset(now->datasets[0].versions[0].digest, 2, SHA256_SIZE);
	slots_refresh(slots, &bucket, now);

	cr_assert_eq(slots_get(slots, slot, &ref, &err), 0);
	cr_assert_eq(ref.v->number, 1);
	cr_assert_neq(ref.catalog, now);
	slot_ref_release(&ref);
	cr_assert_eq(slots_get(slots, kept, &ref, &err), 0);
	cr_assert_eq(ref.catalog, now);
	slot_ref_release(&ref);
	now->datasets[0].n_versions = 2;	/* as it is freed */
	catalog_put(now);
}

Test(slots, a_slot_that_was_never_given_is_stale)
{
	struct slot_ref ref;

	cr_assert_eq(slots_get(slots, 0, &ref, &err), -ESTALE);
	cr_assert_eq(slots_get(slots, 1, &ref, &err), -ESTALE);
	cr_assert_eq(slots_get(slots, UINT32_MAX, &ref, &err), -ESTALE);
}

Test(slots, another_tree_under_known_nodes_makes_them_stale)
{
	struct catalog *c = make_catalog("c", 1);
	struct tree *a = make_tree("a"), *same = make_tree("a");
	struct tree *b = make_tree("b");
	uint32_t slot = bind(c, 0, 0), next;
	struct slot_ref ref;

	cr_assert_eq(slots_set_tree(slots, slot, a, &err), 0);
	cr_assert_eq(slots_set_tree(slots, slot, same, &err), 0);
	cr_assert_eq(slots_set_tree(slots, slot, b, &err), -ESTALE);
	cr_assert_eq(slots_get(slots, slot, &ref, &err), -ESTALE);
	next = bind(c, 0, 0);
	cr_assert_neq(next, slot);
	cr_assert_eq(slots_set_tree(slots, next, b, &err), 0);
	cr_assert_eq(slots_get(slots, next, &ref, &err), 0);
	cr_assert_eq(ref.tree, b);
	slot_ref_release(&ref);
	tree_put(a);
	tree_put(same);
	tree_put(b);
	catalog_put(c);
}

Test(slots, the_least_used_trees_are_closed)
{
	struct catalog *c = fixture_catalog("c", 1);
	struct tree *tree = make_tree("a");
	struct slots_totals totals;
	struct slot_ref ref;
	uint32_t first;

	fixture_versions(&c->datasets[0], SLOTS_TREES_MAX + 1, 1);
	first = bind(c, 0, 0);
	cr_assert_eq(slots_set_tree(slots, first, tree, &err), 0);
	for (size_t i = 1; i <= SLOTS_TREES_MAX; i++) {
		/* The first one is used again and again. */
		cr_assert_eq(slots_get(slots, first, &ref, &err), 0);
		cr_assert_not_null(ref.tree);
		slot_ref_release(&ref);
		cr_assert_eq(slots_set_tree(slots, bind(c, 0, i), tree, &err),
			     0);
	}
	slots_totals(slots, &totals);
	cr_assert_eq(totals.open_trees, SLOTS_TREES_MAX);
	cr_assert_eq(totals.bound, SLOTS_TREES_MAX + 1);
	cr_assert_eq(slots_get(slots, bind(c, 0, 1), &ref, &err), 0);
	cr_assert_null(ref.tree);
	slot_ref_release(&ref);
	tree_put(tree);
	catalog_put(c);
}

Test(slots, a_damaged_tree_is_closed_only_by_who_saw_it)
{
	struct catalog *c = make_catalog("c", 1);
	struct tree *a = make_tree("a"), *again = make_tree("a");
	uint32_t slot = bind(c, 0, 0);
	struct slot_ref ref;

	cr_assert_eq(slots_set_tree(slots, slot, a, &err), 0);
	slots_drop_tree(slots, slot, again);
	cr_assert_eq(slots_get(slots, slot, &ref, &err), 0);
	cr_assert_eq(ref.tree, a);
	slot_ref_release(&ref);
	slots_drop_tree(slots, slot, a);
	cr_assert_eq(slots_get(slots, slot, &ref, &err), 0);
	cr_assert_null(ref.tree);
	slot_ref_release(&ref);
	tree_put(a);
	tree_put(again);
	catalog_put(c);
}

static void restore(void *arg, const struct state_record *record)
{
	slots_restore(arg, record);
}

Test(slots, numbers_survive_a_restart_and_are_not_used_twice)
{
	struct catalog *c = make_catalog("c", 1);
	struct state_file *state;
	char path[64];
	uint32_t first, second;

	snprintf(path, sizeof(path), "%s/nodes", dir);
	cr_assert_eq(state_file_open(&state, path, restore, slots, &err), 0);
	slots_set_state(slots, state);
	first = bind(c, 0, 0);
	slots_free(slots);
	state_file_free(state);

	cr_assert_eq(slots_new(&slots, &err), 0);
	cr_assert_eq(state_file_open(&state, path, restore, slots, &err), 0);
	slots_set_state(slots, state);
	second = bind(c, 0, 1);
	cr_assert_neq(second, first);
	cr_assert_eq(bind(c, 0, 0), first);
	state_file_free(state);
	slots_set_state(slots, NULL);
	catalog_put(c);
}

Test(slots, a_tree_that_changed_while_nobody_was_mounted_is_taken)
{
	struct catalog *c = make_catalog("c", 1);
	struct state_record rec = { .kind = STATE_CHECKSUM, .value = 42 };
	struct tree *a = make_tree("a");
	uint32_t slot = bind(c, 0, 0);

	/* Nobody holds nodes of the old tree: the kernel's are gone. */
	rec.number = slot;
	slots_restore(slots, &rec);
	cr_assert_eq(slots_set_tree(slots, slot, a, &err), 0);
	tree_put(a);
	catalog_put(c);
}
