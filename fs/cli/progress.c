/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/err.h"
#include "fs/cli/table.h"

#define WIPE "\r\033[K"
#define PATH_SHOWN_MAX 4096

void progress_begin(struct progress *p)
{
	p->is_terminal = isatty(STDERR_FILENO);
	p->is_shown = false;
	p->started_ms = clock_ms();
	p->next_ms = p->started_ms + (p->is_terminal ? 0 : PROGRESS_LINE_MS);
}

bool progress_is_due(const struct progress *p)
{
	return clock_ms() >= p->next_ms;
}

void progress_show(struct progress *p, const char *line)
{
	fprintf(stderr, p->is_terminal ? WIPE "%s" : "%s\n", line);
	p->is_shown = p->is_terminal;
	p->next_ms = clock_ms() + (p->is_terminal ? PROGRESS_TERMINAL_MS :
						    PROGRESS_LINE_MS);
}

void progress_end(struct progress *p)
{
	if (p->is_shown)
		fputs(WIPE, stderr);
	p->is_shown = false;
}

void progress_failure(const struct progress *p, const char *path,
		      const char *text)
{
	cleanup_buf struct buf shown = BUF_INIT;

	encode_prose(&shown, path, strlen(path), PATH_SHOWN_MAX);
	buf_str(&shown, ": ");
	encode_prose(&shown, text, strlen(text), ERR_TEXT_MAX);
	/* At once: others may print as well. */
	fprintf(stderr, "%serror: %s\n", p->is_terminal ? WIPE : "",
		shown.data ? shown.data : "out of memory");
}

void progress_duration_text(struct buf *out, uint64_t s)
{
	if (s >= 3600)
		buf_printf(out, "%llu h %llu min",
			   (unsigned long long)(s / 3600),
			   (unsigned long long)(s % 3600 / 60));
	else if (s >= 60)
		buf_printf(out, "%llu min %llu s", (unsigned long long)(s / 60),
			   (unsigned long long)(s % 60));
	else
		buf_printf(out, "%llu s", (unsigned long long)s);
}

static double rate_of(const struct progress *p, uint64_t done)
{
	double seconds = (double)(clock_ms() - p->started_ms) / 1000;

	return seconds > 0 ? (double)done / seconds : 0;
}

static void left_text(struct buf *out, double rate, uint64_t done,
		      uint64_t total)
{
	progress_duration_text(out, done < total ?
			   (uint64_t)((double)(total - done) / rate) : 0);
	buf_str(out, " left");
}

void progress_files_text(struct buf *out, const struct progress *p,
			 uint64_t done, uint64_t total)
{
	double rate = rate_of(p, done);

	buf_printf(out, "%llu of %llu files", (unsigned long long)done,
		   (unsigned long long)total);
	if (rate < 1)
		return;
	buf_printf(out, ", %.0f/s, ", rate);
	left_text(out, rate, done, total);
}

void progress_bytes_text(struct buf *out, const struct progress *p,
			 uint64_t done, uint64_t total)
{
	char done_text[SIZE_TEXT_MAX], total_text[SIZE_TEXT_MAX];
	char rate_text[SIZE_TEXT_MAX];
	double rate = rate_of(p, done);

	size_text(done_text, done);
	size_text(total_text, total);
	buf_printf(out, "%s of %s", done_text, total_text);
	if (rate < 1)
		return;
	size_text(rate_text, (uint64_t)rate);
	buf_printf(out, ", %s/s, ", rate_text);
	left_text(out, rate, done, total);
}
