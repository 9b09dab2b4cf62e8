/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration in memory, with secrets in a directory of its own, for the
 * tests of fs/config.  A test file that includes it says
 *
 *	TestSuite(NAME, .init = setup, .fini = teardown);
 */
#ifndef DATASETFS_TESTS_SETTINGS_FIXTURE_H
#define DATASETFS_TESTS_SETTINGS_FIXTURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <criterion/criterion.h>
#include "backends/base/io.h"
#include "fs/config/settings.h"

static char dir[] = "/tmp/datasetfs-settings-test-XXXXXX";
static struct settings *st;
static struct settings_report report;
static struct buf printed;	/* the report, as people see it */
static int result;

__attribute__((unused)) static void setup(void)
{
	cr_assert_not_null(mkdtemp(dir));
	cr_assert_eq(unsetenv("OSMO_CONFIG_FILE_DIR"), 0);
	cr_assert_eq(unsetenv("XDG_CONFIG_HOME"), 0);
	cr_assert_eq(unsetenv("DATASETFS_CONFIG"), 0);
	cr_assert_eq(setenv("HOME", dir, 1), 0);
}

static void unload(void)
{
	settings_free(st);
	st = NULL;
	settings_report_release(&report);
	buf_release(&printed);
	printed = (struct buf)BUF_INIT;
}

__attribute__((unused)) static void teardown(void)
{
	char line[64];

	unload();
	(void)snprintf(line, sizeof(line), "rm -rf '%s'", dir);
	cr_assert_eq(system(line), 0);
}

static void load_bytes(const char *text, size_t len)
{
	struct err err = ERR_INIT;
	char path[128];

	unload();
	(void)snprintf(path, sizeof(path), "%s/config.yaml", dir);
	result = settings_parse(&st, path, text, len, &report, &err);
	settings_report_print(&report, "config.yaml", &printed);
	buf_str(&printed, "");
}

static void load_text(const char *text)
{
	load_bytes(text, strlen(text));
}

__attribute__((unused)) static void read_fixture(const char *name,
						 struct buf *out)
{
	struct err err = ERR_INIT;
	const char *top = getenv("top_srcdir");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/tests/fixtures/config/%s",
		       top ? top : ".", name);
	cr_assert_eq(io_read_file(path, 1 << 20, out, &err), 0, "%s",
		     err.text);
}

__attribute__((unused)) static void load_fixture(const char *name)
{
	cleanup_buf struct buf text = BUF_INIT;

	read_fixture(name, &text);
	load_text(text.data);
}

__attribute__((unused)) static const struct settings_bucket *
bucket(const char *name)
{
	const struct settings_bucket *b = settings_bucket(st, name);

	cr_assert_not_null(b, "no bucket %s: %s", name, printed.data);
	return b;
}

/* Writes a file below dir, with its folder. */
__attribute__((unused)) static void put_bytes(const char *name,
					      const char *text, size_t len)
{
	char path[256], folder[256];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	cr_assert_eq(io_mkdir_p(folder, 0700), 0);
	f = fopen(path, "w");
	cr_assert_not_null(f);
	cr_assert_eq(fwrite(text, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
}

__attribute__((unused)) static void put(const char *name, const char *text)
{
	put_bytes(name, text, strlen(text));
}

/* A bucket "p" at s3://b/p whose credential is text; secrets below dir. */
__attribute__((unused)) static void load_cred(const char *text)
{
	char *doc;

	cr_assert_gt(asprintf(&doc, "datasetfs: {secrets_dir: \"%s\"}\n"
			      "buckets: {p: {dataset_path: \"s3://b/p\", "
			      "default_credential: %s}}\n", dir, text), 0);
	load_text(doc);
	free(doc);
}

__attribute__((unused)) static bool told(const char *words)
{
	return strstr(printed.data, words) != NULL;
}

/* The value's line of "config show", NULL where it has none. */
__attribute__((unused)) static const struct settings_value *
value_of(const char *name)
{
	for (size_t i = 0; i < st->n_values; i++)
		if (strcmp(st->values[i].name, name) == 0)
			return &st->values[i];
	return NULL;
}

/* Whether word stands in anything that a command may print. */
__attribute__((unused)) static bool shown_anywhere(const char *word)
{
	cleanup_buf struct buf text = BUF_INIT;

	buf_str(&text, printed.data);
	if (st) {
		settings_dump_osmo(st, &text);
		settings_dump_effective(st, true, &text);
	}
	for (size_t i = 0; st && i < st->n_buckets; i++)
		if (st->buckets[i].problem)
			buf_str(&text, st->buckets[i].problem);
	cr_assert_not(buf_failed(&text));
	return strstr(text.data, word) != NULL;
}

#endif
