/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The versions that were ever named by this mount.  A slot is bound to
 * (bucket, who may see it, catalog id, dataset id, number, record digest)
 * before its first nodeid is answered, to its tree's checksum when the tree is
 * first opened, and is never used for anything else.  Who may see it belongs
 * to the key as the kernel keeps attributes for ever: where that was changed,
 * new walks meet new nodes.  Should a tree ever come out with another
 * checksum, its nodes answer ESTALE and the version gets a new slot.
 *
 * A slot keeps a reference to the catalog that describes its version, so that
 * a deleted version stays readable for those who are inside; slots_refresh()
 * moves the others on to the newest catalog.
 *
 * Any thread may call; nothing here waits for a store.
 */
#ifndef DATASETFS_MOUNT_SLOTS_H
#define DATASETFS_MOUNT_SLOTS_H

#include "fs/dataset/buckets.h"
#include "fs/mount/nodes/state_file.h"

struct slots;

#define SLOTS_MAX (1u << 20)		/* versions ever named; then -ENFILE */
#define SLOTS_TREES_MAX 64		/* open trees: a descriptor and some
					   blocks each; the least used is closed */

int slots_new(struct slots **out, struct err *err) MUST_CHECK;
void slots_free(struct slots *slots);

/* Before the mount serves: the numbers of an earlier one, and where new
   bindings go (borrowed; NULL: they are kept for the life of the mount). */
void slots_restore(struct slots *slots, const struct state_record *record);
void slots_set_state(struct slots *slots, struct state_file *state);

/* The slot of a version of bucket b, whose record lies in catalog. */
int slots_bind(struct slots *slots, struct bucket *b, struct catalog *catalog,
	       const struct dataset *ds, const struct version *v,
	       uint32_t *slot, struct err *err) MUST_CHECK;

/* What a slot stands for; holds references, see slot_ref_release(). */
struct slot_ref {
	uint32_t slot;
	struct bucket *bucket;
	struct catalog *catalog;
	const struct dataset *ds;
	const struct version *v;
	struct tree *tree;	/* NULL: not open */
};
/* -ESTALE (ERR_MISSING) for a slot that is not bound, or not any more. */
int slots_get(struct slots *slots, uint32_t slot, struct slot_ref *out,
	      struct err *err) MUST_CHECK;
void slot_ref_release(struct slot_ref *ref);
#define cleanup_slot_ref __attribute__((cleanup(slot_ref_release)))

/*
 * Gives the slot its open tree.  -ESTALE when the tree is another than the one
 * that this mount's nodes were computed from.
 */
int slots_set_tree(struct slots *slots, uint32_t slot, struct tree *tree,
		   struct err *err) MUST_CHECK;
/* After damage was seen: the next use opens or builds it again. */
void slots_drop_tree(struct slots *slots, uint32_t slot, struct tree *tree);

/* Bucket b has a new catalog. */
void slots_refresh(struct slots *slots, struct bucket *b,
		   struct catalog *catalog);

struct slots_totals {
	uint32_t bound;		/* in this mount */
	uint32_t open_trees;
};
void slots_totals(struct slots *slots, struct slots_totals *out);
/* Calls each() for every version whose tree is open; outside the lock. */
void slots_each_open(struct slots *slots,
		     void (*each)(void *arg, const struct slot_ref *ref),
		     void *arg);

#endif
