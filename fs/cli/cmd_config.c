/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "fs/cli/cli.h"

/* OSMO's document, or one bucket of it. */
static int print_dataset(struct cli *cli, const char *bucket)
{
	cleanup_buf struct buf text = BUF_INIT;
	json_t *doc, *one;
	char *dump;
	int code;

	code = cli_settings(cli);
	if (code)
		return code;
	settings_dump_osmo(cli->settings, &text);
	if (buf_failed(&text)) {
		fputs("error: out of memory\n", stderr);
		return EXIT_ENVIRONMENT;
	}
	if (!bucket) {
		fputs(text.data, stdout);
		return EXIT_DONE;
	}

	doc = json_loads(text.data, 0, NULL);
	one = json_object_get(json_object_get(doc, "buckets"), bucket);
	dump = one ? json_dumps(one, JSON_INDENT(2)) : NULL;
	json_decref(doc);
	if (!dump) {
		fprintf(stderr, "error: Bucket %s is not set in the configs\n"
			"  try: datasetfs bucket list\n", bucket);
		return EXIT_MISSING;
	}
	puts(dump);
	free(dump);
	return EXIT_DONE;
}

int cmd_config_get(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };

	if (cli_getopt(cli, argc, argv, "", longs) != -1)
		return EXIT_USAGE;
	if (argc - optind != 1 || strcmp(argv[optind], "DATASET") != 0)
		return cli_usage(cli, "the one configuration is DATASET");
	return print_dataset(cli, NULL);
}

static int print_effective(struct cli *cli, bool origin)
{
	cleanup_buf struct buf text = BUF_INIT;
	json_t *doc, *list;
	int code;

	code = cli_settings(cli);
	if (code)
		return code;
	if (!cli->json) {
		settings_dump_effective(cli->settings, origin, &text);
		fputs(text.data ? text.data : "", stdout);
		return EXIT_DONE;
	}
	list = json_array();
	for (size_t i = 0; i < cli->settings->n_values; i++) {
		const struct settings_value *v = &cli->settings->values[i];
		json_t *o = json_object();

		json_object_set_new(o, "name", cli_json_text(v->name));
		json_object_set_new(o, "value", cli_json_text(v->value));
		json_object_set_new(o, "origin", cli_json_text(v->origin));
		json_array_append_new(list, o);
	}
	doc = json_object();
	json_object_set_new(doc, "values", list);
	return cli_print_json(doc, "config-show");
}

int cmd_config_show(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "origin", no_argument, NULL, 'o' }, { NULL, 0, NULL, 0 },
	};
	bool origin = false;
	int c;

	while ((c = cli_getopt(cli, argc, argv, "", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		origin = true;
	}
	if (optind == argc)
		return print_effective(cli, origin);
	if (strcmp(argv[optind], "DATASET") != 0 || argc - optind > 2)
		return cli_usage(cli, "write DATASET, and at most one bucket");
	return print_dataset(cli, optind + 1 < argc ? argv[optind + 1] : NULL);
}
