/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far something is that takes long: on a terminal one line that is written
 * over, else a line every PROGRESS_LINE_MS; always on stderr.  The struct
 * belongs to one thread; progress_failure() may be called by any.
 */
#ifndef DATASETFS_CLI_PROGRESS_H
#define DATASETFS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include "backends/base/buf.h"

#define PROGRESS_TERMINAL_MS 500
#define PROGRESS_LINE_MS 30000

struct progress {
	bool is_terminal;
	bool is_shown;		/* a line stands on the terminal */
	int64_t started_ms;
	int64_t next_ms;	/* when a line is due */
};

void progress_begin(struct progress *progress);
/* Cheap: to be asked often. */
bool progress_is_due(const struct progress *progress);
void progress_show(struct progress *progress, const char *line);
/* Takes the line off the terminal. */
void progress_end(struct progress *progress);

/*
 * "error: PATH: TEXT" meanwhile.  Both may hold any byte: what a manifest says
 * is in them.
 */
void progress_failure(const struct progress *progress, const char *path,
		      const char *text);

/*
 * Appends "1.2 GiB of 9.0 GiB, 120.0 MiB/s, 1 min 5 s left", the rate being
 * that since progress_begin().
 */
void progress_bytes_text(struct buf *out, const struct progress *progress,
			 uint64_t done, uint64_t total);
/* "1 h 5 min", "1 min 5 s", "5 s". */
void progress_duration_text(struct buf *out, uint64_t seconds);
/* "12 of 300 files, 40/s, 7 s left". */
void progress_files_text(struct buf *out, const struct progress *progress,
			 uint64_t done, uint64_t total);

#endif
