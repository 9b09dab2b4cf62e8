/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a version is what its record and manifest say: in its store the
 * manifest's checksum, each file's object and, where that is asked for, its
 * content; in the cache of a mount what is there of it.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/base/clock.h"
#include "backends/base/digest.h"
#include "fs/cli/checksum.h"
#include "fs/cli/cli.h"
#include "fs/cli/download_run.h"
#include "fs/cli/interrupt.h"
#include "fs/cli/table.h"
#include "fs/cli/verify_cache.h"
#include "fs/cli/verify_state.h"
#include "fs/mount/mount.h"

#define SAMPLE_WHOLE 1000000u	/* of a million files so many are read */

struct job {
	struct cli *cli;
	char **paths;
	int n_paths;
	uint32_t sample;
	bool is_resumed;
	const char *mountpoint;
	bool is_named;		/* with -m: it must be there */

	struct resolved resolved;
	struct tree *tree;
	struct download_run run;
	struct verify_state *state;
	struct verify_cache cache;
	char cache_problem[ERR_TEXT_MAX];	/* why that was not checked */
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
		{ "mountpoint", required_argument, NULL, 'm' },
		{ "resume", no_argument, NULL, 'r' },
		{ "sample", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(job->cli, argc, argv, "m:r", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		if (c == 'r') {
			job->is_resumed = true;
			continue;
		}
		if (c == 'm') {
			job->mountpoint = optarg;
			job->is_named = true;
			continue;
		}
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

	for (int i = 0; i < job->n_paths; i++)
		if (tree_is_within(path, job->paths[i]))
			return true;
	return job->n_paths == 0;
}

/* By the path alone: the same files each time, on each machine. */
static bool is_read(void *arg, const char *path)
{
	const struct job *job = arg;

	return digest_xxh3(path, strlen(path)) % SAMPLE_WHOLE < job->sample;
}

/* ---- what an earlier run found ---- */

static enum download_found found_before(void *arg, uint32_t index)
{
	const struct job *job = arg;

	return verify_state_found(job->state, index);
}

static void found(void *arg, uint32_t index, enum download_found what)
{
	const struct job *job = arg;

	verify_state_note(job->state, index, what);
}

static void tick(void *arg)
{
	const struct job *job = arg;

	verify_state_save(job->state, true);
}

static uint64_t name_with(uint64_t name, const char *word)
{
	uint64_t pair[2] = { name, digest_xxh3(word, strlen(word)) };

	return digest_xxh3(pair, sizeof(pair));
}

/*
 * The same question of the same version, and of the same mount's cache: what it
 * is kept under.
 */
static uint64_t name_of_question(const struct job *job)
{
	uint64_t name = name_with(0, bucket_key(job->resolved.bucket));
	struct tree_info info;

	tree_info(job->tree, &info);
	name = name_with(name, job->mountpoint);
	for (int i = 0; i < job->n_paths; i++)
		name = name_with(name, job->paths[i]);
	return name ^ info.checksum;
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

/* ---- the cache ---- */

/*
 * Of the mount, where there is one.  Who did not name it is told why its cache
 * was not checked, and has the rest checked all the same.
 */
static int check_cache(struct job *job, struct err *err)
{
	struct verify_cache *vc = &job->cache;
	int r;

	*vc = (struct verify_cache){
		.mountpoint = job->mountpoint, .ref = &job->resolved,
		.tree = job->tree, .paths = job->paths,
		.n_paths = (size_t)job->n_paths, .state = job->state,
		.progress = &job->run.progress, .failed = job->run.failed,
	};
	if (!job->is_named && !mount_is_mounted(job->mountpoint)) {
		(void)snprintf(job->cache_problem, sizeof(job->cache_problem),
			       "nothing is mounted at %s", job->mountpoint);
		return 0;
	}
	progress_begin(&job->run.progress);
	r = verify_cache_run(vc, err);
	progress_end(&job->run.progress);
	if (r == -EINTR && interrupt_came())
		return 0;
	if (r < 0 && !job->is_named) {
		(void)snprintf(job->cache_problem, sizeof(job->cache_problem),
			       "%s", err->text);
		err_clear(err);
		r = 0;
	} else if (vc->has_no_disk) {
		(void)snprintf(job->cache_problem, sizeof(job->cache_problem),
			       "the mount at %s has no disk cache now",
			       job->mountpoint);
	}
	return r;
}

static json_t *cache_json(const struct job *job)
{
	const struct verify_cache *vc = &job->cache;
	json_t *o = json_object();

	json_object_set_new(o, "checked", json_boolean(!*job->cache_problem));
	json_object_set_new(o, "problem", cli_json_text(
			    *job->cache_problem ? job->cache_problem : NULL));
	json_object_set_new(o, "files", json_integer((json_int_t)vc->files));
	json_object_set_new(o, "bytes", json_integer((json_int_t)vc->bytes));
	json_object_set_new(o, "records",
			    json_integer((json_int_t)vc->records));
	json_object_set_new(o, "damaged",
			    json_integer((json_int_t)vc->damaged));
	json_object_set_new(o, "refetched",
			    json_integer((json_int_t)vc->refetched));
	json_object_set_new(o, "damaged_files",
			    json_integer((json_int_t)vc->files_damaged));
	return o;
}

static void print_cache(const struct job *job)
{
	const struct verify_cache *vc = &job->cache;
	char bytes[SIZE_TEXT_MAX];

	if (*job->cache_problem) {
		printf("cache:    not checked: %s\n", job->cache_problem);
		return;
	}
	size_text(bytes, vc->bytes);
	printf("cache:    %" PRIu64 " of %" PRIu64 " records (%s, of %" PRIu64 " files) are right",
	       vc->records - vc->damaged, vc->records, bytes, vc->files);
	if (vc->refetched)
		printf(", %" PRIu64 " were fetched again", vc->refetched);
	putchar('\n');
}

/* ---- what came of it ---- */

static void print_json(const struct job *job, const struct download_state *s)
{
	json_t *doc = download_run_json(&job->resolved);

	json_object_set_new(doc, "checked", json_string(
			    *job->cache_problem ? "store" : "store and cache"));
	json_object_set_new(doc, "checksum_matches", job->has_checksum ?
			    json_boolean(job->is_checksum_right) : json_null());
	json_object_set_new(doc, "wanted", download_run_count(s->files, s->bytes));
	json_object_set_new(doc, "read",
			    download_run_count(s->files_fetched, s->bytes_fetched));
	json_object_set_new(doc, "not_read",
			    download_run_count(s->files_passed, s->bytes_passed));
	json_object_set_new(doc, "from_before",
			    download_run_count(s->files_known, s->bytes_known));
	json_object_set_new(doc, "differ",
			    download_run_count(s->files_failed, s->bytes_failed));
	json_object_set_new(doc, "unverifiable_files",
			    json_integer((json_int_t)s->files_unverified));
	json_object_set_new(doc, "cache", cache_json(job));
	download_run_print_json(&job->run, s, doc, "dataset-verify");
}

static void print_text(const struct job *job, const struct download_state *s)
{
	uint64_t by_content = s->files_fetched - s->files_unverified;
	char bytes[SIZE_TEXT_MAX], known[SIZE_TEXT_MAX];

	size_text(bytes, s->bytes_fetched);
	size_text(known, s->bytes_known);
	printf("manifest: %s\n", !job->has_checksum ? "none to check" :
			    job->is_checksum_right ? "right" : "differs");
	printf("store:    %" PRIu64 " of %" PRIu64 " files are right: %" PRIu64 " by their content (%s was read), %" PRIu64 " as far as their size tells\n",
	       s->files_fetched + s->files_passed + s->files_known, s->files,
	       by_content, bytes, s->files_passed + s->files_unverified);
	if (s->files_known)
		printf("          %" PRIu64 " of them (%s) were found to be right by an earlier run\n",
		       s->files_known, known);
	print_cache(job);
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
	if (s->files_failed || job->cache.damaged > job->cache.refetched ||
	    (job->has_checksum && !job->is_checksum_right))
		return EXIT_NO;
	return EXIT_DONE;
}

/* Whoever asks again goes on, or has only looked at what was wrong. */
static void keep_state(const struct job *job, int code,
		       const struct download_state *s)
{
	if (code == EXIT_DONE || s->fatal.class == ERR_CORRUPT) {
		verify_state_remove(job->state);
		return;
	}
	verify_state_save(job->state, false);
	if (s->files_fetched + s->files_passed + s->files_known < s->files)
		fputs("  try: the same with --resume, which leaves out what was found to be right\n",
		      stderr);
}

static int conclude(const struct job *job)
{
	struct download_state s;
	int code;

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
	if (job->cache.damaged)
		fprintf(stderr, "error: %" PRIu64 " of %" PRIu64 " records in the cache were damaged: %" PRIu64 " were fetched again, the others are when they are read\n",
			job->cache.damaged, job->cache.records,
			job->cache.refetched);
	if (interrupt_came()) {
		fputs("error: interrupted\n", stderr);
		code = EXIT_INTERRUPTED;
	} else {
		code = code_of(job, &s);
	}
	keep_state(job, code, &s);
	return code;
}

static int verify(struct job *job, const char *text)
{
	const struct resolved *ref = &job->resolved;
	struct download_options opt = {
		.bucket = ref->bucket, .dirfd = -1, .is_checked = true,
		.memory = job->cli->settings->memory,
		.is_wanted = is_wanted, .is_read = is_read,
		.found_before = found_before, .found = found, .arg = job,
	};
	struct err err = ERR_INIT;
	int r, code;

	r = bucket_tree_sync(ref->bucket, ref->catalog, ref->dataset,
			     ref->version, &job->tree, &err);
	if (r == 0)
		r = find_paths(job, text, &err);
	if (r == 0)
		r = check_manifest(job, &err);
	if (r == 0)
		r = verify_state_new(&job->state,
				     job->cli->settings->cache_dir,
				     name_of_question(job), job->tree,
				     job->is_resumed, &err);
	opt.tree = job->tree;
	if (r == 0)
		r = download_new(&job->run.download, &opt, &err);
	job->run.buckets = job->cli->buckets;
	job->run.has_no_bytes = job->sample != SAMPLE_WHOLE;
	job->run.tick = tick;
	job->run.arg = job;
	job->run.started_ms = clock_ms();
	interrupt_catch();
	if (r == 0)
		r = check_cache(job, &err);
	if (r == 0 && !interrupt_came())
		r = download_run(&job->run, &err);
	code = r < 0 ? cli_fail(&err) : conclude(job);
	buckets_stop(job->cli->buckets);
	return code;
}

int cmd_dataset_verify(struct cli *cli, int argc, char **argv)
{
	struct job job = { .cli = cli, .mountpoint = MOUNT_DEFAULT_POINT };
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
	verify_state_free(job.state);
	if (job.tree)
		tree_put(job.tree);
	resolved_release(&job.resolved);
	json_decref(job.run.failed);
	return code;
}
