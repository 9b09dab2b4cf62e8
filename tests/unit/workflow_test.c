/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/workflow.h"

#include <errno.h>
#include <string.h>
#include <criterion/criterion.h>

static struct workflow wf;
static struct err err;

static int parse(const char *text)
{
	workflow_release(&wf);
	err = (struct err)ERR_INIT;
	return workflow_parse(&wf, "flow.yaml", text, strlen(text), &err);
}

Test(workflow, the_list_form)
{
	cr_assert_eq(parse("inputs:\n"
			   "  - robotics/sim-data-2024      # Robotics team bucket\n"
			   "  - ml-research/models\n"
			   "  - synthetic-data\n"), 0, "%s", err.text);
	cr_assert_eq(wf.n_inputs, 3);
	cr_assert_str_eq(wf.inputs[0].reference, "robotics/sim-data-2024");
	cr_assert_str_eq(wf.inputs[2].reference, "synthetic-data");
	cr_assert_eq(wf.inputs[2].index, 2);
	cr_assert_null(wf.inputs[2].task);
	workflow_release(&wf);
}

Test(workflow, the_dataset_form_in_tasks_and_groups)
{
	cr_assert_eq(parse("workflow:\n"
			   "  name: w\n"
			   "  tasks:\n"
			   "  - name: a\n"
			   "    inputs:\n"
			   "    - url: s3://x\n"
			   "    - dataset: {name: \"ds:3\", regex: \".*png\"}\n"
			   "    - task: other\n"
			   "  groups:\n"
			   "  - name: g\n"
			   "    tasks:\n"
			   "    - name: b\n"
			   "      inputs: [{dataset: {name: bucket/ds}}]\n"), 0,
		     "%s", err.text);
	cr_assert_eq(wf.n_inputs, 2);
	cr_assert_str_eq(wf.inputs[0].task, "a");
	cr_assert_eq(wf.inputs[0].index, 1);
	cr_assert_str_eq(wf.inputs[0].reference, "ds:3");
	cr_assert_str_eq(wf.inputs[0].regex, ".*png");
	cr_assert_str_eq(wf.inputs[1].task, "b");
	cr_assert_str_eq(wf.inputs[1].reference, "bucket/ds");
	workflow_release(&wf);
}

Test(workflow, what_is_wrong_is_told_with_its_place)
{
	static const char *const bad[] = {
		"inputs: 5", "inputs:\n- dataset: {}", "inputs:\n- dataset: x",
		"inputs:\n- \"{{name}}\"", "inputs: [", "inputs: [~]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(parse(bad[i]), -EINVAL, "%s", bad[i]);
		cr_assert(strncmp(err.text, "flow.yaml:", 10) == 0, "%s",
			  err.text);
		cr_assert_eq(wf.n_inputs, 0);
	}
}

Test(workflow, a_file_without_inputs_has_none)
{
	cr_assert_eq(parse(""), 0);
	cr_assert_eq(parse("workflow: {tasks: [{name: a}]}"), 0);
	cr_assert_eq(wf.n_inputs, 0);
}
