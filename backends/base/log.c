/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/io.h"
#include "backends/base/lock.h"

/* A line is formatted on the stack, so that logging needs no memory. */
#define LINE_MAX_BYTES 2048
#define LIMIT_WINDOW_MS 60000

static const char *const level_names[] = { "error", "warn", "info", "debug" };
static const int priorities[] = { LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

static atomic_int sink = LOG_TO_STDERR;
static atomic_int max_level = LOG_LEVEL_INFO;

/* Guards last_problem, last_problem_s and the content of every log_limit. */
static struct lock log_lock = LOCK_INIT;
static char last_problem[LINE_MAX_BYTES];
static long long last_problem_s;

void log_init(enum log_sink to, enum log_level level)
{
	if (to == LOG_TO_SYSLOG)
		openlog(NULL, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	atomic_store(&sink, (int)to);
	atomic_store(&max_level, (int)level);
}

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

int log_enabled(enum log_level level)
{
	return (int)level <= atomic_load(&max_level);
}

/*
 * text with everything that could forge a line or drive a terminal as \xNN;
 * cut with "..." where it does not fit.  Returns the length.
 */
static size_t escape(char *out, size_t size, const char *text)
{
	static const char hex[] = "0123456789abcdef";
	size_t len = strlen(text);
	size_t used = 0;

	for (size_t i = 0; i < len;) {
		size_t n = encode_shown_len(text + i, len - i);
		uint8_t b = (uint8_t)text[i];

		/* "..." and the NUL must always fit behind. */
		if (used + (n ? n : 4) + 4 > size) {
			memcpy(out + used, "...", 3);
			used += 3;
			break;
		}
		if (n) {
			memcpy(out + used, text + i, n);
			used += n;
			i += n;
		} else {
			out[used++] = '\\';
			out[used++] = 'x';
			out[used++] = hex[b >> 4];
			out[used++] = hex[b & 15];
			i++;
		}
	}
	out[used] = '\0';
	return used;
}

static void remember(const char *line)
{
	lock_take(&log_lock);
	(void)snprintf(last_problem, sizeof(last_problem), "%s", line);
	last_problem_s = clock_wall_s();
	lock_drop(&log_lock);
}

static void to_stderr(enum log_level level, const char *line)
{
	char now[CLOCK_ISO_MAX];
	char out[LINE_MAX_BYTES + 64];
	int n;

	clock_format_iso(clock_wall_s(), now);
	n = snprintf(out, sizeof(out), "%s %s %s\n", now, level_names[level],
		     line);
	/* There is nowhere left to say that stderr is gone. */
	if (n > 0 && io_write_full(STDERR_FILENO, out, (size_t)n) < 0)
		return;
}

void log_write(enum log_level level, const char *component, const char *fmt,
	       ...)
{
	char text[LINE_MAX_BYTES];
	char line[LINE_MAX_BYTES];
	va_list ap;
	int used;
	int n;

	if ((int)level > LOG_LEVEL_WARN && !log_enabled(level))
		return;
	used = snprintf(text, sizeof(text), "%s: ", component);
	if (used < 0 || (size_t)used >= sizeof(text))
		return;
	va_start(ap, fmt);
	n = vsnprintf(text + used, sizeof(text) - (size_t)used, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(text) - (size_t)used)
		memcpy(text + sizeof(text) - 4, "...", 4);

	(void)escape(line, sizeof(line), text);
	if (level <= LOG_LEVEL_WARN)
		remember(line);
	if (!log_enabled(level))
		return;
	if (atomic_load(&sink) == LOG_TO_SYSLOG)
		syslog(priorities[level], "%s", line);
	else
		to_stderr(level, line);
}

long long log_last_problem(char *buf, size_t size)
{
	long long s;

	lock_take(&log_lock);
	(void)snprintf(buf, size, "%s", last_problem);
	s = last_problem_s;
	lock_drop(&log_lock);
	return s;
}

int log_limit_ok(struct log_limit *limit, unsigned *dropped)
{
	long long now_ms = clock_ms();
	unsigned before = 0;
	int ok;

	lock_take(&log_lock);
	if (limit->count == 0 || now_ms - limit->window_ms >= LIMIT_WINDOW_MS) {
		before = limit->dropped;
		limit->window_ms = now_ms;
		limit->count = 0;
		limit->dropped = 0;
	}
	ok = limit->count < LOG_BURST;
	if (ok)
		limit->count++;
	else
		limit->dropped++;
	lock_drop(&log_lock);
	if (dropped)
		*dropped = before;
	return ok;
}
