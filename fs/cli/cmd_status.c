/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's answer, which is a JSON object already, for people.
 */
#include <config.h>

#include <stdio.h>

#include "fs/cli/cli.h"
#include "fs/cli/table.h"
#include "fs/mount/mount.h"

static const char *string_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static json_int_t number_at(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void size_at(const json_t *o, const char *key, char out[SIZE_TEXT_MAX])
{
	json_int_t n = number_at(o, key);

	size_text(out, n > 0 ? (uint64_t)n : 0);
}

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
		buf_str(out, *string_at(c, "problem") ? "none known" :
							"not asked yet");
	} else {
		buf_printf(out, "%lld datasets, %lld versions, ",
			   number_at(c, "datasets"), number_at(c, "versions"));
		buf_printf(out, "%s%lld s old",
			   json_is_true(json_object_get(c, "stale")) ?
			   "STALE, " : "",
			   (long long)json_integer_value(age) / 1000);
	}
	if (*string_at(c, "problem"))
		buf_printf(out, ": %s", string_at(c, "problem"));
}

static int print_buckets(const json_t *doc, struct err *err)
{
	static const char *const headers[] = { "Bucket", "State", "Location",
					       "Catalog" };
	cleanup_buf struct buf catalog = BUF_INIT;
	struct table *t = NULL;
	const json_t *b;
	size_t i;
	int r = table_new(&t, headers, ARRAY_SIZE(headers), err);

	json_array_foreach(json_object_get(doc, "buckets"), i, b) {
		bool usable = json_is_true(json_object_get(b, "usable"));
		const char *cells[4];

		catalog_text(b, &catalog);
		cells[0] = string_at(b, "name");
		cells[1] = usable ? "usable" : "closed";
		cells[2] = string_at(b, "dataset_path");
		cells[3] = usable ? catalog.data : string_at(b, "problem");
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
		buf_printf(&name, "%s/%s@%lld", string_at(v, "bucket"),
			   string_at(v, "dataset"), number_at(v, "version"));
		cells[0] = name.data;
		size_at(v, "size", size);
		snprintf(files, sizeof(files), "%lld", number_at(v, "files"));
		snprintf(repaired, sizeof(repaired), "%lld",
			 number_at(v, "repaired"));
		snprintf(bad, sizeof(bad), "%lld", number_at(v, "unreadable"));
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
	size_at(d, "bytes", bytes);
	size_at(d, "size", size);
	size_at(c, "bytes_from_disk", served);
	printf("Disk: %s of %s in %lld records, %s read; %lld not written, %lld evicted, %lld damaged%s%s\n",
	       bytes, size, number_at(d, "records"), served,
	       number_at(d, "dropped"), number_at(d, "evicted"),
	       number_at(d, "damaged"),
	       *string_at(d, "problem") ? "; paused: " : "",
	       string_at(d, "problem"));
}

static void print_cache(const json_t *doc)
{
	const json_t *c = json_object_get(doc, "cache");
	const json_t *m = json_object_get(doc, "memory");
	char cached[SIZE_TEXT_MAX], fetched[SIZE_TEXT_MAX];
	char served[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX], limit[SIZE_TEXT_MAX];

	if (!c)
		return;
	size_at(c, "bytes_cached", cached);
	size_at(c, "bytes_fetched", fetched);
	size_at(c, "bytes_served", served);
	size_at(m, "used", used);
	size_at(m, "limit", limit);
	printf("\nCache: %s in memory, %s fetched, %s served; %lld hits, %lld misses, %lld damaged\n",
	       cached, fetched, served, number_at(c, "hits"),
	       number_at(c, "misses"), number_at(c, "damaged"));
	print_disk(json_object_get(c, "disk"), c);
	printf("Waiting: %lld reads on %lld requests\n",
	       number_at(c, "waiting"), number_at(c, "in_flight"));
	printf("Memory: %s of %s\n", used, limit);
}

static int print_text(const json_t *doc, struct err *err)
{
	const json_t *last = json_object_get(doc, "last_problem");
	int r;

	printf("datasetfs %s on %s, pid %lld, since %s\n\n",
	       string_at(doc, "version"), string_at(doc, "mountpoint"),
	       number_at(doc, "pid"), string_at(doc, "started"));
	r = print_buckets(doc, err);
	if (r == 0)
		r = print_versions(doc, err);
	if (r < 0)
		return r;
	print_cache(doc);
	if (*string_at(doc, "building"))
		printf("Expanding: %s\n", string_at(doc, "building"));
	if (json_is_object(last))
		printf("Last problem: %s %s\n", string_at(last, "time"),
		       string_at(last, "text"));
	return 0;
}

int cmd_status(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };
	const char *mountpoint = MOUNT_DEFAULT_POINT;
	cleanup_buf struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *doc;
	int r;

	if (cli_getopt(cli, argc, argv, "", longs) != -1 ||
	    cli_optional_word(cli, argc, argv, &mountpoint))
		return EXIT_USAGE;
	if (mount_status_fetch(mountpoint, &answer, &err) < 0)
		return cli_fail(&err);
	doc = json_loads(answer.data, 0, NULL);
	if (!json_is_object(doc)) {
		json_decref(doc);
		fputs("error: the daemon's answer is no JSON object: is it another version?\n",
		      stderr);
		return EXIT_ENVIRONMENT;
	}
	if (cli->json) {
		json_decref(doc);
		puts(answer.data);
		return EXIT_DONE;
	}
	r = print_text(doc, &err);
	json_decref(doc);
	return r < 0 ? cli_fail(&err) : EXIT_DONE;
}
