/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A version's checksum is the MD5 over "PATH ETAG" of every entry in the
 * manifest's order, so it is computed from the manifest, not from the tree.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/cli/checksum.h"
#include "fs/dataset/registry/manifest_source.h"

struct checksum {
	struct osmo_checksum *sum;
	uint64_t n_files;
};

static int add_entry(void *arg, const struct osmo_entry *e, struct err *err)
{
	struct checksum *checksum = arg;

	(void)err;
	osmo_checksum_add(checksum->sum, e);
	checksum->n_files++;
	return 0;
}

static int read_manifest(const struct resolved *ref, struct checksum *sum,
			 struct err *err)
{
	struct backend *backend;
	const char *key;
	int r;

	r = bucket_locate_manifest(ref->bucket, ref->version->manifest_uri,
				   &backend, &key, err);
	if (r < 0)
		return r;
	r = manifest_source_entries(backend, key, add_entry, sum, NULL, NULL,
				    err);
	return r < 0 ? err_wrap(err, "%s", ref->version->manifest_uri) : 0;
}

int checksum_compute(const struct resolved *ref, char text[OSMO_CHECKSUM_TEXT],
		     uint64_t *n_files, struct err *err)
{
	struct checksum checksum = { .sum = NULL };
	int r;

	text[0] = '\0';
	*n_files = 0;
	if (ref->version->kind == VERSION_EMPTY)
		return 0;
	if (ref->version->kind == VERSION_LEGACY)
		return err_set(err, ERR_USAGE, ENOTSUP,
			       "a legacy version has no manifest and so no checksum");
	checksum.sum = osmo_checksum_new();
	if (!checksum.sum)
		return err_nomem(err);
	r = read_manifest(ref, &checksum, err);
	if (r == 0) {
		osmo_checksum_finish(checksum.sum, text);
		*n_files = checksum.n_files;
	}
	osmo_checksum_free(checksum.sum);
	return r;
}

static int check_one(struct cli *cli, const char *text, json_t *list)
{
	cleanup_resolved struct resolved ref = { .bucket = NULL };
	char hex[OSMO_CHECKSUM_TEXT];
	struct err err = ERR_INIT;
	uint64_t n_files;
	bool same;
	int code;

	code = cli_resolve(cli, text, &ref);
	if (code)
		return code;
	if (checksum_compute(&ref, hex, &n_files, &err) < 0) {
		err_wrap(&err, "%s", text);
		return cli_fail(&err);
	}
	same = strcmp(hex, ref.version->checksum) == 0;
	if (list) {
		json_t *o = json_object();

		json_object_set_new(o, "bucket",
				    cli_json_text(bucket_name(ref.bucket)));
		json_object_set_new(o, "name", cli_json_text(ref.dataset->name));
		json_object_set_new(o, "version",
				    json_integer(ref.version->number));
		json_object_set_new(o, "checksum", cli_json_text(hex));
		json_object_set_new(o, "recorded",
				    cli_json_text(ref.version->checksum));
		json_object_set_new(o, "files",
				    json_integer((json_int_t)n_files));
		json_object_set_new(o, "matches", json_boolean(same));
		json_array_append_new(list, o);
	} else {
		printf("%s  %s/%s@%u\n", *hex ? hex : "-",
		       bucket_name(ref.bucket), ref.dataset->name,
		       ref.version->number);
	}
	if (same)
		return EXIT_DONE;
	fprintf(stderr, "error: %s/%s@%u: the recorded checksum is %s\n",
		bucket_name(ref.bucket), ref.dataset->name, ref.version->number,
		*ref.version->checksum ? ref.version->checksum : "empty");
	return EXIT_INTEGRITY;
}

int cmd_dataset_checksum(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { { NULL, 0, NULL, 0 } };
	json_t *list;
	int worst = EXIT_DONE;

	if (cli_getopt(cli, argc, argv, "", longs) != -1)
		return EXIT_USAGE;
	if (optind == argc)
		return cli_usage(cli, "a dataset is needed");
	list = cli->json ? json_array() : NULL;
	for (int i = optind; i < argc; i++) {
		int code = check_one(cli, argv[i], list);

		worst = code ? code : worst;
	}
	if (list) {
		json_t *doc = json_object();

		json_object_set_new(doc, "checksums", list);
		(void)cli_print_json(doc, "dataset-checksum");
	}
	return worst;
}
