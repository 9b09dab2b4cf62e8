/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fs/cli/cli.h"
#include "fs/cli/import_catalog.h"
#include "fs/cli/import_service.h"
#include "fs/dataset/import/import.h"
#include "fs/dataset/import/import_foreign.h"
#include "fs/dataset/import/import_read.h"

#define IMPORT_REQUEST_TIMEOUT_MS 60000

struct import_words {
	const char *catalog;	/* --catalog, or NULL */
	const char *bucket;
	char **sources;
	int n_sources;
	const char *token_file;	/* --token-file, or NULL */
	const char *user;	/* --user, or NULL */
	bool dry_run;
	bool adopt;
};

static int parse_options(struct cli *cli, struct import_words *w, int argc,
			 char **argv)
{
	static const struct option longs[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "catalog", required_argument, NULL, 'c' },
		{ "adopt", no_argument, NULL, 'a' },
		{ "token-file", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(cli, argc, argv, "n", longs)) != -1) {
		switch (c) {
		case 'n':
			w->dry_run = true;
			break;
		case 'c':
			w->catalog = optarg;
			break;
		case 'a':
			w->adopt = true;
			break;
		case 't':
			w->token_file = optarg;
			break;
		case 'u':
			w->user = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind < 2)
		return cli_usage(cli, "a bucket and at least one source are needed");
	w->bucket = argv[optind];
	w->sources = argv + optind + 1;
	w->n_sources = argc - optind - 1;
	return 0;
}

static json_t *counts_json(const size_t counts[IMPORT_ACTIONS])
{
	json_t *o = json_object();

	for (int i = 0; i < IMPORT_ACTIONS; i++)
		json_object_set_new(o, import_action_name(i),
				    json_integer((json_int_t)counts[i]));
	return o;
}

static json_t *foreign_json(const struct import_foreign *foreign)
{
	json_t *list = json_array();

	for (size_t i = 0; i < foreign->prefixes.n_containers; i++) {
		const struct import_container *c =
			&foreign->prefixes.containers[i];

		for (size_t k = 0; k < c->n_prefixes; k++)
			json_array_append_new(list,
					      cli_json_text(c->prefixes[k]));
	}
	return list;
}

static int print_json(const struct import_words *w,
		      const struct import_source *src,
		      const struct import_report *report,
		      const struct import_foreign *foreign)
{
	json_t *doc = json_object(), *lines = json_array();
	json_t *notes = json_array();

	json_object_set_new(doc, "bucket", cli_json_text(w->bucket));
	json_object_set_new(doc, "dry_run", json_boolean(w->dry_run));
	json_object_set_new(doc, "datasets", counts_json(report->datasets));
	json_object_set_new(doc, "versions", counts_json(report->versions));
	json_object_set_new(doc, "other_buckets",
			    json_integer((json_int_t)report->n_other_buckets));
	for (size_t i = 0; i < report->n_lines; i++) {
		const struct import_line *l = &report->lines[i];
		json_t *o = json_object();

		json_object_set_new(o, "action",
				    json_string(import_action_name(l->action)));
		json_object_set_new(o, "dataset", cli_json_text(l->dataset));
		json_object_set_new(o, "id", cli_json_text(l->id));
		json_object_set_new(o, "version", l->version ?
				    json_integer(l->version) : json_null());
		json_object_set_new(o, "text", cli_json_text(l->text));
		json_array_append_new(lines, o);
	}
	for (size_t i = 0; i < src->n_notes; i++)
		json_array_append_new(notes, cli_json_text(src->notes[i]));
	json_object_set_new(doc, "lines", lines);
	for (size_t i = 0; i < foreign->n_notes; i++)
		json_array_append_new(notes, cli_json_text(foreign->notes[i]));
	json_object_set_new(doc, "notes", notes);
	json_object_set_new(doc, "foreign", foreign_json(foreign));
	return cli_print_json(doc, "dataset-import");
}

static void print_notes(const struct import_source *src,
			const struct import_foreign *foreign)
{
	for (size_t i = 0; i < src->n_notes; i++)
		fprintf(stderr, "note: %s\n", src->notes[i]);
	if (src->n_notes_dropped)
		fprintf(stderr, "note: and %zu more\n", src->n_notes_dropped);
	for (size_t i = 0; i < foreign->n_notes; i++)
		fprintf(stderr, "note: %s\n", foreign->notes[i]);
}

static int print_text(const struct cli *cli, const struct import_words *w,
		      const struct import_source *src,
		      const struct import_report *report,
		      const struct import_foreign *foreign)
{
	cleanup_buf struct buf text = BUF_INIT;

	import_report_print(report, cli->verbose > 0, &text);
	import_foreign_print(foreign, w->bucket, &text);
	if (buf_failed(&text)) {
		fputs("error: out of memory\n", stderr);
		return EXIT_ENVIRONMENT;
	}
	fputs(text.data ? text.data : "", stdout);
	fflush(stdout);
	print_notes(src, foreign);
	return EXIT_DONE;
}

/*
 * A mistyped dataset_path makes every manifest lie elsewhere; one bucket may
 * well have some there.
 */
static void warn_of_place(const struct import_words *w, const struct bucket *b,
			  const struct import_source *src)
{
	const struct settings_bucket *sb = bucket_settings(b);
	size_t n = 0;

	for (size_t i = 0; i < src->n_datasets; i++) {
		const struct import_dataset *ds = &src->datasets[i];

		if (!ds->bucket || strcmp(ds->bucket, w->bucket) != 0)
			continue;
		for (size_t k = 0; k < ds->n_versions; k++) {
			const char *uri = ds->versions[k].uri;

			if (!uri)
				continue;
			if (uri_below(&sb->location, uri))
				return;
			n++;
		}
	}
	if (n)
		fprintf(stderr, "warning: none of the %zu versions lies below %s: is the dataset_path of bucket %s right?\n",
			n, sb->location.text, w->bucket);
}

static int apply(struct cli *cli, const struct import_words *w,
		 struct bucket *b, const struct import_source *src)
{
	const struct import_options opt = {
		.bucket = w->bucket,
		.dry_run = w->dry_run,
		.adopt = w->adopt,
		.timeout_ms = IMPORT_REQUEST_TIMEOUT_MS,
	};
	cleanup_import_report struct import_report report = { .lines = NULL };
	cleanup_import_foreign struct import_foreign foreign = { .n_notes = 0 };
	struct err err = ERR_INIT, scan = ERR_INIT;
	int code, r;

	warn_of_place(w, b, src);
	r = import_apply(bucket_store(b), src, &opt, &report, &err);
	if (r < 0 && r != -EEXIST)
		return cli_fail(&err);
	if (r == 0 &&
	    import_foreign_scan(b, src, &report, &foreign, &scan) < 0)
		return cli_fail(&scan);
	code = cli->json ? print_json(w, src, &report, &foreign) :
			   print_text(cli, w, src, &report, &foreign);
	return r < 0 ? cli_fail(&err) : code;
}

int cmd_dataset_import_osmo(struct cli *cli, int argc, char **argv)
{
	cleanup_import_source struct import_source *src = NULL;
	struct import_words w = { .catalog = NULL };
	struct import_service service;
	struct bucket *b = NULL;
	struct err err = ERR_INIT;
	bool is_new = false;
	int code, r = 0;

	code = parse_options(cli, &w, argc, argv);
	if (code == 0)
		code = cli_settings(cli);
	if (code == 0)
		code = import_catalog_use(cli, w.bucket, w.catalog,
					  w.dry_run, &is_new);
	if (code == 0)
		code = cli_buckets(cli);
	if (code)
		return code;
	if (buckets_find_or_default(cli->buckets, w.bucket, &b, &err) < 0)
		return cli_fail(&err);

	service = (struct import_service){
		.bucket = w.bucket,
		.token_file = w.token_file,
		.user = w.user,
	};
	src = import_source_new();
	if (!src)
		r = err_nomem(&err);
	for (int i = 0; r == 0 && i < w.n_sources; i++)
		r = import_service_is_url(w.sources[i]) ?
			    import_service_read(cli, src, w.sources[i],
						&service, &err) :
			    import_read(src, w.sources[i], &err);
	if (r == 0)
		r = import_source_settle(src, &err);
	if (r < 0)
		return cli_fail(&err);

	code = apply(cli, &w, b, src);
	if (code == EXIT_DONE && is_new)
		import_catalog_tell(cli, w.bucket, w.catalog);
	return code;
}
