/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a version is in its store what its record and manifest say: the
 * manifest's checksum, each file's object and, where that is asked for, its
 * content.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/digest.h"
#include "fs/cli/checksum.h"
#include "fs/cli/cli.h"
#include "fs/cli/download_run.h"
#include "fs/cli/interrupt.h"
#include "fs/cli/table.h"

#define SAMPLE_WHOLE 1000000u	/* of a million files so many are read */

struct job {
	struct cli *cli;
	char **paths;
	int n_paths;
	uint32_t sample;

	struct resolved resolved;
	struct tree *tree;
	struct download_run run;
	char checksum[OSMO_CHECKSUM_TEXT];
	bool has_checksum, is_checksum_right;
};

/* "1%", "0.5%". */
static int parse_sample(const char *text, uint32_t *out)
{
	char *end;
	double percent;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	percent = strtod(text, &end);
	if (end[0] != '%' || end[1] || !(percent > 0) || percent > 100)
		return -EINVAL;
	*out = (uint32_t)(percent / 100 * SAMPLE_WHOLE + 0.5);
	return *out ? 0 : -EINVAL;
}

static int sample_usage(const struct job *job)
{
	size_t len = strlen(optarg);

	if (len && strspn(optarg, "0123456789.") == len)
		return cli_usage(job->cli, "write --sample %s%%: a share of all files, from 0.0001%% to 100%%",
				 optarg);
	return cli_usage(job->cli, "--sample \"%s\": write it as 1%%, from 0.0001%% to 100%%",
			 optarg);
}

static int parse_options(struct job *job, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "content", no_argument, NULL, 'C' },
		{ "sample", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(job->cli, argc, argv, "", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		if (job->sample)
			return cli_usage(job->cli,
					 "either --content or --sample, once");
		if (c == 'C')
			job->sample = SAMPLE_WHOLE;
		else if (parse_sample(optarg, &job->sample) < 0)
			return sample_usage(job);
	}
	if (optind == argc)
		return cli_usage(job->cli, "a dataset is needed");
	job->paths = argv + optind + 1;
	job->n_paths = argc - optind - 1;
	for (int i = 0; i < job->n_paths; i++)
		if (!*job->paths[i])
			return cli_usage(job->cli, CLI_EMPTY_PATH);
	return 0;
}

/* ---- which files ---- */

/* Without what a shell's completion may add. */
static void trim_path(char **path)
{
	size_t len;

	while (strncmp(*path, "./", 2) == 0)
		*path += 2;
	len = strlen(*path);
	while (len && (*path)[len - 1] == '/')
		(*path)[--len] = '\0';
}

static int find_paths(struct job *job, const char *ref, struct err *err)
{
	struct tree_entry e;

	for (int i = 0; i < job->n_paths; i++) {
		trim_path(&job->paths[i]);
		if (tree_lookup_path(job->tree, job->paths[i], &e, err) == 0)
			continue;
		if (err->class != ERR_MISSING)
			return -err->code;
		return err_set(err, ERR_MISSING, ENOENT, "there is no %s in %s",
			       job->paths[i], ref);
	}
	return 0;
}

static bool is_wanted(void *arg, const char *path)
{
	const struct job *job = arg;

	for (int i = 0; i < job->n_paths; i++) {
		size_t len = strlen(job->paths[i]);

		if (!len || (strncmp(path, job->paths[i], len) == 0 &&
			     (path[len] == '/' || path[len] == '\0')))
			return true;
	}
	return job->n_paths == 0;
}

/* By the path alone: the same files each time, on each machine. */
static bool is_read(void *arg, const char *path)
{
	const struct job *job = arg;

	return digest_xxh3(path, strlen(path)) % SAMPLE_WHOLE < job->sample;
}

/* ---- the manifest ---- */

static int check_manifest(struct job *job, struct err *err)
{
	const struct version *v = job->resolved.version;
	uint64_t n_files;
	int r;

	job->has_checksum = v->kind != VERSION_LEGACY;
	if (!job->has_checksum)
		return 0;
	r = checksum_compute(&job->resolved, job->checksum, &n_files, err);
	job->is_checksum_right = r == 0 &&
				 strcmp(job->checksum, v->checksum) == 0;
	if (r == 0 && !job->is_checksum_right)
		fprintf(stderr, "error: the manifest's checksum is %s, the version's record says %s\n",
			*job->checksum ? job->checksum : "empty",
			*v->checksum ? v->checksum : "empty");
	return r;
}

/* ---- what came of it ---- */

static void print_json(const struct job *job, const struct download_state *s)
{
	json_t *doc = download_run_json(&job->resolved);

	json_object_set_new(doc, "checked", json_string("store"));
	json_object_set_new(doc, "checksum_matches", job->has_checksum ?
			    json_boolean(job->is_checksum_right) : json_null());
	json_object_set_new(doc, "wanted", download_run_count(s->files, s->bytes));
	json_object_set_new(doc, "read",
			    download_run_count(s->files_fetched, s->bytes_fetched));
	json_object_set_new(doc, "not_read",
			    download_run_count(s->files_passed, s->bytes_passed));
	json_object_set_new(doc, "differ",
			    download_run_count(s->files_failed, s->bytes_failed));
	json_object_set_new(doc, "unverifiable_files",
			    json_integer((json_int_t)s->files_unverified));
	download_run_print_json(&job->run, s, doc, "dataset-verify");
}

static void print_text(const struct job *job, const struct download_state *s)
{
	uint64_t by_content = s->files_fetched - s->files_unverified;
	char bytes[SIZE_TEXT_MAX];

	size_text(bytes, s->bytes_fetched);
	printf("manifest: %s\n", !job->has_checksum ? "none to check" :
			    job->is_checksum_right ? "right" : "differs");
	printf("store:    %" PRIu64 " of %" PRIu64 " files are right: %" PRIu64 " by their content (%s was read), %" PRIu64 " as far as their size tells\n",
	       s->files_fetched + s->files_passed, s->files, by_content, bytes,
	       s->files_passed + s->files_unverified);
	if (s->files_unverified)
		fprintf(stderr, "note: the content of %" PRIu64 " files that were read cannot be verified, as their etags are of parts of unknown size\n",
			s->files_unverified);
}

/* Of a store that cannot be asked nothing is known. */
static int code_of(const struct job *job, const struct download_state *s)
{
	enum err_class class = s->failure.class;

	if (s->fatal.class != ERR_NONE)
		return cli_fail(&s->fatal);
	if (s->files_failed && !s->is_mixed &&
	    (class == ERR_RETRY || (class == ERR_AUTH &&
				    s->files_failed == s->files)))
		return cli_exit_code(&s->failure);
	if (s->files_failed || (job->has_checksum && !job->is_checksum_right))
		return EXIT_NO;
	return EXIT_DONE;
}

static int conclude(const struct job *job)
{
	struct download_state s;

	download_state(job->run.download, &s);
	if (job->cli->json)
		print_json(job, &s);
	else
		print_text(job, &s);
	fflush(stdout);
	if (s.files_failed)
		fprintf(stderr, "error: %" PRIu64 " of %" PRIu64 " files are not what they should be\n",
			s.files_failed, s.files);
	if (s.fatal.class == ERR_CORRUPT)
		bucket_tree_discard(job->resolved.bucket,
				    job->resolved.dataset,
				    job->resolved.version);
	if (interrupt_came()) {
		fputs("error: interrupted\n", stderr);
		return EXIT_INTERRUPTED;
	}
	return code_of(job, &s);
}

static int verify(struct job *job, const char *text)
{
	const struct resolved *ref = &job->resolved;
	struct download_options opt = {
		.bucket = ref->bucket, .dirfd = -1, .is_checked = true,
		.memory = job->cli->settings->memory,
		.is_wanted = is_wanted, .is_read = is_read, .arg = job,
	};
	struct err err = ERR_INIT;
	int r, code;

	r = bucket_tree_sync(ref->bucket, ref->catalog, ref->dataset,
			     ref->version, &job->tree, &err);
	if (r == 0)
		r = find_paths(job, text, &err);
	if (r == 0)
		r = check_manifest(job, &err);
	opt.tree = job->tree;
	if (r == 0)
		r = download_new(&job->run.download, &opt, &err);
	job->run.buckets = job->cli->buckets;
	job->run.has_no_bytes = job->sample != SAMPLE_WHOLE;
	if (r == 0)
		r = download_run(&job->run, &err);
	code = r < 0 ? cli_fail(&err) : conclude(job);
	buckets_stop(job->cli->buckets);
	return code;
}

int cmd_dataset_verify(struct cli *cli, int argc, char **argv)
{
	struct job job = { .cli = cli };
	const char *text;
	int code;

	code = parse_options(&job, argc, argv);
	if (code)
		return code;
	text = argv[optind];
	code = cli_resolve(cli, text, &job.resolved);
	if (code == 0) {
		job.run.failed = cli->json ? json_array() : NULL;
		code = verify(&job, text);
	}
	download_free(job.run.download);
	if (job.tree)
		tree_put(job.tree);
	resolved_release(&job.resolved);
	json_decref(job.run.failed);
	return code;
}
