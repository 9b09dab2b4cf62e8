/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backends/base/encode.h"
#include "fs/cli/cli.h"
#include "fs/cli/path_regex.h"

#define COUNT_DEFAULT 1000	/* as OSMO */
#define PATH_SHOWN_MAX 8192

enum format { FORMAT_TEXT, FORMAT_TREE, FORMAT_JSON };

struct inspection {
	struct tree *tree;
	enum format format;
	struct path_regex regex;
	uint64_t count;		/* files still to be shown */
	bool is_cut;
	bool is_first;
	struct buf path;	/* of the directory that is walked */
	struct buf indent;	/* FORMAT_TREE */
};

static int show_json(struct inspection *in, const struct tree_entry *e,
		     struct err *err)
{
	cleanup_buf struct buf uri = BUF_INIT, etag = BUF_INIT;
	json_t *o;
	char *text;
	int r;

	r = tree_source(in->tree, e->index, &uri, &etag, err);
	if (r < 0)
		return r;
	o = json_object();
	json_object_set_new(o, "relative_path",
			    cli_json_text(in->path.data));
	json_object_set_new(o, "storage_path",
			    cli_json_text(uri.data ? uri.data : ""));
	json_object_set_new(o, "size", json_integer((json_int_t)e->size));
	json_object_set_new(o, "etag",
			    cli_json_text(etag.data ? etag.data : ""));
	text = json_dumps(o, JSON_ENSURE_ASCII | JSON_COMPACT);
	json_decref(o);
	if (!text)
		return err_nomem(err);
	printf("%s\n    %s", in->is_first ? "" : ",", text);
	in->is_first = false;
	free(text);
	return 0;
}

/* As JSON or as a line of text; in a tree a file is a tree_line(). */
static int show_file(struct inspection *in, const struct tree_entry *e,
		     struct err *err)
{
	cleanup_buf struct buf shown = BUF_INIT;

	if (in->format == FORMAT_JSON)
		return show_json(in, e, err);
	encode_printable(&shown, in->path.data, in->path.len, PATH_SHOWN_MAX);
	if (buf_failed(&shown))
		return err_nomem(err);
	printf("%12" PRIu64 "  %s\n", e->size, shown.data);
	return 0;
}

static int walk(struct inspection *in, uint32_t dir, struct err *err);

static void tree_line(struct inspection *in, const struct tree_entry *e,
		      bool is_last)
{
	cleanup_buf struct buf shown = BUF_INIT;

	encode_printable(&shown, e->name, e->name_len, PATH_SHOWN_MAX);
	printf("%s%s %s%s\n", in->indent.data ? in->indent.data : "",
	       is_last ? "└──" : "├──", shown.data ? shown.data : "?",
	       e->type == TREE_DIR ? "/" : "");
}

static int walk_child(struct inspection *in, const struct tree_entry *e,
		      bool is_last, struct err *err)
{
	size_t path_len = in->path.len, indent_len = in->indent.len;
	int r = 0;

	if (path_len)
		buf_char(&in->path, '/');
	r = buf_add(&in->path, e->name, e->name_len, err);
	if (r < 0)
		return r;

	if (e->type == TREE_DIR) {
		if (in->format == FORMAT_TREE) {
			tree_line(in, e, is_last);
			buf_str(&in->indent, is_last ? "    " : "│   ");
		}
		r = walk(in, e->index, err);
	} else if (path_regex_matches(&in->regex, in->path.data)) {
		if (in->count == 0) {
			in->is_cut = true;
			r = 1;
		} else {
			in->count--;
			if (in->format == FORMAT_TREE)
				tree_line(in, e, is_last);
			else
				r = show_file(in, e, err);
		}
	}
	in->path.len = path_len;
	in->path.data[path_len] = '\0';
	if (in->indent.data) {
		in->indent.len = indent_len;
		in->indent.data[indent_len] = '\0';
	}
	return r;
}

static int walk(struct inspection *in, uint32_t dir, struct err *err)
{
	struct tree_entry e;
	uint32_t first, n;
	int r;

	r = tree_entry(in->tree, dir, &e, err);
	if (r < 0)
		return r;
	first = e.first_child;
	n = e.n_children;
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = tree_entry(in->tree, first + i, &e, err);
		if (r == 0)
			r = walk_child(in, &e, i + 1 == n, err);
	}
	return r;
}

static int parse_options(struct cli *cli, struct inspection *in, int argc,
			 char **argv)
{
	static const struct option longs[] = {
		{ "format-type", required_argument, NULL, 't' },
		{ "regex", required_argument, NULL, 'x' },
		{ "count", required_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 },
	};
	char *end;
	int c;

	while ((c = cli_getopt(cli, argc, argv, "t:x:n:", longs)) != -1) {
		switch (c) {
		case 't':
			if (strcmp(optarg, "text") == 0)
				in->format = FORMAT_TEXT;
			else if (strcmp(optarg, "tree") == 0)
				in->format = FORMAT_TREE;
			else if (strcmp(optarg, "json") == 0)
				in->format = FORMAT_JSON;
			else
				return cli_usage(cli, "format \"%s\" is none of text, tree, json", optarg);
			break;
		case 'x':
			if (path_regex_take(&in->regex, cli, optarg))
				return EXIT_USAGE;
			break;
		case 'n':
			in->count = strtoull(optarg, &end, 10);
			if (!*optarg || *end || optarg[0] == '-')
				return cli_usage(cli, "count \"%s\" is no number", optarg);
			if (in->count == 0)
				in->count = UINT64_MAX;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one dataset is needed");
	return 0;
}

static void print_head(const struct inspection *in, const struct resolved *ref)
{
	if (in->format == FORMAT_JSON)
		printf("{\n  \"schema\": \"datasetfs.dataset-inspect/1\",\n"
		       "  \"bucket\": \"%s\",\n  \"name\": \"%s\",\n"
		       "  \"version\": %u,\n  \"files\": [",
		       bucket_name(ref->bucket), ref->dataset->name,
		       ref->version->number);
	else if (in->format == FORMAT_TREE)
		printf("%s@%u/\n", ref->dataset->name, ref->version->number);
}

static void print_tail(const struct inspection *in)
{
	if (in->format == FORMAT_JSON)
		printf("%s],\n  \"truncated\": %s\n}\n",
		       in->is_first ? "" : "\n  ",
		       in->is_cut ? "true" : "false");
	if (in->is_cut)
		fprintf(stderr, "more files are not shown: --count 0 shows all\n");
}

int cmd_dataset_inspect(struct cli *cli, int argc, char **argv)
{
	cleanup_resolved struct resolved ref = { .bucket = NULL };
	cleanup_tree struct tree *tree = NULL;
	struct inspection in = { .count = COUNT_DEFAULT, .is_first = true };
	struct err err = ERR_INIT;
	int code, r;

	code = parse_options(cli, &in, argc, argv);
	if (code == 0)
		code = cli_resolve(cli, argv[optind], &ref);
	if (code)
		goto out;
	if (cli->json)
		in.format = FORMAT_JSON;
	r = bucket_tree_sync(ref.bucket, ref.catalog, ref.dataset, ref.version,
			     &tree, &err);
	if (r == 0) {
		in.tree = tree;
		print_head(&in, &ref);
		r = walk(&in, TREE_ROOT, &err);
		print_tail(&in);
	}
	if (r < 0)
		code = cli_fail(&err);
out:
	path_regex_release(&in.regex);
	buf_release(&in.path);
	buf_release(&in.indent);
	return code;
}
