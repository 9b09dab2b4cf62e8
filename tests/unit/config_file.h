/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration in a folder of its own, with a Secret beside it, for the
 * tests of what is loaded again.
 */
#ifndef DATASETFS_TESTS_CONFIG_FILE_H
#define DATASETFS_TESTS_CONFIG_FILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include "backends/base/io.h"
#include "fs/config/settings.h"

static char dir[] = "/tmp/datasetfs-config-test-XXXXXX";
static struct err err;

static const char *in_dir(const char *name)
{
	static char paths[4][256];
	static unsigned n;
	char *path = paths[n++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

/* In place, as an editor without a rename. */
static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	cr_assert_not_null(f, "%s", name);
	cr_assert_geq(fputs(text, f), 0);
	cr_assert_eq(fclose(f), 0);
}

static void make_dir(const char *name)
{
	cr_assert_eq(io_mkdir_p(in_dir(name), 0700), 0);
}

#define CONFIG                                                                 \
	"buckets: {p: {dataset_path: \"s3://b/p\", default_credential: "       \
	"{secretName: key}}}\n"                                                \
	"datasetfs: {secrets_dir: secrets}\n"

static void put_all(void)
{
	cr_assert_not_null(mkdtemp(dir));
	make_dir("etc");
	make_dir("etc/secrets/key");
	put("etc/config.yaml", CONFIG);
	put("etc/secrets/key/access_key_id", "id\n");
	put("etc/secrets/key/access_key", "secret\n");
}

static void remove_all(void)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

static struct settings *load(const char *name)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	struct settings *st = NULL;

	cr_assert_eq(settings_load(&st, in_dir(name), &report, &err), 0, "%s",
		     err.text);
	cr_assert_eq(report.n_problems, 0);
	settings_report_release(&report);
	return st;
}

#endif
