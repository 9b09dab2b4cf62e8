/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/settings.h"

#include <stdlib.h>

void settings_report_release(struct settings_report *report)
{
	for (size_t i = 0; i < report->n_problems; i++) {
		free(report->problems[i].path);
		free(report->problems[i].text);
		free(report->problems[i].bucket);
	}
	free(report->problems);
	*report = (struct settings_report)SETTINGS_REPORT_INIT;
}

void settings_report_print(const struct settings_report *report,
			   const char *file, struct buf *out)
{
	for (size_t i = 0; i < report->n_problems; i++) {
		const struct settings_problem *p = &report->problems[i];

		buf_printf(out, "%s:%u:%u: %s%s%s%s\n", file, p->line,
			   p->column, p->path, p->path[0] ? ": " : "",
			   p->severity == SETTINGS_WARNING ? "warning: " : "",
			   p->text);
	}
	if (report->n_hidden)
		buf_printf(out, "%s: and %zu more problems, not listed\n", file,
			   report->n_hidden);
}
