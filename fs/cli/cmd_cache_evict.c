/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes content out of the cache: by the daemon where one runs on it, else on
 * its directory.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/cli/cli.h"
#include "fs/cli/errand_doc.h"
#include "fs/cli/status_doc.h"
#include "fs/mount/mount.h"

struct evict_words {
	const char *mountpoint;
	bool is_named;		/* with -m: it must be there */
	const char *bucket;
	const char *ref;
};

static int parse_options(struct cli *cli, struct evict_words *w, int argc,
			 char **argv)
{
	static const struct option longs[] = {
		{ "bucket", required_argument, NULL, 'b' },
		{ "mountpoint", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(cli, argc, argv, "b:m:", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		if (c == 'b') {
			w->bucket = optarg;
		} else {
			w->mountpoint = optarg;
			w->is_named = true;
		}
	}
	if (cli_optional_word(cli, argc, argv, &w->ref))
		return EXIT_USAGE;
	if (w->ref && w->bucket)
		return cli_usage(cli, "either a dataset or --bucket");
	if (w->bucket && !reference_is_name(w->bucket, strlen(w->bucket)))
		return cli_usage(cli, "\"%s\" is no name of a bucket",
				 w->bucket);
	return 0;
}

/* In the daemon's words; a reference is checked before anybody is asked. */
static int write_question(const struct evict_words *w, struct buf *out,
			  struct err *err)
{
	struct reference ref;
	int r = w->ref ? reference_parse(&ref, w->ref, err) : 0;

	if (r < 0)
		return r;
	if (w->ref)
		buf_printf(out, "evict ref %s", w->ref);
	else if (w->bucket)
		buf_printf(out, "evict bucket %s", w->bucket);
	else
		buf_str(out, "evict all");
	return buf_failed(out) ? err_nomem(err) : 0;
}

/* Nothing but what was asked for is to go, whatever the mount's limits were. */
static int open_settings(struct cli *cli)
{
	int code = cli_settings(cli);

	if (code)
		return code;
	cli->settings->cache_size = UINT64_MAX / 4;
	cli->settings->cache_free = 0;
	cli->settings->cache_free_percent = 0;
	return 0;
}

static void print_text(const json_t *doc)
{
	char disk[SIZE_TEXT_MAX], memory[SIZE_TEXT_MAX], freed[SIZE_TEXT_MAX];
	long long unknown = status_doc_number(doc, "versions_not_expanded");

	status_doc_size(doc, "bytes_disk", disk);
	status_doc_size(doc, "bytes_memory", memory);
	status_doc_size(doc, "bytes_freed", freed);
	printf("evicted: %s on the disk, %s in memory\n", disk, memory);
	printf("freed:   %s of the disk now\n", freed);
	if (unknown)
		fprintf(stderr, "note: %lld versions were not looked at, as they were never expanded here\n",
			unknown);
}

int cmd_cache_evict(struct cli *cli, int argc, char **argv)
{
	struct evict_words w = { .mountpoint = MOUNT_DEFAULT_POINT };
	cleanup_buf struct buf question = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *doc = NULL;
	bool is_mounted;
	int code = parse_options(cli, &w, argc, argv);

	if (code)
		return code;
	if (write_question(&w, &question, &err) < 0)
		return cli_fail(&err);
	is_mounted = w.is_named || mount_is_mounted(w.mountpoint);
	if (!is_mounted)
		code = open_settings(cli);
	if (code)
		return code;
	if (errand_doc_fetch(&doc, is_mounted ? w.mountpoint : NULL,
			     cli->settings, question.data, &err) < 0) {
		code = cli_fail(&err);
		if (err.code == EBUSY)
			fprintf(stderr, "  try: -m DIR, where the mount is that has it\n");
		return code;
	}
	if (cli->json)
		return cli_print_json(doc, "cache-evict");
	print_text(doc);
	json_decref(doc);
	return EXIT_DONE;
}
