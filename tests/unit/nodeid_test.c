/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/mount/nodes/nodeid.h"

#include <criterion/criterion.h>
#include "fs/dataset/tree.h"

Test(nodeid, slot_and_index_come_back)
{
	uint64_t id = nodeid_make(77, 5);

	cr_assert_eq(nodeid_slot(id), 77);
	cr_assert_eq(nodeid_index(id), 5);
	cr_assert_eq(nodeid_slot(NODEID_ROOT), NODEID_SLOT_NAMES);
}

Test(nodeid, no_node_of_a_version_is_zero_or_the_root)
{
	cr_assert_neq(nodeid_make(1, TREE_ROOT), 0);
	cr_assert_neq(nodeid_make(1, TREE_ROOT), NODEID_ROOT);
}

Test(nodeid, a_folded_number_fits_32_bits_and_is_never_zero)
{
	for (uint32_t slot = 0; slot < 1000; slot++) {
		uint32_t zero = 0u - slot * UINT32_C(2654435761);

		cr_assert_leq(nodeid_inode32(nodeid_make(slot, 3)), UINT32_MAX);
		cr_assert_neq(nodeid_inode32(nodeid_make(slot, zero)), 0);
	}
}
