/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "backends/base/io.h"
#include "fs/cli/cli.h"
#include "fs/cli/download_run.h"
#include "fs/cli/interrupt.h"
#include "fs/cli/path_regex.h"
#include "fs/cli/table.h"

#define NEW_FOLDER 0777		/* and the user's umask */

struct job {
	struct cli *cli;
	const char *ref, *dir;
	bool is_resumed;
	struct path_regex regex;

	struct resolved resolved;
	struct tree *tree;
	int dirfd;		/* DIR/NAME */
	struct download_run run;
};

static int parse_options(struct cli *cli, struct job *job, int argc,
			 char **argv)
{
	static const struct option longs[] = {
		{ "regex", required_argument, NULL, 'x' },
		{ "resume", no_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(cli, argc, argv, "x:r", longs)) != -1) {
		switch (c) {
		case 'x':
			if (path_regex_take(&job->regex, cli, optarg))
				return EXIT_USAGE;
			break;
		case 'r':
			job->is_resumed = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (argc - optind != 2)
		return cli_usage(cli, "one dataset and one folder are needed");
	job->ref = argv[optind];
	job->dir = argv[optind + 1];
	return 0;
}

static bool is_wanted(void *arg, const char *path)
{
	const struct job *job = arg;

	return path_regex_matches(&job->regex, path);
}

/* The user's own DIR may be a symlink; what is below it may not. */
static int open_folder(struct job *job, struct err *err)
{
	const char *name = job->resolved.dataset->name;
	cleanup_fd int dir = -1;
	int r = io_mkdir_p(job->dir, NEW_FOLDER);

	if (r < 0)
		return err_errno(err, -r, "make the folder %s", job->dir);
	dir = open(job->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(err, errno, "%s", job->dir);
	r = io_mkdir_beneath(dir, name, NEW_FOLDER);
	if (r == 0)
		r = io_open_beneath(dir, name, O_PATH | O_DIRECTORY, 0);
	if (r < 0)
		return err_errno(err, -r, "make the folder %s/%s", job->dir,
				 name);
	job->dirfd = r;
	return 0;
}

/* A tree that is damaged on this machine's disk is built once more. */
static int plan(struct job *job, struct err *err)
{
	const struct resolved *ref = &job->resolved;
	struct download_options opt = {
		.bucket = ref->bucket,
		.dirfd = job->dirfd,
		.memory = job->cli->settings->memory,
		.is_resumed = job->is_resumed,
		.is_wanted = is_wanted,
		.arg = job,
	};
	int r;

	opt.tree = job->tree;
	r = download_new(&job->run.download, &opt, err);
	if (r == 0 || err->class != ERR_CORRUPT)
		return r;
	bucket_tree_discard(ref->bucket, ref->dataset, ref->version);
	tree_put(steal_pointer(&job->tree));
	err_clear(err);
	r = bucket_tree_sync(ref->bucket, ref->catalog, ref->dataset,
			     ref->version, &job->tree, err);
	opt.tree = job->tree;
	return r < 0 ? r : download_new(&job->run.download, &opt, err);
}

static int prepare(struct job *job)
{
	const struct resolved *ref = &job->resolved;
	struct err err = ERR_INIT;
	int r, code;

	r = bucket_tree_sync(ref->bucket, ref->catalog, ref->dataset,
			     ref->version, &job->tree, &err);
	if (r == 0)
		r = open_folder(job, &err);
	if (r == 0)
		r = plan(job, &err);
	if (r == 0)
		return 0;
	code = cli_fail(&err);
	if (r == -EEXIST && err.class == ERR_CONFLICT)
		fputs("  nothing was fetched\n"
		      "  try: --resume to keep what is right and fetch the rest, or another folder\n",
		      stderr);
	return code;
}

/* ---- what came of it ---- */

static void print_json(const struct job *job, const struct download_state *s)
{
	const struct resolved *ref = &job->resolved;
	cleanup_buf struct buf path = BUF_INIT;
	json_t *doc = download_run_json(ref);

	buf_printf(&path, "%s/%s", job->dir, ref->dataset->name);
	json_object_set_new(doc, "path", cli_json_text(path.data));
	json_object_set_new(doc, "wanted", download_run_count(s->files, s->bytes));
	json_object_set_new(doc, "fetched",
			    download_run_count(s->files_fetched, s->bytes_fetched));
	json_object_set_new(doc, "were_there",
			    download_run_count(s->files_passed, s->bytes_passed));
	json_object_set_new(doc, "failed",
			    download_run_count(s->files_failed, s->bytes_failed));
	json_object_set_new(doc, "unverified_files",
			    json_integer((json_int_t)s->files_unverified));
	download_run_print_json(&job->run, s, doc, "dataset-download");
}

static void print_text(const struct job *job, const struct download_state *s)
{
	char fetched[SIZE_TEXT_MAX], passed[SIZE_TEXT_MAX];

	size_text(fetched, s->bytes_fetched);
	size_text(passed, s->bytes_passed);
	printf("%s/%s: %" PRIu64 " files, %s fetched", job->dir,
	       job->resolved.dataset->name, s->files_fetched, fetched);
	if (s->files_passed)
		printf("; %" PRIu64 " files, %s were there", s->files_passed,
		       passed);
	putchar('\n');
	if (s->files_unverified)
		fprintf(stderr, "note: nothing but their size could be checked of %" PRIu64 " files\n",
			s->files_unverified);
}

static int conclude(const struct job *job)
{
	struct download_state s;
	int code = EXIT_DONE;

	download_state(job->run.download, &s);
	if (job->cli->json)
		print_json(job, &s);
	else
		print_text(job, &s);
	fflush(stdout);
	if (s.files_failed) {
		fprintf(stderr, "error: %" PRIu64 " of %" PRIu64 " files could not be fetched\n",
			s.files_failed, s.files);
		code = s.is_mixed ? EXIT_NO : cli_exit_code(&s.failure);
	}
	if (s.fatal.class != ERR_NONE)
		code = cli_fail(&s.fatal);
	if (s.fatal.class == ERR_CORRUPT)
		bucket_tree_discard(job->resolved.bucket,
				    job->resolved.dataset,
				    job->resolved.version);
	if (interrupt_came() && s.files_fetched + s.files_passed < s.files) {
		fputs("error: interrupted\n", stderr);
		code = EXIT_INTERRUPTED;
	}
	if (code != EXIT_DONE)
		fprintf(stderr, "  %" PRIu64 " of %" PRIu64 " files are there\n"
			"  try: the same with --resume, which goes on from there\n",
			s.files_fetched + s.files_passed, s.files);
	return code;
}

static int download(struct job *job)
{
	struct err err = ERR_INIT;
	int code = prepare(job), r;

	if (code)
		return code;
	r = download_run(&job->run, &err);
	code = r < 0 ? cli_fail(&err) : conclude(job);
	/* Nobody waits for requests of who gave up. */
	buckets_stop(job->cli->buckets);
	return code;
}

int cmd_dataset_download(struct cli *cli, int argc, char **argv)
{
	struct job job = { .cli = cli, .dirfd = -1 };
	int code;

	code = parse_options(cli, &job, argc, argv);
	if (code == 0)
		code = cli_resolve(cli, job.ref, &job.resolved);
	if (code == 0) {
		job.run.failed = cli->json ? json_array() : NULL;
		code = download(&job);
	}
	download_free(job.run.download);
	if (job.tree)
		tree_put(job.tree);
	resolved_release(&job.resolved);
	if (job.dirfd >= 0)
		close(job.dirfd);
	path_regex_release(&job.regex);
	json_decref(job.run.failed);
	return code;
}
