/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include <stdio.h>

#include "fs/cli/check/bucket_check.h"
#include "fs/mount/mount.h"

static int parse_options(struct bucket_check *c, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "no-write", no_argument, NULL, 'n' },
		{ "mountpoint", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = cli_getopt(c->cli, argc, argv, "m:", longs)) != -1) {
		switch (option) {
		case 'n':
			c->no_write = true;
			break;
		case 'm':
			c->mountpoint = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return 0;
}

static void check_named(struct bucket_check *c, const char *name)
{
	struct buckets *bs = c->cli->buckets;
	struct bucket *b = buckets_find(bs, name);
	struct err err = ERR_INIT;

	if (b)
		bucket_check_one(c, b);
	else if (buckets_find_or_default(bs, name, &b, &err) < 0)
		bucket_check_unknown(c, name, &err);
}

int cmd_bucket_check(struct cli *cli, int argc, char **argv)
{
	struct bucket_check c = {
		.cli = cli,
		.mountpoint = MOUNT_DEFAULT_POINT,
	};
	int code = parse_options(&c, argc, argv);

	if (code == 0)
		code = cli_settings(cli);
	if (code == 0)
		code = cli_buckets(cli);
	if (code)
		return code;
	if (cli->json)
		c.findings.list = json_array();
	for (int i = optind; i < argc; i++)
		check_named(&c, argv[i]);
	if (optind == argc) {
		bucket_check_default(&c);
		for (size_t i = 0; i < buckets_count(cli->buckets); i++) {
			struct bucket *b = buckets_at(cli->buckets, i);

			if (b)
				bucket_check_one(&c, b);
		}
	}
	return findings_finish(&c.findings, "bucket-check", c.code);
}
