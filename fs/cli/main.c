/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the command and the options that hold everywhere; see cli.h.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "backends/base/log.h"
#include "fs/cli/cli.h"

/* How many of argv's first words are the command's; 0: another command. */
static int command_matches(const struct command *cmd, int argc, char **argv)
{
	const char *p = cmd->words;
	int n = 0;

	while (*p) {
		size_t len = strcspn(p, " ");

		if (n >= argc || strlen(argv[n]) != len ||
		    memcmp(argv[n], p, len) != 0)
			return 0;
		n++;
		p += len;
		p += *p == ' ';
	}
	return n;
}

static const struct command *command_find(int argc, char **argv, int *n_words)
{
	for (size_t i = 0; i < n_commands; i++) {
		int n = command_matches(&commands[i], argc, argv);

		if (n > 0) {
			*n_words = n;
			return &commands[i];
		}
	}
	return NULL;
}

static void print_overview(FILE *out)
{
	size_t width = 0;

	for (size_t i = 0; i < n_commands; i++) {
		size_t w = strlen(commands[i].words);

		width = w > width ? w : width;
	}
	fputs("usage: datasetfs [-c FILE] [--json] COMMAND ...\n\n"
	      "Mounts versioned datasets from object stores.\n\n"
	      "commands:\n", out);
	for (size_t i = 0; i < n_commands; i++)
		fprintf(out, "  %-*s  %s\n", (int)width, commands[i].words,
			commands[i].summary);
	fputs("\noptions that hold everywhere:\n"
	      "  -c, --config FILE  the configuration (default: $DATASETFS_CONFIG,\n"
	      "                     /etc/datasetfs/config.yaml,\n"
	      "                     /etc/osmo/configs/config.yaml)\n"
	      "  --json             machine-readable output\n"
	      "  -v, --verbose      log what is done to stderr; twice: more\n"
	      "  -h, --help         this text, or a command's\n"
	      "  --version          the version\n"
	      "\nThe manual is datasetfs(1).\n", out);
}

static void print_help(const struct command *cmd, FILE *out)
{
	fprintf(out, "usage: datasetfs %s%s%s\n\n%s.\n", cmd->words,
		*cmd->operands ? " " : "", cmd->operands, cmd->summary);
	if (cmd->help)
		fprintf(out, "\n%s", cmd->help);
}

/* The commands that begin as what was typed does. */
static int no_such_command(int argc, char **argv)
{
	bool hinted = false;

	fprintf(stderr, "error: no command \"%s%s%s\"\n", argv[0],
		argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
	for (size_t i = 0; i < n_commands; i++) {
		size_t len = strlen(argv[0]);

		if (strncmp(commands[i].words, argv[0], len < 3 ? len : 3))
			continue;
		fprintf(stderr, "%s datasetfs %s\n",
			hinted ? "      " : "  try:", commands[i].words);
		hinted = true;
	}
	if (!hinted)
		fputs("  try: datasetfs --help\n", stderr);
	return EXIT_USAGE;
}

struct words {
	int argc;
	char **argv;
	bool help;
	bool version;
};

/*
 * Takes the options that hold everywhere out of argv, wherever they stand
 * before "--"; the rest keeps its order.
 */
static int take_global_options(struct cli *cli, struct words *w, int argc,
			       char **argv)
{
	bool ended = false;

	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];

		if (ended || a[0] != '-') {
			w->argv[w->argc++] = argv[i];
		} else if (strcmp(a, "--") == 0) {
			ended = true;
			w->argv[w->argc++] = argv[i];
		} else if (strcmp(a, "-c") == 0 || strcmp(a, "--config") == 0) {
			if (++i >= argc)
				return cli_usage(cli, "%s needs a file", a);
			cli->config = argv[i];
		} else if (strncmp(a, "--config=", 9) == 0) {
			cli->config = a + 9;
		} else if (strcmp(a, "--json") == 0) {
			cli->json = true;
		} else if (strcmp(a, "-v") == 0 || strcmp(a, "--verbose") == 0) {
			cli->verbose++;
		} else if (strcmp(a, "-vv") == 0) {
			cli->verbose += 2;
		} else if (strcmp(a, "-h") == 0 || strcmp(a, "--help") == 0) {
			w->help = true;
		} else if (strcmp(a, "--version") == 0) {
			w->version = true;
		} else {
			w->argv[w->argc++] = argv[i];
		}
	}
	w->argv[w->argc] = NULL;
	return 0;
}

static int run(struct cli *cli, struct words *w)
{
	const struct command *cmd;
	int n_words = 0;

	if (w->version) {
		puts("datasetfs " PACKAGE_VERSION);
		return EXIT_DONE;
	}
	if (w->argc == 0) {
		print_overview(w->help ? stdout : stderr);
		return w->help ? EXIT_DONE : EXIT_USAGE;
	}
	cmd = command_find(w->argc, w->argv, &n_words);
	if (!cmd)
		return no_such_command(w->argc, w->argv);
	cli->command = cmd;
	if (w->help) {
		print_help(cmd, stdout);
		return EXIT_DONE;
	}
	/* getopt wants a name in argv[0]: the command's last word. */
	return cmd->run(cli, w->argc - n_words + 1, w->argv + n_words - 1);
}

/*
 * A descriptor of ours must not get the number of a standard one that is
 * closed: what is written to stderr would go there, and a daemon covers all
 * three.  Opened the wrong way round, so that using one fails as before.
 */
static int open_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) != fd)
			return -errno;
	}
	return 0;
}

static int run_command(struct cli *cli, int argc, char **argv)
{
	struct words w = { .argv = calloc((size_t)argc + 1, sizeof(char *)) };
	int code;

	if (!w.argv) {
		fputs("error: out of memory\n", stderr);
		return EXIT_ENVIRONMENT;
	}
	code = take_global_options(cli, &w, argc, argv);
	log_init(LOG_TO_STDERR, cli->verbose > 1 ? LOG_LEVEL_DEBUG :
				cli->verbose ? LOG_LEVEL_INFO : LOG_LEVEL_WARN);
	if (code == 0)
		code = run(cli, &w);
	free(w.argv);
	return code;
}

int main(int argc, char **argv)
{
	struct cli cli = { .config = NULL };
	int code = open_standard_files();

	if (code < 0) {
		fprintf(stderr, "error: open /dev/null: %s\n", strerror(-code));
		return EXIT_ENVIRONMENT;
	}
	/* A reader that went away, a file that may not grow: errors of write,
	   not signals. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	code = mount_helper_is_meant(argv[0]) ? mount_helper(&cli, argc, argv) :
						run_command(&cli, argc, argv);
	if (cli.buckets)
		buckets_free(cli.buckets);
	if (cli.settings)
		settings_free(cli.settings);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fputs("error: cannot write the output\n", stderr);
		return code ? code : EXIT_ENVIRONMENT;
	}
	return code;
}
