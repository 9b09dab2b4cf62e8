/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the mount point is mounted, resolving only follows the links there: a
 * container needs no configuration, no credential and no socket.  Elsewhere
 * the catalog is asked.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "backends/base/io.h"
#include "fs/cli/cli.h"
#include "fs/config/workflow.h"
#include "fs/dataset/reference.h"
#include "fs/mount/mount.h"

#define WORKFLOW_BYTES_MAX ((size_t)4 << 20)

struct resolution {
	struct cli *cli;
	const char *mountpoint;
	bool is_mounted;
	json_t *json;		/* NULL: lines of text */
	int worst;
};

static int resolve_by_catalog(struct resolution *rs,
			      const struct reference *ref, char path[PATH_MAX],
			      struct err *err)
{
	struct resolved r = { .bucket = NULL };
	int code;

	code = buckets_resolve_sync(rs->cli->buckets, ref, &r.bucket,
				    &r.catalog, &r.dataset, &r.version, err);
	if (code == -EISDIR) {	/* a collection is a directory of its own */
		struct bucket *b;

		err_clear(err);
		code = buckets_find_or_default(rs->cli->buckets, ref->bucket,
					       &b, err);
		if (code == 0)
			snprintf(path, PATH_MAX, "%s/%s/%s", rs->mountpoint,
				 bucket_name(b), ref->name);
		return code;
	}
	if (code < 0)
		return code;
	snprintf(path, PATH_MAX, "%s/%s/%s@%u", rs->mountpoint,
		 bucket_name(r.bucket), r.dataset->name, r.version->number);
	resolved_release(&r);
	return 0;
}

static int resolve_one(struct resolution *rs, const char *text,
		       const struct workflow_input *input)
{
	struct reference ref;
	struct err err = ERR_INIT;
	char path[PATH_MAX];
	int r;

	r = reference_parse(&ref, text, &err);
	if (r == 0)
		r = rs->is_mounted ?
			    cli_resolve_mounted(rs->mountpoint, &ref, path,
						&err) :
			    resolve_by_catalog(rs, &ref, path, &err);
	if (r < 0)
		return cli_fail(&err);
	if (rs->json) {
		json_t *o = json_object();

		json_object_set_new(o, "reference", cli_json_text(text));
		json_object_set_new(o, "path", cli_json_text(path));
		if (input) {
			json_object_set_new(o, "task",
					    cli_json_text(input->task));
			json_object_set_new(o, "input",
					    json_integer(input->index));
			json_object_set_new(o, "regex",
					    cli_json_text(input->regex));
		}
		json_array_append_new(rs->json, o);
	} else {
		puts(path);
	}
	return 0;
}

static int resolve_workflow(struct resolution *rs, const char *file)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct workflow wf = { .inputs = NULL };
	struct err err = ERR_INIT;

	if (io_read_file(file, WORKFLOW_BYTES_MAX, &text, &err) < 0 ||
	    workflow_parse(&wf, file, text.data, text.len, &err) < 0)
		return cli_fail(&err);
	if (wf.n_inputs == 0)
		fprintf(stderr, "%s has no dataset inputs\n", file);
	for (size_t i = 0; i < wf.n_inputs; i++) {
		int code = resolve_one(rs, wf.inputs[i].reference,
				       &wf.inputs[i]);

		rs->worst = code ? code : rs->worst;
	}
	workflow_release(&wf);
	return 0;
}

int cmd_resolve(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "workflow", required_argument, NULL, 'w' },
		{ "mountpoint", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	struct resolution rs = { .cli = cli, .mountpoint = MOUNT_DEFAULT_POINT };
	const char *workflow = NULL;
	int c, code = 0;

	while ((c = cli_getopt(cli, argc, argv, "w:m:", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		if (c == 'w')
			workflow = optarg;
		else
			rs.mountpoint = optarg;
	}
	if ((optind < argc) == (workflow != NULL))
		return cli_usage(cli, "either references or --workflow FILE is needed");

	rs.is_mounted = mount_is_mounted(rs.mountpoint);
	if (!rs.is_mounted) {
		code = cli_buckets(cli);
		if (code)
			return code;
		fprintf(stderr, "warning: nothing is mounted at %s yet; the catalog was asked\n",
			rs.mountpoint);
	}
	if (cli->json)
		rs.json = json_array();
	if (workflow)
		code = resolve_workflow(&rs, workflow);
	for (int i = optind; i < argc; i++) {
		int one = resolve_one(&rs, argv[i], NULL);

		rs.worst = one ? one : rs.worst;
	}
	if (cli->json) {
		json_t *doc = json_object();

		json_object_set_new(doc, "resolved", rs.json);
		if (code == 0)
			code = cli_print_json(doc, "resolve");
		else
			json_decref(doc);
	}
	return code ? code : rs.worst;
}
