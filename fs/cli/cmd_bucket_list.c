/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "fs/cli/cli.h"
#include "fs/cli/table.h"

#define BRIEF_GAP 1	/* as the document that registers buckets prints it */

static void bucket_title(const struct settings *st,
			 const struct settings_bucket *sb, struct buf *out)
{
	bool is_default = st->default_bucket &&
			  strcmp(st->default_bucket, sb->name) == 0;

	buf_clear(out);
	buf_printf(out, "%s%s", sb->name, is_default ? " (default)" : "");
}

static int print_brief(const struct settings *st, struct err *err)
{
	static const char *const headers[] = { "Bucket", "Location" };
	cleanup_free const struct settings_bucket **order =
		settings_buckets_in_file_order(st);
	cleanup_buf struct buf title = BUF_INIT;
	struct table *t = NULL;
	int r;

	if (!order)
		return err_nomem(err);
	r = table_new(&t, headers, ARRAY_SIZE(headers), err);
	for (size_t i = 0; r == 0 && i < st->n_buckets; i++) {
		const char *cells[2];

		bucket_title(st, order[i], &title);
		cells[0] = title.data;
		cells[1] = order[i]->dataset_path ? order[i]->dataset_path : "";
		r = table_row(t, cells, err);
	}
	if (r == 0)
		table_print(t, BRIEF_GAP, stdout);
	table_free(t);
	return r;
}

static int print_full(const struct settings *st, struct err *err)
{
	static const char *const headers[] = { "Bucket", "Description",
					       "Location", "Mode",
					       "Default Cred" };
	cleanup_buf struct buf title = BUF_INIT;
	struct table *t = NULL;
	int r;

	r = table_new(&t, headers, ARRAY_SIZE(headers), err);
	for (size_t i = 0; r == 0 && i < st->n_buckets; i++) {
		const struct settings_bucket *sb = &st->buckets[i];
		const char *cells[5];

		bucket_title(st, sb, &title);
		cells[0] = title.data;
		cells[1] = sb->description ? sb->description : "";
		cells[2] = sb->dataset_path ? sb->dataset_path : "";
		cells[3] = sb->mode_text ? sb->mode_text : "";
		cells[4] = sb->cred ? "Yes" : "No";
		r = table_row(t, cells, err);
	}
	if (r == 0) {
		table_print(t, TABLE_GAP, stdout);
		putchar('\n');
	}
	table_free(t);
	return r;
}

static int print_json(const struct settings *st)
{
	json_t *doc = json_object(), *list = json_array();

	for (size_t i = 0; i < st->n_buckets; i++) {
		const struct settings_bucket *sb = &st->buckets[i];
		json_t *o = json_object();

		json_object_set_new(o, "name", cli_json_text(sb->name));
		json_object_set_new(o, "location",
				    cli_json_text(sb->dataset_path ?
						  sb->dataset_path : ""));
		json_object_set_new(o, "description",
				    cli_json_text(sb->description ?
						  sb->description : ""));
		json_object_set_new(o, "mode",
				    cli_json_text(sb->mode_text ?
						  sb->mode_text : ""));
		json_object_set_new(o, "default_cred", json_boolean(sb->cred));
		json_object_set_new(o, "problem", cli_json_text(sb->problem));
		json_array_append_new(list, o);
	}
	json_object_set_new(doc, "default", cli_json_text(st->default_bucket));
	json_object_set_new(doc, "buckets", list);
	return cli_print_json(doc, "bucket-list");
}

int cmd_bucket_list(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "brief", no_argument, NULL, 'b' }, { NULL, 0, NULL, 0 },
	};
	struct err err = ERR_INIT;
	bool brief = false;
	int c, code;

	while ((c = cli_getopt(cli, argc, argv, "", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		brief = true;
	}
	if (optind < argc)
		return cli_usage(cli, "unexpected word \"%s\"", argv[optind]);
	code = cli_settings(cli);
	if (code)
		return code;
	if (cli->json)
		return print_json(cli->settings);
	if ((brief ? print_brief(cli->settings, &err) :
		     print_full(cli->settings, &err)) < 0)
		return cli_fail(&err);
	return EXIT_DONE;
}
