/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's answer, which is a JSON object already, for people.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "fs/cli/cli.h"
#include "fs/cli/progress.h"
#include "fs/cli/status_doc.h"
#include "fs/cli/table.h"
#include "fs/mount/mount.h"

/* "12 versions, 3 s old", or why it is not what the store has now. */
static void catalog_text(const json_t *bucket, struct buf *out)
{
	const json_t *c = json_object_get(bucket, "catalog");
	const json_t *age = json_object_get(c, "age_ms");

	buf_clear(out);
	buf_str(out, "");
	if (!c)
		return;
	if (json_is_null(age)) {
		buf_str(out, *status_doc_text(c, "problem") ?
				     "none known" : "not asked yet");
	} else {
		buf_printf(out, "%lld datasets, %lld versions, ",
			   status_doc_number(c, "datasets"),
			   status_doc_number(c, "versions"));
		buf_printf(out, "%s%lld s old",
			   json_is_true(json_object_get(c, "stale")) ?
			   "STALE, " : "",
			   (long long)json_integer_value(age) / 1000);
	}
	if (*status_doc_text(c, "problem"))
		buf_printf(out, ": %s", status_doc_text(c, "problem"));
}

/* "EC2 instance role until 2026-05-02T12:00:00Z", or what is wrong with it. */
static void identity_text(const json_t *bucket, struct buf *out)
{
	const json_t *id = json_object_get(bucket, "identity");
	const char *until = status_doc_text(id, "expires");
	const char *problem = status_doc_text(id, "problem");

	buf_clear(out);
	buf_str(out, status_doc_text(id, "name"));
	if (*until)
		buf_printf(out, " until %s", until);
	if (*problem)
		buf_printf(out, ": %s", problem);
}

static int print_buckets(const json_t *doc, struct err *err)
{
	static const char *const headers[] = { "Bucket", "State", "Location",
					       "Identity", "Catalog" };
	cleanup_buf struct buf catalog = BUF_INIT;
	cleanup_buf struct buf identity = BUF_INIT;
	struct table *t = NULL;
	const json_t *b;
	size_t i;
	int r = table_new(&t, headers, ARRAY_SIZE(headers), err);

	json_array_foreach(json_object_get(doc, "buckets"), i, b) {
		bool usable = json_is_true(json_object_get(b, "usable"));
		const char *cells[5];

		catalog_text(b, &catalog);
		identity_text(b, &identity);
		cells[0] = status_doc_text(b, "name");
		cells[1] = usable ? "usable" : "closed";
		cells[2] = status_doc_text(b, "dataset_path");
		cells[3] = identity.data;
		cells[4] = usable ? catalog.data :
				    status_doc_text(b, "problem");
		if (r == 0)
			r = table_row(t, cells, err);
	}
	if (r == 0)
		table_print(t, TABLE_GAP, stdout);
	table_free(t);
	return r;
}

static int print_versions(const json_t *doc, struct err *err)
{
	static const char *const headers[] = { "Open Version", "Files", "Size",
					       "Repaired", "Unreadable" };
	const json_t *list = json_object_get(doc, "versions_open"), *v;
	cleanup_buf struct buf name = BUF_INIT;
	struct table *t = NULL;
	size_t i;
	int r;

	if (json_array_size(list) == 0)
		return 0;
	r = table_new(&t, headers, ARRAY_SIZE(headers), err);
	json_array_foreach(list, i, v) {
		char files[24], size[SIZE_TEXT_MAX], repaired[24], bad[24];
		const char *cells[5] = { NULL, files, size, repaired, bad };

		buf_clear(&name);
		buf_printf(&name, "%s/%s@%lld", status_doc_text(v, "bucket"),
			   status_doc_text(v, "dataset"),
			   status_doc_number(v, "version"));
		cells[0] = name.data;
		status_doc_size(v, "size", size);
		snprintf(files, sizeof(files), "%lld",
			 status_doc_number(v, "files"));
		snprintf(repaired, sizeof(repaired), "%lld",
			 status_doc_number(v, "repaired"));
		snprintf(bad, sizeof(bad), "%lld",
			 status_doc_number(v, "unreadable"));
		if (r == 0)
			r = table_row(t, cells, err);
	}
	return table_end_section(t, r);
}

static void left_text(char *out, size_t size, const json_t *p)
{
	const json_t *left = json_object_get(p, "seconds_left");
	char rate[SIZE_TEXT_MAX];
	cleanup_buf struct buf time = BUF_INIT;

	*out = '\0';
	if (!json_is_integer(left))
		return;
	status_doc_size(p, "bytes_per_second", rate);
	progress_duration_text(&time, (uint64_t)json_integer_value(left));
	snprintf(out, size, "%s/s, %s left", rate, time.data ? time.data : "");
}

static int print_prefetches(const json_t *doc, struct err *err)
{
	static const char *const headers[] = { "Prefetch", "State", "Files",
					       "Done", "Of", "Rate" };
	const json_t *list = json_object_get(doc, "prefetches"), *p;
	struct table *t = NULL;
	size_t i;
	int r;

	if (json_array_size(list) == 0)
		return 0;
	r = table_new(&t, headers, ARRAY_SIZE(headers), err);
	json_array_foreach(list, i, p) {
		char files[24], done[SIZE_TEXT_MAX], of[SIZE_TEXT_MAX];
		char left[3 * SIZE_TEXT_MAX];
		const char *cells[] = { status_doc_text(p, "ref"),
					status_doc_text(p, "state"), files,
					done, of, left };

		snprintf(files, sizeof(files), "%lld",
			 status_doc_number(p, "files"));
		status_doc_size(p, "bytes_done", done);
		status_doc_size(p, "bytes", of);
		left_text(left, sizeof(left), p);
		if (*status_doc_text(p, "problem"))
			cells[5] = status_doc_text(p, "problem");
		if (r == 0)
			r = table_row(t, cells, err);
	}
	return table_end_section(t, r);
}

static int print_endpoints(const json_t *doc, struct err *err)
{
	static const char *const headers[] = { "Endpoint", "Requests",
					       "In Flight", "Limit", "Waiting",
					       "Throttled", "Hedged",
					       "Replaced" };
	static const char *const keys[] = { "requests", "in_flight", "limit",
					    "waiting", "throttled", "hedged",
					    "replaced" };
	const json_t *list = json_object_get(doc, "endpoints"), *e;
	struct table *t = NULL;
	size_t i;
	int r;

	if (json_array_size(list) == 0)
		return 0;
	r = table_new(&t, headers, ARRAY_SIZE(headers), err);
	json_array_foreach(list, i, e) {
		char numbers[ARRAY_SIZE(keys)][24];
		const char *cells[1 + ARRAY_SIZE(keys)];

		cells[0] = status_doc_text(e, "endpoint");
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			snprintf(numbers[k], sizeof(numbers[k]), "%lld",
				 status_doc_number(e, keys[k]));
			cells[k + 1] = numbers[k];
		}
		if (r == 0)
			r = table_row(t, cells, err);
	}
	return table_end_section(t, r);
}

static void print_disk(const json_t *d, const json_t *c)
{
	char bytes[SIZE_TEXT_MAX], size[SIZE_TEXT_MAX], served[SIZE_TEXT_MAX];

	if (!json_is_object(d)) {
		printf("Disk: none\n");
		return;
	}
	status_doc_size(d, "bytes", bytes);
	status_doc_size(d, "size", size);
	status_doc_size(c, "bytes_from_disk", served);
	printf("Disk: %s of %s in %lld records, %s read; %lld not written, %lld evicted, %lld damaged%s%s\n",
	       bytes, size, status_doc_number(d, "records"), served,
	       status_doc_number(d, "dropped"), status_doc_number(d, "evicted"),
	       status_doc_number(d, "damaged"),
	       *status_doc_text(d, "problem") ? "; paused: " : "",
	       status_doc_text(d, "problem"));
}

static void print_cache(const json_t *doc)
{
	const json_t *c = json_object_get(doc, "cache");
	const json_t *m = json_object_get(doc, "memory");
	char cached[SIZE_TEXT_MAX], fetched[SIZE_TEXT_MAX];
	char served[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX], limit[SIZE_TEXT_MAX];

	if (!c)
		return;
	status_doc_size(c, "bytes_cached", cached);
	status_doc_size(c, "bytes_fetched", fetched);
	status_doc_size(c, "bytes_served", served);
	status_doc_size(m, "used", used);
	status_doc_size(m, "limit", limit);
	printf("\nCache: %s in memory, %s fetched, %s served; %lld hits, %lld misses, %lld damaged\n",
	       cached, fetched, served, status_doc_number(c, "hits"),
	       status_doc_number(c, "misses"),
	       status_doc_number(c, "damaged"));
	print_disk(json_object_get(c, "disk"), c);
	printf("Waiting: %lld reads on %lld requests\n",
	       status_doc_number(c, "waiting"),
	       status_doc_number(c, "in_flight"));
	printf("Memory: %s of %s\n", used, limit);
}

static void print_configuration(const json_t *doc)
{
	const json_t *c = json_object_get(doc, "configuration"), *name;
	const json_t *refused = json_object_get(c, "refused");
	const json_t *next = json_object_get(c, "next_mount");
	size_t i;

	if (!json_is_object(c))
		return;
	printf("Configuration: %s, loaded %s, sha256 %.16s\n",
	       status_doc_text(c, "file"), status_doc_text(c, "loaded"),
	       status_doc_text(c, "sha256"));
	if (json_is_object(refused))
		printf("REFUSED since %s, the one above stays: %s\n",
		       status_doc_text(refused, "since"),
		       status_doc_text(refused, "reason"));
	if (json_array_size(next) == 0)
		return;
	printf("Takes effect at the next mount:");
	json_array_foreach(next, i, name)
		printf("%s %s", i ? "," : "", json_string_value(name));
	putchar('\n');
}

static int print_text(const json_t *doc, struct err *err)
{
	const json_t *last = json_object_get(doc, "last_problem");
	int r;

	printf("datasetfs %s on %s, pid %lld, since %s\n",
	       status_doc_text(doc, "version"),
	       status_doc_text(doc, "mountpoint"),
	       status_doc_number(doc, "pid"), status_doc_text(doc, "started"));
	print_configuration(doc);
	putchar('\n');
	r = print_buckets(doc, err);
	if (r == 0)
		r = print_versions(doc, err);
	if (r == 0)
		r = print_prefetches(doc, err);
	if (r == 0)
		r = print_endpoints(doc, err);
	if (r < 0)
		return r;
	print_cache(doc);
	if (*status_doc_text(doc, "building"))
		printf("Expanding: %s\n", status_doc_text(doc, "building"));
	if (json_is_object(last))
		printf("Last problem: %s %s\n", status_doc_text(last, "time"),
		       status_doc_text(last, "text"));
	return 0;
}

/* As it came: on one line. */
static int print_json(const json_t *doc, struct err *err)
{
	if (json_dumpf(doc, stdout, JSON_COMPACT) < 0)
		return err_set(err, ERR_SYSTEM, EIO, "cannot write the output");
	putchar('\n');
	return 0;
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };
	const char *mountpoint = MOUNT_DEFAULT_POINT;
	struct err err = ERR_INIT;
	json_t *doc = NULL;
	int r;

	if (cli_getopt(cli, argc, argv, "", longs) != -1 ||
	    cli_optional_word(cli, argc, argv, &mountpoint))
		return EXIT_USAGE;
	if (status_doc_fetch(&doc, mountpoint, &err) < 0)
		return cli_fail(&err);
	r = cli->json ? print_json(doc, &err) : print_text(doc, &err);
	json_decref(doc);
	return r < 0 ? cli_fail(&err) : EXIT_DONE;
}
