/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/download_run.h"

#include <inttypes.h>

#include "backends/base/clock.h"
#include "fs/cli/interrupt.h"

static void tell_failure(struct download_run *run, const char *path,
			 const struct err *err)
{
	progress_failure(&run->progress, path, err->text);
	if (run->failed &&
	    json_array_size(run->failed) < DOWNLOAD_RUN_FAILED_MAX) {
		json_t *o = json_object();

		json_object_set_new(o, "path", cli_json_text(path));
		json_object_set_new(o, "class",
				    json_string(err_class_name(err->class)));
		json_object_set_new(o, "error", cli_json_text(err->text));
		json_array_append_new(run->failed, o);
	}
}

static void tell_failures(struct download_run *run)
{
	struct err err = ERR_INIT;
	char *path;

	while (download_failure(run->download, &path, &err)) {
		tell_failure(run, path ? path : "a file", &err);
		free(path);
	}
}

static void show_progress(struct download_run *run)
{
	cleanup_buf struct buf line = BUF_INIT;
	struct download_state s;
	uint64_t done;

	if (!progress_is_due(&run->progress))
		return;
	download_state(run->download, &s);
	done = s.files_fetched + s.files_passed + s.files_known;
	if (run->has_no_bytes) {
		progress_files_text(&line, &run->progress, done, s.files);
	} else {
		buf_printf(&line, "%" PRIu64 " of %" PRIu64 " files, ", done,
			   s.files);
		progress_bytes_text(&line, &run->progress, s.bytes_fetched,
				    s.bytes - s.bytes_passed - s.bytes_known -
					    s.bytes_failed);
	}
	if (!buf_failed(&line))
		progress_show(&run->progress, line.data);
}

int download_run(struct download_run *run, struct err *err)
{
	bool is_over;
	int r;

	interrupt_catch();
	if (!run->started_ms)
		run->started_ms = clock_ms();
	r = download_start(run->download, err);
	is_over = r < 0;
	progress_begin(&run->progress);
	while (!is_over) {
		if (interrupt_came()) {
			download_stop(run->download);
			if (run->buckets)
				buckets_stop(run->buckets);
		}
		is_over = download_wait(run->download,
					clock_ms() + DOWNLOAD_RUN_TICK_MS);
		tell_failures(run);
		if (run->tick)
			run->tick(run->arg);
		if (!is_over)
			show_progress(run);
	}
	progress_end(&run->progress);
	return r;
}

json_t *download_run_json(const struct resolved *ref)
{
	json_t *doc = json_object();

	json_object_set_new(doc, "bucket",
			    cli_json_text(bucket_name(ref->bucket)));
	json_object_set_new(doc, "name", cli_json_text(ref->dataset->name));
	json_object_set_new(doc, "version", json_integer(ref->version->number));
	return doc;
}

json_t *download_run_count(uint64_t files, uint64_t bytes)
{
	json_t *o = json_object();

	json_object_set_new(o, "files", json_integer((json_int_t)files));
	json_object_set_new(o, "bytes", json_integer((json_int_t)bytes));
	return o;
}

void download_run_print_json(const struct download_run *run,
			     const struct download_state *state, json_t *doc,
			     const char *schema)
{
	const struct err *fatal = &state->fatal;

	json_object_set_new(doc, "seconds",
			    json_real((double)(clock_ms() - run->started_ms) /
				      1000));
	json_object_set_new(doc, "interrupted",
			    json_boolean(interrupt_came()));
	json_object_set_new(doc, "error", cli_json_text(
			    fatal->class != ERR_NONE ? fatal->text : NULL));
	json_object_set(doc, "failures", run->failed);
	(void)cli_print_json(doc, schema);
}
