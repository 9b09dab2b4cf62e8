/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the content of a version local in the cache of the running mount, by
 * reading it there: no configuration, credential or socket is needed.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "fs/cli/cli.h"
#include "fs/cli/interrupt.h"
#include "fs/cli/prefetch.h"
#include "fs/cli/prefetch_background.h"
#include "fs/cli/progress.h"
#include "fs/cli/status_doc.h"
#include "fs/cli/table.h"
#include "fs/dataset/reference.h"
#include "fs/dataset/tree.h"
#include "fs/mount/mount.h"

#define FAILURES_LISTED_MAX 1000u	/* by --json; stderr has all */
/* What a store sends faster than the disk takes it is read again so often. */
#define PASSES_MAX 4u

struct command_run {
	struct cli *cli;
	const char *mountpoint;
	bool is_check, is_background, is_cancel;

	char root[PATH_MAX];
	int root_fd;
	char **paths;		/* below the root, none in another */
	size_t n_paths;

	struct prefetch *prefetch;
	struct progress progress;
	bool is_reading;
	uint64_t missing;	/* bytes, before anything is read */
	struct prefetch_counts read;	/* what all reading passes did */
	struct prefetch_counts now;	/* what the last look found */
	int64_t dropped_before;		/* ... the last reading pass */
	int64_t evicted_before;		/* ... the first one */

	struct lock lock;	/* guards failures */
	json_t *failures;
};

/* ---- what is asked for ---- */

static int find_root(struct command_run *run, const char *text,
		     struct err *err)
{
	struct reference ref;
	int r = reference_parse(&ref, text, err);

	if (r < 0)
		return r;
	if (!mount_is_mounted(run->mountpoint))
		return err_set(err, ERR_MISSING, ENOENT,
			       "nothing is mounted at %s, whose cache is filled: run \"datasetfs mount %s\", or name the mount with -m",
			       run->mountpoint, run->mountpoint);
	r = cli_resolve_mounted(run->mountpoint, &ref, run->root, err);
	if (r < 0)
		return r;
	run->root_fd = open(run->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->root_fd < 0)
		return prefetch_error(err, errno, run->root);
	if (fgetxattr(run->root_fd, "user.datasetfs.bucket", NULL, 0) < 0 &&
	    errno == EOPNOTSUPP)
		return err_set(err, ERR_SYSTEM, EOPNOTSUPP,
			       "the mount at %s was made with -o noxattr and does not tell what is cached: mount it without",
			       run->mountpoint);
	return 0;
}

/* Unless it lies in another that was given; takes out those that lie in it. */
static void add_path(struct command_run *run, char *path)
{
	size_t kept = 0;

	for (size_t i = 0; i < run->n_paths; i++) {
		if (tree_is_within(path, run->paths[i])) {
			free(path);
			return;
		}
	}
	for (size_t i = 0; i < run->n_paths; i++) {
		if (tree_is_within(run->paths[i], path))
			free(run->paths[i]);
		else
			run->paths[kept++] = run->paths[i];
	}
	run->paths[kept++] = path;
	run->n_paths = kept;
}

static int find_path(struct command_run *run, const char *word,
		     struct err *err)
{
	char path[PATH_MAX], real[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s", run->root, word);
	const char *below;
	char *copy;

	if (n < 0 || (size_t)n >= sizeof(path))
		return prefetch_error(err, ENAMETOOLONG, word);
	if (!realpath(path, real)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(err, ERR_MISSING, ENOENT,
				       "there is no %s in %s", word, run->root);
		return prefetch_error(err, errno, path);
	}
	if (!tree_is_within(real, run->root))
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s is not in %s: paths are those inside the version",
			       word, run->root);
	below = real + strlen(run->root);
	copy = strdup(*below == '/' ? below + 1 : below);
	if (!copy)
		return err_nomem(err);
	add_path(run, copy);
	return 0;
}

static int find_paths(struct command_run *run, int argc, char **argv,
		      struct err *err)
{
	size_t n = argc > 0 ? (size_t)argc : 1;
	int r = 0;

	run->paths = calloc(n, sizeof(*run->paths));
	if (!run->paths)
		return err_nomem(err);
	if (argc == 0)
		return find_path(run, ".", err);
	for (int i = 0; i < argc && r == 0; i++)
		r = find_path(run, argv[i], err);
	return r;
}

/* ---- while it runs ---- */

static void file_failed(void *arg, const char *path, int code,
			const char *why)
{
	struct command_run *run = arg;
	cleanup_buf struct buf text = BUF_INIT;
	json_t *o;

	buf_printf(&text, "%s%s%s", strerror(code), why ? ": " : "",
		   why ? why : "");
	progress_failure(&run->progress, path,
			 text.data ? text.data : strerror(code));
	if (!run->failures)
		return;
	o = json_object();
	json_object_set_new(o, "path", cli_json_text(path));
	json_object_set_new(o, "error", cli_json_text(why ? why :
							    strerror(code)));
	lock_take(&run->lock);
	if (json_array_size(run->failures) < FAILURES_LISTED_MAX)
		json_array_append(run->failures, o);
	lock_drop(&run->lock);
	json_decref(o);
}

static void tick(void *arg)
{
	struct command_run *run = arg;
	cleanup_buf struct buf line = BUF_INIT;
	struct prefetch_counts c;

	if (!progress_is_due(&run->progress))
		return;
	prefetch_counts(run->prefetch, &c);
	if (run->is_reading) {
		progress_bytes_text(&line, &run->progress, c.read_bytes,
				    run->missing);
	} else {
		buf_printf(&line, "%llu files looked at",
			   (unsigned long long)c.files);
	}
	if (line.data)
		progress_show(&run->progress, line.data);
}

static int pass(struct command_run *run, bool is_reading,
		struct prefetch_counts *out, struct err *err)
{
	int r = 0;

	run->is_reading = is_reading;
	prefetch_counts_reset(run->prefetch);
	progress_begin(&run->progress);
	for (size_t i = 0; i < run->n_paths && r == 0; i++)
		r = prefetch_pass(run->prefetch, run->paths[i], is_reading,
				  err);
	progress_end(&run->progress);
	prefetch_counts(run->prefetch, out);
	return r;
}

static uint64_t missing_bytes(const struct prefetch_counts *c)
{
	return c->bytes - c->cached_bytes;
}

/*
 * A number of the disk cache's, of all that the mount did; -1 where that
 * cannot be asked, as in a container.
 */
static int64_t ask_disk(const struct command_run *run, const char *key)
{
	struct err ignored = ERR_INIT;
	json_t *doc = NULL, *disk;
	int64_t n = -1;

	if (status_doc_fetch(&doc, run->mountpoint, &ignored) < 0)
		return -1;
	disk = json_object_get(json_object_get(doc, "cache"), "disk");
	if (json_is_object(disk))
		n = status_doc_number(disk, key);
	json_decref(doc);
	return n;
}

static int read_missing(struct command_run *run, struct err *err)
{
	struct prefetch_counts c = { .files = 0 };
	int r;

	if (run->failures)
		json_array_clear(run->failures);
	run->dropped_before = ask_disk(run, "dropped");
	r = pass(run, true, &c, err);
	run->read.read_files += c.read_files;
	run->read.read_bytes += c.read_bytes;
	run->read.bad_files = c.bad_files;
	run->read.bad_code = c.bad_code;
	return r < 0 ? r : pass(run, false, &run->now, err);
}

/* Not where the cache is too small: what is read would evict what was. */
static bool is_worth_more(const struct command_run *run, uint64_t before)
{
	return run->now.files - run->now.cached_files > run->read.bad_files &&
	       run->missing <= before / 2 &&
	       ask_disk(run, "evicted") <= run->evicted_before;
}

static int look_and_read(struct command_run *run, struct err *err)
{
	uint64_t before;
	unsigned n = 0;
	int r = pass(run, false, &run->now, err);

	run->missing = missing_bytes(&run->now);
	if (r < 0 || run->is_check || !run->missing)
		return r;
	run->evicted_before = ask_disk(run, "evicted");
	do {
		before = run->missing;
		r = read_missing(run, err);
		run->missing = missing_bytes(&run->now);
	} while (r == 0 && ++n < PASSES_MAX && is_worth_more(run, before));
	return r;
}

/* ---- what came of it ---- */

static int print_json(struct command_run *run, int64_t took_ms)
{
	const struct prefetch_counts *c = &run->now;
	json_t *doc = json_object();

	json_object_set_new(doc, "path", cli_json_text(run->root));
	json_object_set_new(doc, "check", json_boolean(run->is_check));
	json_object_set_new(doc, "files", json_integer((json_int_t)c->files));
	json_object_set_new(doc, "bytes", json_integer((json_int_t)c->bytes));
	json_object_set_new(doc, "cached_files",
			    json_integer((json_int_t)c->cached_files));
	json_object_set_new(doc, "cached_bytes",
			    json_integer((json_int_t)c->cached_bytes));
	json_object_set_new(doc, "missing_files",
			    json_integer((json_int_t)(c->files -
						      c->cached_files)));
	json_object_set_new(doc, "missing_bytes",
			    json_integer((json_int_t)missing_bytes(c)));
	json_object_set_new(doc, "read_files",
			    json_integer((json_int_t)run->read.read_files));
	json_object_set_new(doc, "read_bytes",
			    json_integer((json_int_t)run->read.read_bytes));
	json_object_set_new(doc, "unreadable_files",
			    json_integer((json_int_t)run->read.bad_files));
	json_object_set(doc, "unreadable", run->failures);
	json_object_set_new(doc, "milliseconds", json_integer(took_ms));
	return cli_print_json(doc, "dataset-prefetch");
}

static void print_line(const char *what, uint64_t files, uint64_t bytes)
{
	char size[SIZE_TEXT_MAX];

	size_text(size, bytes);
	printf("%-8s %llu files, %s\n", what, (unsigned long long)files, size);
}

static int print_result(struct command_run *run, int64_t took_ms)
{
	const struct prefetch_counts *c = &run->now;

	if (run->cli->json)
		return print_json(run, took_ms);
	print_line("cached:", c->cached_files, c->cached_bytes);
	print_line("missing:", c->files - c->cached_files, missing_bytes(c));
	if (!run->is_check)
		print_line("read:", run->read.read_files, run->read.read_bytes);
	return EXIT_DONE;
}

/* After all was read: does anything lack? */
static int judge(const struct command_run *run, struct err *err)
{
	uint64_t missing = run->now.files - run->now.cached_files;
	int64_t dropped = ask_disk(run, "dropped");

	if (run->dropped_before >= 0 && dropped > run->dropped_before)
		fprintf(stderr, "warning: the disk did not take %lld records in time, which may be lost with the mount: \"datasetfs cache stat\" tells more\n",
			(long long)(dropped - run->dropped_before));
	if (run->read.bad_files) {
		(void)prefetch_error(err, run->read.bad_code, "the first");
		return err_wrap(err, "%llu files cannot be read",
				(unsigned long long)run->read.bad_files);
	}
	if (!missing)
		return 0;
	return err_set(err, ERR_SYSTEM, ENOSPC,
		       "%llu files were read but are not in the cache: it may be too small for them; run \"datasetfs cache stat\"",
		       (unsigned long long)missing);
}

static int finish(struct command_run *run, int64_t took_ms)
{
	struct err err = ERR_INIT;
	int code = print_result(run, took_ms);

	if (code)
		return code;
	if (run->is_check)
		return run->now.cached_files < run->now.files ? EXIT_NO :
								EXIT_DONE;
	return judge(run, &err) < 0 ? cli_fail(&err) : EXIT_DONE;
}

static int run_all(struct command_run *run, int argc, char **argv)
{
	struct prefetch_options opt = {
		.root = run->root, .is_interrupted = interrupt_flag(),
		.failed = file_failed, .tick = tick, .arg = run,
	};
	int64_t began_ms = clock_ms();
	struct err err = ERR_INIT;
	int r;

	r = find_root(run, argv[0], &err);
	if (r == 0)
		r = find_paths(run, argc - 1, argv + 1, &err);
	opt.root_fd = run->root_fd;
	if (r == 0)
		r = prefetch_new(&run->prefetch, &opt, &err);
	if (r == 0) {
		interrupt_catch();
		r = look_and_read(run, &err);
	}
	return r < 0 ? cli_fail(&err) : finish(run, clock_ms() - began_ms);
}

/* By the daemon, which goes on with it. */
static int run_background(struct command_run *run, int argc, char **argv)
{
	struct err err = ERR_INIT;
	int r = find_root(run, argv[0], &err);

	if (r == 0 && run->is_cancel)
		r = prefetch_background_cancel(run->cli, run->mountpoint,
					       run->root, &err);
	else if (r == 0)
		r = find_paths(run, argc - 1, argv + 1, &err);
	if (r == 0 && run->is_background)
		r = prefetch_background(run->cli, run->mountpoint, run->root,
					run->paths, run->n_paths, &err);
	return r < 0 ? cli_fail(&err) : EXIT_DONE;
}

static int parse_options(struct command_run *run, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "background", no_argument, NULL, 'b' },
		{ "cancel", no_argument, NULL, 'x' },
		{ "check", no_argument, NULL, 'C' },
		{ "mountpoint", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(run->cli, argc, argv, "m:", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		if (c == 'm')
			run->mountpoint = optarg;
		else if (c == 'b')
			run->is_background = true;
		else if (c == 'x')
			run->is_cancel = true;
		else
			run->is_check = true;
	}
	if (run->is_check + run->is_background + run->is_cancel > 1)
		return cli_usage(run->cli,
				 "one of --background, --cancel and --check");
	if (optind == argc)
		return cli_usage(run->cli, "a dataset is needed");
	for (int i = optind + 1; i < argc; i++)
		if (!*argv[i])
			return cli_usage(run->cli, CLI_EMPTY_PATH);
	if (run->is_cancel && optind + 1 < argc)
		return cli_usage(run->cli, "--cancel takes a dataset only: all its prefetches end");
	return 0;
}

int cmd_dataset_prefetch(struct cli *cli, int argc, char **argv)
{
	/* Static: after an interruption threads may still be waiting in it. */
	static struct command_run run = { .lock = LOCK_INIT };
	int code;

	run.cli = cli;
	run.mountpoint = MOUNT_DEFAULT_POINT;
	run.root_fd = -1;
	run.dropped_before = -1;
	code = parse_options(&run, argc, argv);
	if (code)
		return code;
	if (cli->json)
		run.failures = json_array();
	code = run.is_background || run.is_cancel ?
		       run_background(&run, argc - optind, argv + optind) :
		       run_all(&run, argc - optind, argv + optind);
	prefetch_free(run.prefetch);
	for (size_t i = 0; i < run.n_paths; i++)
		free(run.paths[i]);
	free(run.paths);
	return code;
}
