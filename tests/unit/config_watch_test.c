/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "fs/config/config_watch.h"

#include <poll.h>
#include "tests/unit/config_file.h"

static struct config_watch *watch;

static void setup(void)
{
	put_all();
	cr_assert_eq(config_watch_new(&watch, &err), 0);
}

static void teardown(void)
{
	config_watch_free(watch);
	remove_all();
}

TestSuite(config_watch, .init = setup, .fini = teardown);

static void begin(const char *name)
{
	struct settings *st = load(name);

	cr_assert(config_watch_set(watch, st));
	settings_free(st);
	cr_assert_geq(config_watch_fd(watch), 0);
	cr_assert_not(config_watch_take(watch));
	cr_assert_not(config_watch_compare(watch));
}

/* Told by the kernel, which does it before the change returns. */
static bool is_told(void)
{
	struct pollfd p = { .fd = config_watch_fd(watch), .events = POLLIN };

	return poll(&p, 1, 0) == 1 && config_watch_take(watch);
}

Test(config_watch, what_is_written_in_place_or_renamed_over_is_told)
{
	begin("etc/config.yaml");
	put("etc/config.yaml", CONFIG "# more\n");
	cr_assert(is_told());
	cr_assert(config_watch_compare(watch));

	begin("etc/config.yaml");
	put("etc/.config.yaml.swp", CONFIG);
	cr_assert_not(is_told());
	cr_assert_eq(rename(in_dir("etc/.config.yaml.swp"),
			    in_dir("etc/config.yaml")), 0);
	cr_assert(is_told());
	cr_assert(config_watch_compare(watch));
}

Test(config_watch, a_file_that_goes_and_one_that_comes_are_told)
{
	begin("etc/config.yaml");
	cr_assert_eq(unlink(in_dir("etc/config.yaml")), 0);
	cr_assert(is_told());
	config_watch_again(watch);
	put("etc/config.yaml", CONFIG);
	cr_assert(is_told());
}

Test(config_watch, what_else_happens_in_the_folder_is_not_told)
{
	begin("etc/config.yaml");
	put("etc/other.yaml", "x");
	cr_assert_eq(unlink(in_dir("etc/other.yaml")), 0);
	cr_assert_not(is_told());
	cr_assert_not(config_watch_compare(watch));
}

Test(config_watch, a_secret_that_is_written_comes_or_goes_is_told)
{
	begin("etc/config.yaml");
	put("etc/secrets/key/access_key", "other\n");
	cr_assert(is_told());
	cr_assert(config_watch_compare(watch));

	begin("etc/config.yaml");
	put("etc/secrets/key/region", "us-west-2\n");
	cr_assert(is_told());
	cr_assert(config_watch_compare(watch));
}

/* kubelet: a new folder, a link to it of another name, and a rename. */
static void swap(const char *folder, const char *version)
{
	char data[64], tmp[64];

	(void)snprintf(data, sizeof(data), "%s/..data", folder);
	(void)snprintf(tmp, sizeof(tmp), "%s/..data_tmp", folder);
	cr_assert_eq(symlink(version, in_dir(tmp)), 0);
	cr_assert_eq(rename(in_dir(tmp), in_dir(data)), 0);
}

Test(config_watch, the_swap_of_a_config_map_is_told)
{
	make_dir("map/..2026_1");
	make_dir("map/..2026_2");
	make_dir("map/secrets");
	cr_assert_eq(rename(in_dir("etc/secrets/key"),
			    in_dir("map/secrets/key")), 0);
	put("map/..2026_1/config.yaml", CONFIG);
	put("map/..2026_2/config.yaml", CONFIG "# two\n");
	swap("map", "..2026_1");
	cr_assert_eq(symlink("..data/config.yaml", in_dir("map/config.yaml")),
		     0);
	begin("map/config.yaml");
	swap("map", "..2026_2");
	cr_assert(is_told());
	cr_assert(config_watch_compare(watch));

	/* And of what it leads to. */
	begin("map/config.yaml");
	put("map/..2026_2/config.yaml", CONFIG);
	cr_assert(is_told());
}

Test(config_watch, the_swap_of_a_secret_is_told)
{
	make_dir("etc/secrets/new/..2026_1");
	make_dir("etc/secrets/new/..2026_2");
	put("etc/secrets/new/..2026_1/access_key_id", "1");
	put("etc/secrets/new/..2026_1/access_key", "1");
	put("etc/secrets/new/..2026_2/access_key_id", "2");
	put("etc/secrets/new/..2026_2/access_key", "2");
	swap("etc/secrets/new", "..2026_1");
	cr_assert_eq(symlink("..data/access_key_id",
			     in_dir("etc/secrets/new/access_key_id")), 0);
	cr_assert_eq(symlink("..data/access_key",
			     in_dir("etc/secrets/new/access_key")), 0);
	put("etc/config.yaml",
	    "buckets: {p: {dataset_path: \"s3://b/p\", default_credential: "
	    "{secretName: new}}}\n"
	    "datasetfs: {secrets_dir: secrets}\n");
	begin("etc/config.yaml");
	swap("etc/secrets/new", "..2026_2");
	cr_assert(is_told());
	cr_assert(config_watch_compare(watch));
}
