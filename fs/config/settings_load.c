/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file, or its text, to settings; and which files that took.
 */
#include <config.h>

#include "fs/config/settings.h"

#include <errno.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "fs/config/settings_context.h"

static int by_position(const void *a, const void *b)
{
	const struct settings_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->path, y->path);
}

static int parse_into(struct settings_context *context, const void *text,
		      size_t len, struct err *err)
{
	cleanup_yaml_node struct yaml_node *root = NULL;
	struct yaml_position at = { 0, 0 };
	struct err why = ERR_INIT;
	int r;

	r = yaml_node_parse(&root, text, len, &at, &why);
	if (r == -ENOMEM)
		return err_nomem(err);
	if (r < 0)
		settings_context_problem(context, SETTINGS_FATAL, at, NULL,
					 "%s", why.text);
	else
		settings_read_root(context, root);
	if (context->no_memory)
		return err_nomem(err);
	return 0;
}

/* A daemon goes elsewhere, and loads the file again. */
static char *absolute(const char *path)
{
	cleanup_buf struct buf full = BUF_INIT;
	cleanup_free char *here = *path == '/' ? NULL : getcwd(NULL, 0);

	if (here)
		buf_printf(&full, "%s/", here);
	buf_str(&full, path);
	return buf_failed(&full) ? NULL : buf_steal(&full);
}

static int parse(struct settings_context *context, const char *path,
		 const void *text, size_t len, struct err *err)
{
	struct settings_report *report = context->report;
	cleanup_free char *folder = absolute(path);
	int r;

	if (!folder)
		return err_nomem(err);
	context->dir = dirname(folder);
	r = parse_into(context, text, len, err);
	context->dir = NULL;
	if (report->n_problems)
		qsort(report->problems, report->n_problems,
		      sizeof(*report->problems), by_position);
	if (r < 0)
		return r;
	if (report->fatal)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s is not a valid configuration", path);
	return 0;
}

static struct settings *settings_new(const char *path, struct err *err)
{
	struct settings *st = calloc(1, sizeof(*st));

	if (st)
		st->path = strdup(path);
	if (!st || !st->path) {
		settings_free(st);
		(void)err_nomem(err);
		return NULL;
	}
	return st;
}

int settings_parse(struct settings **out, const char *path, const void *text,
		   size_t len, struct settings_report *report, struct err *err)
{
	cleanup_settings struct settings *st = settings_new(path, err);
	struct settings_context context = { .settings = st, .report = report };
	int r;

	if (!st)
		return -ENOMEM;
	r = parse(&context, path, text, len, err);
	if (r == 0)
		*out = steal_pointer(&st);
	return r;
}

/* The file and what it names; the stamp is taken before it is read. */
static int load(struct settings_context *context, const char *path,
		struct buf *text, struct err *err)
{
	cleanup_free char *full = absolute(path);
	int r;

	if (!full)
		return err_nomem(err);
	settings_context_source(context, full, false);
	r = io_read_file(path, YAML_BYTES_MAX, text, err);
	if (r < 0)
		return r;
	settings_context_was_read(context, text->data, text->len);
	digest_sha256(context->settings->file_digest,
		      text->data ? text->data : "", text->len);
	return parse(context, path, text->data ? text->data : "", text->len,
		     err);
}

int settings_load(struct settings **out, const char *path,
		  struct settings_report *report, struct err *err)
{
	cleanup_settings struct settings *st = settings_new(path, err);
	struct settings_context context = { .settings = st, .report = report };
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	if (!st)
		return -ENOMEM;
	context.digest = digest_new(DIGEST_SHA256);
	r = load(&context, path, &text, err);
	digest_finish(context.digest, st->digest);
	digest_free(context.digest);
	/* Credentials may stand in the file itself. */
	if (text.data)
		explicit_bzero(text.data, text.cap);
	if (r == 0)
		*out = steal_pointer(&st);
	return r;
}
