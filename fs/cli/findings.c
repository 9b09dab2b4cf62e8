/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/findings.h"

#include <inttypes.h>
#include <stdio.h>

/* Swift refuses from 300 s on, S3 from 900 s. */
#define SKEW_FAILED_S 240
#define SKEW_WARNING_S 30

static const char *const verdict_names[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_WARNING] = "warning",
	[VERDICT_FAILED] = "failed",
};

static void print_text(const struct finding *finding, const char *line)
{
	printf("%-8s %s: %s", verdict_names[finding->verdict], finding->check,
	       line);
	if (finding->us >= 0)
		printf(" (%.1f ms)", (double)finding->us / 1000);
	putchar('\n');
	if (finding->fix)
		printf("         fix: %s\n", finding->fix);
	/* The next one may take a store's time. */
	fflush(stdout);
}

void findings_tell(struct findings *f, const struct finding *finding,
		   const char *fmt, va_list ap)
{
	char line[ERR_TEXT_MAX * 2];
	json_t *o;

	vsnprintf(line, sizeof(line), fmt, ap);
	f->n_failed += finding->verdict == VERDICT_FAILED;
	f->n_warnings += finding->verdict == VERDICT_WARNING;
	if (!f->list) {
		print_text(finding, line);
		return;
	}
	o = json_object();
	if (finding->subject)
		json_object_set_new(o, "bucket",
				    cli_json_text(finding->subject));
	json_object_set_new(o, "check", cli_json_text(finding->check));
	json_object_set_new(o, "result",
			    json_string(verdict_names[finding->verdict]));
	json_object_set_new(o, "text", cli_json_text(line));
	json_object_set_new(o, "fix", cli_json_text(finding->fix));
	if (finding->us >= 0)
		json_object_set_new(o, "us", json_integer(finding->us));
	json_array_append_new(f->list, o);
}

int findings_finish(struct findings *f, const char *schema, int code)
{
	json_t *doc;
	int r;

	if (!f->list) {
		printf("%u failed, %u warnings\n", f->n_failed, f->n_warnings);
		return code;
	}
	doc = json_object();
	json_object_set_new(doc, "failed", json_integer(f->n_failed));
	json_object_set_new(doc, "warnings", json_integer(f->n_warnings));
	json_object_set_new(doc, "findings", f->list);
	r = cli_print_json(doc, schema);
	return r ? r : code;
}

struct clock_finding findings_of_clock(int64_t skew_s)
{
	struct clock_finding out = { .verdict = VERDICT_OK };
	int64_t off_s = skew_s < 0 ? -skew_s : skew_s;

	if (off_s >= SKEW_WARNING_S) {
		out.verdict = off_s >= SKEW_FAILED_S ? VERDICT_FAILED :
						       VERDICT_WARNING;
		out.fix = "as root: timedatectl set-ntp true, or chronyc makestep";
	}
	snprintf(out.text, sizeof(out.text),
		 "this machine's is %" PRId64 " s %s the store's", off_s,
		 skew_s > 0 ? "behind" : skew_s < 0 ? "ahead of" : "off");
	return out;
}
