/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program under the name that mount(8) looks for (mount(8), EXTERNAL
 * HELPERS): the words of fstab become those of "datasetfs mount".
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "backends/base/log.h"
#include "fs/cli/cli.h"
#include "fs/mount/mount.h"

#define HELPER_PREFIX "mount."

/* What mount(8) ends with, and so its helpers. */
enum {
	MOUNT_EXIT_USAGE = 1,
	MOUNT_EXIT_INTERRUPTED = 8,
	MOUNT_EXIT_FAILED = 32,
};

struct helper {
	const char *source, *dir;
	const char *namespace;
	bool fake;		/* -f: all but the mount itself */
	bool sloppy;		/* -s: words that are not known are left out */
	bool help;
	struct buf given;	/* all of -o; the pointers below point into it */
	const char *cache_dir, *cache_size;
	bool strict;
	struct buf rest;	/* -o of "datasetfs mount" */
};

static const char usage[] =
	"usage: mount.datasetfs SOURCE DIRECTORY [-sfnv] [-N NAMESPACE] [-o OPTIONS]\n"
	"\n"
	"Called by mount(8), for lines in /etc/fstab.  SOURCE is only shown in tables of\n"
	"mounts.  OPTIONS are those of \"datasetfs mount -o\", and:\n"
	"  config=FILE      the configuration\n"
	"  cache-dir=DIR    instead of datasetfs.cache.dir\n"
	"  cache-size=SIZE  instead of datasetfs.cache.size\n"
	"  strict           refuse to mount when any bucket has a problem\n"
	"\n"
	"The manual is mount.datasetfs(8).\n";

bool mount_helper_is_meant(const char *argv0)
{
	const char *slash = argv0 ? strrchr(argv0, '/') : NULL;
	const char *name = slash ? slash + 1 : argv0;

	return name && strncmp(name, HELPER_PREFIX, strlen(HELPER_PREFIX)) == 0;
}

static int helper_usage(const char *what, const char *word)
{
	fprintf(stderr, "error: %s%s\n  try: mount.datasetfs --help\n", what,
		word);
	return EXIT_USAGE;
}

static int take_operand(struct helper *h, const char *word)
{
	if (!h->source)
		h->source = word;
	else if (!h->dir)
		h->dir = word;
	else
		return helper_usage("unexpected word ", word);
	return 0;
}

/* In whatever order: mount(8) puts the operands first. */
static int parse_words(struct cli *cli, struct helper *h, int argc,
		       char **argv)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	int c, code = 0;

	while (code == 0 &&
	       (c = cli_getopt(cli, argc, argv, "-sfnvhN:o:t:", longs)) != -1) {
		switch (c) {
		case 1:
			code = take_operand(h, optarg);
			break;
		case 's':
			h->sloppy = true;
			break;
		case 'f':
			h->fake = true;
			break;
		case 'n':	/* there is no /etc/mtab to write */
		case 't':	/* the type that this name stands for */
			break;
		case 'v':
			cli->verbose++;
			break;
		case 'h':
			h->help = true;
			break;
		case 'N':
			h->namespace = optarg;
			break;
		case 'o':
			buf_printf(&h->given, "%s%s", h->given.len ? "," : "",
				   optarg);
			break;
		default:
			return EXIT_USAGE;
		}
	}
	while (code == 0 && optind < argc)
		code = take_operand(h, argv[optind++]);
	if (code == 0 && !h->help && !h->dir)
		return helper_usage("needs a source and a directory", "");
	return code;
}

/* What follows the name and "=", or NULL where word is another. */
static const char *value_of(const char *word, const char *name)
{
	size_t len = strlen(name);

	return strncmp(word, name, len) == 0 && word[len] == '=' ?
		       word + len + 1 : NULL;
}

static int take_option(struct cli *cli, struct helper *h, const char *word)
{
	struct err err = ERR_INIT;
	const char *value;

	if ((value = value_of(word, "config"))) {
		if (!*value)
			return helper_usage("-o config= needs a file", "");
		cli->config = value;
	} else if ((value = value_of(word, "cache-dir"))) {
		h->cache_dir = value;
	} else if ((value = value_of(word, "cache-size"))) {
		h->cache_size = value;
	} else if (strcmp(word, "strict") == 0) {
		h->strict = true;
	} else if (strcmp(word, "rw") == 0) {
		/* mount(8) says so to all helpers unless "ro" was given. */
	} else if (mount_check_options(word, &err) == 0) {
		buf_printf(&h->rest, ",%s", word);
	} else if (!h->sloppy) {
		cli_fail(&err);
		fputs("  here also: config=FILE, cache-dir=DIR, cache-size=SIZE, strict\n",
		      stderr);
		return EXIT_USAGE;
	}
	return 0;
}

static int parse_options(struct cli *cli, struct helper *h)
{
	char *at = h->given.data, *word;
	int code = 0;

	/* As mount(8) compares it with fstab to see what is mounted already;
	   a fsname= among the options comes later, and wins. */
	if (strpbrk(h->source, ",\\"))
		return helper_usage("no comma or backslash may be in the source ",
				    h->source);
	buf_printf(&h->rest, "fsname=%s", h->source);
	while (code == 0 && (word = strsep(&at, ",")))
		if (*word)
			code = take_option(cli, h, word);
	return code;
}

/* Before all else: paths are those of the namespace. */
static int enter_namespace(const char *path, struct err *err)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
		return err_errno(err, errno, "mount namespace %s", path);
	return 0;
}

static int mount_as_told(struct cli *cli, struct helper *h)
{
	char *argv[12] = { (char *)"mount", (char *)"-o", h->rest.data };
	int argc = 3;

	if (h->cache_dir) {
		argv[argc++] = (char *)"--cache-dir";
		argv[argc++] = (char *)h->cache_dir;
	}
	if (h->cache_size) {
		argv[argc++] = (char *)"--cache-size";
		argv[argc++] = (char *)h->cache_size;
	}
	if (h->strict)
		argv[argc++] = (char *)"--strict";
	argv[argc++] = (char *)"--";
	argv[argc++] = (char *)h->dir;
	optind = 0;	/* getopt begins anew */
	return cmd_mount(cli, argc, argv);
}

static int run(struct cli *cli, struct helper *h, int argc, char **argv)
{
	struct err err = ERR_INIT;
	int code = parse_words(cli, h, argc, argv);

	if (code == 0 && h->help) {
		fputs(usage, stdout);
		return 0;
	}
	if (code == 0)
		code = parse_options(cli, h);
	if (code)
		return code;
	if (buf_failed(&h->given) || buf_failed(&h->rest)) {
		(void)err_nomem(&err);
		return cli_fail(&err);
	}
	if (cli->verbose)
		log_set_level(LOG_LEVEL_INFO);
	if (h->namespace && enter_namespace(h->namespace, &err) < 0)
		return cli_fail(&err);
	return h->fake ? cli_settings(cli) : mount_as_told(cli, h);
}

static int exit_code_of_mount(int code)
{
	switch (code) {
	case EXIT_DONE:
		return 0;
	case EXIT_USAGE:
		return MOUNT_EXIT_USAGE;
	case EXIT_INTERRUPTED:
		return MOUNT_EXIT_INTERRUPTED;
	default:
		return MOUNT_EXIT_FAILED;
	}
}

int mount_helper(struct cli *cli, int argc, char **argv)
{
	struct helper h = { .given = BUF_INIT, .rest = BUF_INIT };
	int code;

	log_init(LOG_TO_STDERR, LOG_LEVEL_WARN);
	for (size_t i = 0; i < n_commands; i++)
		if (commands[i].run == cmd_mount)
			cli->command = &commands[i];
	code = exit_code_of_mount(run(cli, &h, argc, argv));
	buf_release(&h.given);
	buf_release(&h.rest);
	return code;
}
