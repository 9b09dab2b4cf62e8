/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A URL among the sources of "dataset import osmo": OSMO's service, and as whom
 * it is asked.
 */
#ifndef DATASETFS_CLI_IMPORT_SERVICE_H
#define DATASETFS_CLI_IMPORT_SERVICE_H

#include "fs/cli/cli.h"
#include "fs/dataset/import/import_source.h"

struct import_service {
	const char *bucket;
	const char *token_file;	/* a file that holds a token; NULL: what
				   "osmo login" has left for that service */
	const char *user;	/* of a development installation; NULL: the
				   same */
};

bool import_service_is_url(const char *source);

/* Shows progress.  Errors: import_rest.h; ERR_MISSING without the file. */
int import_service_read(struct cli *cli, struct import_source *src,
			const char *url, const struct import_service *service,
			struct err *err) MUST_CHECK;

#endif
