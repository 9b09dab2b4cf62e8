/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the configuration lies, and what OSMO's own client file adds to it.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "fs/config/client_login.h"
#include "fs/config/settings_context.h"

#define CLIENT_FILE "config.yaml"

static const char *const usual_places[] = {
	"/etc/datasetfs/config.yaml",
	"/etc/osmo/configs/config.yaml",
};

char *settings_find(const char *given, struct err *err)
{
	const char *env = getenv("DATASETFS_CONFIG");
	const char *path = given ? given : env && *env ? env : NULL;
	char *copy;

	/* One that was named and is not there is an error, not a reason to
	   take another; so is one that is there and cannot be read. */
	for (size_t i = 0; !path && i < ARRAY_SIZE(usual_places); i++)
		if (access(usual_places[i], F_OK) == 0 ||
		    (errno != ENOENT && errno != ENOTDIR))
			path = usual_places[i];
	if (!path) {
		err_set(err, ERR_MISSING, ENOENT,
			"no configuration: looked for --config FILE, "
			"$DATASETFS_CONFIG, %s and %s; datasetfs.conf(5) says "
			"how to write one", usual_places[0], usual_places[1]);
		return NULL;
	}
	copy = strdup(path);
	if (!copy)
		err_nomem(err);
	return copy;
}

static int first_error(const struct settings_report *report, const char *path,
		       struct err *err)
{
	const struct settings_problem *p = report->problems;

	while (p->severity == SETTINGS_WARNING)
		p++;
	return err_set(err, ERR_USAGE, EINVAL, "%s:%u:%u: %s: %s", path,
		       p->line, p->column, p->path, p->text);
}

/* auth.data.PROFILE of the client file's text. */
static int read_client(struct settings_cred **out, const char *path,
		       const struct buf *text, const char *profile,
		       struct err *err)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	struct settings st = { .path = (char *)(uintptr_t)path };
	struct settings_context context = { .settings = &st,
					    .report = &report };
	const struct field_path auth = { NULL, "auth" };
	const struct field_path data = { &auth, "data" };
	const struct field_path here = { &data, profile };
	cleanup_yaml_node struct yaml_node *root = NULL;
	struct yaml_position at = { 0, 0 };
	const struct yaml_node *map, *node;
	struct err why = ERR_INIT;
	int r;

	r = yaml_node_parse(&root, text->data ? text->data : "", text->len,
			    &at, &why);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0)	/* the position only: the file holds secrets */
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s:%u:%u: OSMO's client file is not valid YAML",
			       path, at.line, at.column);
	map = yaml_node_get(yaml_node_get(root, "auth"), "data");
	node = yaml_node_get(map, profile);
	if (yaml_node_is_null(node))
		return 0;
	for (size_t i = 0; i < map->n_items; i++)
		if (map->items[i].duplicate &&
		    strcmp(map->items[i].key, profile) == 0)
			settings_context_problem(&context, SETTINGS_PROBLEM,
						 map->items[i].at, &here,
						 "stands twice: keep one");
	*out = settings_cred_read(&context, node, &here, NULL);
	if (context.no_memory)
		r = err_nomem(err);
	else if (report.n_errors)
		r = first_error(&report, path, err);
	if (r < 0) {
		settings_cred_free(*out);
		*out = NULL;
	}
	settings_values_release(&st);
	settings_report_release(&report);
	return r;
}

int settings_client_cred(struct settings_cred **out, const char *profile,
			 struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_free char *path = client_file_path(CLIENT_FILE, err);
	int r;

	*out = NULL;
	if (!path)
		return -ENOMEM;
	if (!*path)
		return 0;
	r = io_read_file(path, YAML_BYTES_MAX, &text, err);
	if (r == -ENOENT || r == -ENOTDIR) {
		err_clear(err);
		return 0;
	}
	if (r == 0)
		r = read_client(out, path, &text, profile, err);
	if (text.data)
		explicit_bzero(text.data, text.cap);
	return r;
}
