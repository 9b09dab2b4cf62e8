/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who keeps a mount busy: processes with an open file, a mapping, a working
 * directory or a root in it.  Reads /proc only, never the mount.
 */
#ifndef DATASETFS_MOUNT_HOLDERS_H
#define DATASETFS_MOUNT_HOLDERS_H

#include "backends/base/buf.h"
#include "fs/mount/point/mountinfo.h"

#define HOLDERS_NAMED_MAX 8

/*
 * "process 4711 (python3), process 4712 (bash)", at most HOLDERS_NAMED_MAX of
 * them, appended; the number of processes found.  0 where none can be seen:
 * other users' are invisible without privileges.
 */
unsigned holders_find(const struct mountinfo *m, struct buf *out);

#endif
