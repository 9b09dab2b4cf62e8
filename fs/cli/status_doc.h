/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon of a mount says of itself, as JSON; see
 * fs/mount/control/status.h.  What is not there reads as "" or 0.
 */
#ifndef DATASETFS_CLI_STATUS_DOC_H
#define DATASETFS_CLI_STATUS_DOC_H

#include <jansson.h>
#include "backends/base/err.h"
#include "fs/cli/table.h"

/* As mount_status_fetch(); *doc is an object, and the caller's. */
int status_doc_fetch(json_t **doc, const char *mountpoint, struct err *err)
	MUST_CHECK;

const char *status_doc_text(const json_t *o, const char *key);
json_int_t status_doc_number(const json_t *o, const char *key);
void status_doc_size(const json_t *o, const char *key,
		     char out[SIZE_TEXT_MAX]);

#endif
