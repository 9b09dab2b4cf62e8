/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the cache of a running mount holds and did, from the daemon's status.
 * Its records are named by digests of where blobs lie: which bucket or dataset
 * they belong to is not known of them.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "fs/cli/cli.h"
#include "fs/cli/status_doc.h"
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

static int print_json(const json_t *doc, json_t *cache)
{
	static const char *const kept[] = { "mountpoint", "pid", "started" };
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		json_object_set(out, kept[i], json_object_get(doc, kept[i]));
	json_object_set(out, "cache", cache);
	return cli_print_json(out, "cache-stat");
}

int cmd_cache_stat(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };
	const char *mountpoint = MOUNT_DEFAULT_POINT;
	struct err err = ERR_INIT;
	json_t *doc = NULL, *cache;
	int code = EXIT_DONE;

	if (cli_getopt(cli, argc, argv, "", longs) != -1 ||
	    cli_optional_word(cli, argc, argv, &mountpoint))
		return EXIT_USAGE;
	if (status_doc_fetch(&doc, mountpoint, &err) < 0)
		return cli_fail(&err);
	cache = json_object_get(doc, "cache");
	if (!json_is_object(cache)) {
		(void)err_set(&err, ERR_AUTH, EACCES,
			      "the datasetfs of %s tells of its cache to its owner and root only",
			      mountpoint);
		code = cli_fail(&err);
	} else if (cli->json) {
		code = print_json(doc, cache);
	} else {
		print_text(doc, cache);
	}
	json_decref(doc);
	return code;
}
