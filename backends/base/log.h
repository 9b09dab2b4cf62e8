/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: one event, one line, "key=value" after a short event name.
 * Threads may log at any time; a line is written by one write(2).
 *
 *	log_warn("fetch", "read failed: bucket=%s key=%s error=\"%s\"", ...)
 *
 * Lines go to stderr (foreground) or to syslog (daemon).  Control bytes and
 * newlines in a line are escaped here.  Never log a secret, a signature, a
 * token, or a query string.
 */
#ifndef DATASETFS_BASE_LOG_H
#define DATASETFS_BASE_LOG_H

#include "backends/base/cleanup.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_sink { LOG_TO_STDERR, LOG_TO_SYSLOG };

void log_init(enum log_sink sink, enum log_level level);
void log_set_level(enum log_level level);

/* Cheap: lets a caller skip building an expensive line. */
int log_enabled(enum log_level level);

/*
 * The last line at error or warn level, copied into buf (always terminated,
 * "" when there was none), and its wall-clock second; for status.
 */
long long log_last_problem(char *buf, size_t size);

void log_write(enum log_level level, const char *component, const char *fmt,
	       ...) PRINTF_LIKE(3, 4);

#define log_error(...) log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_enabled(LOG_LEVEL_DEBUG))                              \
			log_write(LOG_LEVEL_DEBUG, __VA_ARGS__);               \
	} while (0)

/*
 * Rate limit for one kind of line: true at most LOG_BURST times a minute for
 * one struct; when a minute's allowance is used up, the first true of the next
 * minute carries the number that was dropped in *dropped.
 */
#define LOG_BURST 20
struct log_limit {
	long long window_ms;
	unsigned count;
	unsigned dropped;
};
int log_limit_ok(struct log_limit *limit, unsigned *dropped);

#endif
