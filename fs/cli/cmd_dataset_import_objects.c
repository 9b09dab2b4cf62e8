/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/base/clock.h"
#include "fs/cli/cli.h"
#include "fs/cli/import_catalog.h"
#include "fs/cli/path_regex.h"
#include "fs/cli/progress.h"
#include "fs/cli/table.h"
#include "fs/dataset/import/import_objects.h"
#include "fs/dataset/publish/publish.h"

#define REQUEST_TIMEOUT_MS 60000

struct job {
	struct cli *cli;
	const char *ref_text, *catalog;
	struct reference ref;
	struct uri uri;
	struct path_regex regex;
	bool dry_run;
	bool is_new_catalog;

	struct bucket *bucket;
	struct progress progress;
	struct import_objects objects;
	struct buf manifest_uri;
	struct published published;
};

static void job_release(struct job *job)
{
	uri_release(&job->uri);
	path_regex_release(&job->regex);
	import_objects_release(&job->objects);
	buf_release(&job->manifest_uri);
}
#define cleanup_job __attribute__((cleanup(job_release)))

static int parse_operands(struct job *job, char **argv)
{
	struct err err = ERR_INIT;

	job->ref_text = argv[0];
	if (reference_parse(&job->ref, argv[0], &err) < 0 ||
	    uri_parse_location(&job->uri, argv[1], &err) < 0)
		return cli_fail(&err);
	if (strcmp(job->ref.version, "latest") == 0 ||
	    reference_version_number(job->ref.version))
		return cli_usage(job->cli, "\"%s\": a version gets its number and \"latest\" by itself; what may stand behind the name is a tag",
				 job->ref.version);
	return 0;
}

static int parse_options(struct job *job, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "regex", required_argument, NULL, 'x' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "catalog", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(job->cli, argc, argv, "x:n", longs)) != -1) {
		switch (c) {
		case 'x':
			if (path_regex_take(&job->regex, job->cli, optarg))
				return EXIT_USAGE;
			break;
		case 'n':
			job->dry_run = true;
			break;
		case 'c':
			job->catalog = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 2)
		return cli_usage(job->cli, "a dataset and the URI of its objects are needed");
	return parse_operands(job, argv + optind);
}

static int open_bucket(struct job *job)
{
	const char *name = job->ref.bucket;
	struct err err = ERR_INIT;
	int code = cli_settings(job->cli);

	if (code)
		return code;
	if (!*name && job->cli->settings->default_bucket)
		name = job->cli->settings->default_bucket;
	code = import_catalog_use(job->cli, name, job->catalog, job->dry_run,
				  &job->is_new_catalog);
	if (code == 0)
		code = cli_buckets(job->cli);
	if (code)
		return code;
	if (buckets_find_or_default(job->cli->buckets, job->ref.bucket,
				    &job->bucket, &err) < 0)
		return cli_fail(&err);
	return 0;
}

static bool is_wanted(void *arg, const char *path)
{
	const struct job *job = arg;

	return path_regex_matches(&job->regex, path);
}

static void tell(void *arg, uint64_t n_files, uint64_t bytes)
{
	struct job *job = arg;
	cleanup_buf struct buf line = BUF_INIT;
	char size[SIZE_TEXT_MAX];

	if (!progress_is_due(&job->progress))
		return;
	size_text(size, bytes);
	buf_printf(&line, "%" PRIu64 " objects, %s", n_files, size);
	if (!buf_failed(&line))
		progress_show(&job->progress, line.data);
}

static int list(struct job *job)
{
	const struct import_objects_options opt = {
		.uri = job->uri.text,
		.is_wanted = job->regex.is_given ? is_wanted : NULL,
		.tell = tell,
		.arg = job,
	};
	struct err err = ERR_INIT;
	int r;

	progress_begin(&job->progress);
	r = import_objects_list(job->bucket, &opt, &job->objects, &err);
	progress_end(&job->progress);
	return r < 0 ? cli_fail(&err) : 0;
}

static const char *user_name(void)
{
	const struct passwd *pw = getpwuid(geteuid());

	return pw && pw->pw_name ? pw->pw_name : "";
}

static int publish(struct job *job)
{
	char *tag = job->ref.version;
	const struct version record = {
		.kind = VERSION_OSMO,
		.manifest_uri = job->manifest_uri.data,
		.checksum = job->objects.checksum,
		.created_by = (char *)user_name(),
		.created_s = clock_wall_s(),
		.size = job->objects.bytes,
		.metadata = (char *)"{}",
		.tags = &tag,
		.n_tags = *tag ? 1 : 0,
	};
	const struct publish_request request = {
		.name = job->ref.name,
		.record = &record,
		.dry_run = job->dry_run,
		.timeout_ms = REQUEST_TIMEOUT_MS,
	};
	struct err err = ERR_INIT;

	if (publish_version(bucket_store(job->bucket), &request,
			    &job->published, &err) < 0)
		return cli_fail(&err);
	return 0;
}

static int store_manifest(struct job *job)
{
	struct err err = ERR_INIT;
	int r = import_objects_store(job->bucket, &job->objects, job->dry_run,
				     &job->manifest_uri, &err);

	return r < 0 ? cli_fail(&err) : 0;
}

static int print_json(const struct job *job)
{
	const struct import_objects *objects = &job->objects;
	json_t *doc = json_object();

	json_object_set_new(doc, "bucket",
			    cli_json_text(bucket_name(job->bucket)));
	json_object_set_new(doc, "name", cli_json_text(job->ref.name));
	json_object_set_new(doc, "version",
			    json_integer(job->published.number));
	json_object_set_new(doc, "source", cli_json_text(job->uri.text));
	json_object_set_new(doc, "manifest",
			    cli_json_text(job->manifest_uri.data));
	json_object_set_new(doc, "files",
			    json_integer((json_int_t)objects->n_files));
	json_object_set_new(doc, "bytes",
			    json_integer((json_int_t)objects->bytes));
	json_object_set_new(doc, "unpinned",
			    json_integer((json_int_t)objects->n_unpinned));
	json_object_set_new(doc, "left_out",
			    json_integer((json_int_t)objects->n_unnamed));
	json_object_set_new(doc, "hidden",
			    json_integer((json_int_t)objects->n_shadowed));
	json_object_set_new(doc, "new_dataset",
			    json_boolean(job->published.is_new_dataset));
	json_object_set_new(doc, "unchanged",
			    json_boolean(job->published.is_unchanged));
	json_object_set_new(doc, "dry_run", json_boolean(job->dry_run));
	return cli_print_json(doc, "dataset-import-objects");
}

static int print_text(const struct job *job)
{
	const char *action = job->published.is_unchanged ? "unchanged" :
							   "added";
	char size[SIZE_TEXT_MAX];

	size_text(size, job->objects.bytes);
	printf("%-9s  %s/%s:%u  %" PRIu64 " files, %s\n", action,
	       bucket_name(job->bucket), job->ref.name, job->published.number,
	       job->objects.n_files, size);
	if (job->dry_run)
		puts("Nothing was changed: this was a dry run.");
	return EXIT_DONE;
}

static void print_notes(const struct job *job)
{
	const struct import_objects *objects = &job->objects;

	if (objects->n_unnamed)
		fprintf(stderr, "warning: %" PRIu64 " objects left out, as no file can have their names: the first is \"%s\"\n",
			objects->n_unnamed, objects->unnamed);
	if (objects->n_shadowed)
		fprintf(stderr, "warning: %" PRIu64 " objects cannot be seen, as directories have their names: the first is \"%s\"\n",
			objects->n_shadowed, objects->shadowed);
	if (objects->n_unpinned)
		fprintf(stderr, "warning: the store shows neither ETag nor generation of %" PRIu64 " objects: if they are replaced by others of the same size, nobody will notice\n",
			objects->n_unpinned);
	if (job->is_new_catalog && !job->dry_run)
		import_catalog_tell(job->cli, bucket_name(job->bucket),
				    job->catalog);
}

int cmd_dataset_import_objects(struct cli *cli, int argc, char **argv)
{
	cleanup_job struct job job = { .cli = cli };
	int code = parse_options(&job, argc, argv);

	if (code == 0)
		code = open_bucket(&job);
	if (code == 0)
		code = list(&job);
	if (code == 0)
		code = store_manifest(&job);
	if (code == 0)
		code = publish(&job);
	if (code)
		return code;
	code = cli->json ? print_json(&job) : print_text(&job);
	fflush(stdout);
	print_notes(&job);
	return code;
}
