/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads that failed: one log line for a file, however often it is tried, and
 * one time-out for a read, however often the kernel asks.  Any thread.
 */
#ifndef DATASETFS_MOUNT_READ_FAULTS_H
#define DATASETFS_MOUNT_READ_FAULTS_H

#include "fs/mount/fuse/fs.h"

/* So many are remembered; beyond that one may be logged again. */
#define READ_FAULTS_MAX 4096u

int read_faults_new(struct read_faults **out, struct err *err) MUST_CHECK;
void read_faults_free(struct read_faults *faults);

/* True for the first failure of a node with that error. */
bool read_faults_first(struct read_faults *faults, uint64_t nodeid, int code);

/* The line itself, once: "read failed: file=… error=…". */
void read_faults_log(struct fs *fs, const struct slot_ref *ref,
		     uint32_t index, int code, const char *text);

/*
 * When a read ahead fails, the kernel asks at once for the first page alone,
 * as what the program wants: else it would wait for the store twice.  The
 * repetition comes within a millisecond, on a busy machine some tens.
 */
#define READ_FAULTS_REPEAT_MS 100
/* So many are known at a time; beyond that one may wait twice. */
#define READ_FAULTS_RECENT_MAX 1024u

/* A read of these bytes fails now; before the reply, which is repeated. */
void read_faults_note(struct read_faults *faults, uint64_t nodeid,
		      uint64_t off, size_t size, int code);
/* The errno of a read of some of these bytes that has just failed, or 0. */
int read_faults_recent(struct read_faults *faults, uint64_t nodeid,
		       uint64_t off, size_t size);

#endif
