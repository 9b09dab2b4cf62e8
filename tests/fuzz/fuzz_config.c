/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configurations, workflow files, and the text of a secret.
 * fuzz-covers: fs/config/yaml_load.c fs/config/yaml_mapping.c fs/config/yaml_json.c fs/config/yaml_node.c fs/config/settings.c fs/config/settings_bucket.c fs/config/settings_cred.c fs/config/settings_own.c fs/config/settings_context.c fs/config/settings_dump.c fs/config/settings_report.c fs/config/settings_size.c fs/config/nearest.c fs/config/secrets.c fs/config/workflow.c
 */
#include <config.h>
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "backends/base/io.h"
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

static void fuzz_settings(const void *data, size_t size)
{
	struct settings_report report = SETTINGS_REPORT_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct settings *st = NULL;
	struct err err = ERR_INIT;

	if (settings_parse(&st, "c.yaml", data, size, &report, &err) == 0)
		check_settings(st, &report);
	else
		FUZZ_CHECK(!st && err.text[0]);
	settings_report_print(&report, "c.yaml", &text);
	FUZZ_CHECK(report.n_problems <= SETTINGS_PROBLEMS_MAX + 1);
	settings_report_release(&report);
	settings_free(st);
}

/* The input as the file that a credential, or a field of one, names. */
static void fuzz_secret(const void *data, size_t size)
{
	int fd = memfd_create("secret", MFD_CLOEXEC);
	cleanup_buf struct buf text = BUF_INIT;

	FUZZ_CHECK(fd >= 0 && io_write_full(fd, data, size) == 0);
	buf_printf(&text, "buckets: {p: {dataset_path: \"s3://b\", "
		   "default_credential: {secret_file: /proc/self/fd/%d}}}", fd);
	fuzz_settings(text.data, text.len);
	buf_clear(&text);
	buf_printf(&text, "buckets: {p: {dataset_path: \"s3://b\", "
		   "default_credential: {access_key_id: a, access_key: "
		   "{secret_file: /proc/self/fd/%d}}}}", fd);
	fuzz_settings(text.data, text.len);
	(void)close(fd);
}

static void fuzz_workflow(const void *data, size_t size)
{
	struct workflow wf;
	struct err err = ERR_INIT;

	if (workflow_parse(&wf, "w.yaml", data, size, &err) == 0) {
		for (size_t i = 0; i < wf.n_inputs; i++)
			FUZZ_CHECK(wf.inputs[i].reference[0]);
		workflow_release(&wf);
	} else {
		FUZZ_CHECK(err.text[0]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_settings(data, size);
	fuzz_secret(data, size);
	fuzz_workflow(data, size);
	return 0;
}
