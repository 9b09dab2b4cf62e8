/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/check/bucket_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/mount/point/mountinfo.h"

void bucket_check_tell(struct bucket_check *c, const struct step *step,
		       const char *fmt, ...)
{
	char check[256];
	const struct finding finding = {
		.verdict = step->verdict,
		.subject = c->name,
		.check = c->findings.list ? step->check : check,
		.fix = step->fix,
		.us = step->us,
	};
	va_list ap;

	snprintf(check, sizeof(check), "%s%s%s", c->name ? c->name : "",
		 c->name ? ": " : "", step->check);
	va_start(ap, fmt);
	findings_tell(&c->findings, &finding, fmt, ap);
	va_end(ap);
	if (step->verdict == VERDICT_FAILED && c->code == EXIT_DONE)
		c->code = step->code;
}

void bucket_check_unknown(struct bucket_check *c, const char *name,
			  const struct err *err)
{
	const struct step step = {
		.check = "configuration",
		.us = -1,
		.verdict = VERDICT_FAILED,
		.code = EXIT_MISSING,
		.fix = "a running mount takes over a bucket that is added to the file; names are compared letter by letter, in their case",
	};

	c->name = name;
	bucket_check_tell(c, &step, "%s", err->text);
	c->name = NULL;
}

static void list_names(const struct settings *st, struct buf *out)
{
	for (size_t i = 0; i < st->n_buckets; i++)
		buf_printf(out, "%s%s", i ? ", " : "", st->buckets[i].name);
}

void bucket_check_default(struct bucket_check *c)
{
	const struct settings *st = c->cli->settings;
	cleanup_buf struct buf fix = BUF_INIT;
	struct step step = { .check = "default bucket", .us = -1 };

	if (st->default_bucket) {
		bucket_check_tell(c, &step, "%s: NAME means %s/NAME",
				  st->default_bucket, st->default_bucket);
		return;
	}
	if (!st->default_bucket_text || !*st->default_bucket_text) {
		bucket_check_tell(c, &step, "none is set: write BUCKET/NAME");
		return;
	}
	buf_str(&fix, "write default_bucket: ");
	list_names(st, &fix);
	buf_printf(&fix, " (one of them) in %s; \"datasetfs config show --origin\" tells what is in force",
		   st->path);
	step.verdict = VERDICT_FAILED;
	step.code = EXIT_USAGE;
	step.fix = fix.data;
	bucket_check_tell(c, &step, "\"%s\" is no registered bucket",
			  st->default_bucket_text);
}

static bool look_at_settings(struct bucket_check *c)
{
	const struct settings_bucket *sb = bucket_settings(c->bucket);
	const char *problem = bucket_problem(c->bucket);
	const char *path = c->cli->settings->path;
	cleanup_buf struct buf fix = BUF_INIT;
	struct step step = { .check = "configuration", .us = -1 };

	if (!problem) {
		bucket_check_tell(c, &step, "%s, %s (%s:%u)", sb->dataset_path,
				  sb->mode_text, path, sb->line);
		return true;
	}
	buf_printf(&fix, "correct it at %s:%u; datasetfs.conf(5) describes each key",
		   path, sb->line);
	step.verdict = VERDICT_FAILED;
	step.code = EXIT_AUTH;
	step.fix = fix.data;
	bucket_check_tell(c, &step, "%s", problem);
	return false;
}

/* Where datasets are mounted, a bucket of the file should be seen. */
static void look_at_mount(struct bucket_check *c)
{
	struct step step = { .check = "mount", .us = -1 };
	struct mountinfo mount;
	struct err none = ERR_INIT;
	char path[PATH_MAX];

	if (mountinfo_of(&mount, c->mountpoint, &none) < 0 ||
	    !mountinfo_is_ours(&mount))
		return;
	snprintf(path, sizeof(path), "%s/%s", c->mountpoint, c->name);
	if (access(path, F_OK) == 0 || errno == EACCES) {
		bucket_check_tell(c, &step, "%s shows it", c->mountpoint);
		return;
	}
	step.verdict = VERDICT_FAILED;
	step.code = EXIT_MISSING;
	step.fix = "\"datasetfs status\" names the configuration that the mount has read, and why it refused a newer one";
	bucket_check_tell(c, &step, "%s does not show it: %s", c->mountpoint,
			  strerror(errno));
}

void bucket_check_one(struct bucket_check *c, struct bucket *b)
{
	c->bucket = b;
	c->name = bucket_name(b);
	if (look_at_settings(c))
		bucket_check_store(c);
	look_at_mount(c);
	c->name = NULL;
}
