/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/import_catalog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/base/io.h"

/* A local catalog's directory; a dry run only says that it is missing. */
static int make_directory(const char *path, bool is_dry_run, struct err *err)
{
	int r;

	if (is_dry_run) {
		if (access(path, F_OK) == 0)
			return 0;
		return err_set(err, ERR_MISSING, errno,
			       "the catalog's directory %s does not exist, and a dry run makes none: mkdir -p %s",
			       path, path);
	}
	r = io_mkdir_p(path, 0755);
	return r < 0 ? err_errno(err, -r, "make the catalog's directory %s",
				 path) : 0;
}

static int check_configured(const struct cli *cli,
			    const struct settings_bucket *sb)
{
	if (sb->mode != BUCKET_READ_ONLY || sb->has_catalog)
		return 0;
	fprintf(stderr, "error: bucket %s is read-only, so its catalog must lie elsewhere\n"
		"  try: datasetfs %s --catalog file:///srv/catalogs/%s %s ...\n",
		sb->name, cli->command->words, sb->name, sb->name);
	return EXIT_USAGE;
}

int import_catalog_use(struct cli *cli, const char *bucket, const char *catalog,
		       bool is_dry_run, bool *is_new)
{
	/* The settings are this command's own. */
	struct settings_bucket *sb = (struct settings_bucket *)(uintptr_t)
		settings_bucket(cli->settings, bucket);
	struct uri uri = { .text = NULL };
	struct err err = ERR_INIT;

	if (!sb)
		return 0;	/* explained when it is looked up */
	if (!catalog)
		return check_configured(cli, sb);
	if (uri_parse_location(&uri, catalog, &err) < 0)
		return cli_fail(&err);
	if (uri.scheme == URI_FILE &&
	    make_directory(uri.key, is_dry_run, &err) < 0) {
		uri_release(&uri);
		return cli_fail(&err);
	}
	*is_new = !sb->has_catalog ||
		  strcmp(sb->catalog_location.text, uri.text) != 0;
	if (sb->has_catalog)
		uri_release(&sb->catalog_location);
	free(sb->catalog);
	sb->catalog = strdup(catalog);
	sb->catalog_location = uri;
	sb->has_catalog = true;
	return sb->catalog ? 0 : EXIT_ENVIRONMENT;
}

void import_catalog_tell(const struct cli *cli, const char *bucket,
			 const char *catalog)
{
	fprintf(stderr, "note: tell the mount where the catalog lies, in %s:\n"
		"  datasetfs:\n    buckets:\n      %s: {catalog: \"%s\"}\n",
		cli->settings->path, bucket, catalog);
}
