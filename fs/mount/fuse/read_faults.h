/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One log line for a file that cannot be read, however often it is tried.  Any
 * thread.
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

#endif
