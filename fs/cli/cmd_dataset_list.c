/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "fs/cli/cli.h"
#include "fs/cli/table.h"

struct listing {
	struct table *table;	/* or ... */
	json_t *json;		/* ... this one */
	int worst;		/* exit code of a bucket that could not be read */
};

static const struct version *newest_ready(const struct dataset *ds)
{
	for (size_t i = ds->n_versions; i > 0; i--)
		if (ds->versions[i - 1].status == VERSION_READY)
			return &ds->versions[i - 1];
	return NULL;
}

static int add_row(struct listing *l, const struct bucket *b,
		   const struct dataset *ds, struct err *err)
{
	const struct version *v = newest_ready(ds);
	char created[DATE_TEXT_MAX], last[DATE_TEXT_MAX], size[SIZE_TEXT_MAX];
	char number[16] = "";
	const char *cells[8];

	date_text(created, ds->created_s);
	date_text(last, v ? v->created_s : 0);
	size_text(size, ds->stored_size);
	if (v)
		snprintf(number, sizeof(number), "%u", v->number);
	cells[0] = bucket_name(b);
	cells[1] = ds->name;
	cells[2] = ds->id;
	cells[3] = created;
	cells[4] = last;
	cells[5] = number;
	cells[6] = size;
	cells[7] = ds->is_collection ? "COLLECTION" : "DATASET";
	return table_row(l->table, cells, err);
}

static void add_json(struct listing *l, const struct bucket *b,
		     const struct dataset *ds)
{
	const struct version *v = newest_ready(ds);
	json_t *o = json_object();

	json_object_set_new(o, "bucket", cli_json_text(bucket_name(b)));
	json_object_set_new(o, "name", cli_json_text(ds->name));
	json_object_set_new(o, "id", cli_json_text(ds->id));
	json_object_set_new(o, "create_time", cli_json_date(ds->created_s));
	json_object_set_new(o, "last_created",
			    cli_json_date(v ? v->created_s : 0));
	json_object_set_new(o, "hash_location_size",
			    json_integer((json_int_t)ds->stored_size));
	json_object_set_new(o, "version_id", v ? json_integer(v->number) :
						 json_null());
	json_object_set_new(o, "type", json_string(ds->is_collection ?
						   "COLLECTION" : "DATASET"));
	json_array_append_new(l->json, o);
}

/* A bucket that cannot be read is told on stderr; the others are listed. */
static int list_bucket(struct listing *l, struct bucket *b, struct err *err)
{
	cleanup_catalog struct catalog *c = NULL;
	struct err why = ERR_INIT;
	int r = 0;

	if (bucket_catalog_sync(b, &c, &why) < 0) {
		l->worst = cli_fail(&why);
		return 0;
	}
	/* An empty place is no error, but it may be a mistyped one. */
	if (!c->id[0])
		fprintf(stderr, "note: bucket %s has no catalog: if it should, look at its dataset_path;\n"
			"  OSMO's is taken over by: datasetfs dataset import osmo %s SOURCE\n",
			bucket_name(b), bucket_name(b));
	for (size_t i = 0; r == 0 && i < c->n_datasets; i++) {
		if (l->json)
			add_json(l, b, &c->datasets[i]);
		else
			r = add_row(l, b, &c->datasets[i], err);
	}
	return r;
}

static int list_all(struct cli *cli, struct listing *l, const char *only,
		    struct err *err)
{
	struct bucket *b;
	int r = 0;

	if (only) {
		r = buckets_find_or_default(cli->buckets, only, &b, err);
		return r < 0 ? r : list_bucket(l, b, err);
	}
	for (size_t i = 0; r == 0 && i < buckets_count(cli->buckets); i++) {
		b = buckets_at(cli->buckets, i);
		if (!bucket_problem(b))
			r = list_bucket(l, b, err);
		else
			fprintf(stderr, "warning: bucket %s is left out, it cannot be used: %s\n",
				bucket_name(b), bucket_problem(b));
	}
	return r;
}

int cmd_dataset_list(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };
	static const char *const headers[] = {
		"Bucket", "Name", "ID", "Created Date", "Last Version Created",
		"Last Version", "Storage Size", "Type",
	};
	struct listing l = { .table = NULL };
	const char *only = NULL;
	struct err err = ERR_INIT;
	int code, r = 0;

	if (cli_getopt(cli, argc, argv, "", longs) != -1 ||
	    cli_optional_word(cli, argc, argv, &only))
		return EXIT_USAGE;
	code = cli_buckets(cli);
	if (code)
		return code;

	if (cli->json)
		l.json = json_array();
	else
		r = table_new(&l.table, headers, ARRAY_SIZE(headers), &err);
	if (r == 0)
		r = list_all(cli, &l, only, &err);
	if (r < 0) {
		code = cli_fail(&err);
		json_decref(l.json);
	} else if (cli->json) {
		json_t *doc = json_object();

		json_object_set_new(doc, "datasets", l.json);
		code = cli_print_json(doc, "dataset-list");
	} else {
		table_print(l.table, TABLE_GAP, stdout);
	}
	table_free(l.table);
	return code ? code : l.worst;
}
