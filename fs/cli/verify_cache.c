/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/verify_cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cli/cli.h"
#include "fs/cli/errand_doc.h"
#include "fs/cli/interrupt.h"
#include "fs/cli/status_doc.h"

static void take_failures(struct verify_cache *vc, const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) {
		cleanup_buf struct buf text = BUF_INIT;
		json_t *named = json_object();

		buf_printf(&text, "in the cache: %s",
			   status_doc_text(o, "error"));
		progress_failure(vc->progress, status_doc_text(o, "path"),
				 text.data ? text.data : "damaged");
		vc->files_damaged++;
		json_object_set_new(named, "path", cli_json_text(
				    status_doc_text(o, "path")));
		json_object_set_new(named, "error", cli_json_text(text.data));
		if (vc->failed)
			json_array_append(vc->failed, named);
		json_decref(named);
	}
}

/* The same tree as ours, or what it says is about something else. */
static int check_tree(const struct verify_cache *vc, const json_t *doc,
		      struct err *err)
{
	struct tree_info info;
	char ours[17];

	tree_info(vc->tree, &info);
	(void)snprintf(ours, sizeof(ours), "%016llx",
		       (unsigned long long)info.checksum);
	if (strcmp(status_doc_text(doc, "tree"), ours) == 0)
		return 0;
	return err_set(err, ERR_MISSING, ESTALE,
		       "the mount at %s has another version of that name: is its configuration another one?",
		       vc->mountpoint);
}

static void show_progress(const struct verify_cache *vc, uint32_t next)
{
	cleanup_buf struct buf line = BUF_INIT;
	char size[SIZE_TEXT_MAX];
	struct tree_info info;

	if (!progress_is_due(vc->progress))
		return;
	tree_info(vc->tree, &info);
	size_text(size, vc->bytes);
	buf_printf(&line, "the cache: %s were read, %u%% of the version",
		   size, (unsigned)(100 * (uint64_t)next / info.n_entries));
	if (!buf_failed(&line))
		progress_show(vc->progress, line.data);
}

/* A piece; *next: where the following one begins, 0: that was all. */
static int check_piece(struct verify_cache *vc, const char *ref,
		       uint32_t *next, struct err *err)
{
	cleanup_buf struct buf question = BUF_INIT;
	json_t *doc = NULL;
	json_int_t at;
	int r;

	r = errand_doc_question(&question, "check", ref, vc->paths,
				vc->n_paths, *next, err);
	if (r == 0)
		r = errand_doc_fetch(&doc, vc->mountpoint, NULL,
				     question.data, err);
	if (r < 0)
		return r;
	at = status_doc_number(doc, "next");
	vc->has_no_disk = !json_is_true(json_object_get(doc, "has_disk"));
	if (!vc->has_no_disk)
		r = check_tree(vc, doc, err);
	if (r == 0 && at && (at <= (json_int_t)*next || at > UINT32_MAX))
		r = err_set(err, ERR_SYSTEM, EPROTO,
			    "the daemon does not get on: is it another version?");
	if (r == 0) {
		vc->files += (uint64_t)status_doc_number(doc, "files");
		vc->records += (uint64_t)status_doc_number(doc, "records");
		vc->bytes += (uint64_t)status_doc_number(doc, "bytes");
		vc->damaged += (uint64_t)status_doc_number(doc, "damaged");
		vc->refetched +=
			(uint64_t)status_doc_number(doc, "refetched");
		take_failures(vc, json_object_get(doc, "failures"));
		*next = (uint32_t)at;
	}
	json_decref(doc);
	return r;
}

int verify_cache_run(struct verify_cache *vc, struct err *err)
{
	uint32_t next = verify_state_cache_next(vc->state);
	cleanup_buf struct buf ref = BUF_INIT;
	struct tree_info info;
	int r = 0;

	tree_info(vc->tree, &info);
	buf_printf(&ref, "%s/%s@%u", bucket_name(vc->ref->bucket),
		   vc->ref->dataset->name, vc->ref->version->number);
	if (buf_failed(&ref))
		return err_nomem(err);
	while (r == 0 && next < info.n_entries) {
		if (interrupt_came())
			return -EINTR;
		r = check_piece(vc, ref.data, &next, err);
		/* Nothing was checked: to be done when the disk is back. */
		if (r < 0 || vc->has_no_disk)
			return r;
		if (!next)
			next = info.n_entries;
		/* What was dropped is not there to be found once more. */
		verify_state_set_cache_next(vc->state, next);
		show_progress(vc, next);
		verify_state_save(vc->state, true);
	}
	return r;
}
