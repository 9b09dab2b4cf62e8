/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a check of a version has found so far, so that one which was ended is
 * taken up: kept in the cache directory, by version and paths.
 *
 *	header	48 bytes: "dfsver01", name u64, checksum of the tree u64,
 *		begun (seconds since 1970) i64, number of entries u32, cache_next
 *		u32, 0 u64
 *	found	2 bits an entry of the tree: enum download_found
 *	xxh3	of all before, u64
 *
 * It may say less than was found, never more.  What is anything else, or older
 * than VERIFY_STATE_SECONDS, is none.  note() and found() may be called by any
 * thread, the rest by the one that has it.
 */
#ifndef DATASETFS_CLI_VERIFY_STATE_H
#define DATASETFS_CLI_VERIFY_STATE_H

#include "backends/base/err.h"
#include "fs/dataset/download/download.h"

struct verify_state;

#define VERIFY_STATE_SECONDS (7 * 24 * 3600)
#define VERIFY_STATE_SAVE_MS 5000	/* of work are lost at most */

/*
 * name: a hash of what is checked.  is_resumed: goes on from what is kept;
 * where that is nothing, or not, all is to do.
 */
int verify_state_new(struct verify_state **out, const char *cache_dir,
		     uint64_t name, struct tree *tree, bool is_resumed,
		     struct err *err) MUST_CHECK;
void verify_state_free(struct verify_state *state);

enum download_found verify_state_found(struct verify_state *state,
				       uint32_t index);
void verify_state_note(struct verify_state *state, uint32_t index,
		       enum download_found what);
/* Up to which entry what is cached was found to be right. */
uint32_t verify_state_cache_next(const struct verify_state *state);
void verify_state_set_cache_next(struct verify_state *state, uint32_t next);

/*
 * Now, where is_due_only: when it is due.  What the disk does not take is lost,
 * which is said once, on stderr.
 */
void verify_state_save(struct verify_state *state, bool is_due_only);
/* There is nothing to go on with. */
void verify_state_remove(struct verify_state *state);

#endif
