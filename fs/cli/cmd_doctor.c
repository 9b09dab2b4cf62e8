/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <limits.h>
#include <stdio.h>

#include "fs/cli/doctor/doctor.h"

void doctor_tell(struct doctor *d, enum verdict verdict, const char *check,
		 const char *fix, const char *fmt, ...)
{
	const struct finding finding = {
		.verdict = verdict,
		.check = check,
		.fix = fix,
		.us = -1,
	};
	va_list ap;

	va_start(ap, fmt);
	findings_tell(&d->findings, &finding, fmt, ap);
	va_end(ap);
}

/* What closes a bucket, the bucket's own finding says. */
static bool is_of_a_bucket(const struct doctor *d,
			   const struct settings_problem *p)
{
	const struct settings_bucket *sb =
		p->bucket && d->cli->settings ?
			settings_bucket(d->cli->settings, p->bucket) : NULL;

	return sb && sb->problem && p->severity == SETTINGS_PROBLEM;
}

static void tell_problems(struct doctor *d, const char *path,
			  const struct settings_report *report)
{
	char fix[PATH_MAX + 64];

	snprintf(fix, sizeof(fix), "correct it in %s; datasetfs.conf(5) describes each key",
		 path);
	for (size_t i = 0; i < report->n_problems; i++) {
		const struct settings_problem *p = &report->problems[i];

		if (is_of_a_bucket(d, p))
			continue;
		doctor_tell(d, p->severity == SETTINGS_WARNING ?
			       VERDICT_WARNING : VERDICT_FAILED,
			    "configuration", fix, "%s:%u:%u: %s%s%s", path,
			    p->line, p->column, p->path, *p->path ? ": " : "",
			    p->text);
	}
}

static bool look_at_settings(struct doctor *d)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_free char *path = NULL;
	struct err err = ERR_INIT;
	unsigned n_failed = d->findings.n_failed;
	int r;

	path = settings_find(d->cli->config, &err);
	if (!path) {
		doctor_tell(d, VERDICT_FAILED, "configuration",
			    "write one, see datasetfs.conf(5), or name it with --config",
			    "%s", err.text);
		return false;
	}
	r = settings_load(&d->cli->settings, path, &report, &err);
	tell_problems(d, path, &report);
	settings_report_release(&report);
	if (r < 0 && d->findings.n_failed == n_failed)
		doctor_tell(d, VERDICT_FAILED, "configuration",
			    "name another with --config, or correct it, see datasetfs.conf(5)",
			    "%s", err.text);
	if (d->findings.n_failed == n_failed)
		doctor_tell(d, VERDICT_OK, "configuration", NULL,
			    "%s, %zu buckets", path,
			    d->cli->settings->n_buckets);
	return r == 0;
}

int cmd_doctor(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };
	struct doctor d = { .cli = cli };

	if (cli_getopt(cli, argc, argv, "", longs) != -1)
		return EXIT_USAGE;
	if (optind < argc)
		return cli_usage(cli, "unexpected word \"%s\"", argv[optind]);
	if (cli->json)
		d.findings.list = json_array();
	doctor_look_at_fuse(&d);
	if (look_at_settings(&d)) {
		doctor_look_at_cache(&d);
		doctor_look_at_memory(&d);
		doctor_look_at_buckets(&d);
	}
	doctor_look_at_mounts(&d);
	doctor_look_at_updatedb(&d);
	return findings_finish(&d.findings, "doctor",
			       d.findings.n_failed ? EXIT_ENVIRONMENT :
						     EXIT_DONE);
}
