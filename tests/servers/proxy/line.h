/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection of a client, and one to the server behind it.  A line is a
 * state machine that the loop runs whenever something happened to a socket or
 * its time has come.
 */
#ifndef DATASETFS_TESTS_PROXY_LINE_H
#define DATASETFS_TESTS_PROXY_LINE_H

#include <stdbool.h>
#include "tests/servers/proxy/loop.h"

/* Owns client. */
struct line *line_new(int client);
/* Goes on as far as it can. */
void line_run(struct line *line);
/* The client or the server is gone. */
void line_hung_up(struct line *line, const struct endpoint *endpoint);
/*
 * It has no sockets any more: to be freed, but not before the last event of
 * this round that may name it.
 */
bool line_is_over(const struct line *line);
void line_free(struct line *line);
/* When it must be run again; INT64_MAX: only for events. */
int64_t line_wake_ms(const struct line *line);

/* The loop's list of all lines. */
struct line **line_next(struct line *line);

#endif
