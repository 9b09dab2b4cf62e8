/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dataset inputs of an OSMO workflow file, in both spellings:
 *	inputs: [- robotics/sim-data-2024]        (the list form)
 *	inputs: [- dataset: {name: ds:3, regex: …}]
 * wherever "inputs" stands (workflow.tasks[].inputs, groups[].tasks[].inputs,
 * or at the top).
 */
#ifndef DATASETFS_CONFIG_WORKFLOW_H
#define DATASETFS_CONFIG_WORKFLOW_H

#include "backends/base/buf.h"

struct workflow_input {
	char *task;		/* NULL where the file names none */
	unsigned index;		/* N of {{input:N}} */
	char *reference;	/* as written */
	char *regex;		/* NULL: none */
	unsigned line;
};
struct workflow {
	struct workflow_input *inputs;
	size_t n_inputs;
};
/*
 * The first thing that is wrong ends it: -EINVAL (ERR_USAGE), "PATH:LINE:
 * COLUMN: ...".  So do what OSMO's service would still have to fill in, as a
 * guess would be another version than is meant: {{...}} in a name, localpath.
 */
int workflow_parse(struct workflow *out, const char *path, const void *text,
		   size_t len, struct err *err) MUST_CHECK;
void workflow_release(struct workflow *workflow);

#endif
