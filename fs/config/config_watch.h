/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells that a configuration, or a secret that it names, may have changed:
 * by inotify on the folders, so that whatever replaces a file is seen (an
 * editor's rename, the symlink that kubelet swaps), and by the stamps of the
 * files for file systems that tell nothing (NFS, FUSE).
 *
 * Who is told loads the file again and compares: that it changed is not
 * promised.  One thread.
 */
#ifndef DATASETFS_CONFIG_CONFIG_WATCH_H
#define DATASETFS_CONFIG_CONFIG_WATCH_H

#include "fs/config/settings.h"

struct config_watch;

/* A change is looked at when there was none for so long ... */
#define CONFIG_QUIET_MS 200
/* ... and after so long though they go on. */
#define CONFIG_QUIET_MAX_MS 2000
/* How often stamps are compared. */
#define CONFIG_POLL_MS 10000

int config_watch_new(struct config_watch **out, struct err *err) MUST_CHECK;
void config_watch_free(struct config_watch *watch);

/* What to watch from now on; copied.  False: without memory, as before. */
bool config_watch_set(struct config_watch *watch,
		      const struct settings *settings) MUST_CHECK;
/* The same files, whose folders may be others by now. */
void config_watch_again(struct config_watch *watch);

/* For poll(2), POLLIN; -1: stamps only. */
int config_watch_fd(const struct config_watch *watch);
/* Takes what the kernel has told.  True: one of the files may be meant. */
bool config_watch_take(struct config_watch *watch);
/* True: one of the files is another than the one that was loaded. */
bool config_watch_compare(const struct config_watch *watch);

#endif
