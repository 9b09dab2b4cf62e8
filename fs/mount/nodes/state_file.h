/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which node number belongs to what, on disk: so that a mount that comes back
 * has the same inode numbers.  Append-only, one checksummed record of 64 bytes
 * a binding; a damaged tail is cut off when the file is opened, and a file of
 * another format is started afresh, for what it says can be given anew.
 *
 * One process holds the file (flock).  state_file_append() may be called by
 * any thread; no fsync: what a crash of the machine loses, nobody remembers.
 */
#ifndef DATASETFS_MOUNT_STATE_FILE_H
#define DATASETFS_MOUNT_STATE_FILE_H

#include <stdint.h>
#include "backends/base/err.h"

#define STATE_KEY_SIZE 32	/* a SHA-256 of what is bound */
#define STATE_RECORDS_MAX (1u << 21)	/* 128 MiB; then it starts afresh */

enum state_kind {
	STATE_SLOT = 1,		/* number is the slot of key */
	STATE_CHECKSUM = 2,	/* value is the checksum of that slot's tree */
	STATE_NAME = 3,		/* number is the index of key in slot 0 */
};

struct state_record {
	enum state_kind kind;
	uint32_t number;
	uint8_t key[STATE_KEY_SIZE];
	uint64_t value;
};

struct state_file;
typedef void (*state_record_fn)(void *arg, const struct state_record *record);

/*
 * Calls each() for every good record, in the order of writing.  -EBUSY
 * (ERR_CONFLICT) when another process holds the file; ERR_SYSTEM else.
 */
int state_file_open(struct state_file **out, const char *path,
		    state_record_fn each, void *arg, struct err *err)
	MUST_CHECK;
void state_file_free(struct state_file *sf);

int state_file_append(struct state_file *sf, const struct state_record *record,
		      struct err *err) MUST_CHECK;

#endif
