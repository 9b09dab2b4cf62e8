/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/workflow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "backends/base/io.h"

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
		"inputs: [\"a\\0b\"]", "inputs: [\"\"]", "inputs: {a: b}",
		"inputs: [{dataset: {name: [x]}}]",
		"inputs: [{dataset: {name: a, regex: [x]}}]",
		"inputs: [{dataset: {name: a, localpath: /tmp/x}}]",
		"inputs:\n- {{name}}", "{% if x %}\ninputs: [a]\n{% endif %}",
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

Test(workflow, the_list_form_of_the_document)
{
	cleanup_buf struct buf text = BUF_INIT;
	const char *top = getenv("top_srcdir");
	char path[512];

	(void)snprintf(path, sizeof(path),
		       "%s/tests/fixtures/config/seed-workflow.yaml",
		       top ? top : ".");
	cr_assert_eq(io_read_file(path, 1 << 20, &text, &err), 0);
	cr_assert_eq(parse(text.data), 0, "%s", err.text);
	cr_assert_eq(wf.n_inputs, 3);
	cr_assert_str_eq(wf.inputs[1].reference, "ml-research/models");
	cr_assert_eq(wf.inputs[1].line, 3);
	workflow_release(&wf);
}

Test(workflow, both_forms_may_stand_in_one_list_and_places_count_all)
{
	cr_assert_eq(parse("{\"inputs\": [\"a\", {\"url\": \"s3://x\"}, "
			   "{\"dataset\": {\"name\": \"b/c\", "
			   "\"regex\": null, \"localpath\": null}}]}"), 0,
		     "%s", err.text);
	cr_assert_eq(wf.n_inputs, 2);
	cr_assert_eq(wf.inputs[0].index, 0);
	cr_assert_eq(wf.inputs[1].index, 2);
	cr_assert_null(wf.inputs[1].regex);
	workflow_release(&wf);
}

/* What a task runs or writes is none of its inputs. */
Test(workflow, inputs_elsewhere_are_not_looked_for)
{
	cr_assert_eq(parse("workflow:\n  name: w\n  tasks:\n  - name: a\n"
			   "    files:\n    - {path: /x, contents: "
			   "\"inputs: [y]\"}\n"
			   "    environment: {inputs: [z]}\n"
			   "    outputs: [{dataset: {name: o}}]\n"
			   "    args: [\"{{input:0}}\"]\n"), 0, "%s", err.text);
	cr_assert_eq(wf.n_inputs, 0);
}
