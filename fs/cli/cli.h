/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one command, one file, one row in the table of main.c.
 * A command gets its words in argv (argv[0] is its own name, as getopt wants
 * it) and returns an exit code.
 */
#ifndef DATASETFS_CLI_CLI_H
#define DATASETFS_CLI_CLI_H

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include "backends/base/buf.h"
#include "fs/config/settings.h"
#include "fs/dataset/buckets.h"
#include "fs/dataset/reference.h"

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,		/* the answer is no */
	EXIT_USAGE = 2,
	EXIT_MISSING = 3,
	EXIT_AUTH = 4,
	EXIT_RETRY = 5,
	EXIT_INTEGRITY = 6,
	EXIT_BUSY = 7,
	EXIT_ENVIRONMENT = 8,
	EXIT_INTERRUPTED = 130,
};

/* What the options that hold everywhere gave. */
struct cli {
	const char *config;	/* -c, or NULL */
	bool json;
	unsigned verbose;
	const struct command *command;

	/* filled by cli_settings() and cli_buckets() */
	struct settings *settings;
	struct buckets *buckets;
};

struct command {
	const char *words;	/* "dataset import osmo" */
	const char *operands;	/* "BUCKET SOURCE..." */
	const char *summary;	/* one line, no full stop */
	const char *help;	/* what the options are, or NULL */
	int (*run)(struct cli *cli, int argc, char **argv);
};
extern const struct command commands[];
extern const size_t n_commands;

/* That of the error's class. */
int cli_exit_code(const struct err *err);
/* Prints "error: TEXT" to stderr and gives the exit code of its class. */
int cli_fail(const struct err *err);
/* "error: ...", then how to get help; EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* As "$UNSET" gives it: nobody means all by that. */
#define CLI_EMPTY_PATH "an empty path names nothing: leave it out for the whole version"

/*
 * Loads the configuration (problems of single buckets go to stderr as
 * warnings), and opens the buckets for a command.  0 or an exit code that was
 * explained already.  main() releases both.
 */
int cli_settings(struct cli *cli);
int cli_buckets(struct cli *cli);

/*
 * getopt_long over a command's own options; unknown ones are explained.
 * Returns the option, -1 at the end, '?' after an error was printed.
 */
int cli_getopt(struct cli *cli, int argc, char **argv, const char *shorts,
	       const struct option *longs);

/*
 * After the options: the one word that may follow goes to *word, which is left
 * as it is without one.  0, or EXIT_USAGE after more of them was explained.
 */
int cli_optional_word(const struct cli *cli, int argc, char **argv,
		      const char **word);

/* Prints and frees a JSON document, with "schema": "datasetfs.NAME/1" first. */
int cli_print_json(json_t *doc, const char *schema);
/*
 * A string that may hold any byte, or null for NULL: what is no UTF-8 is shown
 * escaped, as \xNN.
 */
json_t *cli_json_text(const char *s);
/* A JSON object that stands in the catalog as text; {} where it is broken. */
json_t *cli_json_object(const char *text);
/* "2026-05-02T12:00:00Z" or null. */
json_t *cli_json_date(int64_t seconds);

/* Resolves REF; 0, or an exit code that was explained already. */
struct resolved {
	struct bucket *bucket;
	struct catalog *catalog;
	const struct dataset *dataset;
	const struct version *version;
};
int cli_resolve(struct cli *cli, const char *text, struct resolved *out);
void resolved_release(struct resolved *r);
#define cleanup_resolved __attribute__((cleanup(resolved_release)))

/*
 * The pinned path of a reference below a mount: only follows the links there.
 * -ENOENT (ERR_MISSING) says whether the bucket or the dataset is not there;
 * -EACCES (ERR_AUTH).
 */
int cli_resolve_mounted(const char *mountpoint, const struct reference *ref,
			char path[PATH_MAX], struct err *err) MUST_CHECK;

/*
 * The program under the name mount.datasetfs, for mount(8) and fstab.  The
 * exit code is one of mount(8).
 */
bool mount_helper_is_meant(const char *argv0);
int mount_helper(struct cli *cli, int argc, char **argv);

int cmd_bucket_check(struct cli *cli, int argc, char **argv);
int cmd_bucket_list(struct cli *cli, int argc, char **argv);
int cmd_cache_evict(struct cli *cli, int argc, char **argv);
int cmd_cache_stat(struct cli *cli, int argc, char **argv);
int cmd_config_get(struct cli *cli, int argc, char **argv);
int cmd_config_show(struct cli *cli, int argc, char **argv);
int cmd_dataset_checksum(struct cli *cli, int argc, char **argv);
int cmd_dataset_download(struct cli *cli, int argc, char **argv);
int cmd_dataset_import_objects(struct cli *cli, int argc, char **argv);
int cmd_dataset_import_osmo(struct cli *cli, int argc, char **argv);
int cmd_dataset_info(struct cli *cli, int argc, char **argv);
int cmd_dataset_inspect(struct cli *cli, int argc, char **argv);
int cmd_dataset_list(struct cli *cli, int argc, char **argv);
int cmd_dataset_prefetch(struct cli *cli, int argc, char **argv);
int cmd_dataset_verify(struct cli *cli, int argc, char **argv);
int cmd_doctor(struct cli *cli, int argc, char **argv);
int cmd_mount(struct cli *cli, int argc, char **argv);
int cmd_resolve(struct cli *cli, int argc, char **argv);
int cmd_status(struct cli *cli, int argc, char **argv);
int cmd_unmount(struct cli *cli, int argc, char **argv);

#endif
