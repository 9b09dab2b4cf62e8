/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/cli.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "fs/dataset/reference.h"

int cli_exit_code(const struct err *err)
{
	if (err->code == EBUSY)
		return EXIT_BUSY;
	if (err->code == EINTR)
		return EXIT_INTERRUPTED;
	switch (err->class) {
	case ERR_NONE:
		return EXIT_DONE;
	case ERR_RETRY:
		return EXIT_RETRY;
	case ERR_AUTH:
		return EXIT_AUTH;
	case ERR_MISSING:
		return EXIT_MISSING;
	case ERR_CORRUPT:
		return EXIT_INTEGRITY;
	case ERR_USAGE:
		return EXIT_USAGE;
	case ERR_CONFLICT:
		return EXIT_NO;
	case ERR_SYSTEM:
		return EXIT_ENVIRONMENT;
	}
	return EXIT_ENVIRONMENT;
}

/* It may quote what a store, a manifest or a file says. */
int cli_fail(const struct err *err)
{
	cleanup_buf struct buf shown = BUF_INIT;

	encode_prose(&shown, err->text, strlen(err->text), ERR_TEXT_MAX);
	fprintf(stderr, "error: %s\n", shown.data ? shown.data : "out of memory");
	return cli_exit_code(err);
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	fputs("error: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n  try: datasetfs %s%s--help\n",
		cli->command ? cli->command->words : "",
		cli->command ? " " : "");
	return EXIT_USAGE;
}

int cli_getopt(struct cli *cli, int argc, char **argv, const char *shorts,
	       const struct option *longs)
{
	int c;

	opterr = 0;
	c = getopt_long(argc, argv, shorts, longs, NULL);
	if (c == '?' || c == ':') {
		if (optopt && strchr(shorts, optopt))
			cli_usage(cli, "option -%c needs a value", optopt);
		else if (optopt && optopt < 256)
			cli_usage(cli, "no option -%c", optopt);
		else
			cli_usage(cli, "option %s is unknown or wrongly used",
				  argv[optind - 1]);
		return '?';
	}
	return c;
}

int cli_optional_word(const struct cli *cli, int argc, char **argv,
		      const char **word)
{
	if (argc - optind > 1)
		return cli_usage(cli, "unexpected word \"%s\"",
				 argv[optind + 1]);
	if (optind < argc)
		*word = argv[optind];
	return 0;
}

/*
 * Problems of single buckets concern whoever looks at the configuration or
 * mounts it; in front of every other command's output they are noise.
 */
static bool wants_warnings(const struct cli *cli)
{
	const char *words = cli->command->words;

	return cli->verbose || strcmp(words, "mount") == 0 ||
	       strncmp(words, "bucket ", 7) == 0 ||
	       strncmp(words, "config ", 7) == 0;
}

int cli_settings(struct cli *cli)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *path = NULL;
	struct err err = ERR_INIT;
	int r;

	if (cli->settings)
		return 0;
	path = settings_find(cli->config, &err);
	if (!path)
		return cli_fail(&err);
	r = settings_load(&cli->settings, path, &report, &err);
	settings_report_print(&report, path, &text);
	settings_report_release(&report);
	if (text.len && (r < 0 || wants_warnings(cli)))
		fputs(text.data, stderr);
	if (r < 0)
		return cli_fail(&err);
	return 0;
}

int cli_buckets(struct cli *cli)
{
	const struct buckets_options opt = { .sync_only = true };
	struct err err = ERR_INIT;
	int code;

	if (cli->buckets)
		return 0;
	code = cli_settings(cli);
	if (code)
		return code;
	if (buckets_new(&cli->buckets, cli->settings, &opt, &err) < 0)
		return cli_fail(&err);
	return 0;
}

int cli_print_json(json_t *doc, const char *schema)
{
	char name[64];
	json_t *out = json_object();
	int r;

	snprintf(name, sizeof(name), "datasetfs.%s/1", schema);
	json_object_set_new(out, "schema", json_string(name));
	json_object_update(out, doc);
	json_decref(doc);
	r = json_dumpf(out, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	json_decref(out);
	putchar('\n');
	if (r == 0)
		return EXIT_DONE;
	fputs("error: cannot write the output\n", stderr);
	return EXIT_ENVIRONMENT;
}

json_t *cli_json_text(const char *s)
{
	struct buf printable = BUF_INIT;
	json_t *text;

	if (!s)
		return json_null();
	text = json_string(s);
	if (text)
		return text;
	encode_printable(&printable, s, strlen(s), 4096);
	text = json_string(printable.data ? printable.data : "");
	buf_release(&printable);
	return text ? text : json_string("");
}

json_t *cli_json_object(const char *text)
{
	json_t *v = text ? json_loads(text, 0, NULL) : NULL;

	if (json_is_object(v))
		return v;
	json_decref(v);
	return json_object();
}

json_t *cli_json_date(int64_t seconds)
{
	char text[CLOCK_ISO_MAX];

	if (!seconds)
		return json_null();
	clock_format_iso(seconds, text);
	return json_string(text);
}

int cli_resolve(struct cli *cli, const char *text, struct resolved *out)
{
	struct reference ref;
	struct err err = ERR_INIT;
	int code;

	if (reference_parse(&ref, text, &err) < 0)
		return cli_fail(&err);
	code = cli_buckets(cli);
	if (code)
		return code;
	if (buckets_resolve_sync(cli->buckets, &ref, &out->bucket,
				 &out->catalog, &out->dataset, &out->version,
				 &err) < 0)
		return cli_fail(&err);
	return 0;
}

/* Why the link of a reference is not there. */
static int not_there(const char *mountpoint, const struct reference *ref,
		     const char *link, struct err *err)
{
	char bucket[PATH_MAX];

	snprintf(bucket, sizeof(bucket), "%s/%s", mountpoint, ref->bucket);
	if (*ref->bucket && access(bucket, F_OK) < 0 && errno == ENOENT)
		return err_set(err, ERR_MISSING, ENOENT,
			       "Bucket %s is not mounted at %s: ls %s lists those that are",
			       ref->bucket, mountpoint, mountpoint);
	return err_set(err, ERR_MISSING, ENOENT,
		       "There is no READY dataset %s with tag or id %s in bucket %s: there is no %s",
		       ref->name, *ref->version ? ref->version : "latest",
		       *ref->bucket ? ref->bucket : "(default)", link);
}

int cli_resolve_mounted(const char *mountpoint, const struct reference *ref,
			char path[PATH_MAX], struct err *err)
{
	char link[PATH_MAX];
	int n;

	n = snprintf(link, sizeof(link), "%s/%s%s%s%s%s", mountpoint,
		     ref->bucket, *ref->bucket ? "/" : "", ref->name,
		     *ref->version ? "@" : "", ref->version);
	if (n < 0 || (size_t)n >= sizeof(link))
		return err_set(err, ERR_USAGE, ENAMETOOLONG,
			       "the path is too long");
	if (realpath(link, path))
		return 0;
	if (errno == ENOENT)
		return not_there(mountpoint, ref, link, err);
	if (errno == EACCES)
		return err_set(err, ERR_AUTH, EACCES,
			       "%s: permission denied: run \"datasetfs status\" on the node for the reason",
			       link);
	return err_errno(err, errno, "%s", link);
}

void resolved_release(struct resolved *r)
{
	if (r->catalog)
		catalog_put(r->catalog);
}
