/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cache of a running mount holds and did, from the daemon's status;
 * and, of which versions.  Records are named by digests of where blobs lie, so
 * the daemon looks up each file of the versions that were expanded there.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "fs/cli/cli.h"
#include "fs/cli/errand_doc.h"
#include "fs/cli/status_doc.h"
#include "fs/cli/table.h"
#include "fs/mount/mount.h"

static void print_disk(const json_t *disk)
{
	char bytes[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX];

	if (!json_is_object(disk)) {
		puts("On disk:   nothing, there is no disk cache");
		return;
	}
	status_doc_size(disk, "bytes", bytes);
	status_doc_size(disk, "size", size);
	printf("On disk:   %s of %s, %lld records in %lld segments\n", bytes,
	       size, status_doc_number(disk, "records"),
	       status_doc_number(disk, "segments"));
}

static void print_changes(const json_t *disk)
{
	if (!json_is_object(disk))
		return;
	printf("Records:   %lld written, %lld not (the disk was behind or failed), %lld evicted, %lld damaged\n",
	       status_doc_number(disk, "written"),
	       status_doc_number(disk, "dropped"),
	       status_doc_number(disk, "evicted"),
	       status_doc_number(disk, "damaged"));
	printf("Waited:    %lld ms at most for the index of the disk cache\n",
	       status_doc_number(disk, "longest_wait_ms"));
	if (*status_doc_text(disk, "problem"))
		printf("Paused:    %s\n", status_doc_text(disk, "problem"));
}

static void print_text(const json_t *doc, const json_t *cache)
{
	const json_t *disk = json_object_get(cache, "disk");
	char cached[SIZE_TEXT_MAX], served[SIZE_TEXT_MAX];
	char from_disk[SIZE_TEXT_MAX], fetched[SIZE_TEXT_MAX];

	status_doc_size(cache, "bytes_cached", cached);
	status_doc_size(cache, "bytes_served", served);
	status_doc_size(cache, "bytes_from_disk", from_disk);
	status_doc_size(cache, "bytes_fetched", fetched);
	printf("Directory: %s\n", status_doc_text(cache, "dir"));
	print_disk(disk);
	printf("In memory: %s\n", cached);
	printf("\nSince %s:\n", status_doc_text(doc, "started"));
	printf("Reads:     %lld found in memory, %lld not\n",
	       status_doc_number(cache, "hits"),
	       status_doc_number(cache, "misses"));
	printf("Bytes:     %s served, %s read from the disk, %s fetched from stores\n",
	       served, from_disk, fetched);
	printf("Objects:   %lld found damaged\n",
	       status_doc_number(cache, "damaged"));
	print_changes(disk);
}

static int add_row(struct table *t, const char *name, const json_t *o,
		   struct err *err)
{
	char bytes[SIZE_TEXT_MAX];
	const char *cells[] = { name, bytes };

	status_doc_size(o, "bytes", bytes);
	return table_row(t, cells, err);
}

static int add_dataset(struct table *t, const char *bucket, const json_t *ds,
		       struct err *err)
{
	cleanup_buf struct buf name = BUF_INIT;
	const json_t *v;
	size_t i;
	int r;

	buf_printf(&name, "%s/%s", bucket, status_doc_text(ds, "name"));
	r = buf_failed(&name) ? err_nomem(err) :
				add_row(t, name.data, ds, err);
	json_array_foreach(json_object_get(ds, "versions"), i, v) {
		buf_clear(&name);
		buf_printf(&name, "%s/%s@%lld", bucket,
			   status_doc_text(ds, "name"),
			   status_doc_number(v, "version"));
		if (r == 0)
			r = buf_failed(&name) ? err_nomem(err) :
						add_row(t, name.data, v, err);
	}
	return r;
}

/* What several versions share counts for each, and once in what they are of. */
static int print_owners(const json_t *owners, struct err *err)
{
	static const char *const headers[] = { "Of", "On Disk" };
	long long left = status_doc_number(owners, "versions_not_counted");
	const json_t *b, *ds;
	struct table *t = NULL;
	size_t i, k;
	int r = table_new(&t, headers, ARRAY_SIZE(headers), err);

	json_array_foreach(json_object_get(owners, "buckets"), i, b) {
		const char *name = status_doc_text(b, "name");

		if (r == 0)
			r = add_row(t, name, b, err);
		json_array_foreach(json_object_get(b, "datasets"), k, ds)
			if (r == 0)
				r = add_dataset(t, name, ds, err);
	}
	if (left)
		fprintf(stderr, "note: %lld versions were not counted, they have too many files\n",
			left);
	return table_end_section(t, r);
}

static int print_json(const json_t *doc, json_t *cache, json_t *owners)
{
	static const char *const kept[] = { "mountpoint", "pid", "started" };
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		json_object_set(out, kept[i], json_object_get(doc, kept[i]));
	json_object_set(out, "cache", cache);
	json_object_update(out, owners);
	return cli_print_json(out, "cache-stat");
}

int cmd_cache_stat(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "brief", no_argument, NULL, 'b' }, { NULL, 0, NULL, 0 },
	};
	const char *mountpoint = MOUNT_DEFAULT_POINT;
	json_t *doc = NULL, *owners = NULL, *cache;
	struct err err = ERR_INIT;
	bool is_brief = false;
	int c, code = EXIT_DONE;

	while ((c = cli_getopt(cli, argc, argv, "", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		is_brief = true;
	}
	if (cli_optional_word(cli, argc, argv, &mountpoint))
		return EXIT_USAGE;
	if (status_doc_fetch(&doc, mountpoint, &err) < 0)
		return cli_fail(&err);
	cache = json_object_get(doc, "cache");
	if (!json_is_object(cache)) {
		(void)err_set(&err, ERR_AUTH, EACCES,
			      "the datasetfs of %s tells of its cache to its owner and root only",
			      mountpoint);
		code = cli_fail(&err);
	} else if (!is_brief && errand_doc_fetch(&owners, mountpoint, NULL,
						 "stat", &err) < 0) {
		code = cli_fail(&err);
	} else if (cli->json) {
		code = print_json(doc, cache, owners);
	} else {
		print_text(doc, cache);
		if (owners && print_owners(owners, &err) < 0)
			code = cli_fail(&err);
	}
	json_decref(owners);
	json_decref(doc);
	return code;
}
