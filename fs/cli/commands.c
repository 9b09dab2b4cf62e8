/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands.  tests/check-cli compares it with the manual.
 */
#include <config.h>

#include "fs/cli/cli.h"
#include "fs/mount/mount.h"

const struct command commands[] = {
	{ "mount", "[-f] [OPTIONS] [MOUNTPOINT]",
	  "Mount the datasets",
	  "  -f, --foreground      stay in the foreground, log to stderr\n"
	  "  --cache-dir DIR       instead of datasetfs.cache.dir\n"
	  "  --cache-size SIZE     instead of datasetfs.cache.size (500GiB)\n"
	  "  --strict              refuse to mount when any bucket has a problem\n"
	  "  -o OPT[,OPT...]       mount options, see datasetfs(1)\n"
	  "\nMOUNTPOINT is " MOUNT_DEFAULT_POINT " unless given; /dev/fd/N is accepted.\n",
	  cmd_mount },
	{ "unmount", "[--lazy] [MOUNTPOINT]",
	  "Unmount the datasets",
	  "  -l, --lazy            detach now, end when nobody uses it any more\n",
	  cmd_unmount },
	{ "status", "[MOUNTPOINT]",
	  "Show the state of a running mount", NULL, cmd_status },
	{ "cache stat", "[--brief] [MOUNTPOINT]",
	  "Show the cache of a running mount, by bucket and dataset",
	  "  --brief               only what costs nothing to know\n",
	  cmd_cache_stat },
	{ "cache evict", "[-m DIR] [REF | --bucket BUCKET]",
	  "Take content out of the cache: a version's, a bucket's, or all",
	  "  -b, --bucket BUCKET   of all versions of that bucket\n"
	  "  -m, --mountpoint DIR  of the mount there (" MOUNT_DEFAULT_POINT ")\n"
	  "\nWhere nothing is mounted, of the directory that the configuration names.\n",
	  cmd_cache_evict },
	{ "doctor", "",
	  "Look for what is wrong with this machine and the configuration",
	  NULL, cmd_doctor },
	{ "bucket check", "[--no-write] [-m DIR] [BUCKET...]",
	  "Check each step from the configuration to an object of the store",
	  "  --no-write            write nothing, also where the mode allows it\n"
	  "  -m, --mountpoint DIR  where the datasets are mounted (" MOUNT_DEFAULT_POINT ")\n",
	  cmd_bucket_check },
	{ "bucket list", "[--brief]",
	  "List the registered buckets",
	  "  --brief               only name and location, in the file's order\n",
	  cmd_bucket_list },
	{ "config show", "[--origin] [DATASET [BUCKET]]",
	  "Show the configuration that is in force",
	  "  --origin              where each value comes from\n",
	  cmd_config_show },
	{ "config get", "DATASET",
	  "Show the dataset configuration as OSMO shows it", NULL,
	  cmd_config_get },
	{ "dataset list", "[BUCKET]",
	  "List the datasets of all buckets, or of one", NULL,
	  cmd_dataset_list },
	{ "dataset info", "[--all] REF",
	  "Show a dataset, its versions and tags",
	  "  -a, --all             versions that are not READY too\n",
	  cmd_dataset_info },
	{ "dataset inspect", "[-t text|tree|json] [-x REGEX] [-n COUNT] REF",
	  "List the files of a version",
	  "  -t, --format-type T   text, tree or json\n"
	  "  -x, --regex REGEX     only paths that match from their start on\n"
	  "  -n, --count COUNT     at most so many files (default 1000; 0: all)\n",
	  cmd_dataset_inspect },
	{ "dataset checksum", "REF...",
	  "Compute a version's checksum and compare it with the recorded one",
	  NULL, cmd_dataset_checksum },
	{ "dataset verify", "[--content | --sample PERCENT] [--resume] [-m DIR] REF [PATH...]",
	  "Check a version in its store and in the cache of the mount",
	  "  --content             read all content and check it too\n"
	  "  --sample PERCENT      read that of so many files, as 1%, always the same\n"
	  "  -m, --mountpoint DIR  whose cache is checked (" MOUNT_DEFAULT_POINT ")\n"
	  "  -r, --resume          leave out what an earlier run found to be right\n"
	  "\nPATH is a file or directory of the version: then only what is in it.\n",
	  cmd_dataset_verify },
	{ "dataset prefetch", "[--check | --background | --cancel] [-m DIR] REF [PATH...]",
	  "Fetch the content of a version into the cache of the mount",
	  "  --background          let the daemon of the mount do it, and return\n"
	  "  --cancel              end what --background began of REF\n"
	  "  --check               only tell what is there and what is missing\n"
	  "  -m, --mountpoint DIR  where the datasets are mounted (" MOUNT_DEFAULT_POINT ")\n"
	  "\nPATH is a file or directory of the version: then only what is in it.\n"
	  "Interrupted, the same command goes on where it was.\n",
	  cmd_dataset_prefetch },
	{ "dataset download", "[-x REGEX] [--resume] REF DIR",
	  "Copy the files of a version to DIR/NAME",
	  "  -x, --regex REGEX     only paths that match from their start on\n"
	  "  -r, --resume          keep the files that are there and right, fetch\n"
	  "                        all others\n",
	  cmd_dataset_download },
	{ "dataset import objects", "[OPTIONS] REF[:TAG] URI",
	  "Make a version of objects that are in a store already",
	  "  -x, --regex REGEX     only paths that match from their start on\n"
	  "  -n, --dry-run         tell what would be done, change nothing\n"
	  "  --catalog URI         write the catalog there (read-only buckets)\n"
	  "\nURI is a prefix, or one object, below the bucket's dataset_path or a\n"
	  "foreign: prefix of it.  No content is moved; each object is pinned by its\n"
	  "generation or ETag.\n",
	  cmd_dataset_import_objects },
	{ "dataset import osmo", "[OPTIONS] BUCKET SOURCE...",
	  "Take over the catalog of an OSMO bucket",
	  "  -n, --dry-run         tell what would be done, change nothing\n"
	  "  --catalog URI         write the catalog there (read-only buckets)\n"
	  "  --adopt               no OSMO numbers these datasets any more\n"
	  "  --token-file FILE     of a URL: a file that holds OSMO's token\n"
	  "  --user NAME           of a URL: as who, in a development installation\n"
	  "\nSOURCE is a pg_dump of OSMO's database, the JSON that \"osmo dataset\n"
	  "list -t json\" and \"osmo dataset info -t json\" print, a folder of such\n"
	  "files, or the URL of an OSMO service up to release 6.3, asked as \"osmo\n"
	  "login\" has left it.\n",
	  cmd_dataset_import_osmo },
	{ "resolve", "REF... | --workflow FILE",
	  "Print the pinned path of a dataset",
	  "  -w, --workflow FILE   all inputs of an OSMO workflow\n"
	  "  -m, --mountpoint DIR  where the datasets are mounted (" MOUNT_DEFAULT_POINT ")\n",
	  cmd_resolve },
};
const size_t n_commands = ARRAY_SIZE(commands);
