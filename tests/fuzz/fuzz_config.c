/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations and workflow files.
 * fuzz-covers: fs/config/yaml_load.c fs/config/yaml_node.c fs/config/settings.c fs/config/settings_bucket.c fs/config/settings_cred.c fs/config/settings_own.c fs/config/settings_context.c fs/config/settings_size.c fs/config/workflow.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"
#include "fs/config/settings.h"
#include "fs/config/workflow.h"

static void check_settings(const struct settings *st,
			   const struct settings_report *report)
{
	cleanup_buf struct buf text = BUF_INIT;

	FUZZ_CHECK(!report->fatal);
	FUZZ_CHECK(st->cache_dir && st->secrets_dir && st->path);
	FUZZ_CHECK(!st->default_bucket ||
		   settings_bucket(st, st->default_bucket));
	for (size_t i = 0; i < st->n_buckets; i++) {
		const struct settings_bucket *b = &st->buckets[i];

		FUZZ_CHECK(b->name && b->name[0] && !strchr(b->name, '/'));
		FUZZ_CHECK(strcmp(b->name, "..") != 0);
		FUZZ_CHECK(i == 0 || strcmp(b[-1].name, b->name) < 0);
		FUZZ_CHECK(b->mode_text && b->region && b->description);
		/* What may be used is whole. */
		if (b->problem)
			continue;
		FUZZ_CHECK(b->has_location && b->mode != BUCKET_MODE_BAD);
		FUZZ_CHECK(!b->cred ||
			   (b->cred->access_key_id && b->cred->access_key));
		FUZZ_CHECK(b->access >= -1 && b->access <= 0777);
	}
	settings_dump_osmo(st, &text);
	settings_dump_effective(st, true, &text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct settings *st = NULL;
	struct workflow wf;
	struct err err = ERR_INIT;

	if (settings_parse(&st, "c.yaml", data, size, &report, &err) == 0)
		check_settings(st, &report);
	else
		FUZZ_CHECK(!st && err.text[0]);
	settings_report_print(&report, "c.yaml", &text);
	settings_report_release(&report);
	settings_free(st);

	err = (struct err)ERR_INIT;
	if (workflow_parse(&wf, "w.yaml", data, size, &err) == 0) {
		for (size_t i = 0; i < wf.n_inputs; i++)
			FUZZ_CHECK(wf.inputs[i].reference[0]);
		workflow_release(&wf);
	} else {
		FUZZ_CHECK(err.text[0]);
	}
	return 0;
}
