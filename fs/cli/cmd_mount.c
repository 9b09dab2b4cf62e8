/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "backends/base/log.h"
#include "fs/cli/cli.h"
#include "fs/mount/mount.h"

struct mount_words {
	const char *cache_dir;
	const char *cache_size;
	struct buf fuse_options;
	struct mount_options opt;
};

static int parse_options(struct cli *cli, struct mount_words *w, int argc,
			 char **argv)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "cache-dir", required_argument, NULL, 'd' },
		{ "cache-size", required_argument, NULL, 's' },
		{ "strict", no_argument, NULL, 'S' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = cli_getopt(cli, argc, argv, "fo:", longs)) != -1) {
		switch (c) {
		case 'f':
			w->opt.foreground = true;
			break;
		case 'o':
			buf_printf(&w->fuse_options, "%s%s",
				   w->fuse_options.len ? "," : "", optarg);
			break;
		case 'd':
			w->cache_dir = optarg;
			break;
		case 's':
			w->cache_size = optarg;
			break;
		case 'S':
			w->opt.strict = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	w->opt.mountpoint = MOUNT_DEFAULT_POINT;
	if (cli_optional_word(cli, argc, argv, &w->opt.mountpoint))
		return EXIT_USAGE;
	w->opt.fuse_options = w->fuse_options.len ? w->fuse_options.data : NULL;
	return 0;
}

static int override_settings(struct cli *cli, const struct mount_words *w)
{
	struct settings *st = cli->settings;
	struct err err = ERR_INIT;

	if (w->cache_dir) {
		if (!*w->cache_dir)
			return cli_usage(cli, "--cache-dir needs a folder");
		free(st->cache_dir);
		st->cache_dir = realpath(w->cache_dir, NULL);
		if (!st->cache_dir)	/* it is made later */
			st->cache_dir = strdup(w->cache_dir);
		if (!st->cache_dir) {
			(void)err_nomem(&err);
			return cli_fail(&err);
		}
	}
	if (!w->cache_size)
		return 0;
	if (settings_parse_size(w->cache_size, &st->cache_size) < 0)
		return cli_usage(cli, "cache size \"%s\": write it as 500GiB",
				 w->cache_size);
	if (st->cache_size < SETTINGS_CACHE_SIZE_MIN)
		return cli_usage(cli, "cache size \"%s\": expected "
				 SETTINGS_CACHE_SIZE_MIN_TEXT " at least",
				 w->cache_size);
	return 0;
}

int cmd_mount(struct cli *cli, int argc, char **argv)
{
	struct mount_words w = { .cache_dir = NULL };
	struct err err = ERR_INIT;
	int code;

	code = parse_options(cli, &w, argc, argv);
	if (code == 0 && mount_check_options(w.opt.fuse_options, &err) < 0)
		code = cli_fail(&err);
	if (code == 0)
		code = cli_settings(cli);
	if (code == 0)
		code = override_settings(cli, &w);
	if (code == 0) {
		w.opt.settings = cli->settings;
		w.opt.has_cache_dir = w.cache_dir != NULL;
		w.opt.has_cache_size = w.cache_size != NULL;
		if (w.opt.foreground && !cli->verbose)
			log_set_level(LOG_LEVEL_INFO);
		if (mount_run(&w.opt, &err) < 0)
			code = cli_fail(&err);
	}
	buf_release(&w.fuse_options);
	return code;
}

int cmd_unmount(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "lazy", no_argument, NULL, 'l' }, { NULL, 0, NULL, 0 },
	};
	const char *mountpoint = MOUNT_DEFAULT_POINT;
	struct err err = ERR_INIT;
	bool lazy = false;
	int c;

	while ((c = cli_getopt(cli, argc, argv, "l", longs)) != -1) {
		if (c == '?')
			return EXIT_USAGE;
		lazy = true;
	}
	if (cli_optional_word(cli, argc, argv, &mountpoint))
		return EXIT_USAGE;
	if (mount_unmount(mountpoint, lazy, &err) < 0)
		return cli_fail(&err);
	return EXIT_DONE;
}
