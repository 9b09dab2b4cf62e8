/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "fs/cli/cli.h"
#include "fs/cli/table.h"
#include "fs/dataset/reference.h"

#define RULE_WIDTH 60

/* Which versions are shown: READY ones, all, or the one that was named. */
struct choice {
	bool all;
	uint32_t only;		/* 0: no version was named */
};

static bool is_shown(const struct version *v, const struct choice *choice)
{
	if (choice->only)
		return v->number == choice->only;
	return choice->all || v->status == VERSION_READY;
}

static json_t *version_tags(const struct dataset *ds, const struct version *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ds->n_tags; i++)
		if (ds->tags[i].version == v->number)
			json_array_append_new(list,
					      cli_json_text(ds->tags[i].name));
	return list;
}

/* The collections that hold a version. */
static json_t *version_collections(const struct catalog *c,
				   const struct dataset *ds,
				   const struct version *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_datasets; i++) {
		const struct dataset *col = &c->datasets[i];

		for (size_t j = 0; j < col->n_members; j++)
			if (col->members[j].version == v->number &&
			    strcmp(col->members[j].dataset_id, ds->id) == 0)
				json_array_append_new(
					list, cli_json_text(col->name));
	}
	return list;
}

/* Its texts, separated by ", ". */
static void join(struct buf *out, const json_t *list)
{
	json_t *text;
	size_t i;

	buf_clear(out);
	json_array_foreach(list, i, text)
		buf_printf(out, "%s%s", i ? ", " : "",
			   json_string_value(text));
}

/* Labels as OSMO shows them: one "key: value" line each. */
static void print_labels(const char *labels)
{
	json_t *o = cli_json_object(labels);
	const char *key;
	json_t *value;

	if (json_object_size(o) == 0)
		puts("Labels: {}");
	else
		puts("Labels:");
	json_object_foreach(o, key, value) {
		char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);

		printf("  %s: %s\n", key, text ? text : "?");
		free(text);
	}
	json_decref(o);
}

static int print_pairs(const struct catalog *c, const struct dataset *ds,
		       const struct choice *choice, bool tags, struct err *err)
{
	const char *const headers[] = { "Version",
					tags ? "Tags" : "Collections" };
	cleanup_buf struct buf text = BUF_INIT;
	struct table *t = NULL;
	int r = table_new(&t, headers, 2, err);

	for (size_t i = 0; r == 0 && i < ds->n_versions; i++) {
		const struct version *v = &ds->versions[i];
		char number[16];
		const char *cells[2] = { number, NULL };
		json_t *list;

		if (!is_shown(v, choice))
			continue;
		list = tags ? version_tags(ds, v) :
			      version_collections(c, ds, v);
		join(&text, list);
		json_decref(list);
		snprintf(number, sizeof(number), "%u", v->number);
		cells[1] = text.data ? text.data : "";
		r = table_row(t, cells, err);
	}
	return table_end_section(t, r);
}

static int print_versions(const struct dataset *ds,
			  const struct choice *choice, struct err *err)
{
	static const char *const headers[] = {
		"Version", "Status", "Created By", "Created Date", "Last Used",
		"Size", "Checksum",
	};
	struct table *t = NULL;
	int r = table_new(&t, headers, ARRAY_SIZE(headers), err);

	for (size_t i = 0; r == 0 && i < ds->n_versions; i++) {
		const struct version *v = &ds->versions[i];
		char number[16], created[DATE_TEXT_MAX], used[DATE_TEXT_MAX];
		char size[SIZE_TEXT_MAX];
		const char *cells[7];

		if (!is_shown(v, choice))
			continue;
		snprintf(number, sizeof(number), "%u", v->number);
		date_text(created, v->created_s);
		date_text(used, v->last_used_s);
		size_text(size, v->size);
		cells[0] = number;
		cells[1] = version_status_name(v->status);
		cells[2] = v->created_by;
		cells[3] = created;
		cells[4] = used;
		cells[5] = size;
		cells[6] = v->checksum;
		r = table_row(t, cells, err);
	}
	return table_end_section(t, r);
}

static int print_members(const struct catalog *c, const struct dataset *col,
			 struct err *err)
{
	static const char *const headers[] = { "Dataset", "Version" };
	struct table *t = NULL;
	int r = table_new(&t, headers, ARRAY_SIZE(headers), err);

	for (size_t i = 0; r == 0 && i < col->n_members; i++) {
		const struct member *m = &col->members[i];
		const struct dataset *ds =
			catalog_dataset_by_id(c, m->dataset_id);
		char number[16];
		const char *cells[2] = { ds ? ds->name : m->dataset_id, number };

		snprintf(number, sizeof(number), "%u", m->version);
		r = table_row(t, cells, err);
	}
	return table_end_section(t, r);
}

static int print_text(const struct bucket *b, const struct catalog *c,
		      const struct dataset *ds,
			  const struct choice *choice, struct err *err)
{
	char size[SIZE_TEXT_MAX];
	int r;

	size_text(size, ds->stored_size);
	for (int i = 0; i < RULE_WIDTH; i++)
		putchar('-');
	printf("\nName: %s\nID: %s\nBucket: %s\nType: %s\n", ds->name, ds->id,
	       bucket_name(b), ds->is_collection ? "COLLECTION" : "DATASET");
	if (!ds->is_collection)
		printf("Stored Size: %s\n", size);
	print_labels(ds->labels);
	if (ds->is_collection)
		return print_members(c, ds, err);
	r = print_pairs(c, ds, choice, true, err);
	if (r == 0)
		r = print_pairs(c, ds, choice, false, err);
	if (r == 0)
		r = print_versions(ds, choice, err);
	return r;
}

static json_t *version_json(const struct catalog *c, const struct dataset *ds,
			    const struct version *v)
{
	json_t *o = json_object();

	json_object_set_new(o, "version", json_integer(v->number));
	json_object_set_new(o, "status",
			    json_string(version_status_name(v->status)));
	json_object_set_new(o, "created_by", cli_json_text(v->created_by));
	json_object_set_new(o, "created_date", cli_json_date(v->created_s));
	json_object_set_new(o, "last_used", cli_json_date(v->last_used_s));
	json_object_set_new(o, "size", json_integer((json_int_t)v->size));
	json_object_set_new(o, "checksum", cli_json_text(v->checksum));
	json_object_set_new(o, "location", cli_json_text(v->location));
	json_object_set_new(o, "uri", cli_json_text(v->manifest_uri));
	json_object_set_new(o, "metadata", cli_json_object(v->metadata));
	json_object_set_new(o, "tags", version_tags(ds, v));
	json_object_set_new(o, "collections", version_collections(c, ds, v));
	return o;
}

static int print_json(const struct bucket *b, const struct catalog *c,
		      const struct dataset *ds,
		      const struct choice *choice)
{
	json_t *o = json_object(), *list = json_array();

	json_object_set_new(o, "name", cli_json_text(ds->name));
	json_object_set_new(o, "id", cli_json_text(ds->id));
	json_object_set_new(o, "bucket", cli_json_text(bucket_name(b)));
	json_object_set_new(o, "created_by", cli_json_text(ds->created_by));
	json_object_set_new(o, "created_date", cli_json_date(ds->created_s));
	json_object_set_new(o, "hash_location",
			    cli_json_text(ds->hash_location));
	json_object_set_new(o, "hash_location_size",
			    json_integer((json_int_t)ds->stored_size));
	json_object_set_new(o, "labels", cli_json_object(ds->labels));
	json_object_set_new(o, "type", json_string(ds->is_collection ?
						   "COLLECTION" : "DATASET"));
	for (size_t i = 0; i < ds->n_versions; i++)
		if (is_shown(&ds->versions[i], choice))
			json_array_append_new(list,
					      version_json(c, ds,
							   &ds->versions[i]));
	for (size_t i = 0; i < ds->n_members; i++) {
		const struct member *m = &ds->members[i];
		const struct dataset *of = catalog_dataset_by_id(c, m->dataset_id);
		json_t *member = json_object();

		json_object_set_new(member, "name",
				    cli_json_text(of ? of->name : NULL));
		json_object_set_new(member, "version", json_integer(m->version));
		json_array_append_new(list, member);
	}
	json_object_set_new(o, "versions", list);
	return cli_print_json(o, "dataset-info");
}

/* A number wins over a tag; the status does not matter here, as in OSMO. */
static bool choose(const struct dataset *ds, const char *version,
		   struct choice *choice)
{
	unsigned number = reference_version_number(version);
	const struct tag *tag = dataset_tag(ds, version);

	if (number && dataset_version(ds, number))
		choice->only = number;
	else if (tag)
		choice->only = tag->version;
	return choice->only != 0;
}

int cmd_dataset_info(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all", no_argument, NULL, 'a' }, { NULL, 0, NULL, 0 },
	};
	cleanup_catalog struct catalog *c = NULL;
	const struct dataset *ds;
	struct reference ref;
	struct bucket *b;
	struct err err = ERR_INIT;
	struct choice choice = { .all = false };
	int opt, code;

	while ((opt = cli_getopt(cli, argc, argv, "a", longs)) != -1) {
		if (opt == '?')
			return EXIT_USAGE;
		choice.all = true;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one dataset is needed");
	if (reference_parse(&ref, argv[optind], &err) < 0)
		return cli_fail(&err);
	code = cli_buckets(cli);
	if (code)
		return code;
	if (buckets_find_or_default(cli->buckets, ref.bucket, &b, &err) < 0 ||
	    bucket_catalog_sync(b, &c, &err) < 0)
		return cli_fail(&err);
	ds = catalog_dataset(c, ref.name);
	if (!ds) {
		fprintf(stderr, "error: there is no dataset %s in bucket %s\n"
			"  try: datasetfs dataset list %s\n", ref.name,
			bucket_name(b), bucket_name(b));
		return EXIT_MISSING;
	}
	if (ref.version[0] && !choose(ds, ref.version, &choice)) {
		fprintf(stderr, "error: dataset %s has no version or tag %s\n",
			ref.name, ref.version);
		return EXIT_MISSING;
	}
	if (cli->json)
		return print_json(b, c, ds, &choice);
	if (print_text(b, c, ds, &choice, &err) < 0)
		return cli_fail(&err);
	return EXIT_DONE;
}
